/** Bytes of a peer -> predictions row by row. */
#include <math.h>

#include "common/core/size.h"
#include "proto/telemetry_parts.h"

typedef Flywheel__Predictions message;

/* ---- sizes -------------------------------------------------------------------------------------------------------------------------------------- */

/* A column has `each` entries a row; when it may be missing, none too. */
static fw_status check_column(const char *what, size_t n, const message *m, size_t each, bool may_miss, fw_error *err)
{
    if ((n == 0 && may_miss) || n == m->rows * each) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "telemetry: %zu %s of %llu rows", n, what, (unsigned long long)m->rows);
}

static fw_status check_columns(const message *m, fw_error *err)
{
    const bool regression = m->n_classes == 0, has_p = m->n_probabilities > 0;
    if (m->rows > FW_TELEMETRY_MAX_ROWS || m->n_classes > FW_TELEMETRY_MAX_CLASSES)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: a batch of %llu rows and %zu classes; at most %u and %u are accepted", (unsigned long long)m->rows, m->n_classes,
                       FW_TELEMETRY_MAX_ROWS, FW_TELEMETRY_MAX_CLASSES);
    if (m->rows == 0) return fw_fail(err, FW_ERR_FORMAT, "telemetry: predictions without a row; the publisher may be of another version of flywheel");
    FW_TRY(check_column("row numbers", m->n_numbers, m, 1, true, err));
    FW_TRY(check_column("ids", m->n_ids, m, 1, true, err));
    FW_TRY(check_column("labels", m->n_labels, m, !regression, false, err));
    FW_TRY(check_column("confidences", m->n_confidences, m, !regression, has_p, err));
    FW_TRY(check_column("probabilities", m->n_probabilities, m, m->n_classes, true, err));
    FW_TRY(check_column("values", m->n_values, m, regression, false, err));
    if (m->n_features % m->rows != 0 || m->n_features / m->rows > FW_REFERENCE_MAX_FEATURES)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: %zu features of %llu rows; as many of each, and at most %d, are accepted", m->n_features, (unsigned long long)m->rows,
                       FW_REFERENCE_MAX_FEATURES);
    return FW_OK;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------------------------- */

static fw_status check_feature(fw_raw *to, const Flywheel__Feature *f, unsigned long long row, fw_error *err)
{
    switch (f->value_case) {
    case FLYWHEEL__FEATURE__VALUE_NUMBER:
        if (!isfinite(f->number)) return fw_fail(err, FW_ERR_FORMAT, "telemetry: row %llu has a feature that is not finite", row);
        *to = (fw_raw){.kind = FW_RAW_NUMBER, .number = f->number, .text = ""};
        return FW_OK;
    case FLYWHEEL__FEATURE__VALUE_TEXT:
        FW_TRY(fw_telemetry_check_text(f->text, "the text of a feature", err));
        *to = (fw_raw){.kind = FW_RAW_TEXT, .text = f->text};
        return FW_OK;
    case FLYWHEEL__FEATURE__VALUE_UNSEEN:
        *to = (fw_raw){.kind = FW_RAW_UNSEEN, .text = ""};
        return FW_OK;
    case FLYWHEEL__FEATURE__VALUE__NOT_SET:
    case _FLYWHEEL__FEATURE__VALUE__CASE_IS_INT_SIZE:
        break;
    }
    *to = (fw_raw){.kind = FW_RAW_MISSING, .text = ""};
    return FW_OK;
}

static fw_status take_features(fw_prediction *to, fw_raw *values, const message *m, size_t i, fw_error *err)
{
    const size_t n = m->n_features / m->rows;
    to->features = values + i * n;
    to->n_features = n;
    for (size_t k = 0; k < n; k++) FW_TRY(check_feature(&values[i * n + k], m->features[i * n + k], (unsigned long long)to->row, err));
    return FW_OK;
}

static bool is_finite(const fw_prediction *p)
{
    bool finite = isfinite(p->confidence) && isfinite(p->value);
    for (size_t k = 0; k < p->n_probabilities; k++) finite = finite && isfinite(p->probabilities[k]);
    return finite;
}

static fw_status take_row(fw_prediction *to, const message *m, size_t i, fw_error *err)
{
    const size_t k = m->n_probabilities > 0 ? m->n_classes : 0;
    *to = (fw_prediction){.row = m->n_numbers > 0 ? m->numbers[i] : m->first + i, .id = m->n_ids > 0 ? m->ids[i] : "", .n_probabilities = k};
    if (m->n_classes == 0) to->value = m->values[i];
    else to->label = m->labels[i];
    if (m->n_classes > 0 && to->label >= m->n_classes)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: row %llu has label %u of %zu classes", (unsigned long long)to->row, to->label, m->n_classes);
    if (k > 0) to->probabilities = m->probabilities + i * k;
    if (m->n_confidences > 0) to->confidence = m->confidences[i];
    else if (k > 0) to->confidence = to->probabilities[to->label];
    if (!is_finite(to)) return fw_fail(err, FW_ERR_FORMAT, "telemetry: row %llu has a number that is not finite", (unsigned long long)to->row);
    return fw_telemetry_check_text(to->id, "the id of a row", err);
}

fw_status fw_telemetry_check_predictions(fw_telemetry_predictions *to, fw_prediction **rows, fw_raw **values, const message *m, fw_error *err)
{
    FW_TRY(check_columns(m, err));
    if (*m->model == '\0') return fw_fail(err, FW_ERR_FORMAT, "telemetry: the model has no name");
    FW_TRY(fw_telemetry_check_text(m->model, "the model's name", err));
    FW_TRY(fw_telemetry_check_text(m->digest, "the model's digest", err));
    for (size_t i = 0; i < m->n_classes; i++) FW_TRY(fw_telemetry_check_text(m->classes[i], "a class name", err));
    FW_TRY(fw_alloc_zeroed((void **)rows, m->rows, sizeof **rows, "telemetry rows", err));
    FW_TRY(fw_alloc_zeroed((void **)values, m->n_features, sizeof **values, "telemetry features", err));
    for (size_t i = 0; i < m->rows; i++) {
        FW_TRY(take_row(&(*rows)[i], m, i, err));
        if (m->n_features > 0) FW_TRY(take_features(&(*rows)[i], *values, m, i, err));
    }
    *to = (fw_telemetry_predictions){.model = m->model, .digest = m->digest, .classes = (const char *const *)m->classes, .n_classes = m->n_classes, .rows = *rows, .n_rows = m->rows};
    return FW_OK;
}
