/** Permutation importance: what decides comes first, what does nothing gets nothing, and it is the same each time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/core/random.h"
#include "coordinator/study/importance.h"

#define N 200
#define D 5

static double unit(uint64_t row, uint32_t place) { return fw_random_unit(fw_random(5, FW_RANDOM_TEST, 0, row, place)); }

static void fill(double u[N][D])
{
    for (size_t i = 0; i < N; i++)
        for (uint32_t p = 0; p < D; p++) u[i][p] = unit(i, p);
}

static void what_decides_comes_first(void **state)
{
    (void)state;
    double u[N][D], y[N], share[D], again[D], sum = 0;
    fill(u);
    for (size_t i = 0; i < N; i++) y[i] = 4 * (u[i][2] - 0.4) * (u[i][2] - 0.4) + 0.4 * u[i][0] + 0.01 * unit(i, 99);
    y[7] = 1e9;                                        /* it diverged */
    assert_int_equal(coord_importance(share, &u[0][0], y, N, D, NULL), FW_OK);
    assert_int_equal(coord_importance(again, &u[0][0], y, N, D, NULL), FW_OK);
    for (size_t p = 0; p < D; p++) {
        sum += share[p];
        assert_true(share[p] == again[p]);
    }
    assert_true(fabs(sum - 1) < 1e-12);
    assert_true(share[2] > 0.5 && share[0] > 0.1 && share[2] > share[0]);
    assert_true(share[1] < 0.03 && share[3] < 0.03 && share[4] < 0.03);
}

/* Two parameters that matter only together. */
static void an_interaction_is_seen(void **state)
{
    (void)state;
    double u[N][D], y[N], share[D];
    fill(u);
    for (size_t i = 0; i < N; i++) y[i] = (u[i][1] > 0.5) == (u[i][3] > 0.5) ? 1 : 0;
    assert_int_equal(coord_importance(share, &u[0][0], y, N, D, NULL), FW_OK);
    assert_true(share[1] > 0.25 && share[3] > 0.25);
}

/* Where a parameter is not active says something too. */
static void inactive_is_a_value(void **state)
{
    (void)state;
    double u[N][D], y[N], share[D];
    fill(u);
    for (size_t i = 0; i < N; i++) {
        if (i % 2 == 0) u[i][4] = NAN;
        y[i] = i % 2 == 0 ? 0 : 1 + u[i][4];
    }
    assert_int_equal(coord_importance(share, &u[0][0], y, N, D, NULL), FW_OK);
    assert_true(share[4] > 0.9);
}

static void too_little_says_nothing(void **state)
{
    (void)state;
    double u[N][D], y[N], share[D];
    fill(u);
    for (size_t i = 0; i < N; i++) y[i] = 3;
    assert_int_equal(coord_importance(share, &u[0][0], y, N, D, NULL), FW_OK);
    for (size_t p = 0; p < D; p++) assert_true(isnan(share[p]));
    assert_int_equal(coord_importance(share, &u[0][0], y, COORD_IMPORTANCE_LEAST - 1, D, NULL), FW_OK);
    for (size_t p = 0; p < D; p++) assert_true(isnan(share[p]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_decides_comes_first),
        cmocka_unit_test(an_interaction_is_seen),
        cmocka_unit_test(inactive_is_a_value),
        cmocka_unit_test(too_little_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
