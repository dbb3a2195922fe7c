#include "monitor/watch_publishers.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define LOOK_S    5.0
#define SILENT_US INT64_C(4000000)      /* as long as it was silent when it is named */

typedef struct state {
    fw_inbox_publisher kept;           /* as it was put last */
    fw_stream stream;                  /* of `lost` */
    uint64_t lost;                     /* of its messages, at the last look */
    uint64_t batches, claims;          /* messages of it that were refused: they break the contract; what they say of a model can't be */
    bool silent, ended, changed;       /* changed: since it was put */
    int64_t silent_us;
} state;

struct monitor_publishers {
    const monitor_feed *feed;
    const monitor_intake *intake;      /* NULL: not to be asked */
    monitor_store *store;
    monitor_alert_desk *desk;
    fw_mono look_at;
    state of[FW_INBOX_MAX_PUBLISHERS];      /* as in the feed */
    monitor_alert_bus *own;            /* NULL: none */
    fw_inbox_publisher own_kept;       /* as it was put last */
};

fw_status monitor_publishers_create(monitor_publishers **out, const monitor_feed *feed, monitor_store *store, monitor_alert_desk *desk, fw_error *err)
{
    monitor_publishers *p = calloc(1, sizeof *p);
    if (p == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: publishers");
    *p = (monitor_publishers){.feed = feed, .store = store, .desk = desk, .look_at = fw_mono_now()};
    *out = p;
    return FW_OK;
}

void monitor_publishers_destroy(monitor_publishers **p)
{
    if (p == NULL) return;
    free(*p);
    *p = NULL;
}

void monitor_publishers_ask(monitor_publishers *p, const monitor_intake *in) { p->intake = in; }

static bool is_known(const fw_inbox_publisher *b)
{
    static const fw_stream none;
    return memcmp(&b->stream, &none, sizeof none) != 0;
}

/** It sent something, and nothing that could be taken: it has a row all the same, by its address. */
static bool was_refused(const fw_inbox_publisher *b) { return b->garbage + b->refused + b->untrue > 0; }

/* ---- looks ---- */

static uint64_t all_dropped(const fw_inbox_publisher *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) n += b->dropped[i];
    return n;
}

static fw_status look_at(const monitor_publishers *p, const fw_inbox_publisher *b, monitor_alert_kind kind, uint64_t level, const char *measure, const char *detail,
                         int64_t since_us, fw_error *err)
{
    const monitor_look look = {.kind = kind, .subject = b->endpoint, .level = (double)level, .threshold = 1, .evidence = true, .certainty = 1, .since_us = since_us,
                               .measure = measure, .detail = detail};
    return monitor_alert_desk_look(p->desk, &look, fw_utc_now_us(), err);
}

static fw_status look(const monitor_publishers *p, const fw_inbox_publisher *b, state *s, fw_error *err)
{
    char detail[192];
    const char *name = *b->name != '\0' ? b->name : "a publisher without a name";
    if (memcmp(&s->stream, &b->stream, sizeof s->stream) != 0) s->lost = 0;
    const uint64_t lost = b->lost - FW_MIN(s->lost, b->lost);
    s->stream = b->stream;
    s->lost = b->lost;
    if (p->desk == NULL) return FW_OK;
    snprintf(detail, sizeof detail, "%llu in all of %s, which says that it dropped %llu", (unsigned long long)b->lost, name, (unsigned long long)all_dropped(b));
    FW_TRY(look_at(p, b, MONITOR_ALERT_TELEMETRY_LOST, lost, "messages lost", detail, 0, err));
    snprintf(detail, sizeof detail, "it was %s", name);
    return look_at(p, b, MONITOR_ALERT_PUBLISHER_LOST, s->silent, "silent publishers", detail, s->silent_us, err);
}

/** NULL: it is none of the inbox. */
static state *find(monitor_publishers *p, const fw_inbox_publisher *b)
{
    for (size_t i = 0; i < p->feed->n(p->feed->context); i++)
        if (strcmp(p->feed->at(p->feed->context, i)->endpoint, b->endpoint) == 0) return &p->of[i];
    return NULL;
}

fw_status monitor_publishers_take(monitor_publishers *p, const fw_inbox_event *e, fw_error *err)
{
    if (e->kind == FW_INBOX_MESSAGE || e->kind == FW_INBOX_REFUSED) return FW_OK;
    state *s = find(p, e->publisher);
    if (s == NULL) return FW_OK;
    if (e->kind == FW_INBOX_SILENT) s->silent_us = fw_utc_now_us() - SILENT_US;
    s->changed = true;
    if (e->kind != FW_INBOX_LOST) {
        s->silent = e->kind == FW_INBOX_SILENT;
        s->ended = e->kind == FW_INBOX_ENDED;
    }
    return s->silent || e->kind == FW_INBOX_LOST ? look(p, e->publisher, s, err) : FW_OK;
}

uint64_t monitor_publishers_refuse(monitor_publishers *p, const fw_inbox_publisher *b, fw_status why)
{
    state *s = find(p, b);
    if (s == NULL) return 0;
    s->changed = true;
    s->batches += why == FW_ERR_FORMAT;
    s->claims += why != FW_ERR_FORMAT;
    return s->batches + s->claims;
}

fw_status monitor_publishers_tick(monitor_publishers *p, fw_mono now, fw_error *err)
{
    if (now.ns < p->look_at.ns) return FW_OK;
    p->look_at = fw_mono_after(now, LOOK_S);
    for (size_t i = 0; i < p->feed->n(p->feed->context); i++) {
        const fw_inbox_publisher *b = p->feed->at(p->feed->context, i);
        if (is_known(b)) FW_TRY(look(p, b, &p->of[i], err));
    }
    return FW_OK;
}

/* ---- rows ---- */

static char *reasons_of(const fw_inbox_publisher *b, const state *s)
{
    json_t *o = json_object();
    for (size_t i = 0; i < FW_N_DROPS; i++) json_object_set_new(o, fw_drop_text((fw_drop)i), json_integer((json_int_t)b->dropped[i]));
    json_object_set_new(o, "refused", json_pack("{sI sI sI sI sI}", "frame", (json_int_t)b->garbage, "stream", (json_int_t)b->refused, "batch", (json_int_t)s->batches,
                                                "model", (json_int_t)s->claims, "account", (json_int_t)b->untrue));
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static fw_status put(const monitor_publishers *p, const fw_inbox_publisher *b, const state *s, fw_error *err)
{
    FW_FREE char *reasons = reasons_of(b, s);
    if (reasons == NULL) return fw_fail(err, FW_ERR_NOMEM, "store: publisher %s", b->name);
    const int64_t now_us = fw_utc_now_us();
    const monitor_publisher_row row = {
        .stream = is_known(b) ? (monitor_bytes){&b->stream, sizeof b->stream} : (monitor_bytes){b->endpoint, strlen(b->endpoint)}, .name = b->name,
        .address = b->endpoint, .position = (int64_t)b->position, .produced = (int64_t)b->produced,
        .delivered = (int64_t)b->delivered, .spooled = (int64_t)b->spooled, .dropped = (int64_t)all_dropped(b), .reasons = reasons,
        .missing = (int64_t)(p->intake != NULL ? monitor_intake_lost_of(p->intake, &b->stream) : b->lost), .duplicates = (int64_t)b->duplicates,
        .malformed = (int64_t)(b->garbage + b->refused + b->untrue + s->batches + s->claims), .first_us = now_us, .heard_us = s->silent ? s->silent_us : now_us,
        .ended = s->ended};
    return monitor_store_put_publisher(p->store, &row, err);
}

void monitor_publishers_own(monitor_publishers *p, monitor_alert_bus *bus) { p->own = bus; }

static fw_status save_own(monitor_publishers *p, fw_error *err)
{
    fw_inbox_publisher now;
    if (p->store == NULL || p->own == NULL) return FW_OK;
    monitor_alert_bus_account(&now, p->own);
    if (memcmp(&now, &p->own_kept, sizeof now) == 0) return FW_OK;
    memcpy(&p->own_kept, &now, sizeof now);
    return put(p, &now, &(state){0}, err);
}

fw_status monitor_publishers_close_own(monitor_publishers *p, monitor_alert_bus **bus, int linger_ms, fw_error *err)
{
    fw_inbox_publisher last;
    if (*bus == NULL) return FW_OK;
    p->own = NULL;
    monitor_alert_bus_close(bus, linger_ms, &last);
    return p->store != NULL ? put(p, &last, &(state){.ended = true}, err) : FW_OK;
}

fw_status monitor_publishers_save(monitor_publishers *p, fw_error *err)
{
    FW_TRY(save_own(p, err));
    for (size_t i = 0; p->store != NULL && i < p->feed->n(p->feed->context); i++) {
        const fw_inbox_publisher *b = p->feed->at(p->feed->context, i);
        state *s = &p->of[i];
        if (!(is_known(b) || was_refused(b)) || (!s->changed && memcmp(&s->kept, b, sizeof *b) == 0)) continue;
        FW_TRY(put(p, b, s, err));
        memcpy(&s->kept, b, sizeof *b);
        s->changed = false;
    }
    return FW_OK;
}
