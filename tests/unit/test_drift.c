/** Statistics of drift against SciPy's on columns of elec2 and adult: at the distinct values, on quantile bins, as categories; relative error at most 1e-9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/stats/drift.h"
#include "tests/unit/oracle.h"

typedef struct column { double *point; uint64_t *reference, *current; size_t n; } column;

static fw_drift_pair pair_of(const column *c)
{
    return (fw_drift_pair){.reference = c->reference, .current = c->current, .point = c->point, .n = c->n};
}

static void column_free(column *c)
{
    free(c->point);
    free(c->reference);
    free(c->current);
}

static column column_read(FILE *in, size_t n)
{
    column c = {.point = calloc(n, sizeof(double)), .reference = calloc(n, sizeof(uint64_t)), .current = calloc(n, sizeof(uint64_t)), .n = n};
    for (size_t i = 0; i < n; i++) assert_int_equal(fscanf(in, "%lf %lu %lu", &c.point[i], &c.reference[i], &c.current[i]), 3);
    return c;
}

static const char *const figures[] = {"PSI", "JS", "KS D", "KS p", "chi-square", "chi-square p", "chi-square degrees", "G", "G p", "G degrees", "Wasserstein", "spread"};
#define G 7
#define N_FIGURES (sizeof figures / sizeof *figures)

static void values_of(double v[static N_FIGURES], const column *c)
{
    fw_drift_pair p = pair_of(c);
    fw_drift_test ks, x2, g;
    assert_true(fw_drift_psi(&v[0], &p) && fw_drift_js(&v[1], &p) && fw_drift_ks(&ks, &p) && fw_drift_chi_square(&x2, &p) && fw_drift_g(&g, &p) &&
                fw_drift_wasserstein(&v[10], &p) && fw_drift_spread(&v[11], c->reference, c->point, c->n));
    v[2] = ks.statistic;
    v[3] = ks.p;
    v[4] = x2.statistic;
    v[5] = x2.p;
    v[6] = (double)x2.degrees;
    v[7] = g.statistic;
    v[8] = g.p;
    v[9] = (double)g.degrees;
}

/* Tails below 1e-290 are given as 0: what is left of them is no figure of doubles that two programs share. A p's exponent is the statistic, whose
 * difference of 1e-12 of its size is an absolute one: 1e-9 holds while the statistic is below a thousand; beyond, p differs by as much as the statistic.
 * SciPy's G is a sum of terms as large as the rows, 1e4 x 2^-53 each, which cancel: 1e-11 absolute is its rounding. */
static void agree_with_scipy_on_real_columns(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_cases(s, "oracle_drift.py", "columns", "SciPy (Debian: python3-scipy) or no tables in ../shared/data", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    char word[16], name[64];
    size_t n = 0, cases = 0;
    double worst[N_FIGURES] = {0};
    while (fscanf(in, "%15s", word) == 1 && strcmp(word, "case") == 0) {
        assert_int_equal(fscanf(in, "%63s %zu", name, &n), 2);
        column c = column_read(in, n);
        double v[N_FIGURES];
        values_of(v, &c);
        for (size_t i = 0; i < N_FIGURES; i++) {
            double want = 0;
            assert_int_equal(fscanf(in, "%lf", &want), 1);
            double off = fabs(want) < 1e-290 ? fabs(v[i]) : fmax(fabs(v[i] - want) - (i == G ? 1e-11 : 0), 0) / fabs(want);
            if (!(off <= 1e-9)) fail_msg("%s: %s is %.17g, SciPy says %.17g: off by %g", name, figures[i], v[i], want, off);
            worst[i] = fmax(worst[i], off);
        }
        column_free(&c);
        cases++;
    }
    assert_string_equal(word, "end");
    assert_true(cases >= 50);
    for (size_t i = 0; i < N_FIGURES; i++) print_message("%-20s worst relative difference %.2g\n", figures[i], worst[i]);
    fclose(in);
}

/** Half a row in each place, written out once more. */
static void empty_places_are_defined(void **state)
{
    (void)state;
    const uint64_t reference[] = {10, 0, 0, 30}, current[] = {0, 0, 5, 15};
    const double point[] = {0, 1, 2, 3};
    fw_drift_pair p = {reference, current, point, 4};
    double psi, js, w;
    fw_drift_test g;
    assert_true(fw_drift_psi(&psi, &p));
    double r[] = {10.5 / 41.5, 0.5 / 41.5, 30.5 / 41.5}, c[] = {0.5 / 21.5, 5.5 / 21.5, 15.5 / 21.5}, want = 0;
    for (int i = 0; i < 3; i++) want += (c[i] - r[i]) * log(c[i] / r[i]);
    assert_true(fabs(psi - want) < 1e-14);
    assert_true(fw_drift_g(&g, &p));
    assert_int_equal(g.degrees, 2);
    assert_true(fw_drift_js(&js, &p) && js > 0 && js < 1);
    assert_true(fw_drift_wasserstein(&w, &p) && fabs(w - 0.5) < 1e-15);       /* a quarter of the rows goes from 0 to 2 */
}

static void without_rows_nothing_is_said(void **state)
{
    (void)state;
    const uint64_t none[] = {0, 0}, some[] = {3, 4};
    const double point[] = {0, 1};
    for (int side = 0; side < 2; side++) {
        fw_drift_pair p = {side ? none : some, side ? some : none, point, 2};
        double v = -1;
        fw_drift_test t = {.statistic = -1};
        assert_false(fw_drift_psi(&v, &p) || fw_drift_js(&v, &p) || fw_drift_ks(&t, &p) || fw_drift_chi_square(&t, &p) || fw_drift_g(&t, &p) || fw_drift_wasserstein(&v, &p));
        assert_true(v == -1 && t.statistic == -1);
    }
    double v = -1;
    assert_false(fw_drift_spread(&v, none, point, 2));
}

static void equal_shares_are_no_drift_and_disjoint_ones_all_of_it(void **state)
{
    (void)state;
    const uint64_t a[] = {1000, 3000, 0}, b[] = {2, 6, 0}, far[] = {0, 0, 7}, big[] = {(uint64_t)1 << 61, (uint64_t)3 << 60, 0};
    const double point[] = {1, 2, 4};
    fw_drift_pair same = {a, b, point, 3}, other = {a, far, point, 3}, large = {big, far, point, 3};
    double js, w;
    fw_drift_test ks, x2;
    assert_true(fw_drift_js(&js, &same) && js < 1e-7);
    assert_true(fw_drift_ks(&ks, &same) && ks.statistic == 0 && ks.p == 1);
    assert_true(fw_drift_chi_square(&x2, &same) && x2.statistic < 1e-12 && x2.p > 0.999);
    assert_true(fw_drift_js(&js, &other) && fabs(js - 1) < 1e-15);
    assert_true(fw_drift_ks(&ks, &other) && ks.statistic == 1);
    assert_true(fw_drift_ks(&ks, &large) && ks.statistic == 1);
    assert_true(fw_drift_wasserstein(&w, &other) && fabs(w - 2.25) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agree_with_scipy_on_real_columns, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(empty_places_are_defined),
        cmocka_unit_test(without_rows_nothing_is_said),
        cmocka_unit_test(equal_shares_are_no_drift_and_disjoint_ones_all_of_it),
    };
    return oracle_end(cmocka_run_group_tests(tests, NULL, NULL));
}
