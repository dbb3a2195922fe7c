/** Upper bounds of a mean: their chance of being too low by exact sums over all outcomes, and their largest values by search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/stats/bound.h"

/** P(count = k) for k rows of n in the second of two places. */
static double binomial(int n, int k, double p)
{
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + (k > 0 ? k * log(p) : 0) + (n - k > 0 ? (n - k) * log1p(-p) : 0));
}

static void is_too_low_at_most_as_often_as_stated(void **state)
{
    (void)state;
    static const double functions[][2] = {{1, 1.5}, {1, 65}, {1, 0.5}, {0, 1}, {-3, 2}}, strengths[] = {1, 3, 7};
    static const int rows[] = {5, 40, 300};
    double highest = 0;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        for (size_t r = 0; r < 3; r++)
            for (size_t s = 0; s < 3; s++)
                for (double p = 0.001; p < 1; p += 0.0237) {
                    const double *f = functions[i], mean = f[0] + p * (f[1] - f[0]);
                    double chance = 0;
                    for (int k = 0; k <= rows[r]; k++) {
                        const uint64_t count[2] = {(uint64_t)(rows[r] - k), (uint64_t)k};
                        if (fw_mean_bound(f, count, 2, strengths[s]) < mean) chance += binomial(rows[r], k, p);
                    }
                    if (chance > exp(-strengths[s])) fail_msg("function %zu, %d rows, p %g: too low with chance %g", i, rows[r], p, chance);
                    highest = fmax(highest, chance * exp(strengths[s]));
                }
    assert_true(highest > 0.01);                   /* and it is no idle bound: in some case it comes within two orders of what is allowed */
}

static void nears_the_mean_as_rows_grow(void **state)
{
    (void)state;
    const double f[3] = {0.5, 1, 2};
    double before = INFINITY;
    for (uint64_t rows = 10; rows <= 10000000; rows *= 10) {
        const uint64_t count[3] = {rows, 2 * rows, rows};
        double above = fw_mean_bound(f, count, 3, 15) - 1.125;
        assert_true(above > 0 && above < before);
        before = above;
    }
    double spread = sqrt(0.25 * 0.25 + 0.5 + 0.25 * 4 - 1.125 * 1.125 + 0.0), normal = spread * sqrt(2 * 15 / 4e7);
    if (!(before < 1.3 * normal)) fail_msg("%g above the mean; a normal quantile of the same strength is %g", before, normal);
}

/** The largest mean with R KL <= radius for two places, by bisection of p above the observed share. */
static double largest_within(const double *f, double rows, double share, double radius)
{
    double low = share, high = 1;
    for (int i = 0; i < 200; i++) {
        double p = 0.5 * (low + high), kl = (share > 0 ? share * log(share / p) : 0) + (share < 1 ? (1 - share) * log((1 - share) / (1 - p)) : 0);
        if (rows * kl <= radius) low = p;
        else high = p;
    }
    return f[0] + low * (f[1] - f[0]);
}

static void within_a_radius_no_shares_have_a_larger_mean(void **state)
{
    (void)state;
    const double f[2] = {0.7, 3};
    static const uint64_t counts[][2] = {{1000, 0}, {999, 1}, {900, 100}, {500, 500}, {0, 1000}, {3, 2}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (double radius = 0.5; radius < 60; radius *= 3) {
            double rows = (double)(counts[i][0] + counts[i][1]), share = (double)counts[i][1] / rows;
            double exact = largest_within(f, rows, share, radius), bound = fw_mean_bound_within(f, counts[i], 2, radius);
            if (!(bound >= exact * (1 - 1e-12))) fail_msg("case %zu, radius %g: %g, but %g is reached", i, radius, bound, exact);
            if (counts[i][1] >= 100 && radius < 5 && !(bound - exact < 0.05 * (exact - f[0]))) fail_msg("case %zu, radius %g: %g is far above %g", i, radius, bound, exact);
        }
}

static void the_radius_solves_its_equation(void **state)
{
    (void)state;
    assert_true(fw_divergence_radius(1, 5) == 0);
    for (size_t n = 2; n < 5000; n *= 3)
        for (double strength = 1; strength < 40; strength *= 2) {
            double d = (double)(n - 1), c = fw_divergence_radius(n, strength), log_chance = d * (1 + log(c / d)) - c;
            assert_true(c > d && fabs(log_chance + strength) < 1e-6 * (1 + strength));
        }
}

static void without_rows_or_choice_the_largest_value_it_is(void **state)
{
    (void)state;
    const double f[3] = {1, 4, 2}, same[2] = {3, 3};
    const uint64_t none[3] = {0, 0, 0}, some[2] = {5, 6};
    assert_true(fw_mean_bound(f, none, 3, 5) == 4 && fw_mean_bound_within(f, none, 3, 5) == 4);
    assert_true(fw_mean_bound(same, some, 2, 5) == 3 && fw_mean_bound_within(same, some, 2, 5) == 3);
    assert_true(fw_mean_bound(f, (const uint64_t[]){1, 0, 0}, 3, 50) == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_too_low_at_most_as_often_as_stated), cmocka_unit_test(nears_the_mean_as_rows_grow),
        cmocka_unit_test(within_a_radius_no_shares_have_a_larger_mean), cmocka_unit_test(the_radius_solves_its_equation),
        cmocka_unit_test(without_rows_or_choice_the_largest_value_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
