#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "proto/budget.h"
#include "proto/telemetry_parts.h"

/* What one batch may become in memory. A hostile 16 MiB could unfold to 40 times its size; an honest full one needs about 200 MiB. */
#define MEMORY_LIMIT ((size_t)256 << 20)

/** The public part comes first: the caller's pointer is ours. */
typedef struct decoded {
    fw_telemetry_batch batch;
    Flywheel__TelemetryBatch *message;                /* owns every text */
    fw_prediction *rows;
    fw_named_number *validation;
    fw_reference *reference;
    fw_raw *values;
    fw_outcome *outcomes;
    fw_kpi_event *events;
} decoded;

static void decoded_destroy(decoded **d)
{
    if (*d == NULL) return;
    size_t none = 0;
    ProtobufCAllocator allocator = fw_budget_allocator(&none);
    if ((*d)->message != NULL) flywheel__telemetry_batch__free_unpacked((*d)->message, &allocator);
    free((*d)->rows);
    free((*d)->validation);
    free((*d)->values);
    free((*d)->outcomes);
    free((*d)->events);
    if ((*d)->batch.model.reference != NULL) fw_reference_destroy(&(*d)->reference);
    free(*d);
    *d = NULL;
}

void fw_telemetry_batch_destroy(fw_telemetry_batch **b)
{
    if (b == NULL || *b == NULL) return;
    decoded *d = (decoded *)*b;
    decoded_destroy(&d);
    *b = NULL;
}

fw_status fw_telemetry_check_text(const char *s, const char *what, fw_error *err)
{
    size_t len = strlen(s);
    if (len > FW_TELEMETRY_MAX_TEXT) return fw_fail(err, FW_ERR_FORMAT, "telemetry: %s of %zu bytes; at most %u are accepted", what, len, FW_TELEMETRY_MAX_TEXT);
    if (fw_utf8_valid(s, len) != len) return fw_fail(err, FW_ERR_FORMAT, "telemetry: %s is not UTF-8", what);
    return FW_OK;
}

static fw_status check_time(fw_telemetry_batch *to, const Flywheel__TelemetryBatch *m, fw_error *err)
{
    if (m->time_us < 0 || m->time_us > FW_TELEMETRY_LAST_TIME_US)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: time %lld us is not in the years 1970 to 9999", (long long)m->time_us);
    to->time_us = m->time_us;
    return FW_OK;
}

static fw_status check_progress(decoded *d, const Flywheel__Progress *m, fw_error *err)
{
    FW_TRY(fw_telemetry_check_text(m->project, "the project's name", err));
    FW_TRY(fw_telemetry_check_text(m->run, "the run's name", err));
    FW_TRY(fw_telemetry_check_text(m->event, "the event's name", err));
    if (!isfinite(m->rows_per_s) || !isfinite(m->train_loss)) return fw_fail(err, FW_ERR_FORMAT, "telemetry: progress with a number that is not finite");
    if (m->n_validation > FW_TELEMETRY_MAX_VALUES)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: %zu validation metrics; at most %u are accepted", m->n_validation, FW_TELEMETRY_MAX_VALUES);
    FW_TRY(fw_alloc_zeroed((void **)&d->validation, m->n_validation, sizeof *d->validation, "telemetry metrics", err));
    for (size_t i = 0; i < m->n_validation; i++) {
        const Flywheel__Progress__ValidationEntry *entry = m->validation[i];
        FW_TRY(fw_telemetry_check_text(entry->key, "a metric's name", err));
        if (!isfinite(entry->value)) return fw_fail(err, FW_ERR_FORMAT, "telemetry: the metric '%.100s' is not finite", entry->key);
        d->validation[i] = (fw_named_number){.name = entry->key, .value = entry->value};
    }
    d->batch.kind = FW_TELEMETRY_PROGRESS;
    d->batch.progress = (fw_progress){.project = m->project, .run = m->run, .event = m->event, .round = m->round, .step = m->step, .rows = m->rows,
                                      .rows_per_s = m->rows_per_s, .train_loss = m->train_loss, .validation = d->validation,
                                      .n_validation = m->n_validation, .ranks = m->ranks};
    return FW_OK;
}

static fw_status check_alert(decoded *d, const Flywheel__Alert *m, fw_error *err)
{
    const char *const texts[] = {m->id, m->event, m->kind, m->model, m->digest, m->subject, m->text, m->advice};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) FW_TRY(fw_telemetry_check_text(texts[i], "a text of an alert", err));
    if (m->n_features > FW_TELEMETRY_MAX_VALUES)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: an alert of %zu features; at most %u are accepted", m->n_features, FW_TELEMETRY_MAX_VALUES);
    for (size_t i = 0; i < m->n_features; i++) FW_TRY(fw_telemetry_check_text(m->features[i], "a feature's name", err));
    if (!isfinite(m->level) || !isfinite(m->threshold) || !isfinite(m->certainty))
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: an alert with a number that is not finite");
    const int64_t times[] = {m->event_us, m->since_us, m->raised_us};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] < 0 || times[i] > FW_TELEMETRY_LAST_TIME_US)
            return fw_fail(err, FW_ERR_FORMAT, "telemetry: an alert whose time is not in the years 1970 to 9999");
    d->batch.kind = FW_TELEMETRY_ALERT;
    d->batch.alert = (fw_alert){.number = m->number, .id = m->id, .event_us = m->event_us, .event = m->event, .kind = m->kind, .model = m->model,
                                .digest = m->digest, .subject = m->subject, .text = m->text, .advice = m->advice, .since_us = m->since_us, .raised_us = m->raised_us, .level = m->level,
                                .threshold = m->threshold, .certainty = m->certainty, .features = (const char *const *)m->features, .n_features = m->n_features};
    return FW_OK;
}

static fw_status check_body(decoded *d, const Flywheel__TelemetryBatch *m, fw_error *err)
{
    switch (m->body_case) {
    case FLYWHEEL__TELEMETRY_BATCH__BODY_PREDICTIONS:
        d->batch.kind = FW_TELEMETRY_PREDICTIONS;
        return fw_telemetry_check_predictions(&d->batch.predictions, &d->rows, &d->values, m->predictions, err);
    case FLYWHEEL__TELEMETRY_BATCH__BODY_PROGRESS:
        return check_progress(d, m->progress, err);
    case FLYWHEEL__TELEMETRY_BATCH__BODY_END:
        d->batch.kind = FW_TELEMETRY_END;
        d->batch.end.batches = m->end->produced;
        d->batch.end.rows = m->end->rows;
        return FW_OK;
    case FLYWHEEL__TELEMETRY_BATCH__BODY_ALERT:
        return check_alert(d, m->alert, err);
    case FLYWHEEL__TELEMETRY_BATCH__BODY_MODEL:
        d->batch.kind = FW_TELEMETRY_MODEL;
        return fw_telemetry_check_model(&d->batch.model, &d->reference, m->model, err);
    case FLYWHEEL__TELEMETRY_BATCH__BODY_OUTCOMES:
        d->batch.kind = FW_TELEMETRY_OUTCOMES;
        return fw_telemetry_check_outcomes(&d->batch.outcomes, &d->outcomes, m->outcomes, err);
    case FLYWHEEL__TELEMETRY_BATCH__BODY_KPI:
        d->batch.kind = FW_TELEMETRY_KPI;
        return fw_telemetry_check_kpi(&d->batch.kpi, &d->events, m->kpi, err);
    case FLYWHEEL__TELEMETRY_BATCH__BODY_SUMMARY:
        d->batch.kind = FW_TELEMETRY_SUMMARY;
        return fw_telemetry_check_summary(&d->batch.summary, m->summary, err);
    case FLYWHEEL__TELEMETRY_BATCH__BODY__NOT_SET:
    case _FLYWHEEL__TELEMETRY_BATCH__BODY__CASE_IS_INT_SIZE:
        break;
    }
    return fw_fail(err, FW_ERR_FORMAT, "telemetry: a batch without a body that is known here");
}

static fw_status check_topic(const char *topic, fw_telemetry_kind kind, fw_error *err)
{
    static const char *const prefixes[] = {
        [FW_TELEMETRY_PREDICTIONS] = FW_TOPIC_PREDICTION, [FW_TELEMETRY_PROGRESS] = FW_TOPIC_PROGRESS, [FW_TELEMETRY_END] = "", [FW_TELEMETRY_ALERT] = FW_TOPIC_ALERT,
        [FW_TELEMETRY_MODEL] = FW_TOPIC_MODEL, [FW_TELEMETRY_SUMMARY] = FW_TOPIC_SUMMARY, [FW_TELEMETRY_OUTCOMES] = FW_TOPIC_OUTCOME, [FW_TELEMETRY_KPI] = FW_TOPIC_KPI};
    if (!fw_telemetry_topic_valid(topic)) return fw_fail(err, FW_ERR_FORMAT, "telemetry: the topic is not %sNAME, or another kind of the contract", FW_TOPIC_PREDICTION);
    if (strncmp(topic, prefixes[kind], strlen(prefixes[kind])) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: the body is not of the kind that the topic '%.100s' says", topic);
    return FW_OK;
}

fw_status fw_telemetry_decode(fw_telemetry_batch **out, const char *topic, const void *bytes, size_t len, fw_error *err)
{
    if (len > FW_TELEMETRY_MAX_BYTES) return fw_fail(err, FW_ERR_FORMAT, "telemetry: a batch of %zu bytes; at most %u are accepted", len, FW_TELEMETRY_MAX_BYTES);
    FW_AUTO(decoded) *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "telemetry: batch");
    size_t budget = MEMORY_LIMIT;
    ProtobufCAllocator allocator = fw_budget_allocator(&budget);
    d->message = flywheel__telemetry_batch__unpack(&allocator, len, bytes);
    if (d->message == NULL) return fw_fail(err, FW_ERR_FORMAT, "telemetry: %zu bytes that are not a TelemetryBatch", len);
    FW_TRY(check_time(&d->batch, d->message, err));
    FW_TRY(check_body(d, d->message, err));
    if (topic != NULL) FW_TRY(check_topic(topic, d->batch.kind, err));
    *out = &d->batch;
    d = NULL;
    return FW_OK;
}

bool fw_telemetry_time(int64_t *time_us, const void *bytes, size_t len)
{
    enum { TIME_US = 3 << 3 };                   /* its tag: field 3, a varint */
    const unsigned char *b = bytes;
    uint64_t v = 0;
    if (len == 0 || b[0] != TIME_US) return false;
    for (size_t i = 1; i < len && i <= 9; i++) {
        v |= (uint64_t)(b[i] & 0x7f) << (7 * (i - 1));
        if ((b[i] & 0x80) != 0) continue;
        *time_us = (int64_t)v;
        return *time_us > 0;
    }
    return false;
}
