/** Isotonic regression against scikit-learn's, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/stats/isotonic.h"
#include "tests/unit/oracle.h"

#define MOST 64

/* Shares are quotients of the same whole numbers: what differs is the rounding of scikit-learn's weighted means. */
static void agrees_with_scikit_learn(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_cases(s, "oracle_quality.py", "isotonic", "scikit-learn (Debian: python3-sklearn)", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    char word[16];
    size_t cases = 0, n = 0, n_blocks = 0;
    while (fscanf(in, "%15s", word) == 1 && strcmp(word, "case") == 0) {
        uint64_t hits[MOST], rows[MOST];
        double at[MOST], want[MOST], share[MOST];
        size_t block[MOST];
        assert_int_equal(fscanf(in, "%zu", &n), 1);
        for (size_t i = 0; i < n; i++) assert_int_equal(fscanf(in, "%lu %lu %lf %lf", &hits[i], &rows[i], &at[i], &want[i]), 4);
        assert_int_equal(fw_isotonic_fit(share, block, &n_blocks, hits, rows, at, n, NULL), FW_OK);
        for (size_t i = 0; i < n; i++) {
            if (!(fabs(share[i] - want[i]) <= 1e-12)) fail_msg("case %zu, bin %zu of %zu: %.17g, scikit-learn says %.17g", cases, i, n, share[i], want[i]);
            assert_true(block[i] < n_blocks && (i == 0 ? block[0] == 0 : block[i] == block[i - 1] || block[i] == block[i - 1] + 1));
            assert_true(i == 0 || rows[i] == 0 || rows[i - 1] == 0 || (block[i] == block[i - 1]) == (share[i] == share[i - 1]) || share[i] == share[i - 1]);
        }
        cases++;
    }
    assert_string_equal(word, "end");
    assert_int_equal(cases, 400);
    fclose(in);
}

static void refuses_what_is_no_calibration(void **state)
{
    (void)state;
    const double at[2] = {0, 1};
    double share[2] = {7, 7};
    size_t block[2], n_blocks = 7;
    fw_error err;
    const struct { uint64_t hits[2], rows[2]; } bad[] = {{{0, 0}, {0, 0}}, {{3, 0}, {2, 5}}, {{0, 0}, {INT64_MAX, 1}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fw_isotonic_fit(share, block, &n_blocks, bad[i].hits, bad[i].rows, at, 2, &err), FW_ERR_DATA);
        assert_true(share[0] > 6 && n_blocks == 7);
    }
}

static void pools_of_huge_counts_do_not_overflow(void **state)
{
    (void)state;
    const uint64_t big = UINT64_C(1) << 60;
    const uint64_t hits[3] = {big, big - 1, 5}, rows[3] = {big + 3, big + 2, 5};
    const double at[3] = {0, 0.5, 1};
    double share[3];
    size_t block[3], n_blocks = 0;
    assert_int_equal(fw_isotonic_fit(share, block, &n_blocks, hits, rows, at, 3, NULL), FW_OK);
    assert_int_equal(n_blocks, 2);      /* big / (big + 3) is above (big - 1) / (big + 2) by 1e-36: they are pooled */
    assert_true(block[0] == 0 && block[1] == 0 && block[2] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agrees_with_scikit_learn, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(refuses_what_is_no_calibration),
        cmocka_unit_test(pools_of_huge_counts_do_not_overflow),
    };
    return oracle_end(cmocka_run_group_tests(tests, NULL, NULL));
}
