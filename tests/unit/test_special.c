/** Special functions against SciPy's over wide ranges, relative error at most 1e-12; and at the ends of their ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/stats/special.h"
#include "tests/unit/oracle.h"

static double value_of(const char *name, double a, double x)
{
    if (strcmp(name, "log_gamma") == 0) return fw_log_gamma(a);
    if (strcmp(name, "gamma_above") == 0) return fw_gamma_above(a, x);
    assert_string_equal(name, "kolmogorov_above");
    return fw_kolmogorov_above(a);
}

/* SciPy's own error: lnGamma 1e-15; the incomplete gamma function a few 1e-13 where a is large and the share small. */
static void agree_with_scipy(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_cases(s, "oracle_drift.py", "special", "SciPy (Debian: python3-scipy)", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    char name[32];
    size_t n = 0, functions = 0;
    while (fscanf(in, "%31s", name) == 1 && strcmp(name, "end") != 0) {
        double worst = 0;
        assert_int_equal(fscanf(in, "%zu", &n), 1);
        assert_true(n > 1000);
        for (size_t i = 0; i < n; i++) {
            double a = 0, x = 0, want = 0;
            assert_int_equal(fscanf(in, "%lf %lf %lf", &a, &x, &want), 3);
            double v = value_of(name, a, x), off = v == want ? 0 : fabs(v - want) / fabs(want);
            if (!(off <= 1e-12)) fail_msg("%s(%.17g, %.17g) is %.17g, SciPy says %.17g: off by %g", name, a, x, v, want, off);
            worst = fmax(worst, off);
        }
        print_message("%s: %zu values, worst relative difference %.2g\n", name, n, worst);
        functions++;
    }
    assert_int_equal(functions, 3);
    fclose(in);
}

static void ends_of_the_ranges_are_defined(void **state)
{
    (void)state;
    assert_true(isnan(fw_log_gamma(0)) && isnan(fw_log_gamma(-1.5)) && isnan(fw_log_gamma(NAN)));
    assert_true(isinf(fw_log_gamma(INFINITY)));
    assert_true(fw_log_gamma(1) == 0 && fw_log_gamma(2) == 0);
    assert_true(isnan(fw_gamma_above(0, 1)) && isnan(fw_gamma_above(1, -1)) && isnan(fw_gamma_above(1, NAN)) && isnan(fw_gamma_above(NAN, 1)));
    assert_true(fw_gamma_above(3, 0) == 1 && fw_gamma_above(3, INFINITY) == 0 && fw_gamma_above(3, 1e6) == 0);
    assert_true(fw_chi_square_above(0, 0) == 1 && fw_chi_square_above(0, 1) == 0);
    assert_true(fw_kolmogorov_above(0) == 1 && fw_kolmogorov_above(-1) == 1 && fw_kolmogorov_above(1e-3) == 1 && fw_kolmogorov_above(1e9) == 0);
    assert_true(isnan(fw_kolmogorov_above(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agree_with_scipy, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(ends_of_the_ranges_are_defined),
    };
    return oracle_end(cmocka_run_group_tests(tests, NULL, NULL));
}
