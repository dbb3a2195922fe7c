/** What a window of a model says: rows of the store, and looks for alerts. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "monitor/bodies.h"
#include "monitor/store_drift.h"
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
    char head[80];
    FW_AUTO(fw_text) key = {0};
    FW_FREE char *reference = NULL;
    FW_TRY(put_model_row(w, t, err));
    FW_TRY(monitor_reference_write(&reference, t->known->reference, err));
    FW_TRY(put_text(w, MONITOR_REFERENCE_KEY, t->model, reference, err));
    FW_TRY(monitor_watch_put_misplaced(w, t, err));
    monitor_watch_key(head, sizeof head, MONITOR_TOLD_KEY, t);
    fw_text_add(&key, head);
    if (*t->known->from != '\0') fw_text_format(&key, "/%s", t->known->from);
    FW_TRY(fw_text_check(&key, err));
    return monitor_store_put_state(w->opts.store, &(monitor_state_row){.key = key.data, .at_us = fw_utc_now_us(), .bytes = {bytes, len}}, err);
}

fw_status monitor_watch_put_misplaced(const monitor_watch *w, const watched *t, fw_error *err)
{
    FW_FREE char *json = NULL;
    uint64_t late = 0, clock = 0;
    for (size_t i = 0; i < w->n; i++) {
        late += w->of[i].model == t->model ? w->of[i].lost_rows : 0;
        clock += w->of[i].model == t->model ? w->of[i].jumped_rows : 0;
    }
    FW_TRY(monitor_misplaced_write(&json, late, clock, err));
    return put_text(w, MONITOR_MISPLACED_KEY, t->model, json, err);
}

/* ---- a window ---- */

/** A window over all sets of bins that the version is told of with: one row. With windows of rows each set has numbers of its own. */
typedef struct whole { uint64_t rows, revised, gaps, *class; int64_t from_us, to_us; fw_times times; } whole;

/** The counts of "prediction" are those of the classes. NULL: it is not among the bins. */
static const uint64_t *classes_of(const watched *t, const uint64_t *count)
{
    for (size_t i = 0; i < fw_summary_n(t->shown); i++) {
        const fw_bins *b = fw_summary_bins(t->shown, i);
        if (b->kind == FW_BINS_CLASS && fw_bins_n(b) == t->known->n_classes) return count + (fw_summary_counts(t->shown, i) - fw_summary_counts(t->shown, 0));
    }
    return NULL;
}

static void add_to_whole(whole *o, const watched *t, const monitor_pane *p)
{
    const uint64_t *class = classes_of(t, p->count);
    o->from_us = o->rows == 0 ? p->from_us : FW_MIN(o->from_us, p->from_us);
    o->to_us = FW_MAX(o->to_us, p->to_us);
    o->rows += p->rows;
    o->revised += p->revised;
    o->gaps += p->gaps;
    fw_times_merge(&o->times, p->times.count);
    for (size_t i = 0; class != NULL && i < t->known->n_classes; i++) o->class[i] += class[i];
}

static void add_others(whole *o, const monitor_watch *w, const watched *t, const monitor_pane *p)
{
    for (size_t i = 0; i < w->n; i++) {
        const watched *u = &w->of[i];
        if (u == t || u->model != t->model || u->known->n_classes != t->known->n_classes) continue;
        for (size_t k = 0; k < u->n; k++)
            if (u->pane[k].number == p->number && u->pane[k].length_us == p->length_us && u->pane[k].reason != MONITOR_OPEN) add_to_whole(o, u, &u->pane[k]);
    }
}

static fw_status body_of(char **json, const watched *t, const whole *o, fw_error *err)
{
    const double seconds = (double)(o->to_us - o->from_us) / 1e6;
    const bool told = classes_of(t, fw_summary_counts(t->shown, 0)) != NULL;
    const monitor_window_body b = {.seconds = seconds, .rate = seconds > 0 ? (double)o->rows / seconds : NAN, .confidence = NAN, .value = NAN, .gaps = o->gaps,
                                   .counts = told ? o->class : NULL, .n_classes = told ? t->known->n_classes : 0,
                                   .latency_p50_s = fw_times_quantile(&o->times, 50), .latency_p90_s = fw_times_quantile(&o->times, 90),
                                   .latency_p99_s = fw_times_quantile(&o->times, 99)};
    return monitor_window_body_write(json, &b, err);
}

static fw_status put_row(const monitor_watch *w, const watched *t, const monitor_pane *p, fw_error *err)
{
    FW_FREE char *body = NULL;
    FW_FREE uint64_t *class = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&class, t->known->n_classes, sizeof *class, "counts of classes", err));
    whole o = {.class = class};
    add_to_whole(&o, t, p);
    if (p->length_us > 0) add_others(&o, w, t, p);
    FW_TRY(body_of(&body, t, &o, err));
    const monitor_window_row row = {.model = t->model, .number = (int64_t)p->number, .from_us = o.from_us, .to_us = o.to_us, .rows = (int64_t)o.rows,
                                    .revised = (int64_t)o.revised, .closed = monitor_reason_text(p->reason), .body = body};
    return monitor_store_put_window(w->opts.store, &row, err);
}

static monitor_drift_row figure_of(const monitor_watch *w, const watched *t, const monitor_pane *p, size_t column, monitor_detector_id id, const monitor_figure *g)
{
    const double threshold = w->opts.drift.threshold[id], log_e = p->log_e[column * MONITOR_N_QUESTIONS + monitor_question_of(id)];
    return (monitor_drift_row){.model = t->model, .window = (int64_t)p->number, .feature = fw_summary_bins(t->shown, column)->name,
                               .test = monitor_detectors[id]->name, .statistic = g->reading.statistic, .threshold = threshold,
                               .effect = !g->reached ? 0 : w->opts.drift.opens[id] ? 2 : 1, .evidence = isfinite(log_e) ? log_e / LN_10 : NAN,
                               .p = g->reading.has_p ? g->reading.p : NAN};
}

static fw_status put_figures(const monitor_watch *w, watched *t, const monitor_pane *p, bool anew, fw_error *err)
{
    monitor_figure measured[MONITOR_N_DETECTORS];
    size_t n = 0;
    if (t->figure == NULL) FW_TRY(fw_alloc_zeroed((void **)&t->figure, monitor_drift_n(t->drift) * MONITOR_N_DETECTORS, sizeof *t->figure, "figures of drift", err));
    for (size_t i = 0; i < monitor_drift_n(t->drift); i++) {
        const monitor_figure *g = anew ? measured : monitor_drift_feature(t->drift, i)->window;
        if (anew) monitor_drift_measure(measured, t->drift, i, fw_summary_counts(t->shown, i));
        for (monitor_detector_id id = 0; id < MONITOR_N_DETECTORS; id++)
            if (g[id].said) t->figure[n++] = figure_of(w, t, p, i, id, &g[id]);
    }
    return n > 0 ? monitor_store_put_drift(w->opts.store, t->figure, n, (int64_t)fw_summary_shape(t->shown), fw_utc_now_us(), err) : FW_OK;
}

/** Of the closed ones: the page shows its counts. */
static bool is_newest(const watched *t, const monitor_pane *p)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->pane[i].reason != MONITOR_OPEN && t->pane[i].number > p->number) return false;
    return true;
}

/** The counts that the page is to show of the version, whichever set of bins they are on. */
static fw_status keep_newest(const monitor_watch *w, watched *t, const monitor_pane *p, fw_error *err)
{
    const size_t n = fw_summary_total(t->shown);
    if (t->newest.count == NULL) FW_TRY(fw_alloc_zeroed((void **)&t->newest.count, n, sizeof *t->newest.count, "counts of a window", err));
    memcpy(t->newest.count, p->count, n * sizeof *p->count);
    t->newest.number = p->number;
    t->newest.rows = p->rows;
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i].model == t->model) w->of[i].newest.waits = &w->of[i] == t;
    return FW_OK;
}

fw_status monitor_watch_put_window(const monitor_watch *w, watched *t, const monitor_pane *p, bool anew, fw_error *err)
{
    if (is_newest(t, p)) FW_TRY(keep_newest(w, t, p, err));
    t->row_waits = true;
    FW_TRY(put_row(w, t, p, err));
    return put_figures(w, t, p, anew, err);
}

static fw_status put_counts(const monitor_watch *w, const watched *t, fw_error *err)
{
    FW_FREE char *current = NULL;
    fw_summary_reset(t->shown);
    FW_TRY(fw_summary_add_counts(t->shown, t->newest.count, fw_summary_total(t->shown), t->newest.rows, err));
    FW_TRY(monitor_current_write(&current, (int64_t)t->newest.number, t->shown, err));
    return put_text(w, MONITOR_CURRENT_KEY, t->model, current, err);
}

fw_status monitor_watch_put_newest(const monitor_watch *w, watched *t, fw_error *err)
{
    if (t->row_waits) FW_TRY(put_model_row(w, t, err));
    if (t->newest.waits) FW_TRY(put_counts(w, t, err));
    t->row_waits = t->newest.waits = false;
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
    if (s->evidence) snprintf(detail, sizeof detail, "in %llu rows, e-value 10^%.1f", (unsigned long long)a->rows_since, a->log_evidence / LN_10);
    const monitor_look look = {.kind = KIND_OF[q], .model = t->model, .name = t->known->name, .digest = t->known->digest, .subject = s->name,
                               .level = fabs(g->reading.statistic), .threshold = w->opts.drift.threshold[id], .evidence = s->evidence,
                               .certainty = a->log_evidence > 0 ? -expm1(-a->log_evidence) : 0, .since_us = (int64_t)a->since,
                               .measure = monitor_detectors[id]->unit, .detail = s->evidence ? detail : NULL, .features = s->features, .n_features = s->n};
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
