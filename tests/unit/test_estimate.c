/** Estimates without outcomes: NannyML's definitions in NumPy on rows, and what was realised after a simulated covariate shift. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/stats/estimator.h"
#include "tests/unit/oracle.h"

#define MOST 64

static const fw_quality_metric order[] = {FW_QUALITY_ACCURACY, FW_QUALITY_PRECISION, FW_QUALITY_RECALL, FW_QUALITY_F1, FW_QUALITY_AUC, FW_QUALITY_LOG_LOSS};
#define N_ORDER (sizeof order / sizeof *order)

static FILE *cases(void **state, const char *kind)
{
    FILE *in = oracle_cases(*state, "oracle_quality.py", kind, "scikit-learn (Debian: python3-sklearn)", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    return in;
}

typedef struct scores { uint64_t hits[MOST], rows[MOST], count[MOST]; double at[MOST]; size_t n; } scores;

/* At most 2,000 rows' sums in another order: 1e-11. */
static void are_nannymls_by_definition(void **state)
{
    FILE *in = cases(state, "definition");
    char word[16];
    size_t n_cases = 0;
    uint64_t said = 0;
    for (; fscanf(in, "%15s", word) == 1 && strcmp(word, "case") == 0; n_cases++) {
        scores s;
        assert_int_equal(fscanf(in, "%zu %lu", &s.n, &said), 2);
        for (size_t i = 0; i < s.n; i++) assert_int_equal(fscanf(in, "%lu %lu %lf %lu", &s.hits[i], &s.rows[i], &s.at[i], &s.count[i]), 4);
        FW_AUTO(fw_calibration) c = {0};
        fw_qualities q = fw_qualities_none();
        assert_int_equal(fw_calibration_fit(&c, s.hits, s.rows, s.at, s.n, NULL), FW_OK);
        fw_estimate_two_classes(&q, &c, s.count, said);
        for (size_t i = 0; i < N_ORDER; i++) {
            double want = 0;
            const fw_interval got = q.of[order[i]];
            assert_int_equal(fscanf(in, "%lf", &want), 1);
            if (!(fabs(got.value - want) <= 1e-11)) fail_msg("case %zu: %s is %.17g instead of %.17g", n_cases, fw_quality_name(order[i]), got.value, want);
            assert_true(isnan(got.low) || (got.low <= got.value && got.value <= got.high));
        }
    }
    assert_string_equal(word, "end");
    assert_true(n_cases > 50);
    fclose(in);
}

typedef struct errors { double sum[N_ORDER], covered[N_ORDER], windows; } errors;

static void look_at_window(errors *e, FILE *in, const fw_calibration *c)
{
    uint64_t count[MOST], said = 0;
    fw_qualities q = fw_qualities_none();
    assert_int_equal(fscanf(in, "%lu", &said), 1);
    for (size_t i = 0; i < c->n; i++) assert_int_equal(fscanf(in, "%lu", &count[i]), 1);
    fw_estimate_two_classes(&q, c, count, said);
    e->windows++;
    for (size_t i = 0; i < N_ORDER; i++) {
        double realised = 0;
        const fw_interval got = q.of[order[i]];
        assert_int_equal(fscanf(in, "%lf", &realised), 1);
        e->sum[i] += fabs(got.value - realised);
        e->covered[i] += got.low <= realised && realised <= got.high;
    }
}

/* 120 windows of 10,000 rows, up to 0.9 standard deviations away, three references of 20,000 rows. The intervals do not know of what a bin's share differs by when the rows
 * within it shift, so fewer than 95 % hold what is realised. */
static void hold_under_covariate_shift(void **state)
{
    FILE *in = cases(state, "shift");
    char word[16];
    errors e = {0};
    size_t windows = 0;
    while (fscanf(in, "%15s", word) == 1 && strcmp(word, "reference") == 0) {
        scores s;
        FW_AUTO(fw_calibration) c = {0};
        assert_int_equal(fscanf(in, "%zu %zu", &s.n, &windows), 2);
        for (size_t i = 0; i < s.n; i++) assert_int_equal(fscanf(in, "%lu %lu %lf", &s.hits[i], &s.rows[i], &s.at[i]), 3);
        assert_int_equal(fw_calibration_fit(&c, s.hits, s.rows, s.at, s.n, NULL), FW_OK);
        for (size_t w = 0; w < windows; w++) look_at_window(&e, in, &c);
    }
    assert_string_equal(word, "end");
    assert_true(e.windows > 100);
    for (size_t i = 0; i < N_ORDER; i++)
        print_message("%s: mean absolute error %.4f, %.0f %% inside the interval\n", fw_quality_name(order[i]), e.sum[i] / e.windows, 100 * e.covered[i] / e.windows);
    assert_true(e.sum[0] / e.windows <= 0.01);      /* accuracy */
    assert_true(e.sum[4] / e.windows <= 0.01);      /* auc */
    fclose(in);
}

/* ---- from a reference ------------------------------------------------------------------------------------------------------------------- */

/* Outputs alone: prediction, confidence, and `n_scores` score columns of two bins each, 100 rows. */
static fw_reference *reference_of(const char *const *classes, size_t n_classes, size_t n_scores)
{
    const double cut[1] = {0.5}, centre[2] = {0.25, 0.75};
    const char *const names[3] = {FW_REFERENCE_SCORE "a", FW_REFERENCE_SCORE "b", FW_REFERENCE_SCORE "c"};
    fw_bins b[5] = {0};
    fw_reference *r = NULL;
    assert_int_equal(fw_bins_of_labels(&b[0], FW_REFERENCE_PREDICTION, FW_BINS_CLASS, classes, n_classes, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&b[1], FW_REFERENCE_CONFIDENCE, FW_BINS_SCORE, cut, 1, centre, NULL), FW_OK);
    for (size_t i = 0; i < n_scores; i++) assert_int_equal(fw_bins_of_cuts(&b[2 + i], names[i], FW_BINS_SCORE, cut, 1, centre, NULL), FW_OK);
    assert_int_equal(fw_reference_create(&r, b, 2 + n_scores, 0, "validation", NULL), FW_OK);
    for (size_t i = 1; i < 2 + n_scores; i++) {
        const uint64_t count[4] = {60, 40, 0, 0};
        assert_int_equal(fw_summary_add_column(r->summary, i, count, NULL), FW_OK);
        fw_reference_hits(r, i)[0] = 12;
        fw_reference_hits(r, i)[1] = 36;
    }
    for (size_t i = 0; i < 5; i++) fw_bins_destroy(&b[i]);
    return r;
}

static void two_classes_are_estimated_from_the_positive_ones_score(void **state)
{
    (void)state;
    const char *const classes[2] = {"b", "a"};
    fw_reference *r = reference_of(classes, 2, 1);
    fw_estimator *e = NULL;
    /* prediction: b, a; confidence; score=a */
    const uint64_t count[] = {10, 30, 0, 0, /**/ 5, 35, 0, 0, /**/ 10, 30, 0, 0};
    assert_int_equal(fw_estimator_create(&e, r, NULL), FW_OK);
    fw_reference_destroy(&r);
    const fw_qualities q = fw_estimator_window(e, count);
    assert_true(fabs(q.of[FW_QUALITY_ACCURACY].value - (30 * 0.9 + 10 * 0.8) / 40) < 1e-12);
    assert_true(fabs(q.of[FW_QUALITY_PRECISION].value - 0.9) < 1e-12 && fabs(q.of[FW_QUALITY_RECALL].value - 27.0 / 29) < 1e-12);
    assert_true(isnan(q.of[FW_QUALITY_RMSE].value) && isnan(q.of[FW_QUALITY_MACRO_F1].value));
    fw_estimator_destroy(&e);
}

static void three_classes_are_estimated_as_far_as_the_bins_tell(void **state)
{
    (void)state;
    const char *const classes[3] = {"a", "b", "c"};
    fw_reference *r = reference_of(classes, 3, 3);
    fw_estimator *e = NULL;
    const uint64_t count[] = {20, 10, 10, 0, 0, /**/ 10, 30, 0, 0, /**/ 30, 10, 0, 0, /**/ 30, 10, 0, 0, /**/ 30, 10, 0, 0};
    assert_int_equal(fw_estimator_create(&e, r, NULL), FW_OK);
    const fw_qualities q = fw_estimator_window(e, count);
    assert_true(fabs(q.of[FW_QUALITY_ACCURACY].value - (10 * 0.2 + 30 * 0.9) / 40) < 1e-12);
    assert_true(fabs(q.of[FW_QUALITY_AUC].value - (9 * (24 + 0.5) + 6 * 12) / (15.0 * 25)) < 1e-12);      /* the same for each class: 6 + 9 positives */
    assert_true(fabs(q.of[FW_QUALITY_LOG_LOSS].value - 3 * (-6 * log(0.25) - 9 * log(0.75)) / 40) < 1e-12);
    assert_true(isnan(q.of[FW_QUALITY_F1].value) && isnan(q.of[FW_QUALITY_PRECISION].value));
    fw_estimator_destroy(&e);
    r->scores_left_out = 1;
    assert_int_equal(fw_estimator_create(&e, r, NULL), FW_OK);
    assert_true(isnan(fw_estimator_window(e, count).of[FW_QUALITY_AUC].value));
    fw_estimator_destroy(&e);
    fw_reference_destroy(&r);
}

static void a_window_without_rows_says_nothing(void **state)
{
    (void)state;
    const char *const classes[2] = {"b", "a"};
    fw_reference *r = reference_of(classes, 2, 1);
    fw_estimator *e = NULL;
    const uint64_t count[12] = {0};
    assert_int_equal(fw_estimator_create(&e, r, NULL), FW_OK);
    const fw_qualities q = fw_estimator_window(e, count);
    for (size_t i = 0; i < FW_N_QUALITIES; i++) assert_true(isnan(q.of[i].value));
    fw_estimator_destroy(&e);
    memset(fw_reference_hits(r, 1), 0, 2 * sizeof(uint64_t));
    fw_summary_reset(r->summary);
    assert_int_equal(fw_estimator_create(&e, r, NULL), FW_ERR_DATA);
    assert_null(e);
    fw_reference_destroy(&r);
}

static void errors_go_by_the_bins_of_the_prediction(void **state)
{
    (void)state;
    const double absolute[3] = {1, 2, 0}, square[3] = {2, 5, 0}, fourth[3] = {6, 41, 0};
    const uint64_t rows[3] = {30, 10, 0}, count[3] = {10, 10, 20};      /* the third bin has the mean of all: 1.25, 2.75 */
    fw_qualities q = fw_qualities_none();
    fw_estimate_errors(&q, absolute, square, fourth, rows, count, 3);
    const fw_interval mae = q.of[FW_QUALITY_MAE], rmse = q.of[FW_QUALITY_RMSE];
    assert_true(fabs(mae.value - (10 + 20 + 25) / 40.0) < 1e-12 && mae.low < mae.value && mae.value < mae.high);
    assert_true(fabs(rmse.value - sqrt((20 + 50 + 55) / 40.0)) < 1e-12 && rmse.low < rmse.value && rmse.value < rmse.high);
    /* The variance of a mean: a row's loss varies by 1, 1, 1.1875 (mae), by 2, 16, 7.1875 (mse); the bins' own means by the same over 30, 10, 1 rows. */
    const double one = (1 * (10 + 100 / 30.0) + 1 * (10 + 100 / 10.0) + 1.1875 * (20 + 400 / 1.0)) / 1600;
    const double two = (2 * (10 + 100 / 30.0) + 16 * (10 + 100 / 10.0) + 7.1875 * (20 + 400 / 1.0)) / 1600, z = 1.959963984540054;
    assert_true(fabs(mae.high - mae.value - z * sqrt(one)) < 1e-12);
    assert_true(fabs(rmse.high * rmse.high - rmse.value * rmse.value - z * sqrt(two)) < 1e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(are_nannymls_by_definition, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(hold_under_covariate_shift, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(two_classes_are_estimated_from_the_positive_ones_score),
        cmocka_unit_test(three_classes_are_estimated_as_far_as_the_bins_tell),
        cmocka_unit_test(a_window_without_rows_says_nothing),
        cmocka_unit_test(errors_go_by_the_bins_of_the_prediction),
    };
    return oracle_end(cmocka_run_group_tests(tests, NULL, NULL));
}
