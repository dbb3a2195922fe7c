#include "monitor/alert_desk.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/store_reader.h"

#define TELL_AGAIN_US INT64_C(86400000000)      /* older events are not told any more */

/** An event that waits for the commit; the texts of the row are its own. */
typedef struct news {
    monitor_alert_row row;
    char *text[5];                     /* name, digest, subject, features, text */
    char event[16];
    int64_t at_us;
    bool again;
} news;

struct monitor_alert_desk {
    monitor_store *store;
    monitor_reader *reader;
    monitor_alerts *alerts;
    monitor_deliver *deliver;
    news *waiting; size_t n, capacity;
    int64_t now_us;
};

/* ---- events on their way ---- */

static void news_release(news *n)
{
    for (size_t i = 0; i < sizeof n->text / sizeof *n->text; i++) free(n->text[i]);
}

static fw_status copy_news(news *n, const monitor_alert_row *row, fw_error *err)
{
    const char *const from[] = {row->name, row->digest, row->subject, row->features, row->text};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        if (from[i] != NULL) FW_TRY(fw_copy_text(&n->text[i], from[i], err));
    monitor_alert_kind kind;
    n->row = *row;
    n->row.name = n->text[0];
    n->row.digest = n->text[1];
    n->row.subject = n->text[2];
    n->row.features = n->text[3];
    n->row.text = n->text[4];
    if (!monitor_alert_kind_find(&kind, row->kind)) return fw_fail(err, FW_ERR_INTERNAL, "alert %lld: its kind is unknown", (long long)row->alert);
    n->row.kind = monitor_alert_kind_name(kind);
    n->row.advice = monitor_alert_advice(kind, row->subject);
    return FW_OK;
}

static fw_status add_news(monitor_alert_desk *d, const monitor_alert_row *row, const char *event, int64_t at_us, bool again, fw_error *err)
{
    news n = {.at_us = at_us, .again = again};
    FW_TRY(fw_grow((void **)&d->waiting, &d->capacity, d->n + 1, sizeof *d->waiting, "alerts to be told", err));
    const fw_status s = copy_news(&n, row, err);
    if (s < 0) {
        news_release(&n);
        return s;
    }
    strncpy(n.event, event, sizeof n.event - 1);
    d->waiting[d->n++] = n;
    return FW_OK;
}

/** The sink of the machine. */
static fw_status on_change(void *context, const monitor_alert_row *row, const char *event, int64_t at_us, bool tell, fw_error *err)
{
    monitor_alert_desk *d = context;
    if (d->store != NULL) {
        FW_TRY(monitor_store_put_alert(d->store, row, err));
        const monitor_event_row e = {.alert = row->alert, .at_us = at_us, .event = event, .by = "monitor", .delivery = tell};
        if (event != NULL) FW_TRY(monitor_store_put_event(d->store, &e, err));
    }
    return tell ? add_news(d, row, event, at_us, false, err) : FW_OK;
}

/* ---- what an earlier monitor left ---- */

static fw_status restore_one(void *context, const monitor_alert_row *row, fw_error *err)
{
    monitor_alert_desk *d = context;
    return monitor_alerts_restore(d->alerts, row, d->now_us, err);
}

typedef struct retelling { monitor_alert_desk *desk; const monitor_event_row *event; } retelling;

static fw_status tell_row_again(void *context, const monitor_alert_row *row, fw_error *err)
{
    const retelling *r = context;
    monitor_alert_kind kind;
    if (!monitor_alert_kind_find(&kind, row->kind)) return FW_OK;
    return add_news(r->desk, row, r->event->event, r->event->at_us, true, err);
}

static fw_status tell_again(void *context, const monitor_event_row *event, fw_error *err)
{
    retelling r = {context, event};
    if (event->delivery != 1) return FW_OK;
    return monitor_read_alert(r.desk->reader, &(monitor_query){.alert = event->alert}, tell_row_again, &r, err);
}

static fw_status restore(monitor_alert_desk *d, const char *path, fw_error *err)
{
    FW_TRY(monitor_reader_open(&d->reader, path, err));
    FW_TRY(monitor_read_alert(d->reader, NULL, restore_one, d, err));
    return monitor_read_event(d->reader, &(monitor_query){.from = d->now_us - TELL_AGAIN_US}, tell_again, d, err);
}

fw_status monitor_alert_desk_open(monitor_alert_desk **out, monitor_store *store, const char *store_path, const monitor_alert_opts *alerts,
                                  const monitor_deliver_opts *deliver, int64_t now_us, fw_error *err)
{
    monitor_alert_desk *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "alerts");
    d->store = store;
    d->now_us = now_us;
    monitor_alert_opts opts = *alerts;
    fw_status s = store != NULL ? monitor_store_next_alert(&opts.first_number, store, err) : FW_OK;
    if (s >= 0) s = monitor_alerts_create(&d->alerts, &opts, &(monitor_alert_sink){d, on_change}, err);
    if (s >= 0) s = monitor_deliver_open(&d->deliver, deliver, err);
    if (s >= 0 && store != NULL) s = restore(d, store_path, err);
    if (s < 0) {
        monitor_alert_desk_close(&d, 0);
        return s;
    }
    *out = d;
    return FW_OK;
}

static fw_status store_outcomes(monitor_alert_desk *d, fw_error *err)
{
    monitor_told told;
    while (d->deliver != NULL && monitor_deliver_next(d->deliver, &told)) {
        const monitor_event_row e = {.alert = told.alert, .at_us = told.at_us, .event = told.event, .by = "monitor", .delivery = told.arrived ? 2 : 3,
                                     .note = told.arrived ? NULL : told.why};
        if (d->store != NULL) FW_TRY(monitor_store_put_event(d->store, &e, err));
    }
    return FW_OK;
}

void monitor_alert_desk_close(monitor_alert_desk **desk, double linger_s)
{
    if (desk == NULL || *desk == NULL) return;
    monitor_alert_desk *d = *desk;
    if (d->deliver != NULL && linger_s > 0) monitor_deliver_wait(d->deliver, linger_s);
    store_outcomes(d, NULL);
    monitor_deliver_close(&d->deliver);
    for (size_t i = 0; i < d->n; i++) news_release(&d->waiting[i]);
    free(d->waiting);
    monitor_alerts_destroy(&d->alerts);
    monitor_reader_destroy(&d->reader);
    free(d);
    *desk = NULL;
}

/* ---- at work ---- */

fw_status monitor_alert_desk_look(monitor_alert_desk *d, const monitor_look *look, int64_t now_us, fw_error *err)
{
    d->now_us = now_us;
    return monitor_alerts_look(d->alerts, look, now_us, err);
}

static fw_status take_act(void *context, const monitor_alert_row *row, fw_error *err)
{
    monitor_alert_desk *d = context;
    return monitor_alerts_act(d->alerts, row, d->now_us, err);
}

fw_status monitor_alert_desk_tick(monitor_alert_desk *d, int64_t now_us, fw_error *err)
{
    bool touched = false;
    d->now_us = now_us;
    if (d->store != NULL) FW_TRY(monitor_store_touched(d->store, &touched, err));
    if (touched) FW_TRY(monitor_read_alert(d->reader, NULL, take_act, d, err));
    FW_TRY(monitor_alerts_tick(d->alerts, now_us, err));
    return store_outcomes(d, err);
}

fw_status monitor_alert_desk_tell(monitor_alert_desk *d, fw_error *err)
{
    fw_status worst = FW_OK;
    for (size_t i = 0; i < d->n; i++) {
        const news *n = &d->waiting[i];
        const fw_status s = monitor_deliver_event(d->deliver, &n->row, n->event, n->at_us, n->again, err);
        if (s < 0) worst = s;
        news_release(&d->waiting[i]);
    }
    d->n = 0;
    return worst;
}

monitor_alert_counts monitor_alert_desk_count(const monitor_alert_desk *d) { return monitor_alerts_count(d->alerts); }
