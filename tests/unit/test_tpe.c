/** tpe: what it learns from, whatever it is told, and its densities against plain formulas. */
#include "coordinator/study/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/core/random.h"
#include "coordinator/study/samplers/tpe_history.h"
#include "coordinator/study/samplers/tpe_parzen.h"
#include "tests/unit/study_space.h"

static const coord_sampler_kind *const tpe = &coord_sampler_tpe;

static study_space *floats(size_t n)
{
    static study_space s;
    s = (study_space){.space.n = 0};
    for (size_t i = 0; i < n; i++) study_space_float(&s, 0, 1, false);
    return &s;
}

static void *made(const coord_space *s, uint64_t seed, bool univariate)
{
    void *state = NULL;
    fw_error err;
    const coord_sampler_opts opts = {.seed = seed, .parallel = 1, .rounds = 9, .univariate = univariate};
    if (tpe->create(&state, s, &opts, &err) != FW_OK) fail_msg("%s", err.text);
    return state;
}

static void tell(void *sampler, uint64_t number, const double *x, coord_trial_state state, uint64_t rounds, double loss)
{
    fw_error err;
    if (tpe->tell(sampler, &(coord_seen){.number = number, .x = x, .loss = loss, .rounds = rounds, .state = state}, &err) != FW_OK) fail_msg("%s", err.text);
}

static double noise(uint64_t i, uint32_t k) { return fw_random_unit(fw_random(1, FW_RANDOM_TEST, 0, i, k)); }

static double away(const double *x, size_t n, double from)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - from) * (x[i] - from);
    return sum;
}

/* ---- what it learns --------------------------------------------------------------------------------------------------------------------------- */

static double mean_distance(const study_space *s, void *sampler, double from)
{
    double sum = 0, x[COORD_MAX_PARAMS];
    for (uint64_t number = 1000; number < 1040; number++) {
        assert_int_equal(tpe->suggest(sampler, number, x, NULL), FW_OK);
        assert_true(coord_space_holds(&s->space, x));
        sum += away(x, s->space.n, from) / 40;
    }
    return sum;
}

/* 60 random points, loss by the distance from 0.8: proposals gather there. Uniform points have 0.173 a dimension. */
static void proposals_gather_where_losses_are_low(void **state)
{
    (void)state;
    for (int univariate = 0; univariate < 2; univariate++) {
        const study_space *s = floats(3);
        void *sampler = made(&s->space, 1, univariate);
        for (uint64_t i = 0; i < 60; i++) {
            const double x[3] = {noise(i, 0), noise(i, 1), noise(i, 2)};
            tell(sampler, i, x, COORD_COMPLETE, 9, away(x, 3, 0.8));
        }
        const double distance = mean_distance(s, sampler, 0.8);
        if (!(distance < 0.15)) fail_msg("univariate %d: %g", univariate, distance);
        tpe->destroy(&sampler);
    }
}

/* The same number after the same history: the same bits, whatever else was asked between. Another order of the history's trials is another search. */
static void same_history_same_point(void **state)
{
    (void)state;
    study_space *s = floats(2);
    study_space_choices(s, 3);
    void *a = made(&s->space, 5, false), *b = made(&s->space, 5, false);
    for (uint64_t i = 0; i < 300; i++) {
        double x[3], y[3];
        if (i % 3 == 0) (void)tpe->suggest(b, i + 77, y, NULL);
        assert_int_equal(tpe->suggest(a, i, x, NULL), FW_OK);
        assert_int_equal(tpe->suggest(b, i, y, NULL), FW_OK);
        assert_memory_equal(x, y, sizeof x);
        tell(a, i, x, COORD_RUNNING, 0, NAN);
        tell(b, i, x, COORD_RUNNING, 0, NAN);
        tell(a, i, x, COORD_COMPLETE, 9, away(x, 2, 0.3) + x[2]);
        tell(b, i, x, COORD_COMPLETE, 9, away(x, 2, 0.3) + x[2]);
    }
    tpe->destroy(&a);
    tpe->destroy(&b);
}

/* Points that run count as bad: asked for many at once, the proposals keep apart. */
static void parallel_asks_keep_apart(void **state)
{
    (void)state;
    double spread[2];
    for (int liar = 0; liar < 2; liar++) {
        const study_space *s = floats(2);
        void *sampler = made(&s->space, 2, false);
        for (uint64_t i = 0; i < 40; i++) {
            const double x[2] = {noise(i, 0), noise(i, 1)};
            tell(sampler, i, x, COORD_COMPLETE, 9, away(x, 2, 0.5));
        }
        double x[60][2], nearest = 0;
        for (uint64_t i = 0; i < 60; i++) {
            assert_int_equal(tpe->suggest(sampler, 40 + i, x[i], NULL), FW_OK);
            if (liar) tell(sampler, 40 + i, x[i], COORD_RUNNING, 0, NAN);
            double least = 1;
            for (uint64_t k = 0; k < i; k++) least = fmin(least, hypot(x[k][0] - x[i][0], x[k][1] - x[i][1]));
            nearest += least / 60;
        }
        spread[liar] = nearest;
        tpe->destroy(&sampler);
    }
    if (!(spread[1] > 1.3 * spread[0])) fail_msg("nearest neighbour at %g with the running ones known, %g without", spread[1], spread[0]);
}

/* Ten choices, of which 7 is the good one and those below 5 fail. */
static void failed_choices_are_left(void **state)
{
    (void)state;
    study_space s = {.space.n = 0};
    study_space_choices(&s, 10);
    study_space_float(&s, 0, 1, false);
    void *sampler = made(&s.space, 3, false);
    int seven = 0, failing = 0;
    for (uint64_t i = 0; i < 120; i++) {
        double x[2];
        assert_int_equal(tpe->suggest(sampler, i, x, NULL), FW_OK);
        if (x[0] < 5) tell(sampler, i, x, COORD_FAIL, 0, INFINITY);
        else tell(sampler, i, x, COORD_COMPLETE, 9, fabs(x[0] - 7) + x[1]);
        if (i >= 60) seven += x[0] == 7, failing += x[0] < 5;
    }
    if (seven < 30 || failing > 12) fail_msg("of the last 60: %d good, %d failed", seven, failing);
    tpe->destroy(&sampler);
}

/* ---- whatever it is told ---------------------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; coord_trial_state state; uint64_t rounds; double loss; } strange[] = {
    {"equal losses", COORD_COMPLETE, 9, 1.0},     {"failures", COORD_FAIL, 0, INFINITY},        {"losses that are NaN", COORD_COMPLETE, 9, NAN},
    {"pruned ones", COORD_PRUNED, 2, 0.5},        {"pruned without a loss", COORD_PRUNED, 1, NAN}, {"running ones", COORD_RUNNING, 0, NAN},
    {"running ones with a loss", COORD_RUNNING, 3, 0.1}, {"waiting ones", COORD_WAITING, 0, NAN}, {"paused ones", COORD_WAITING, 3, 0.7},
    {"losses of -inf", COORD_COMPLETE, 9, -INFINITY}, {"huge losses", COORD_COMPLETE, 9, 1e308},
};

static void any_history_gives_points_of_the_space(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof strange / sizeof *strange; k++)
        for (int univariate = 0; univariate < 2; univariate++) {
            study_space *s = floats(2);
            study_space_choices(s, 2);
            study_space_int(s, 1, 1000, true);
            study_space_when(s, 2, 1u << 1);
            study_space_int(s, 4, 4, false);                               /* one value */
            study_space_choices(s, 1);
            void *sampler = made(&s->space, 4, univariate);
            for (uint64_t i = 0; i < 60; i++) {
                double x[COORD_MAX_PARAMS];
                assert_int_equal(tpe->suggest(sampler, i, x, NULL), FW_OK);
                if (!coord_space_holds(&s->space, x)) fail_msg("%s: not a point of the space", strange[k].name);
                tell(sampler, i, x, strange[k].state, strange[k].rounds, strange[k].loss);
            }
            tpe->destroy(&sampler);
        }
}

/* Each parameter hangs on the one before it. */
static void chains_of_conditions_hold(void **state)
{
    (void)state;
    study_space s = {.space.n = 0};
    study_space_choices(&s, 2);
    for (size_t i = 0; i < 5; i++) {
        study_space_choices(&s, 2);
        study_space_when(&s, i, 1u << 1);
    }
    study_space_float(&s, 1e-6, 1, true);
    study_space_when(&s, 5, 1u << 1);
    void *sampler = made(&s.space, 1, false);
    int deep = 0;
    for (uint64_t i = 0; i < 300; i++) {
        double x[COORD_MAX_PARAMS], loss = 7;
        assert_int_equal(tpe->suggest(sampler, i, x, NULL), FW_OK);
        assert_true(coord_space_holds(&s.space, x));
        for (size_t k = 0; k < 6; k++) loss -= x[k] == 1;
        tell(sampler, i, x, COORD_COMPLETE, 9, isnan(x[6]) ? loss : loss - 1);
        deep += i >= 200 && !isnan(x[6]);
    }
    if (deep < 50) fail_msg("%d of the last 100 reached the deepest parameter", deep);
    tpe->destroy(&sampler);
}

static void works_in_1_and_100_dimensions(void **state)
{
    (void)state;
    for (size_t n = 1; n <= COORD_MAX_PARAMS; n += COORD_MAX_PARAMS - 1) {
        const study_space *s = floats(n);
        void *sampler = made(&s->space, 6, false);
        double before = 0, after = 0;
        for (uint64_t i = 0; i < 400; i++) {
            double x[COORD_MAX_PARAMS];
            assert_int_equal(tpe->suggest(sampler, i, x, NULL), FW_OK);
            assert_true(coord_space_holds(&s->space, x));
            const double loss = away(x, n, 0.3);
            tell(sampler, i, x, COORD_COMPLETE, 9, loss);
            if (i < 10) before += loss / 10;
            if (i >= 300) after += loss / 100;
        }
        if (!(after < 0.8 * before)) fail_msg("%zu dimensions: %g at first, %g at last", n, before, after);
        tpe->destroy(&sampler);
    }
}

/* 12 points in all: each is tried before one is tried again, at the start and later; then there is nothing new to say. */
static void no_point_twice_while_others_are_left(void **state)
{
    (void)state;
    for (int univariate = 0; univariate < 2; univariate++) {
        study_space s = {.space.n = 0};
        study_space_choices(&s, 2);
        study_space_choices(&s, 2);
        study_space_int(&s, 1, 3, false);
        void *sampler = made(&s.space, 8, univariate);
        double x[14][3];
        for (uint64_t i = 0; i < 14; i++) {
            assert_int_equal(tpe->suggest(sampler, i, x[i], NULL), FW_OK);
            for (uint64_t k = 0; k < i && i < 12; k++) assert_false(coord_space_same(&s.space, x[k], x[i]));
            tell(sampler, i, x[i], COORD_COMPLETE, 9, x[i][0] + x[i][1] + x[i][2]);
        }
        tpe->destroy(&sampler);
    }
}

/* ---- history ---------------------------------------------------------------------------------------------------------------------------------- */

static void history_ranks_complete_then_rounds_then_loss(void **state)
{
    (void)state;
    const study_space *s = floats(1);
    coord_history *h = NULL;
    assert_int_equal(coord_history_create(&h, &s->space, 1, NULL), FW_OK);
    static const struct { uint64_t number; coord_trial_state state; uint64_t rounds; double loss; } told[] = {
        {4, COORD_RUNNING, 0, NAN}, {7, COORD_COMPLETE, 5, 3.0}, {1, COORD_PRUNED, 4, 0.1},  {0, COORD_PRUNED, 4, NAN}, {9, COORD_FAIL, 4, INFINITY},
        {2, COORD_COMPLETE, 9, 3.0}, {3, COORD_RUNNING, 6, 0.9}, {8, COORD_COMPLETE, 9, NAN}, {4, COORD_RUNNING, 1, 0.0}, {1, COORD_PRUNED, 4, 0.2},
        {5, COORD_COMPLETE, 9, 1.0}, {9, COORD_FAIL, 4, INFINITY},
    };
    static const uint32_t expected[] = {5, 2, 7, 8, 3, 1, 0, 4};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const double x = (double)told[i].number / 10;
        const coord_seen t = {.number = told[i].number, .x = &x, .loss = told[i].loss, .rounds = told[i].rounds, .state = told[i].state};
        assert_int_equal(coord_history_tell(h, &t, NULL), FW_OK);
    }
    assert_int_equal(h->n_ranked, 8);
    assert_memory_equal(h->best, expected, sizeof expected);
    assert_int_equal(h->n_known, 9);                                       /* 6 was never told */
    assert_true(coord_history_has(h, &(double){0.9}));
    assert_false(coord_history_has(h, &(double){0.6}));
    assert_int_equal(coord_history_tell(h, &(coord_seen){.number = UINT32_MAX, .x = &(double){0}}, NULL), FW_ERR_ARG);
    coord_history_destroy(&h);
}

/* ---- densities -------------------------------------------------------------------------------------------------------------------------------- */

/* The midpoint rule over the unit square and all choices: a density's integral is 1. Errors: that of the rule at kernels of width 0.02 and more
 * (1e-3), and of the table of the normal distribution. */
static void densities_integrate_to_one(void **state)
{
    (void)state;
    enum { KERNELS = 6, STEPS = 400 };
    study_space *s = floats(1);
    study_space_int(s, 0, 9, false);
    study_space_choices(s, 3);
    study_space_float(s, 0, 1, false);
    study_space_when(s, 2, 1u << 1);
    coord_parzen *p = NULL;
    assert_int_equal(coord_parzen_create(&p, &s->space, KERNELS, NULL), FW_OK);
    static const size_t params[4] = {0, 1, 2, 3};
    static const float code[KERNELS][4] = {{0.01f, 0, 0, NAN}, {0.5f, 3, 1, 0.2f}, {0.52f, 3, 1, 0.95f}, {0.9f, 9, 2, NAN}, {0.3f, 5, 1, 0.4f}, {1, 4, 1, 0}};
    coord_parzen_begin(p, params, 4);
    for (int k = 0; k < KERNELS; k++) coord_parzen_add(p, code[k], k == 2 ? 2.5 : 1);
    coord_parzen_finish(p, &(coord_parzen_opts){.prior = 0.5, .flat = 2});
    double sum = 0;
    for (int i = 0; i < STEPS; i++)
        for (int c = 0; c < 10; c++)
            for (int choice = 0; choice < 3; choice++)
                for (int j = 0; j < (choice == 1 ? 20 : 1); j++) {
                    const double x[4] = {(i + 0.5) / STEPS, c, choice, choice == 1 ? (j + 0.5) / 20 : (double)NAN};
                    sum += exp(coord_parzen_log(p, x)) / (STEPS * 10 * 3 * (choice == 1 ? 20.0 : 1.0));
                }
    if (!(fabs(sum - 1) < 5e-3)) fail_msg("integral %g", sum);

    /* draws follow the density: the mean of 1/density over draws is the volume, 1 */
    coord_draws d = {.seed = 1, .number = 1};
    double volume = 0;
    for (int i = 0; i < 20000; i++) {
        double x[4];
        coord_parzen_draw(p, &d, x);
        assert_true(coord_space_holds(&s->space, x));
        volume += exp(-coord_parzen_log(p, x)) / 20000;
    }
    if (!(fabs(volume - 1) < 0.1)) fail_msg("volume %g", volume);
    coord_parzen_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_gather_where_losses_are_low),
        cmocka_unit_test(same_history_same_point),
        cmocka_unit_test(parallel_asks_keep_apart),
        cmocka_unit_test(failed_choices_are_left),
        cmocka_unit_test(any_history_gives_points_of_the_space),
        cmocka_unit_test(chains_of_conditions_hold),
        cmocka_unit_test(works_in_1_and_100_dimensions),
        cmocka_unit_test(no_point_twice_while_others_are_left),
        cmocka_unit_test(history_ranks_complete_then_rounds_then_loss),
        cmocka_unit_test(densities_integrate_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
