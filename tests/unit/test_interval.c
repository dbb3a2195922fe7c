/** Intervals against SciPy's, DeLong's against all pairs of rows, and what they say of few rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/stats/interval.h"
#include "tests/unit/oracle.h"

#define MOST 64

static void must_be(fw_interval got, FILE *in, double tolerance, const char *what)
{
    const double *const v[3] = {&got.value, &got.low, &got.high};
    for (size_t i = 0; i < 3; i++) {
        double want = 0;
        assert_int_equal(fscanf(in, "%lf", &want), 1);
        if (!(fabs(*v[i] - want) <= tolerance)) fail_msg("%s, figure %zu: %.17g instead of %.17g", what, i, *v[i], want);
    }
}

/* Sums of at most 1e5 terms below 1: 1e-12. */
static void agree_with_scipy(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_cases(s, "oracle_quality.py", "interval", "SciPy and scikit-learn (Debian: python3-sklearn)", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    char word[16];
    size_t n = 0, cases = 0;
    for (; fscanf(in, "%15s", word) == 1 && strcmp(word, "end") != 0; cases++) {
        if (strcmp(word, "share") == 0) {
            uint64_t k, total;
            assert_int_equal(fscanf(in, "%lu %lu", &k, &total), 2);
            must_be(fw_interval_share(k, total), in, 1e-12, word);
        } else if (strcmp(word, "auc") == 0) {
            uint64_t positive[MOST], negative[MOST];
            assert_int_equal(fscanf(in, "%zu", &n), 1);
            for (size_t i = 0; i < n; i++) assert_int_equal(fscanf(in, "%lu %lu", &positive[i], &negative[i]), 2);
            must_be(fw_interval_auc(positive, negative, n), in, 1e-12, word);
        } else {
            double mean, square, low, high;
            uint64_t rows;
            assert_int_equal(fscanf(in, "%lf %lf %lu %lf %lf", &mean, &square, &rows, &low, &high), 5);
            const fw_interval m = fw_interval_mean(mean, square, rows), root = fw_interval_root(mean, square, rows);
            assert_true(fabs(m.low - low) < 1e-12 && fabs(m.high - high) < 1e-12 && !(m.value < mean) && !(m.value > mean));
            assert_true(fabs(root.value - sqrt(mean)) < 1e-12 && fabs(root.high - sqrt(high)) < 1e-12 && fabs(root.low - sqrt(fmax(low, 0))) < 1e-12);
        }
    }
    assert_string_equal(word, "end");
    assert_true(cases > 100);
    fclose(in);
}

static bool nothing_known(fw_interval i) { return isnan(i.value) && isnan(i.low) && isnan(i.high); }

static void few_rows_are_not_made_much_of(void **state)
{
    (void)state;
    const uint64_t none[2] = {0, 0}, one[2] = {0, 1}, two[2] = {0, 2}, first[2] = {2, 0};
    assert_true(nothing_known(fw_interval_share(0, 0)) && nothing_known(fw_interval_mean(0, 0, 0)) && nothing_known(fw_interval_auc(none, two, 2)));
    assert_true(nothing_known(fw_interval_macro_f1(none, none, none, 2)));
    const fw_interval one_row = fw_interval_mean(3, 9, 1), pair = fw_interval_auc(one, first, 2);
    assert_true(isnan(one_row.low) && one_row.value > 2 && isnan(pair.low) && pair.value > 0.99);
    const fw_interval perfect = fw_interval_auc(two, first, 2);      /* DeLong's width is 0; two rows a side prove little */
    assert_true(perfect.value > 0.99 && perfect.low < 0.5 && perfect.high >= 1);
    const fw_interval nobody = fw_interval_f1(0, 0);
    assert_true(nobody.value <= 0 && isnan(nobody.low));
}

static void f1_has_its_value_inside(void **state)
{
    (void)state;
    const fw_interval f = fw_interval_f1(80, 40);
    assert_true(fabs(f.value - 0.8) < 1e-12 && f.low < f.value && f.value < f.high);
    const uint64_t correct[3] = {50, 30, 0}, support[3] = {60, 40, 0}, predicted[3] = {55, 45, 0};      /* the third class does not occur */
    const fw_interval m = fw_interval_macro_f1(correct, support, predicted, 3);
    assert_true(fabs(m.value - 0.5 * (100.0 / 115 + 60.0 / 85)) < 1e-12 && m.low > 0.6 && m.low < m.value && m.high > m.value && m.high < 0.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agree_with_scipy, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(few_rows_are_not_made_much_of),
        cmocka_unit_test(f1_has_its_value_inside),
    };
    return oracle_end(cmocka_run_group_tests(tests, NULL, NULL));
}
