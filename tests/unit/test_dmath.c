/** fw_log_double against logl of 64 bits of mantissa, whose own error of half a unit of 2^-64 does not show at the scale of a double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "common/stats/dmath.h"

static double ulps_off(double x)
{
    long double exact = logl((long double)x);
    double nearest = (double)exact, unit = nextafter(fabs(nearest), INFINITY) - fabs(nearest);
    return (double)(fabsl((long double)fw_log_double(x) - exact) / (long double)unit);
}

static uint64_t next(uint64_t *state)      /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void is_within_one_ulp_everywhere(void **state)
{
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    uint64_t seed = 1;
    double worst = 0;
    for (int i = 0; i < 400000; i++) {
        uint64_t bits = next(&seed) & 0x7fffffffffffffffu;
        double any = 0, unit = (double)(next(&seed) >> 11) * 0x1p-53, near = 1 + ldexp(unit - 0.5, -(i % 50));
        memcpy(&any, &bits, sizeof any);
        if (isfinite(any) && any > 0) worst = fmax(worst, ulps_off(any));
        if (unit > 0) worst = fmax(worst, ulps_off(unit));
        if (near != 1) worst = fmax(worst, ulps_off(near));
    }
    assert_true(worst < 1.0);
}

static void special_values(void **state)
{
    (void)state;
    assert_true(fw_log_double(1) == 0 && !signbit(fw_log_double(1)));
    assert_true(fw_log_double(0) == -INFINITY);
    assert_true(isnan(fw_log_double(-1)) && isnan(fw_log_double(NAN)));
    assert_true(fw_log_double(INFINITY) == INFINITY);
    assert_true(fabs(fw_log_double(DBL_TRUE_MIN) + 744.44007192138126231) < 1e-12);
}

/** Golden bits (correctly rounded, from Python's decimal): the same on every machine, or the model files differ. */
static void has_these_bits(void **state)
{
    (void)state;
    static const struct { double x; uint64_t bits; } golden[] = {{2.0, 0x3fe62e42fefa39efu}, {10.0, 0x40026bb1bbb55516u}, {1e-15, 0xc04144f69ff9ffc4u}, {0.3, 0xbff34378fcbda721u}};
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        double v = fw_log_double(golden[i].x);
        uint64_t bits = 0;
        memcpy(&bits, &v, sizeof bits);
        assert_int_equal(bits, golden[i].bits);
    }
}

static void many_logarithms_are_those_of_each(void **state)
{
    (void)state;
    uint64_t seed = 5;
    double x[67], y[67];
    static const double ends[] = {0, -0.0, -1, INFINITY, NAN, 5e-324, 2.2e-308, DBL_MIN, DBL_MAX};
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < 67; i++) {
            uint64_t bits = next(&seed) & 0x7fffffffffffffffu;
            memcpy(&x[i], &bits, sizeof bits);
            if (!isnormal(x[i])) x[i] = 1 + (double)i / 64;
        }
        if (round % 2) x[round % 67] = ends[(size_t)round % (sizeof ends / sizeof *ends)];
        fw_vec_log_double(y, x, 67);
        for (size_t i = 0; i < 67; i++) {
            double one = fw_log_double(x[i]);
            assert_memory_equal(&one, &y[i], sizeof one);
        }
    }
}

/* Oracles: expl of 64 bits; erfcl times expl of the exact square in two parts; sinl. */
static void exponentials_are_within_two_ulp(void **state)
{
    (void)state;
    if (LDBL_MANT_DIG < 64) skip();
    uint64_t seed = 2;
    double x[257], y[257], worst = 0;
    for (int round = 0; round < 400; round++) {
        for (size_t i = 0; i < 257; i++) x[i] = ((double)(next(&seed) >> 11) * 0x1p-53 - 0.5) * (round % 2 ? 1416 : 4);
        fw_vec_exp_double(y, x, 257);
        for (size_t i = 0; i < 257; i++) {
            long double exact = expl((long double)x[i]);
            double unit = nextafter((double)exact, INFINITY) - (double)exact;
            worst = fmax(worst, (double)(fabsl((long double)y[i] - exact) / (long double)unit));
            assert_true(y[i] == fw_exp_double(x[i]));
        }
    }
    assert_true(worst < 2);
    assert_true(fw_exp_double(0) == 1 && fw_exp_double(-709) == 0 && fw_exp_double(-INFINITY) == 0);
    assert_true(fw_exp_double(710) == INFINITY && fw_exp_double(INFINITY) == INFINITY && isnan(fw_exp_double(NAN)));
    assert_true(isfinite(fw_exp_double(709.7)));
}

static void the_scaled_error_function_is_right_in_the_tail(void **state)
{
    (void)state;
    static const struct { double x, y; } rows[] = {        /* mpmath, 40 digits */
        {0, 1}, {0.1, 0.8964569799691268}, {1, 0.427583576155807}, {5, 0.11070463773306863}, {30, 0.018795888861416751}, {1e6, 5.641895835474742e-07}, {1e100, 5.641895835477563e-101}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_true(fabs(fw_erfcx_double(rows[i].x) / rows[i].y - 1) < 1e-15);
    assert_true(isnan(fw_erfcx_double(-1)) && isnan(fw_erfcx_double(NAN)) && fw_erfcx_double(INFINITY) == 0);
    for (double z = -37; z <= 37; z += 0.37) {
        double tail = 0.5 * (double)erfcl((long double)fabs(z) * 0.70710678118654752440084436210485L), want = z <= 0 ? tail : 1 - tail;
        assert_true(fabs(fw_normal_below(z) / want - 1) < 1e-13);
    }
}

static void turns_are_those_of_libm(void **state)
{
    (void)state;
    for (int i = 0; i <= 4096; i++) {
        double u = i / 4096.0, s = 0, c = 0;
        fw_turn(u, &s, &c);
        long double a = (long double)u * 6.283185307179586476925286766559L;
        assert_true(fabs(s - (double)sinl(a)) < 1e-15 && fabs(c - (double)cosl(a)) < 1e-15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_within_one_ulp_everywhere), cmocka_unit_test(special_values), cmocka_unit_test(has_these_bits),
        cmocka_unit_test(many_logarithms_are_those_of_each), cmocka_unit_test(exponentials_are_within_two_ulp), cmocka_unit_test(the_scaled_error_function_is_right_in_the_tail), cmocka_unit_test(turns_are_those_of_libm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
