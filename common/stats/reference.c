#include "common/stats/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

#define MAX_OUTPUTS (2 + FW_REFERENCE_MAX_SCORES)

fw_status fw_reference_create(fw_reference **out, const fw_bins *columns, size_t n, size_t n_features, const char *split, fw_error *err)
{
    FW_AUTO(fw_reference) *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "reference");
    FW_TRY(fw_summary_create(&r->summary, columns, n, err));
    FW_TRY(fw_alloc_zeroed((void **)&r->hits, fw_summary_total(r->summary), sizeof *r->hits, "reference", err));
    FW_TRY(fw_copy_text(&r->split, split, err));
    r->n_features = n_features;
    *out = r;
    r = NULL;
    return FW_OK;
}

void fw_reference_destroy(fw_reference **reference)
{
    fw_reference *r = *reference;
    if (r == NULL) return;
    for (size_t i = 0; i < r->n_metrics; i++) free(r->metrics[i].name);
    fw_summary_destroy(&r->summary);
    free(r->errors.absolute);
    free(r->hits);
    free(r->split);
    free(r->metrics);
    free(r);
    *reference = NULL;
}

fw_status fw_reference_add_metric(fw_reference *r, const char *name, double value, double mean, double deviation, fw_error *err)
{
    if (r->metrics == NULL) FW_TRY(fw_alloc_zeroed((void **)&r->metrics, FW_REFERENCE_MAX_METRICS, sizeof *r->metrics, "reference", err));
    if (r->n_metrics == FW_REFERENCE_MAX_METRICS) return fw_fail(err, FW_ERR_DATA, "reference: more than %d metrics", FW_REFERENCE_MAX_METRICS);
    fw_reference_metric *m = &r->metrics[r->n_metrics];
    FW_TRY(fw_copy_text(&m->name, name, err));
    m->value = value;
    m->mean = mean;
    m->deviation = deviation;
    r->n_metrics++;
    return FW_OK;
}

/* One piece of memory. */
fw_status fw_reference_set_errors(fw_reference *r, const double *absolute, const double *square, const double *fourth, size_t n, fw_error *err)
{
    const fw_bins *b = fw_summary_bins(r->summary, r->n_features);
    double *v = NULL;
    if (b->kind != FW_BINS_SCORE || fw_bins_n(b) != n) return fw_fail(err, FW_ERR_DATA, "reference: errors of %zu bins do not go with its output", n);
    FW_TRY(fw_alloc_zeroed((void **)&v, 3 * n, sizeof *v, "reference", err));
    memcpy(v, absolute, n * sizeof *v);
    memcpy(v + n, square, n * sizeof *v);
    memcpy(v + 2 * n, fourth, n * sizeof *v);
    free(r->errors.absolute);
    r->errors = (fw_reference_errors){v, v + n, v + 2 * n, n};
    return FW_OK;
}

fw_status fw_reference_outputs(fw_reference **out, const fw_reference *r, fw_error *err)
{
    FW_AUTO(fw_reference) *copy = NULL;
    const size_t n = fw_summary_n(r->summary) - r->n_features;
    FW_TRY(fw_reference_create(&copy, fw_summary_bins(r->summary, r->n_features), n, 0, r->split, err));
    memcpy(copy->hits, fw_reference_hits(r, r->n_features), fw_summary_total(copy->summary) * sizeof *copy->hits);
    for (size_t i = 0; i < n; i++) FW_TRY(fw_summary_add_column(copy->summary, i, fw_summary_counts(r->summary, r->n_features + i), err));
    for (size_t i = 0; i < r->n_metrics; i++)
        FW_TRY(fw_reference_add_metric(copy, r->metrics[i].name, r->metrics[i].value, r->metrics[i].mean, r->metrics[i].deviation, err));
    if (r->errors.n > 0) FW_TRY(fw_reference_set_errors(copy, r->errors.absolute, r->errors.square, r->errors.fourth, r->errors.n, err));
    copy->scores_left_out = r->scores_left_out;
    copy->chunk_rows = r->chunk_rows;
    copy->n_chunks = r->n_chunks;
    *out = copy;
    copy = NULL;
    return FW_OK;
}

uint64_t *fw_reference_hits(const fw_reference *r, size_t column)
{
    return r->hits + (fw_summary_counts(r->summary, column) - fw_summary_counts(r->summary, 0));
}

const char *fw_reference_score_class(const fw_bins *b)
{
    const size_t n = strlen(FW_REFERENCE_SCORE);
    return b->kind == FW_BINS_SCORE && strncmp(b->name, FW_REFERENCE_SCORE, n) == 0 ? b->name + n : NULL;
}

/* ---- checking --------------------------------------------------------------------------------------------------------------------------- */

static fw_status check_feature(size_t *text, const fw_bins *b, fw_error *err)
{
    const bool is_feature = b->kind == FW_BINS_NUMBER || b->kind == FW_BINS_CATEGORY;
    if (!is_feature) return fw_fail(err, FW_ERR_DATA, "reference: column %s is a %s, no feature", b->name, fw_bins_kind_name(b->kind));
    if (b->n_cuts > FW_BINS_CUTS || b->n_labels > FW_REFERENCE_MAX_LABELS) return fw_fail(err, FW_ERR_DATA, "reference: column %s has too many bins", b->name);
    *text += strlen(b->name);
    for (size_t i = 0; i < b->n_labels; i++) *text += strlen(b->label[i]);
    if (*text > FW_REFERENCE_TEXT_BYTES) return fw_fail(err, FW_ERR_DATA, "reference: more than %u bytes of names", FW_REFERENCE_TEXT_BYTES);
    return FW_OK;
}

/* at: from the first output on. */
static fw_status check_output(const fw_bins *b, size_t at, fw_error *err)
{
    const char *expected = at == 0 ? FW_REFERENCE_PREDICTION : FW_REFERENCE_CONFIDENCE;
    if (at < 2 ? strcmp(b->name, expected) != 0 : fw_reference_score_class(b) == NULL)
        return fw_fail(err, FW_ERR_DATA, "reference: output %zu is \"%s\", not \"%s\"", at, b->name, at < 2 ? expected : FW_REFERENCE_SCORE "CLASS");
    if (b->kind == FW_BINS_CLASS ? at != 0 || b->n_labels > FW_REFERENCE_MAX_CLASSES : b->kind != FW_BINS_SCORE || b->n_cuts > FW_BINS_CUTS)
        return fw_fail(err, FW_ERR_DATA, "reference: output %s is a %s, or has too many bins", b->name, fw_bins_kind_name(b->kind));
    return FW_OK;
}

static fw_status check_columns(const fw_reference *r, fw_error *err)
{
    const size_t n = fw_summary_n(r->summary), outputs = n - r->n_features;
    size_t text = 0;
    if (r->n_features > n || r->n_features > FW_REFERENCE_MAX_FEATURES || outputs < 1 || outputs > MAX_OUTPUTS)
        return fw_fail(err, FW_ERR_DATA, "reference: %zu columns, of which %zu features", n, r->n_features);
    for (size_t i = 0; i < r->n_features; i++) FW_TRY(check_feature(&text, fw_summary_bins(r->summary, i), err));
    for (size_t i = r->n_features; i < n; i++) FW_TRY(check_output(fw_summary_bins(r->summary, i), i - r->n_features, err));
    const bool classes = fw_summary_bins(r->summary, r->n_features)->kind == FW_BINS_CLASS;
    if (classes != (outputs > 1)) return fw_fail(err, FW_ERR_DATA, "reference: %zu outputs do not go with their first", outputs);
    return FW_OK;
}

static fw_status check_counts(const fw_reference *r, size_t column, fw_error *err)
{
    const fw_bins *b = fw_summary_bins(r->summary, column);
    const uint64_t *count = fw_summary_counts(r->summary, column), *hit = fw_reference_hits(r, column);
    const bool has_hits = column > r->n_features && b->kind == FW_BINS_SCORE;
    const size_t first = column < r->n_features ? 0 : r->n_features;
    if (fw_summary_rows(r->summary, column) != fw_summary_rows(r->summary, first))
        return fw_fail(err, FW_ERR_DATA, "reference: column %s has not as many rows as its neighbours", b->name);
    for (size_t i = 0; i < fw_bins_counts(b); i++)
        if (hit[i] > (has_hits ? count[i] : 0)) return fw_fail(err, FW_ERR_DATA, "reference: bin %zu of column %s has more hits than rows", i, b->name);
    return FW_OK;
}

/* |e|^2 <= e^2 <= sqrt(e^4) for means, but for rounding. */
static fw_status check_errors(const fw_reference_errors *e, fw_error *err)
{
    const double more = 1 + 1e-9;
    for (size_t i = 0; i < e->n; i++) {
        const double a = e->absolute[i], s = e->square[i], f = e->fourth[i];
        if (!(a >= 0) || !isfinite(f) || a * a > s * more || s * s > f * more)
            return fw_fail(err, FW_ERR_DATA, "reference: errors of bin %zu can't be: %g, %g, %g", i, a, s, f);
    }
    return FW_OK;
}

fw_status fw_reference_check(const fw_reference *r, fw_error *err)
{
    FW_TRY(check_columns(r, err));
    for (size_t i = 0; i < fw_summary_n(r->summary); i++) FW_TRY(check_counts(r, i, err));
    FW_TRY(check_errors(&r->errors, err));
    if ((r->chunk_rows == 0) != (r->n_chunks == 0)) return fw_fail(err, FW_ERR_DATA, "reference: chunks without rows");
    for (size_t i = 0; i < r->n_metrics; i++) {
        const fw_reference_metric *m = &r->metrics[i];
        const size_t len = strlen(m->name);
        if (len == 0 || len > FW_BINS_NAME_BYTES || fw_utf8_valid(m->name, len) != len) return fw_fail(err, FW_ERR_DATA, "reference: the name of metric %zu", i);
        if (!isfinite(m->value) || !isfinite(m->mean) || !isfinite(m->deviation) || m->deviation < 0)
            return fw_fail(err, FW_ERR_DATA, "reference: metric %s is not finite", m->name);
    }
    return FW_OK;
}
