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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_within_one_ulp_everywhere), cmocka_unit_test(special_values), cmocka_unit_test(has_these_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
