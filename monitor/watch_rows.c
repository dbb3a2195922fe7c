/** What a window of a model says: rows of the store, and looks for alerts. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/bodies.h"
#include "monitor/watch_parts.h"

#define LN_10 2.302585092994046

/* ---- states that the page shows ---- */

static fw_status put_text(const monitor_watch *w, const char *prefix, int64_t model, const char *json, fw_error *err)
{
    char key[64];
    snprintf(key, sizeof key, "%s%lld", prefix, (long long)model);
    return monitor_store_put_state(w->opts.store, &(monitor_state_row){.key = key, .at_us = fw_utc_now_us(), .bytes = {json, strlen(json)}}, err);
}

/** Of a version of a model, over all its sets of bins. */
static uint64_t rows_of(const monitor_watch *w, int64_t model)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < w->n; i++) rows += w->of[i].model == model ? w->of[i].all_rows : 0;
    return rows;
}

static fw_status put_model_row(const monitor_watch *w, const watched *t, fw_error *err)
{
    const monitor_known *k = t->known;
    const int64_t now_us = fw_utc_now_us();
    json_t *classes = json_array();
    for (size_t i = 0; i < k->n_classes; i++) json_array_append_new(classes, json_string(k->classes[i]));
    FW_FREE char *text = json_dumps(classes, JSON_COMPACT);
    json_decref(classes);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "store: the classes of model %s", k->name);
    const monitor_model_row row = {.model = t->model, .name = k->name, .digest = k->digest, .task = k->n_classes > 0 ? "classification" : "regression", .classes = text,
                                   .first_us = now_us, .last_us = now_us, .predictions = (int64_t)rows_of(w, t->model)};
    return monitor_store_put_model(w->opts.store, &row, err);
}

fw_status monitor_watch_put_model(const monitor_watch *w, const watched *t, const void *bytes, size_t len, fw_error *err)
{
    char key[80];
    FW_FREE char *reference = NULL;
    FW_TRY(put_model_row(w, t, err));
    FW_TRY(monitor_reference_write(&reference, t->known->reference, err));
    FW_TRY(put_text(w, MONITOR_REFERENCE_KEY, t->model, reference, err));
    monitor_watch_key(key, sizeof key, MONITOR_TOLD_KEY, t);
    return monitor_store_put_state(w->opts.store, &(monitor_state_row){.key = key, .at_us = fw_utc_now_us(), .bytes = {bytes, len}}, err);
}

/* ---- a window ---- */

/** The counts of "prediction" are those of the classes. */
static fw_status body_of(char **json, const watched *t, fw_error *err)
{
    const double seconds = (double)(t->to_us - t->from_us) / 1e6;
    monitor_window_body b = {.seconds = seconds, .rate = seconds > 0 ? (double)t->rows / seconds : NAN, .confidence = NAN, .value = NAN, .gaps = t->gaps,
                             .latency_p50_s = NAN, .latency_p90_s = NAN, .latency_p99_s = NAN};
    for (size_t i = t->known->reference->n_features; i < fw_summary_n(t->open); i++)
        if (fw_summary_bins(t->open, i)->kind == FW_BINS_CLASS && fw_bins_n(fw_summary_bins(t->open, i)) == t->known->n_classes) {
            b.counts = fw_summary_counts(t->open, i);
            b.n_classes = t->known->n_classes;
        }
    return monitor_window_body_write(json, &b, err);
}

static fw_status put_figure(const monitor_watch *w, const watched *t, const monitor_feature *f, monitor_detector_id id, fw_error *err)
{
    const monitor_figure *g = &f->window[id];
    const double threshold = w->opts.drift.threshold[id], log_e = f->answer[monitor_question_of(id)].log_evidence;
    const monitor_drift_row row = {.model = t->model, .window = (int64_t)t->number, .feature = f->bins->name, .test = monitor_detectors[id]->name,
                                   .statistic = g->reading.statistic, .threshold = threshold, .effect = !g->reached ? 0 : w->opts.drift.opens[id] ? 2 : 1,
                                   .evidence = isfinite(log_e) ? log_e / LN_10 : NAN, .p = g->reading.has_p ? g->reading.p : NAN};
    return monitor_store_put_drift(w->opts.store, &row, err);
}

fw_status monitor_watch_put_window(const monitor_watch *w, const watched *t, monitor_reason reason, fw_error *err)
{
    FW_FREE char *body = NULL;
    FW_FREE char *current = NULL;
    FW_TRY(body_of(&body, t, err));
    FW_TRY(monitor_current_write(&current, (int64_t)t->number, t->open, err));
    FW_TRY(put_text(w, MONITOR_CURRENT_KEY, t->model, current, err));
    FW_TRY(put_model_row(w, t, err));
    const monitor_window_row row = {.model = t->model, .number = (int64_t)t->number, .from_us = t->from_us, .to_us = t->to_us, .rows = (int64_t)t->rows,
                                    .closed = monitor_reason_text(reason), .body = body};
    FW_TRY(monitor_store_put_window(w->opts.store, &row, err));
    for (size_t i = 0; i < monitor_drift_n(t->drift); i++)
        for (monitor_detector_id id = 0; id < MONITOR_N_DETECTORS; id++) {
            const monitor_feature *f = monitor_drift_feature(t->drift, i);
            if (f->window[id].said) FW_TRY(put_figure(w, t, f, id, err));
        }
    return FW_OK;
}

/* ---- looks ---- */

static const monitor_alert_kind KIND_OF[MONITOR_N_QUESTIONS] = {
    [MONITOR_SHARES] = MONITOR_ALERT_DRIFT, [MONITOR_MISSING] = MONITOR_ALERT_MISSING, [MONITOR_UNSEEN] = MONITOR_ALERT_UNSEEN};

#define OUTPUT "output"      /* the subject of all outputs together */

/** Of the figures that open an alert the one that is the largest beside its threshold: since the change while there is an alarm, else of the window. */
static const monitor_figure *largest(monitor_detector_id *out, double *share, const monitor_watch *w, const monitor_feature *f, monitor_question q)
{
    const monitor_figure *best = NULL;
    *share = -1;
    for (monitor_detector_id id = 0; id < MONITOR_N_DETECTORS; id++) {
        const monitor_figure *g = f->answer[q].alarm && f->recent[id].said ? &f->recent[id] : &f->window[id];
        const double level = fabs(g->reading.statistic) / w->opts.drift.threshold[id];
        if (monitor_question_of(id) != q || !w->opts.drift.opens[id] || !g->said || level <= *share) continue;
        *share = level;
        best = g;
        *out = id;
    }
    return best;
}

typedef struct subject { const char *name; const char *const *features; size_t n; bool evidence; } subject;

static fw_status look_at(const monitor_watch *w, const watched *t, const monitor_feature *f, monitor_question q, const subject *s, fw_error *err)
{
    char detail[128];
    double share;
    monitor_detector_id id = 0;
    const monitor_answer *a = &f->answer[q];
    const monitor_figure *g = largest(&id, &share, w, f, q);
    if (g == NULL) return FW_OK;
    snprintf(detail, sizeof detail, "in %llu rows, e-value 10^%.1f", (unsigned long long)a->rows_since, a->log_evidence / LN_10);
    const monitor_look look = {.kind = KIND_OF[q], .model = t->model, .name = t->known->name, .digest = t->known->digest, .subject = s->name,
                               .level = fabs(g->reading.statistic), .threshold = w->opts.drift.threshold[id], .evidence = s->evidence,
                               .certainty = a->log_evidence > 0 ? -expm1(-a->log_evidence) : 0, .since_us = (int64_t)a->since,
                               .measure = monitor_detectors[id]->unit, .detail = detail, .features = s->features, .n_features = s->n};
    return monitor_alert_desk_look(w->opts.desk, &look, fw_utc_now_us(), err);
}

static fw_status look_at_features(bool *alarm, const monitor_watch *w, const watched *t, fw_error *err)
{
    for (size_t i = 0; i < t->known->reference->n_features; i++) {
        const monitor_feature *f = monitor_drift_feature(t->drift, i);
        const char *const name = f->bins->name;
        *alarm = *alarm || f->alarm;
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++)
            FW_TRY(look_at(w, t, f, q, &(subject){name, &name, 1, f->answer[q].alarm}, err));
    }
    return FW_OK;
}

/** All outputs are one cause, and none while a feature drifts: they follow it. The one that tells is the worst of those with an alarm, else of all. */
static fw_status look_at_outputs(bool follow, const monitor_watch *w, const watched *t, fw_error *err)
{
    const char *names[FW_REFERENCE_MAX_SCORES + 2];
    size_t n = 0;
    const monitor_feature *worst = NULL;
    double highest = -1;
    for (size_t i = t->known->reference->n_features; i < monitor_drift_n(t->drift); i++) {
        const monitor_feature *f = monitor_drift_feature(t->drift, i);
        const bool alarm = f->answer[MONITOR_SHARES].alarm;
        monitor_detector_id id;
        double share;
        if (largest(&id, &share, w, f, MONITOR_SHARES) == NULL || (n > 0 && !alarm)) continue;
        if ((alarm && n == 0) || share > highest) {
            worst = f;
            highest = share;
        }
        if (alarm && n < sizeof names / sizeof *names) names[n++] = f->bins->name;
    }
    return worst != NULL ? look_at(w, t, worst, MONITOR_SHARES, &(subject){OUTPUT, names, n, n > 0 && !follow}, err) : FW_OK;
}

fw_status monitor_watch_look(const monitor_watch *w, const watched *t, fw_error *err)
{
    bool alarm = false;
    FW_TRY(look_at_features(&alarm, w, t, err));
    return look_at_outputs(alarm, w, t, err);
}
