/** A reference made by hand: two features of 100 rows, three outputs of 40, as of a binary model that says "no" or "yes". Include behind cmocka.h. */
#ifndef FW_TESTS_REFERENCE_FIXTURE_H
#define FW_TESTS_REFERENCE_FIXTURE_H

#include <string.h>

#include "common/stats/reference.h"

enum { REFERENCE_FEATURES = 2, REFERENCE_COLUMNS = 5, REFERENCE_TRAIN = 100, REFERENCE_JUDGED = 40 };

static inline void reference_bins(fw_bins bins[static REFERENCE_COLUMNS])
{
    static const double cut[] = {0.25, 17.0, 1.0 / 3.0 + 20}, centre[] = {0.1, 3, 18, 77.7}, half[] = {0.5}, halves[] = {0.3, 0.9};
    static const char *const colours[] = {"blue", "red"}, *const classes[] = {"no", "yes"};
    memset(bins, 0, REFERENCE_COLUMNS * sizeof *bins);
    assert_int_equal(fw_bins_of_cuts(&bins[0], "age", FW_BINS_NUMBER, cut, 3, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_of_labels(&bins[1], "colour", FW_BINS_CATEGORY, colours, 2, NULL), FW_OK);
    assert_int_equal(fw_bins_of_labels(&bins[2], FW_REFERENCE_PREDICTION, FW_BINS_CLASS, classes, 2, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&bins[3], FW_REFERENCE_CONFIDENCE, FW_BINS_SCORE, half, 1, halves, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&bins[4], FW_REFERENCE_SCORE "yes", FW_BINS_SCORE, half, 1, halves, NULL), FW_OK);
}

static inline fw_reference *make_reference(void)
{
    static const uint64_t counts[REFERENCE_COLUMNS][6] = {{10, 20, 30, 33, 0, 7}, {60, 35, 5, 0}, {25, 15, 0, 0}, {8, 32, 0, 0}, {24, 16, 0, 0}};
    fw_bins bins[REFERENCE_COLUMNS];
    fw_reference *r = NULL;
    reference_bins(bins);
    assert_int_equal(fw_reference_create(&r, bins, REFERENCE_COLUMNS, REFERENCE_FEATURES, "validation", NULL), FW_OK);
    for (size_t i = 0; i < REFERENCE_COLUMNS; i++) {
        assert_int_equal(fw_summary_add_column(r->summary, i, counts[i], NULL), FW_OK);
        fw_bins_destroy(&bins[i]);
    }
    fw_reference_hits(r, 3)[0] = 4, fw_reference_hits(r, 3)[1] = 31;
    fw_reference_hits(r, 4)[1] = 13;
    r->features_left_out = 3;
    r->chunk_rows = 4, r->n_chunks = 10;
    assert_int_equal(fw_reference_add_metric(r, "accuracy", 0.875, 0.1 + 0.2, 1.0 / 7.0, NULL), FW_OK);
    assert_int_equal(fw_reference_check(r, NULL), FW_OK);
    return r;
}

/** Of a regression: the errors of 12 rows in two bins of "prediction", and none in the third. */
static inline fw_reference *make_reference_with_errors(void)
{
    static const double cut[] = {1, 2}, centre[] = {0.5, 1.5, 2.5}, absolute[] = {0.1, 1.0 / 3.0, 0}, square[] = {0.02, 0.5, 0}, fourth[] = {0.0005, 0.3, 0};
    static const uint64_t counts[] = {8, 4, 0, 0, 0};
    fw_bins b = {0};
    fw_reference *r = NULL;
    assert_int_equal(fw_bins_of_cuts(&b, FW_REFERENCE_PREDICTION, FW_BINS_SCORE, cut, 2, centre, NULL), FW_OK);
    assert_int_equal(fw_reference_create(&r, &b, 1, 0, "validation", NULL), FW_OK);
    fw_bins_destroy(&b);
    assert_int_equal(fw_summary_add_column(r->summary, 0, counts, NULL), FW_OK);
    assert_int_equal(fw_reference_set_errors(r, absolute, square, fourth, 3, NULL), FW_OK);
    assert_int_equal(fw_reference_check(r, NULL), FW_OK);
    return r;
}

static inline void assert_same_reference(const fw_reference *a, const fw_reference *b)
{
    assert_true(fw_summary_same_shape(a->summary, b->summary));
    const size_t bytes = fw_summary_total(a->summary) * sizeof(uint64_t);
    assert_memory_equal(fw_summary_counts(a->summary, 0), fw_summary_counts(b->summary, 0), bytes);
    assert_memory_equal(a->hits, b->hits, bytes);
    assert_int_equal(a->n_features, b->n_features);
    assert_int_equal(a->features_left_out, b->features_left_out);
    assert_int_equal(a->scores_left_out, b->scores_left_out);
    assert_int_equal(a->chunk_rows, b->chunk_rows);
    assert_int_equal(a->n_chunks, b->n_chunks);
    assert_string_equal(a->split, b->split);
    assert_int_equal(a->errors.n, b->errors.n);
    if (a->errors.n > 0) assert_memory_equal(a->errors.absolute, b->errors.absolute, 3 * a->errors.n * sizeof(double));      /* one behind the other */
    assert_int_equal(a->n_metrics, b->n_metrics);
    for (size_t i = 0; i < a->n_metrics; i++) {
        assert_string_equal(a->metrics[i].name, b->metrics[i].name);
        assert_memory_equal(&a->metrics[i].value, &b->metrics[i].value, 3 * sizeof(double));
    }
}

#endif
