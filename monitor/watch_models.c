#include "monitor/watch_models.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/watch_parts.h"

static void watched_release(watched *t)
{
    monitor_drift_destroy(&t->drift);
    fw_summary_destroy(&t->open);
}

fw_status monitor_watch_create(monitor_watch **out, const monitor_watch_opts *opts, fw_error *err)
{
    FW_AUTO(monitor_watch) *w = calloc(1, sizeof *w);
    if (w == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: models that are watched");
    w->opts = *opts;
    FW_TRY(monitor_models_create(&w->models, err));
    *out = w;
    w = NULL;
    return FW_OK;
}

void monitor_watch_destroy(monitor_watch **w)
{
    if (w == NULL || *w == NULL) return;
    for (size_t i = 0; i < (*w)->n; i++) watched_release(&(*w)->of[i]);
    free((*w)->of);
    monitor_models_destroy(&(*w)->models);
    free(*w);
    *w = NULL;
}

static bool is_of(const watched *t, const char *name, const char *digest)
{
    return strcmp(t->known->digest, digest) == 0 && strcmp(t->known->name, name) == 0;
}

bool monitor_watch_place(monitor_place *out, const monitor_watch *w, const char *name, const char *digest, int64_t at_us)
{
    (void)at_us;
    for (size_t i = 0; i < w->n; i++) {
        const watched *t = &w->of[i];
        if (t->drift == NULL || !is_of(t, name, digest)) continue;
        *out = (monitor_place){t->known, t->model, t->number};
        return true;
    }
    return false;
}

bool monitor_watch_has(const monitor_watch *w, const char *name, const char *digest)
{
    monitor_place place;
    return monitor_watch_place(&place, w, name, digest, 0);
}

void monitor_watch_tell(monitor_watch *w, const monitor_watch_hearer *h) { w->hearer = *h; }

size_t monitor_watch_n(const monitor_watch *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) n += w->of[i].drift != NULL;
    return n;
}

/* ---- models ---- */

static fw_status number_of(int64_t *out, const monitor_watch *w, const monitor_known *k, fw_error *err)
{
    if (w->opts.store != NULL) return monitor_store_model(out, w->opts.store, k->name, k->digest, err);
    size_t i = 0;
    while (i < w->n && !is_of(&w->of[i], k->name, k->digest)) i++;
    *out = (int64_t)i + 1;
    return FW_OK;
}

/** The number of a window that opens: it is kept for it, over all sets of bins of the version. */
static uint64_t next_number(const monitor_watch *w, int64_t model)
{
    uint64_t last = 0;
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i].model == model) last = FW_MAX(last, w->of[i].number);
    return last + 1;
}

static fw_status fill(watched *t, const monitor_watch *w, const void *bytes, size_t len, fw_error *err)
{
    const monitor_known *k = t->known;
    FW_TRY(number_of(&t->model, w, k, err));
    t->number = next_number(w, t->model);
    if (k->reference == NULL) return FW_OK;
    const fw_summary *r = k->reference->summary;
    FW_TRY(fw_summary_create(&t->open, fw_summary_bins(r, 0), fw_summary_n(r), err));
    FW_TRY(monitor_drift_create(&t->drift, r, &w->opts.drift, err));
    return w->opts.store != NULL && bytes != NULL ? monitor_watch_put_model(w, t, bytes, len, err) : FW_OK;
}

fw_status monitor_watch_add(monitor_watch *w, const monitor_known *known, const void *bytes, size_t len, fw_error *err)
{
    watched t = {.known = known};
    FW_TRY(fw_grow((void **)&w->of, &w->capacity, w->n + 1, sizeof *w->of, "models that are watched", err));
    const fw_status s = fill(&t, w, bytes, len, err);
    if (s < 0) {
        watched_release(&t);
        return s;
    }
    w->of[w->n++] = t;
    return FW_OK;
}

/* ---- windows ---- */

static fw_status tell(const monitor_watch *w, const watched *t, fw_error *err)
{
    const monitor_closed c = {.place = {t->known, t->model, t->number}, .rows = t->rows, .from_us = t->from_us, .to_us = t->to_us, .counts = t->open};
    return w->hearer.closed != NULL ? w->hearer.closed(w->hearer.context, &c, err) : FW_OK;
}

static fw_status close_window(monitor_watch *w, watched *t, monitor_reason reason, fw_error *err)
{
    FW_TRY(monitor_drift_look(t->drift, t->open, (uint64_t)FW_MAX(t->from_us, 0), err));
    if (w->opts.store != NULL) FW_TRY(monitor_watch_put_window(w, t, reason, err));
    FW_TRY(tell(w, t, err));
    if (w->opts.desk != NULL) FW_TRY(monitor_watch_look(w, t, err));
    fw_summary_reset(t->open);
    t->number = next_number(w, t->model);
    t->rows = t->gaps = 0;
    t->changed = true;
    return FW_OK;
}

static monitor_reason due(const monitor_watch *w, const watched *t, fw_mono now)
{
    const monitor_window_opts *o = &w->opts.window;
    if (t->rows == 0) return MONITOR_OPEN;
    if (o->predictions > 0 && t->rows >= o->predictions) return MONITOR_FULL;
    if (o->seconds > 0 && fw_mono_seconds(t->opened, now) >= o->seconds) return MONITOR_TIME;
    return o->idle_s > 0 && fw_mono_seconds(t->last, now) >= o->idle_s ? MONITOR_IDLE : MONITOR_OPEN;
}

static fw_status close_when_due(monitor_watch *w, watched *t, fw_mono now, fw_error *err)
{
    const monitor_reason reason = due(w, t, now);
    return reason != MONITOR_OPEN ? close_window(w, t, reason, err) : FW_OK;
}

static fw_status add_summary(monitor_watch *w, watched *t, const fw_telemetry_summary *s, fw_mono now, fw_error *err)
{
    FW_TRY(close_when_due(w, t, now, err));
    FW_TRY(fw_summary_add_counts(t->open, s->count, s->n, s->rows, err));
    if (s->rows == 0) return FW_OK;
    t->opened = t->rows == 0 ? now : t->opened;
    t->from_us = t->rows == 0 ? s->from_us : FW_MIN(t->from_us, s->from_us);
    t->to_us = t->rows == 0 ? s->to_us : FW_MAX(t->to_us, s->to_us);
    t->last = now;
    t->rows += s->rows;
    t->all_rows += s->rows;
    t->changed = true;
    return close_when_due(w, t, now, err);
}

static watched *find(const monitor_watch *w, const monitor_known *known)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i].known == known) return &w->of[i];
    return NULL;
}

fw_status monitor_watch_take(monitor_watch *w, fw_telemetry_batch *b, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err)
{
    monitor_verdict verdict;
    const monitor_known *known = NULL;
    FW_TRY(monitor_models_take(&verdict, &known, w->models, b, why, err));
    if (verdict == MONITOR_NEW) return monitor_watch_add(w, known, bytes, len, err);
    return verdict == MONITOR_SUMMED ? add_summary(w, find(w, known), &b->summary, now, err) : FW_OK;
}

void monitor_watch_lost(monitor_watch *w, const char *name, const char *digest, uint64_t messages)
{
    size_t i = 0;
    while (i < w->n && (w->of[i].drift == NULL || !is_of(&w->of[i], name, digest))) i++;      /* of several sets of bins the first, as in monitor_watch_place */
    if (i == w->n) return;
    w->of[i].gaps += messages;
    w->of[i].changed = true;
}

fw_status monitor_watch_tick(monitor_watch *w, fw_mono now, fw_error *err)
{
    for (size_t i = 0; i < w->n; i++) FW_TRY(close_when_due(w, &w->of[i], now, err));
    return FW_OK;
}

fw_status monitor_watch_finish(monitor_watch *w, fw_error *err)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i].rows > 0) FW_TRY(close_window(w, &w->of[i], MONITOR_END, err));
    return FW_OK;
}
