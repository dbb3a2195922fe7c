/** Any bytes given to the decoder of telemetry: it refuses them with FW_ERR_FORMAT, or what it gives out keeps the limits of its header.
 *  The first byte chooses the topic. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

static void must_be_text(const char *s)
{
    size_t len = strlen(s);
    must(len <= FW_TELEMETRY_MAX_TEXT && fw_utf8_valid(s, len) == len);
}

static void check_predictions(const fw_telemetry_batch *b)
{
    must(b->predictions.n_rows <= FW_TELEMETRY_MAX_ROWS && b->predictions.n_classes <= FW_TELEMETRY_MAX_CLASSES);
    must_be_text(b->predictions.model);
    must_be_text(b->predictions.digest);
    for (size_t i = 0; i < b->predictions.n_classes; i++) must_be_text(b->predictions.classes[i]);
    for (size_t i = 0; i < b->predictions.n_rows; i++) {
        const fw_prediction *row = &b->predictions.rows[i];
        must(b->predictions.n_classes > 0 ? row->label < b->predictions.n_classes : row->label == 0);
        must(row->n_probabilities == 0 || row->n_probabilities == b->predictions.n_classes);
        must_be_text(row->id);
        must(isfinite(row->confidence) && isfinite(row->value));
        for (size_t k = 0; k < row->n_probabilities; k++) must(isfinite(row->probabilities[k]));
        must(row->n_features <= FW_REFERENCE_MAX_FEATURES);
        for (size_t k = 0; k < row->n_features; k++) {
            must(isfinite(row->features[k].number));
            must_be_text(row->features[k].text);
        }
    }
}

static void check_progress(const fw_progress *p)
{
    must_be_text(p->project);
    must_be_text(p->run);
    must_be_text(p->event);
    must(isfinite(p->train_loss) && isfinite(p->rows_per_s) && p->n_validation <= FW_TELEMETRY_MAX_VALUES);
    for (size_t i = 0; i < p->n_validation; i++) {
        must_be_text(p->validation[i].name);
        must(isfinite(p->validation[i].value));
    }
}

static void check_alert(const fw_alert *a)
{
    const char *const texts[] = {a->event, a->kind, a->model, a->digest, a->subject, a->text, a->advice};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) must_be_text(texts[i]);
    must(isfinite(a->level) && isfinite(a->threshold) && isfinite(a->certainty) && a->n_features <= FW_TELEMETRY_MAX_VALUES);
    for (size_t i = 0; i < a->n_features; i++) must_be_text(a->features[i]);
}

static void check_model(const fw_telemetry_model *m)
{
    must_be_text(m->name);
    must_be_text(m->digest);
    must(m->n_classes <= FW_TELEMETRY_MAX_CLASSES);
    for (size_t i = 0; i < m->n_classes; i++) must_be_text(m->classes[i]);
    if (m->reference != NULL) must(fw_reference_check(m->reference, NULL) == FW_OK);
}

/* Counts that are no summary of one column are refused; those that are can be added. */
static void check_summary(const fw_telemetry_summary *s)
{
    static const char *const label[] = {"a", "b"};
    FW_AUTO(fw_bins) bins = {0};
    FW_AUTO(fw_summary) *sum = NULL;
    uint64_t rows = 0;
    must_be_text(s->model);
    must_be_text(s->digest);
    must(s->rows <= FW_TELEMETRY_MAX_TOTAL && s->window > 0 && s->window <= FW_TELEMETRY_MAX_TOTAL && s->from_us >= 0 && s->from_us <= s->to_us);
    must(s->n <= FW_TELEMETRY_MAX_COUNTS && (s->n_latency == 0 || s->n_latency == FW_TIMES_N));
    for (size_t i = 0; i < s->n; i++) {
        must(s->count[i] <= s->rows);
        rows += s->count[i];
    }
    must(fw_bins_of_labels(&bins, "k", FW_BINS_CATEGORY, label, 2, NULL) == FW_OK && fw_summary_create(&sum, &bins, 1, NULL) == FW_OK);
    must((fw_summary_add_counts(sum, s->count, s->n, s->rows, NULL) == FW_OK) == (s->n == 4 && rows == s->rows));
}

static void check_outcomes(const fw_telemetry_outcomes *o)
{
    must_be_text(o->model);
    must(*o->model != '\0' && o->n <= FW_TELEMETRY_MAX_ROWS);
    for (size_t i = 0; i < o->n; i++) {
        must_be_text(o->rows[i].id);
        must_be_text(o->rows[i].outcome);
        must(*o->rows[i].id != '\0' && o->rows[i].at_us >= 0);
    }
}

static void check_kpi(const fw_telemetry_kpi *k)
{
    must_be_text(k->project);
    must_be_text(k->name);
    must(*k->name != '\0' && k->n <= FW_TELEMETRY_MAX_ROWS);
    for (size_t i = 0; i < k->n; i++) {
        must_be_text(k->rows[i].id);
        must(isfinite(k->rows[i].value) && k->rows[i].at_us >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const topics[] = {NULL, FW_TOPIC_PREDICTION "m", FW_TOPIC_PROGRESS "p", FW_TOPIC_ALERT "m", FW_TOPIC_MODEL "m", FW_TOPIC_SUMMARY "m", FW_TOPIC_OUTCOME "m", FW_TOPIC_KPI "p"};
    if (len == 0) return 0;
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    fw_error err = {0};
    fw_status status = fw_telemetry_decode(&b, topics[bytes[0] % (sizeof topics / sizeof *topics)], bytes + 1, len - 1, &err);
    must(status == FW_OK || status == FW_ERR_FORMAT || status == FW_ERR_NOMEM);
    must((b != NULL) == (status == FW_OK));
    if (b == NULL) return 0;
    must(b->time_us >= 0);
    if (b->kind == FW_TELEMETRY_PREDICTIONS) check_predictions(b);
    if (b->kind == FW_TELEMETRY_PROGRESS) check_progress(&b->progress);
    if (b->kind == FW_TELEMETRY_ALERT) check_alert(&b->alert);
    if (b->kind == FW_TELEMETRY_MODEL) check_model(&b->model);
    if (b->kind == FW_TELEMETRY_SUMMARY) check_summary(&b->summary);
    if (b->kind == FW_TELEMETRY_OUTCOMES) check_outcomes(&b->outcomes);
    if (b->kind == FW_TELEMETRY_KPI) check_kpi(&b->kpi);
    return 0;
}
