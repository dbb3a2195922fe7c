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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const topics[] = {NULL, FW_TOPIC_PREDICTION "m", FW_TOPIC_PROGRESS "p", FW_TOPIC_ALERT "m"};
    if (len == 0) return 0;
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    fw_error err = {0};
    fw_status status = fw_telemetry_decode(&b, topics[bytes[0] % 4], bytes + 1, len - 1, &err);
    must(status == FW_OK || status == FW_ERR_FORMAT || status == FW_ERR_NOMEM);
    must((b != NULL) == (status == FW_OK));
    if (b == NULL) return 0;
    must(b->sequence > 0 && b->sequence <= FW_TELEMETRY_MAX_NUMBER && b->time_us >= 0);
    must_be_text(b->publisher);
    if (b->kind == FW_TELEMETRY_PREDICTIONS) check_predictions(b);
    if (b->kind == FW_TELEMETRY_PROGRESS) check_progress(&b->progress);
    if (b->kind == FW_TELEMETRY_ALERT) check_alert(&b->alert);
    return 0;
}
