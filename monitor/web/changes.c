#include "monitor/web/changes.h"

#include <stdio.h>
#include <string.h>

#include "common/core/hash.h"
#include "monitor/experiments.h"

#define LOOK_WINDOWS    64
#define LOOK_ALERTS     256
#define LOOK_PUBLISHERS 256

/** A mark over rows, and the newest of them as JSON. */
typedef struct marker { uint64_t hash; size_t n; char newest[96]; } marker;

static void add(marker *m, const int64_t *v, size_t n) { m->hash = fw_hash64(v, n * sizeof *v, m->hash); }

static fw_status mark_window(void *context, const monitor_window_row *w, fw_error *err)
{
    (void)err;
    marker *m = context;
    if (m->n++ == 0) snprintf(m->newest, sizeof m->newest, "{\"model\":%lld,\"number\":%lld}", (long long)w->model, (long long)w->number);
    add(m, (const int64_t[]){w->model, w->number, w->rows, w->revised}, 4);
    return FW_OK;
}

static fw_status mark_alert(void *context, const monitor_alert_row *a, fw_error *err)
{
    (void)err;
    marker *m = context;
    if (m->n++ == 0) snprintf(m->newest, sizeof m->newest, "{\"alert\":%lld}", (long long)a->alert);
    add(m, (const int64_t[]){a->alert, a->last_us, a->acknowledged_us, a->silenced_until_us, a->resolved_us}, 5);
    return FW_OK;
}

static fw_status mark_publisher(void *context, const monitor_publisher_row *p, fw_error *err)
{
    (void)err;
    marker *m = context;
    add(m, (const int64_t[]){p->position, p->produced, p->delivered, p->spooled, p->dropped, p->missing, p->ended}, 7);
    return FW_OK;
}

static fw_status mark_state(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    marker *m = context;
    m->hash = fw_hash64(row->bytes.data, row->bytes.len, m->hash);
    return FW_OK;
}

static void tell_if(const monitor_changes *c, uint64_t *mark, const marker *m, const char *event, monitor_change_fn tell, void *context)
{
    if (c->known && m->hash != *mark) tell(context, event, m->newest[0] != '\0' ? m->newest : "{}");
    *mark = m->hash;
}

fw_status monitor_changes_find(monitor_changes *c, monitor_reader *r, monitor_change_fn tell, void *context, fw_error *err)
{
    marker windows = {0}, alerts = {0}, publishers = {0}, progress = {0};
    FW_TRY(monitor_read_window(r, &(monitor_query){.newest_first = true, .limit = LOOK_WINDOWS}, mark_window, &windows, err));
    FW_TRY(monitor_read_alert(r, &(monitor_query){.newest_first = true, .limit = LOOK_ALERTS}, mark_alert, &alerts, err));
    FW_TRY(monitor_read_publisher(r, &(monitor_query){.newest_first = true, .limit = LOOK_PUBLISHERS}, mark_publisher, &publishers, err));
    FW_TRY(monitor_read_state(r, &(monitor_query){.name = MONITOR_EXPERIMENTS_INDEX}, mark_state, &progress, err));
    tell_if(c, &c->windows, &windows, "windows", tell, context);
    tell_if(c, &c->alerts, &alerts, "alerts", tell, context);
    tell_if(c, &c->publishers, &publishers, "publishers", tell, context);
    tell_if(c, &c->progress, &progress, "progress", tell, context);
    c->known = true;
    return FW_OK;
}
