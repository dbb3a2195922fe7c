#include "common/stats/estimator.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

/* A column of scores, calibrated, and where its counts begin among those of all columns. */
typedef struct scored { fw_calibration calibration; size_t at; } scored;

struct fw_estimator {
    size_t columns;                            /* scored ones: confidence, then score=... */
    scored column[1 + FW_REFERENCE_MAX_SCORES];
    bool two_classes, all_classes;             /* one score column, of the positive class; every class has one */
    struct { double *absolute, *square, *fourth; uint64_t *rows; size_t n, at; } errors;      /* regression, in each bin of the prediction; n 0: not known */
    size_t positive;                           /* two_classes: where the count of rows predicted to be positive is */
};

static size_t place_of(const fw_reference *r, size_t column) { return (size_t)(fw_summary_counts(r->summary, column) - fw_summary_counts(r->summary, 0)); }

static fw_status add_column(fw_estimator *e, const fw_reference *r, size_t column, fw_error *err)
{
    const fw_bins *b = fw_summary_bins(r->summary, column);
    scored *s = &e->column[e->columns];
    s->at = place_of(r, column);
    FW_TRY(fw_calibration_fit(&s->calibration, fw_reference_hits(r, column), fw_summary_counts(r->summary, column), b->centre, fw_bins_n(b), err));
    e->columns++;
    return FW_OK;
}

/* Two classes: where the rows predicted to be of the score's class are counted. */
static bool find_positive(fw_estimator *e, const fw_reference *r)
{
    const fw_bins *said = fw_summary_bins(r->summary, r->n_features);
    const char *positive = fw_reference_score_class(fw_summary_bins(r->summary, r->n_features + 2));
    for (size_t i = 0; i < said->n_labels; i++) {
        if (strcmp(said->label[i], positive) != 0) continue;
        e->positive = place_of(r, r->n_features) + i;
        return true;
    }
    return false;
}

static fw_status copy_of(void *out, const void *from, size_t n, fw_error *err)
{
    void *v = NULL;
    FW_TRY(fw_alloc_zeroed(&v, n, sizeof(double), "estimator", err));
    memcpy(v, from, n * sizeof(double));
    memcpy(out, &v, sizeof v);
    return FW_OK;
}

static fw_status take_errors(fw_estimator *e, const fw_reference *r, fw_error *err)
{
    const size_t n = r->errors.n;
    if (n == 0 || n > FW_ESTIMATE_BINS) return FW_OK;
    FW_TRY(copy_of(&e->errors.absolute, r->errors.absolute, n, err));
    FW_TRY(copy_of(&e->errors.square, r->errors.square, n, err));
    FW_TRY(copy_of(&e->errors.fourth, r->errors.fourth, n, err));
    FW_TRY(copy_of(&e->errors.rows, fw_summary_counts(r->summary, r->n_features), n, err));
    e->errors.at = place_of(r, r->n_features);
    e->errors.n = n;
    return FW_OK;
}

fw_status fw_estimator_create(fw_estimator **out, const fw_reference *r, fw_error *err)
{
    FW_AUTO(fw_estimator) *e = calloc(1, sizeof *e);
    if (e == NULL) return fw_fail(err, FW_ERR_NOMEM, "estimator");
    const size_t n = fw_summary_n(r->summary), first = r->n_features;
    for (size_t i = first + 1; i < n; i++) FW_TRY(add_column(e, r, i, err));
    FW_TRY(take_errors(e, r, err));
    const size_t classes = fw_summary_bins(r->summary, first)->n_labels;
    e->two_classes = e->columns == 2 && classes == 2 && find_positive(e, r);
    e->all_classes = e->columns > 2 && r->scores_left_out == 0;
    *out = e;
    e = NULL;
    return FW_OK;
}

void fw_estimator_destroy(fw_estimator **e)
{
    if (*e == NULL) return;
    for (size_t i = 0; i < (*e)->columns; i++) fw_calibration_destroy(&(*e)->column[i].calibration);
    free((*e)->errors.absolute);
    free((*e)->errors.square);
    free((*e)->errors.fourth);
    free((*e)->errors.rows);
    free(*e);
    *e = NULL;
}

static void estimate_classes(fw_qualities *q, const fw_estimator *e, const uint64_t *count)
{
    fw_calibration score[FW_REFERENCE_MAX_SCORES];      /* shallow */
    const uint64_t *counts[FW_REFERENCE_MAX_SCORES];
    for (size_t i = 1; i < e->columns; i++) {
        score[i - 1] = e->column[i].calibration;
        counts[i - 1] = count + e->column[i].at;
    }
    fw_estimate_classes(q, score, counts, e->columns - 1);
}

fw_qualities fw_estimator_window(const fw_estimator *e, const uint64_t *count)
{
    fw_qualities q = fw_qualities_none();
    if (e->errors.n > 0) fw_estimate_errors(&q, e->errors.absolute, e->errors.square, e->errors.fourth, e->errors.rows, count + e->errors.at, e->errors.n);
    if (e->columns == 0) return q;
    if (e->two_classes) {
        fw_estimate_two_classes(&q, &e->column[1].calibration, count + e->column[1].at, count[e->positive]);
        return q;
    }
    fw_estimate_accuracy(&q, &e->column[0].calibration, count + e->column[0].at);
    if (e->all_classes) estimate_classes(&q, e, count);
    return q;
}
