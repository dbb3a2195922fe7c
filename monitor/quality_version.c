#include "monitor/quality_version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define KEY_BYTES 64
#define ESTIMATE  "/estimate"

/* ---- making ------------------------------------------------------------------------------------------------------------------------------- */

bool monitor_version_can(const monitor_version_told *t) { return t->n_classes == 0 || (t->n_classes >= 2 && t->n_classes <= FW_TELEMETRY_MAX_CLASSES); }

/* Of two classes the one whose score the reference has; without a reference the second. */
static size_t positive_of(const monitor_version_told *t)
{
    const fw_reference *r = t->known != NULL ? t->known->reference : NULL;
    if (t->n_classes != 2) return 0;
    const char *class = r != NULL && fw_summary_n(r->summary) == r->n_features + 3 ? fw_reference_score_class(fw_summary_bins(r->summary, r->n_features + 2)) : NULL;
    return class != NULL && strcmp(class, t->classes[0]) == 0 ? 0 : 1;
}

/* As many open windows as fit into the memory. */
static size_t open_of(const monitor_shape *shape)
{
    const size_t scores = monitor_shape_scores(shape), one = 4096 + FW_MIN(shape->n_classes, MONITOR_JUDGED_CLASSES) * 24 + scores * 2 * MONITOR_SCORE_PLACES * 4;
    return FW_MAX(FW_MIN(MONITOR_VERSION_MEMORY / one, (size_t)MONITOR_OUTCOMES_OPEN), (size_t)MONITOR_VERSION_WINDOWS);
}

/* Precision, recall and f1 are those of two classes. */
static bool can_be_judged(fw_quality_metric m, size_t n_classes)
{
    return n_classes <= 2 || (m != FW_QUALITY_PRECISION && m != FW_QUALITY_RECALL && m != FW_QUALITY_F1);
}

static void choose_metric(monitor_version *v, const monitor_version_told *t, const monitor_version_opts *o)
{
    const fw_task task = t->n_classes > 0 ? FW_TASK_CLASSIFICATION : FW_TASK_REGRESSION;
    fw_error why = {0};
    const fw_status s = monitor_performance_opts_of(&v->judged, o->metric, o->drop, task, &why);
    if (s < 0 || !can_be_judged(v->judged.metric, t->n_classes)) {
        monitor_performance_opts_of(&v->judged, NULL, o->drop, task, NULL);
        fw_log_warn("model %s: monitor.performance.metric %s is not known of a model of %zu classes; %s is judged", t->name, o->metric, t->n_classes,
                    fw_quality_name(v->judged.metric));
    }
    v->judged.deviations = o->deviations;
    v->judged.false_alarms = o->false_alarms;
}

static fw_status look(const monitor_version *v, monitor_finding *f, fw_error *err)
{
    f->look.model = v->model;
    f->look.name = v->name;
    f->look.digest = v->digest;
    return monitor_alert_desk_look(v->desk, &f->look, fw_utc_now_us(), err);
}

static double parted_budget(const monitor_version *v)
{
    return MONITOR_PARTED_SHARE * (v->judged.false_alarms > 0 ? v->judged.false_alarms : MONITOR_FALSE_ALARMS);
}

/* A window has changed, and was put. */
static fw_status hear(void *context, const monitor_quality_window *w, fw_error *err)
{
    monitor_version *v = context;
    monitor_finding f;
    if (v->fall == NULL) return FW_OK;
    if (monitor_performance_realised(&f, &v->judged, v->known->reference, w, monitor_fall_sure(v->fall))) {
        monitor_fall_judge(v->fall, f.look.level, f.look.threshold);
        FW_TRY(look(v, &f, err));
    }
    monitor_doubt_estimate(&v->parted, &v->judged, v->known->reference, w, parted_budget(v));
    if (!monitor_performance_parted(&f, &v->judged, v->known->reference, w, monitor_proof_sure(&v->parted))) return FW_OK;
    monitor_proof_judge(&v->parted, f.look.level, f.look.threshold);
    return look(v, &f, err);
}

static fw_status on_joined(void *context, const monitor_judged *row, fw_error *err)
{
    const monitor_version *v = ((const monitor_store_shelf *)context)->context;
    return v->fall != NULL ? monitor_fall_take(v->fall, row, err) : FW_OK;
}

static fw_status fill(monitor_version *v, const monitor_version_told *t, const monitor_version_opts *o, fw_error *err)
{
    v->shape = (monitor_shape){.task = t->n_classes > 0 ? FW_TASK_CLASSIFICATION : FW_TASK_REGRESSION, .n_classes = t->n_classes, .positive = positive_of(t)};
    const monitor_outcomes_opts opts = {.model = t->model, .shape = v->shape, .classes = t->classes, .max_open = open_of(&v->shape)};
    FW_TRY(fw_copy_text(&v->name, t->name, err));
    FW_TRY(fw_copy_text(&v->digest, t->digest, err));
    v->model = t->model;
    v->desk = o->desk;
    v->shelf = (monitor_store_shelf){.store = o->store, .now_us = fw_utc_now_us(), .context = v, .heard = hear};
    choose_metric(v, t, o);
    FW_TRY(monitor_version_know(v, t->known, err));
    monitor_shelf shelf = monitor_store_shelf_of(&v->shelf);
    shelf.joined = on_joined;
    return monitor_outcomes_create(&v->outcomes, &opts, &shelf, err);
}

fw_status monitor_version_create(monitor_version **out, const monitor_version_told *told, const monitor_version_opts *opts, fw_error *err)
{
    FW_AUTO(monitor_version) *v = calloc(1, sizeof *v);
    if (v == NULL) return fw_fail(err, FW_ERR_NOMEM, "quality of model %s", told->name);
    FW_TRY(fill(v, told, opts, err));
    *out = v;
    v = NULL;
    return FW_OK;
}

void monitor_version_destroy(monitor_version **version)
{
    monitor_version *v = *version;
    if (v == NULL) return;
    monitor_outcomes_destroy(&v->outcomes);
    fw_estimator_destroy(&v->estimator);
    monitor_fall_destroy(&v->fall);
    free(v->name);
    free(v->digest);
    free(v);
    *version = NULL;
}

fw_status monitor_version_know(monitor_version *v, const monitor_known *known, fw_error *err)
{
    if (known == NULL) return FW_OK;
    v->known = known;
    v->shelf.reference = known->reference;
    if (v->desk == NULL || v->fall != NULL) return FW_OK;
    FW_TRY(monitor_fall_create(&v->fall, &v->judged, &v->shape, known->reference, err));
    v->parted = monitor_doubt_of_estimate(&v->judged, known->reference, parted_budget(v));
    if (!monitor_fall_can(v->fall))
        fw_log_warn("model %s: its reference has no %s, or too few rows for it: no fall of it will be an alert", v->name, fw_quality_name(v->judged.metric));
    return FW_OK;
}

/* ---- keeping ------------------------------------------------------------------------------------------------------------------------------- */

static void key_of(char out[static KEY_BYTES], const monitor_version *v, const char *which) { snprintf(out, KEY_BYTES, "fall/%lld%s", (long long)v->model, which); }

static fw_status restore_proof(void *context, const monitor_state_row *row, fw_error *err)
{
    monitor_version *v = context;
    fw_error why = {0};
    char fall[KEY_BYTES];
    (void)err;
    key_of(fall, v, "");
    const fw_status s = strcmp(row->key, fall) == 0 ? monitor_fall_restore(v->fall, row->bytes, &why)
                        : v->parted.n > 0           ? monitor_proof_restore(&v->parted, NULL, row->bytes.data, row->bytes.len, &why)
                                                    : FW_OK;
    if (s < 0) fw_log_warn("model %s: evidence of its quality, store, %s: %s", v->name, row->key, why.text);
    return FW_OK;
}

fw_status monitor_version_restore_fall(monitor_version *v, monitor_reader *from, fw_error *err)
{
    char fall[KEY_BYTES], parted[KEY_BYTES];
    if (v->fall == NULL) return FW_OK;
    key_of(fall, v, "");
    key_of(parted, v, ESTIMATE);
    FW_TRY(monitor_read_state(from, &(monitor_query){.name = fall}, restore_proof, v, err));
    return monitor_read_state(from, &(monitor_query){.name = parted}, restore_proof, v, err);
}

fw_status monitor_version_restore(monitor_version *v, monitor_reader *from, fw_error *err)
{
    fw_error why = {0};
    size_t left_out = 0;
    FW_TRY(monitor_outcomes_restore(v->outcomes, v->model, from, fw_utc_now_us(), &left_out, &why, err));
    if (left_out > 0) fw_log_warn("model %s: %zu states of its outcomes are left out: %s", v->name, left_out, why.text);
    return monitor_version_restore_fall(v, from, err);
}

static fw_status put(const monitor_version *v, const char *which, const fw_text *bytes, fw_error *err)
{
    char key[KEY_BYTES];
    if (bytes->len == 0 || v->shelf.store == NULL) return FW_OK;
    key_of(key, v, which);
    return monitor_store_put_state(v->shelf.store, &(monitor_state_row){.key = key, .at_us = v->shelf.now_us, .bytes = {bytes->data, bytes->len}}, err);
}

fw_status monitor_version_flush(monitor_version *v, fw_error *err)
{
    FW_AUTO(fw_text) fall = {0}, parted = {0};
    FW_TRY(monitor_outcomes_flush(v->outcomes, err));
    if (v->fall == NULL) return FW_OK;
    FW_TRY(monitor_fall_save(v->fall, &fall, err));
    FW_TRY(monitor_proof_save(&v->parted, NULL, &parted, err));
    FW_TRY(put(v, "", &fall, err));
    return put(v, ESTIMATE, &parted, err);
}

/* ---- closed windows ------------------------------------------------------------------------------------------------------------------------ */

/* The estimator of these bins; that of other ones goes. */
static fw_status prepare(monitor_version *v, const monitor_known *known, fw_error *err)
{
    fw_error why = {0};
    if (v->estimated == known) return FW_OK;
    fw_estimator_destroy(&v->estimator);
    const fw_status s = fw_estimator_create(&v->estimator, known->reference, &why);
    if (s < 0 && s != FW_ERR_DATA) return fw_fail(err, s, "%s", why.text);
    if (s < 0) fw_log_warn("model %s: its quality is not estimated: %s", v->name, why.text);
    v->estimated = known;
    return FW_OK;
}

fw_status monitor_version_close(monitor_version *v, const monitor_closed *c, fw_error *err)
{
    monitor_finding f;
    FW_TRY(prepare(v, c->place.known, err));
    const fw_qualities estimated = v->estimator != NULL ? fw_estimator_window(v->estimator, fw_summary_counts(c->counts, 0)) : fw_qualities_none();
    FW_TRY(monitor_outcomes_close(v->outcomes, c->place.window, &estimated, err));
    if (c->revised > 0 || v->desk == NULL) return FW_OK;
    return monitor_performance_estimated(&f, &v->judged, c->place.known->reference, &estimated, c->rows) ? look(v, &f, err) : FW_OK;
}
