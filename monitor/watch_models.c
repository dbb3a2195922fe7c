#include "monitor/watch_models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/watch_parts.h"

#define KEEP_EVERY_S 600.0

static void watched_release(watched *t)
{
    monitor_panes_release(t);
    monitor_drift_destroy(&t->drift);
    fw_summary_destroy(&t->shown);
    free(t->late);
    free(t->newest.count);
    free(t->figure);
}

fw_status monitor_watch_create(monitor_watch **out, const monitor_watch_opts *opts, fw_error *err)
{
    if (opts->window.predictions == 0 && !(opts->window.seconds > 0)) return fw_fail(err, FW_ERR_ARG, "monitor: windows of neither rows nor time");
    FW_AUTO(monitor_watch) *w = calloc(1, sizeof *w);
    if (w == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: models that are watched");
    w->opts = *opts;
    w->from = "";
    w->length_us = llround(opts->window.seconds * 1e6);
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
    for (size_t i = 0; i < w->n; i++) {
        const watched *t = &w->of[i];
        if (t->drift == NULL || !is_of(t, name, digest)) continue;
        const uint64_t number = w->length_us > 0 ? fw_utc_window(monitor_watch_moment(w, at_us, fw_utc_now_us()), w->length_us) : t->number;
        *out = (monitor_place){t->known, t->model, number};
        return true;
    }
    return false;
}

bool monitor_watch_has(const monitor_watch *w, const char *name, const char *digest)
{
    monitor_place place;
    return monitor_watch_place(&place, w, name, digest, w->length_us);
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

uint64_t monitor_watch_next_number(const monitor_watch *w, int64_t model)
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
    t->number = monitor_watch_next_number(w, t->model);
    if (k->reference == NULL) return FW_OK;
    const fw_summary *r = k->reference->summary;
    FW_TRY(fw_summary_create(&t->shown, fw_summary_bins(r, 0), fw_summary_n(r), err));
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

/* ---- batches ---- */

void monitor_watch_from(monitor_watch *w, const char *address) { w->from = address; }

static watched *find(const monitor_watch *w, const monitor_known *known)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i].known == known) return &w->of[i];
    return NULL;
}

/** The store forgets what was not heard of for long: a model that is told of stays, however seldom it predicts. */
static fw_status keep_model(const monitor_watch *w, watched *t, const void *bytes, size_t len, fw_mono now, fw_error *err)
{
    if (w->opts.store == NULL || t == NULL || t->drift == NULL || fw_mono_seconds(t->told, now) < KEEP_EVERY_S) return FW_OK;
    t->told = now;
    return monitor_watch_put_model(w, t, bytes, len, err);
}

fw_status monitor_watch_take(monitor_watch *w, fw_telemetry_batch *b, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err)
{
    monitor_verdict verdict;
    const monitor_known *known = NULL;
    FW_TRY(monitor_models_take(&verdict, &known, w->models, w->from, b, why, err));
    if (verdict == MONITOR_AGAIN) return keep_model(w, find(w, known), bytes, len, now, err);
    if (verdict == MONITOR_NEW) {
        FW_TRY(monitor_watch_add(w, known, bytes, len, err));
        w->of[w->n - 1].told = now;
        return FW_OK;
    }
    return verdict == MONITOR_SUMMED ? monitor_watch_count(w, find(w, known), &b->summary, now, err) : FW_OK;
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
    for (size_t i = 0; i < w->n; i++) FW_TRY(monitor_watch_close(w, &w->of[i], now, false, err));
    return FW_OK;
}

static void tell_of_time(const watched *t)
{
    if (t->jumped_rows + t->lost_rows == 0) return;
    fw_log_warn("model %s: %llu rows were told of a moment that can't be, and %llu rows were too late to amend their window", t->known->name,
                (unsigned long long)t->jumped_rows, (unsigned long long)t->lost_rows);
}

fw_status monitor_watch_finish(monitor_watch *w, fw_error *err)
{
    for (size_t i = 0; i < w->n; i++) {
        FW_TRY(monitor_watch_close(w, &w->of[i], fw_mono_now(), true, err));
        tell_of_time(&w->of[i]);
    }
    return FW_OK;
}
