#include "monitor/watch_quality.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/store_reader.h"
#include "monitor/store_versions.h"

#define TICK_US INT64_C(60000000)

struct monitor_quality {
    monitor_quality_opts opts;
    monitor_sink next;
    monitor_version *of[MONITOR_QUALITY_VERSIONS]; size_t n;
    bool full_said;
    int64_t newest_us, ticked_us;      /* of the batches that came, and no later than our clock: by it ages are counted, also of recordings */
    fw_error failed;                   /* in a sink, which has no status */
};

static fw_status on_closed(void *context, const monitor_closed *c, fw_error *err);

fw_status monitor_quality_create(monitor_quality **out, const monitor_quality_opts *opts, fw_error *err)
{
    monitor_quality *q = calloc(1, sizeof *q);
    if (q == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: quality");
    q->opts = *opts;
    q->next = *opts->next;
    monitor_watch_tell(opts->watch, &(monitor_watch_hearer){q, on_closed});
    *out = q;
    return FW_OK;
}

void monitor_quality_destroy(monitor_quality **quality)
{
    monitor_quality *q = *quality;
    if (q == NULL) return;
    for (size_t i = 0; i < q->n; i++) monitor_version_destroy(&q->of[i]);
    free(q);
    *quality = NULL;
}

size_t                 monitor_quality_n(const monitor_quality *q) { return q->n; }
const monitor_version *monitor_quality_version(const monitor_quality *q, size_t i) { return q->of[i]; }

/* ---- versions ------------------------------------------------------------------------------------------------------------------------------ */

static monitor_version *find(const monitor_quality *q, const char *name, const char *digest)
{
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->of[i]->digest, digest) == 0 && strcmp(q->of[i]->name, name) == 0) return q->of[i];
    return NULL;
}

/* False: all are in use. */
static bool make_room(monitor_quality *q, const char *name, int64_t now_us, fw_status *status, fw_error *err)
{
    size_t oldest = 0;
    *status = FW_OK;
    if (q->n < MONITOR_QUALITY_VERSIONS) return true;
    for (size_t i = 1; i < q->n; i++)
        if (q->of[i]->predicted_us < q->of[oldest]->predicted_us) oldest = i;
    if ((double)(now_us - q->of[oldest]->predicted_us) > MONITOR_QUALITY_IDLE_S * 1e6) {
        *status = monitor_version_flush(q->of[oldest], err);
        monitor_version_destroy(&q->of[oldest]);
        q->of[oldest] = q->of[--q->n];
        return *status >= 0;
    }
    if (!q->full_said) fw_log_warn("model %s: its quality is not followed: %u versions are, and all have predicted within an hour", name, MONITOR_QUALITY_VERSIONS);
    q->full_said = true;
    return false;
}

static fw_status restore_version(const monitor_quality *q, monitor_version *v, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    if (q->opts.version.store == NULL) return FW_OK;
    FW_TRY(monitor_reader_open(&reader, q->opts.store_path, err));
    return monitor_version_restore(v, reader, err);
}

/* Its reference; when that is the first one, the evidence that was kept goes on. */
static fw_status know(const monitor_quality *q, monitor_version *v, const monitor_known *known, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    const bool judged = v->fall != NULL;
    FW_TRY(monitor_version_know(v, known, err));
    if (judged || v->fall == NULL || q->opts.version.store == NULL) return FW_OK;
    FW_TRY(monitor_reader_open(&reader, q->opts.store_path, err));
    return monitor_version_restore_fall(v, reader, err);
}

/* Outcomes that wait for a version of the same model may be for this one. */
static fw_status inherit(const monitor_quality *q, monitor_version *v, fw_error *err)
{
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->of[i]->name, v->name) == 0) FW_TRY(monitor_outcomes_inherit(v->outcomes, q->of[i]->outcomes, q->newest_us, err));
    return FW_OK;
}

static fw_status add(monitor_version **out, monitor_quality *q, const monitor_version_told *told, int64_t now_us, fw_error *err)
{
    FW_AUTO(monitor_version) *v = NULL;
    FW_TRY(monitor_version_create(&v, told, &q->opts.version, err));
    FW_TRY(restore_version(q, v, err));
    FW_TRY(inherit(q, v, err));
    v->predicted_us = now_us;
    *out = q->of[q->n++] = v;
    v = NULL;
    return FW_OK;
}

/* The version, from now on followed; NULL in *out: it can't be. */
static fw_status follow(monitor_version **out, monitor_quality *q, const monitor_version_told *told, fw_error *err)
{
    const int64_t now_us = fw_utc_now_us();
    fw_status s = FW_OK;
    *out = find(q, told->name, told->digest);
    if (*out != NULL) return know(q, *out, told->known, err);
    return monitor_version_can(told) && make_room(q, told->name, now_us, &s, err) ? add(out, q, told, now_us, err) : s;
}

/* ---- predictions and outcomes -------------------------------------------------------------------------------------------------------------- */

static void note_time(monitor_quality *q, int64_t batch_us) { q->newest_us = FW_MAX(q->newest_us, FW_MIN(batch_us, fw_utc_now_us())); }

static bool any_id(const fw_prediction *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].id != NULL && *rows[i].id != '\0') return true;
    return false;
}

/* Of a model of which nobody told: its number, and its row when it is new here. */
static fw_status number_of(int64_t *out, const monitor_quality *q, const monitor_model *m, fw_error *err)
{
    const monitor_store_version v = {.name = m->name, .digest = m->digest, .classes = (const char *const *)m->classes, .n_classes = m->n_classes, .predictions = m->predictions};
    *out = 0;
    return q->opts.version.store != NULL ? monitor_store_put_version(out, q->opts.version.store, &v, err) : FW_OK;
}

fw_status monitor_quality_predicted(monitor_quality *q, const monitor_model *m, uint64_t window, const fw_prediction *rows, size_t n, int64_t made_us, fw_error *err)
{
    monitor_place place = {.window = window};
    monitor_version *v = find(q, m->name, m->digest);
    if (!any_id(rows, n)) return FW_OK;
    const bool watched = monitor_watch_place(&place, q->opts.watch, m->name, m->digest, made_us);
    if (!watched && v == NULL) FW_TRY(number_of(&place.model, q, m, err));
    const monitor_version_told told = {m->name, m->digest, (const char *const *)m->classes, m->n_classes, watched ? place.known : NULL, place.model};
    FW_TRY(follow(&v, q, &told, err));
    if (v == NULL || place.window == 0) return FW_OK;
    note_time(q, made_us);
    v->predicted_us = fw_utc_now_us();
    for (size_t i = 0; i < n; i++) FW_TRY(monitor_outcomes_predict(v->outcomes, &rows[i], place.window, FW_MIN(made_us, q->newest_us), err));
    return FW_OK;
}

static fw_status take_rows(monitor_version *v, const fw_telemetry_outcomes *o, int64_t batch_us, int64_t now_us, fw_error *why, fw_error *err)
{
    for (size_t i = 0; i < o->n; i++) {
        const fw_outcome *r = &o->rows[i];
        FW_TRY(monitor_outcomes_take(v->outcomes, r->id, r->outcome, r->at_us > 0 ? r->at_us : batch_us, now_us, why->status < 0 ? NULL : why, err));
    }
    return FW_OK;
}

fw_status monitor_quality_take(monitor_quality *q, const fw_telemetry_batch *b, fw_error *why, fw_error *err)
{
    bool known = false;
    fw_error reason = {0};
    if (b->kind != FW_TELEMETRY_OUTCOMES) return FW_OK;
    note_time(q, b->time_us);
    for (size_t i = 0; i < q->n; i++) {
        if (strcmp(q->of[i]->name, b->outcomes.model) != 0) continue;
        known = true;
        FW_TRY(take_rows(q->of[i], &b->outcomes, b->time_us, q->newest_us, &reason, err));
    }
    if (!known) fw_fail(&reason, FW_ERR_DATA, "%zu outcomes of model '%.100s', of which no prediction was seen", b->outcomes.n, b->outcomes.model);
    if (why != NULL) *why = reason;
    return FW_OK;
}

/* ---- windows ------------------------------------------------------------------------------------------------------------------------------- */

/* A version is followed from its first window on: it is estimated, also when its predictions have no ids. */
static fw_status on_closed(void *context, const monitor_closed *c, fw_error *err)
{
    monitor_quality *q = context;
    const monitor_known *k = c->place.known;
    monitor_version *v = NULL;
    const monitor_version_told told = {k->name, k->digest, (const char *const *)k->classes, k->n_classes, k, c->place.model};
    if (c->place.window == 0) return FW_OK;
    FW_TRY(follow(&v, q, &told, err));
    return v != NULL ? monitor_version_close(v, c, err) : FW_OK;
}

static void on_window(void *context, const monitor_model *m, const monitor_summary *s)
{
    monitor_quality *q = context;
    monitor_version *v = find(q, m->name, m->digest);
    fw_error why = {0};
    q->next.window(q->next.context, m, s);
    if (v == NULL || monitor_watch_has(q->opts.watch, m->name, m->digest)) return;
    if (monitor_outcomes_close(v->outcomes, s->number, NULL, &why) < 0) q->failed = why;
}

static void on_total(void *context, const monitor_model *m)
{
    const monitor_quality *q = context;
    q->next.total(q->next.context, m);
}

monitor_sink monitor_quality_sink(monitor_quality *q) { return (monitor_sink){.context = q, .window = on_window, .total = on_total}; }

/* ---- keeping ------------------------------------------------------------------------------------------------------------------------------- */

fw_status monitor_quality_save(monitor_quality *q, int64_t now_us, fw_error *err)
{
    const bool tick = now_us - q->ticked_us >= TICK_US || now_us < q->ticked_us;
    if (q->failed.status < 0) return fw_fail(err, q->failed.status, "%s", q->failed.text);
    if (tick) q->ticked_us = now_us;
    for (size_t i = 0; i < q->n; i++) {
        q->of[i]->shelf.now_us = now_us;
        if (tick) FW_TRY(monitor_outcomes_tick(q->of[i]->outcomes, q->newest_us, err));
        FW_TRY(monitor_version_flush(q->of[i], err));
    }
    return FW_OK;
}

/* Names of classes, as the row has them; they point into the list. */
static fw_status class_names(const char ***out, json_t *list, fw_error *err)
{
    const size_t n = json_array_size(list);
    FW_TRY(fw_alloc_zeroed((void **)out, n, sizeof **out, "class names", err));
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = json_string_value(json_array_get(list, i));
        if ((*out)[i] == NULL) return fw_fail(err, FW_ERR_DATA, "class %zu is no text", i);
    }
    return FW_OK;
}

static fw_status follow_row(monitor_quality *q, const monitor_model_row *row, json_t *list, fw_error *err)
{
    FW_FREE const char **classes = NULL;
    monitor_place place = {0};
    monitor_version *v = NULL;
    fw_error why = {0};
    if (class_names(&classes, list, &why) < 0) {
        fw_log_warn("model %s: its quality is not followed: %s", row->name, why.text);
        return FW_OK;
    }
    const bool watched = monitor_watch_place(&place, q->opts.watch, row->name, row->digest, fw_utc_now_us());
    return follow(&v, q, &(monitor_version_told){row->name, row->digest, classes, json_array_size(list), watched ? place.known : NULL, row->model}, err);
}

static fw_status restore_row(void *context, const monitor_model_row *row, fw_error *err)
{
    monitor_quality *q = context;
    json_t *list = row->classes != NULL ? json_loads(row->classes, 0, NULL) : NULL;
    const fw_status s = follow_row(q, row, list, err);
    json_decref(list);
    return s;
}

fw_status monitor_quality_restore(monitor_quality *q, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    FW_TRY(monitor_reader_open(&reader, q->opts.store_path, err));
    return monitor_read_model(reader, &(monitor_query){.newest_first = true, .limit = MONITOR_QUALITY_VERSIONS}, restore_row, q, err);
}
