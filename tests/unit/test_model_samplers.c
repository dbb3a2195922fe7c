/** gp, cmaes and auto: what they find, that they are pure, and what they do with losses and spaces that are not nice. */
#include "coordinator/study/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/random.h"
#include "coordinator/study/samplers/gp_history.h"
#include "tests/unit/study_space.h"

static const coord_sampler_kind *const kinds[] = {&coord_sampler_gp, &coord_sampler_cmaes, &coord_sampler_auto};
enum { KINDS = 3 };

static void *made(const coord_sampler_kind *k, const coord_space *s, coord_sampler_opts opts)
{
    void *state = NULL;
    fw_error err;
    opts.parallel = opts.parallel > 0 ? opts.parallel : 1;
    opts.rounds = opts.rounds > 0 ? opts.rounds : 1;
    if (k->create(&state, s, &opts, &err) != FW_OK) fail_msg("%s: %s", k->name, err.text);
    return state;
}

static study_space *cube(size_t d)
{
    static study_space s;
    s = (study_space){.space.n = 0};
    for (size_t i = 0; i < d; i++) study_space_float(&s, -2, 3, false);
    return &s;
}

/** A choice; a logarithmic number under its first one; whole numbers; steps. */
static study_space *mixed(void)
{
    static study_space s;
    s = (study_space){.space.n = 0};
    study_space_choices(&s, 3);
    study_space_float(&s, 1e-5, 1, true);
    study_space_when(&s, 0, 1u << 0);
    study_space_int(&s, 1, 64, true);
    study_space_step(&s, 0, 1, 0.25);
    study_space_choices(&s, 4);
    return &s;
}

static double bowl(const double *x, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++) sum += (x[i] - 0.7) * (x[i] - 0.7) * (double)(i + 1);
    return sum;
}

static double mixed_loss(const double *x)
{
    double under = isnan(x[1]) ? 1 : fabs(log10(x[1]) + 3) * 0.5;
    return under + fabs(log2(x[2]) - 4) * 0.3 + fabs(x[3] - 0.75) + (x[4] == 2 ? 0 : 0.5);
}

static void ended(const coord_sampler_kind *k, void *s, uint64_t number, const double *x, double loss)
{
    assert_int_equal(k->tell(s, &(coord_seen){.number = number, .x = x, .loss = NAN, .state = COORD_RUNNING}, NULL), FW_OK);
    assert_int_equal(k->tell(s, &(coord_seen){.number = number, .x = x, .loss = loss, .rounds = 1, .state = isinf(loss) ? COORD_FAIL : COORD_COMPLETE}, NULL), FW_OK);
}

/** Best loss of a bowl in d dimensions after so many trials. */
static double best_of_bowl(const coord_sampler_kind *k, size_t d, uint64_t trials, coord_sampler_opts opts)
{
    const study_space *s = cube(d);
    opts.trials = trials;
    void *sampler = made(k, &s->space, opts);
    double x[COORD_MAX_PARAMS], best = INFINITY;
    for (uint64_t t = 0; t < trials; t++) {
        assert_int_equal(k->suggest(sampler, t, x, NULL), FW_OK);
        assert_true(coord_space_holds(&s->space, x));
        best = fmin(best, bowl(x, d));
        ended(k, sampler, t, x, bowl(x, d));
    }
    k->destroy(&sampler);
    assert_null(sampler);
    return best;
}

static void finds_the_bottom_of_a_bowl(void **state)
{
    (void)state;
    assert_true(best_of_bowl(&coord_sampler_gp, 3, 40, (coord_sampler_opts){.seed = 1}) < 1e-4);
    assert_true(best_of_bowl(&coord_sampler_auto, 3, 40, (coord_sampler_opts){.seed = 2}) < 1e-4);
    assert_true(best_of_bowl(&coord_sampler_cmaes, 3, 400, (coord_sampler_opts){.seed = 1}) < 1e-8);
    assert_true(best_of_bowl(&coord_sampler_cmaes, 1, 200, (coord_sampler_opts){.seed = 1}) < 1e-6);
    assert_true(best_of_bowl(&coord_sampler_cmaes, 3, 400, (coord_sampler_opts){.seed = 1, .startup_trials = 40}) < 1e-6);      /* warm */
}

static void auto_hands_a_long_study_over(void **state)
{
    (void)state;
    const study_space *s = cube(2);
    void *sampler = made(&coord_sampler_auto, &s->space, (coord_sampler_opts){.seed = 5, .trials = 5000});
    assert_non_null(strstr(coord_sampler_auto.why(sampler), "cmaes"));
    double x[2], best = INFINITY;
    for (uint64_t t = 0; t < 400; t++) {
        for (size_t i = 0; i < 2; i++) x[i] = coord_param_from_unit(&s->param[i], fw_random_unit(fw_random(1, FW_RANDOM_TEST, 0, t, (uint32_t)i)));
        if (t >= 250) assert_int_equal(coord_sampler_auto.suggest(sampler, t, x, NULL), FW_OK);
        best = fmin(best, bowl(x, 2));
        assert_int_equal(coord_sampler_auto.tell(sampler, &(coord_seen){.number = t, .x = x, .loss = bowl(x, 2), .rounds = 1, .state = COORD_COMPLETE}, NULL), FW_OK);
    }
    assert_true(best < 1e-6);
    coord_sampler_auto.destroy(&sampler);
}

static void auto_says_what_and_why(void **state)
{
    (void)state;
    const struct { size_t d; coord_sampler_opts opts; const char *begins; } rows[] = {
        {4, {.trials = 64}, "gp: 64 trials of 4 parameters"}, {4, {.trials = 64, .parallel = 200}, "tpe: 4 parameters, 200 trials at a time"}, {50, {.trials = 64}, "tpe: 50 parameters"}};
    for (size_t i = 0; i < 3; i++) {
        const study_space *s = cube(rows[i].d);
        void *sampler = made(&coord_sampler_auto, &s->space, rows[i].opts);
        assert_ptr_equal(strstr(coord_sampler_auto.why(sampler), rows[i].begins), coord_sampler_auto.why(sampler));
        coord_sampler_auto.destroy(&sampler);
    }
    static study_space small;
    small = (study_space){.space.n = 0};
    study_space_choices(&small, 3);
    study_space_int(&small, 1, 4, false);
    void *sampler = made(&coord_sampler_auto, &small.space, (coord_sampler_opts){.trials = 12});
    assert_non_null(strstr(coord_sampler_auto.why(sampler), "grid: the space has 12 points"));
    coord_sampler_auto.destroy(&sampler);
    sampler = made(&coord_sampler_auto, &mixed()->space, (coord_sampler_opts){.trials = 5000});
    assert_non_null(strstr(coord_sampler_auto.why(sampler), "then tpe: some parameters are choices or conditional"));
    coord_sampler_auto.destroy(&sampler);
    sampler = made(&coord_sampler_auto, &cube(2)->space, (coord_sampler_opts){.pruned = true, .rounds = 9});
    assert_non_null(strstr(coord_sampler_auto.why(sampler), "then tpe: trials are pruned"));
    coord_sampler_auto.destroy(&sampler);
}

static void mixed_and_conditional_spaces(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const study_space *s = mixed();
        void *sampler = made(kinds[k], &s->space, (coord_sampler_opts){.seed = 3, .trials = 60});
        double x[5], best = INFINITY;
        for (uint64_t t = 0; t < 60; t++) {
            assert_int_equal(kinds[k]->suggest(sampler, t, x, NULL), FW_OK);
            assert_true(coord_space_holds(&s->space, x));
            best = fmin(best, mixed_loss(x));
            ended(kinds[k], sampler, t, x, mixed_loss(x));
        }
        assert_true(best < (kinds[k] == &coord_sampler_cmaes ? 0.9 : 0.1));
        kinds[k]->destroy(&sampler);
    }
}

/* Fed the same, in the same order, a second sampler says the same, whatever it was asked in between; another seed does not. */
static void a_suggestion_hangs_on_what_was_told_alone(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const study_space *s = mixed();
        void *a = made(kinds[k], &s->space, (coord_sampler_opts){.seed = 9, .trials = 40}), *b = made(kinds[k], &s->space, (coord_sampler_opts){.seed = 9, .trials = 40}),
             *other = made(kinds[k], &s->space, (coord_sampler_opts){.seed = 10, .trials = 40});
        size_t equal = 0;
        for (uint64_t t = 0; t < 40; t++) {
            double x[5], y[5], z[5];
            if (t % 3 == 0) assert_int_equal(kinds[k]->suggest(b, t + 17, y, NULL), FW_OK);
            assert_int_equal(kinds[k]->suggest(a, t, x, NULL), FW_OK);
            assert_int_equal(kinds[k]->suggest(b, t, y, NULL), FW_OK);
            assert_int_equal(kinds[k]->suggest(other, t, z, NULL), FW_OK);
            assert_memory_equal(x, y, sizeof x);
            equal += coord_space_same(&s->space, x, z);
            ended(kinds[k], a, t, x, mixed_loss(x));
            ended(kinds[k], b, t, x, mixed_loss(x));
            ended(kinds[k], other, t, x, mixed_loss(x));
        }
        assert_true(equal < 40);
        kinds[k]->destroy(&a);
        kinds[k]->destroy(&b);
        kinds[k]->destroy(&other);
    }
}

/* Four branches, each worse than the one before: the last ones are still looked at when they are known to be bad. */
static void gp_looks_into_every_branch(void **state)
{
    (void)state;
    static study_space s;
    s = (study_space){.space.n = 0};
    study_space_choices(&s, 4);
    for (size_t b = 0; b < 4; b++) {
        study_space_float(&s, 0, 1, false);
        study_space_when(&s, 0, UINT64_C(1) << b);
    }
    void *sampler = made(&coord_sampler_gp, &s.space, (coord_sampler_opts){.seed = 1, .trials = 60});
    size_t visits[4] = {0};
    for (uint64_t t = 0; t < 60; t++) {
        double x[5];
        assert_int_equal(coord_sampler_gp.suggest(sampler, t, x, NULL), FW_OK);
        size_t branch = (size_t)x[0];
        visits[branch] += t >= 20;
        ended(&coord_sampler_gp, sampler, t, x, (double)branch + fabs(x[1 + branch] - 0.3));
    }
    for (size_t b = 0; b < 4; b++) assert_true(visits[b] >= 2);
    coord_sampler_gp.destroy(&sampler);
}

static double distance(const double *a, const double *b, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

/* Eight asks before any is told: what runs is taken into account, so gp's points keep apart (without that two of them are 1e-7 apart). */
static void parallel_asks_keep_apart(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const study_space *s = cube(3);
        void *sampler = made(kinds[k], &s->space, (coord_sampler_opts){.seed = 4, .trials = 100, .parallel = 8});
        double x[8][3], nearest = INFINITY;
        for (uint64_t t = 0; t < 12; t++) {
            assert_int_equal(kinds[k]->suggest(sampler, t, x[0], NULL), FW_OK);
            ended(kinds[k], sampler, t, x[0], bowl(x[0], 3));
        }
        for (uint64_t t = 0; t < 8; t++) {
            assert_int_equal(kinds[k]->suggest(sampler, 12 + t, x[t], NULL), FW_OK);
            assert_int_equal(kinds[k]->tell(sampler, &(coord_seen){.number = 12 + t, .x = x[t], .loss = NAN, .state = COORD_RUNNING}, NULL), FW_OK);
            for (uint64_t before = 0; before < t; before++) nearest = fmin(nearest, distance(x[t], x[before], 3));
        }
        assert_true(nearest > (kinds[k] == &coord_sampler_cmaes ? 0 : 1e-4));
        kinds[k]->destroy(&sampler);
    }
}

static double constant(uint64_t t) { (void)t; return 1; }
static double all_fail(uint64_t t) { (void)t; return INFINITY; }
static double not_a_number(uint64_t t) { return t % 3 == 0 ? 0.1 * (double)t : NAN; }
static double some_fail(uint64_t t) { return t % 2 == 0 ? INFINITY : 1 / (double)(t + 1); }
static double huge(uint64_t t) { return t % 2 == 0 ? 1e308 : -1e308; }

static void losses_that_say_little_are_borne(void **state)
{
    (void)state;
    double (*const loss[])(uint64_t) = {constant, all_fail, not_a_number, some_fail, huge};
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < sizeof loss / sizeof loss[0]; i++) {
            const study_space *s = mixed();
            void *sampler = made(kinds[k], &s->space, (coord_sampler_opts){.seed = 6, .trials = 50});
            for (uint64_t t = 0; t < 50; t++) {
                double x[5];
                assert_int_equal(kinds[k]->suggest(sampler, t, x, NULL), FW_OK);
                assert_true(coord_space_holds(&s->space, x));
                ended(kinds[k], sampler, t, x, loss[i](t));
            }
            kinds[k]->destroy(&sampler);
        }
}

/* Every trial at one of two points, told again and again: as a study of many seeds may do. */
static void points_told_twice_are_borne(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const study_space *s = cube(2);
        void *sampler = made(kinds[k], &s->space, (coord_sampler_opts){.seed = 6, .trials = 50});
        double x[2];
        for (uint64_t t = 0; t < 40; t++) ended(kinds[k], sampler, t, (double[]){t % 2 ? 0.5 : 1, 0}, t % 2 ? 0.3 : 0.4);
        assert_int_equal(kinds[k]->suggest(sampler, 40, x, NULL), FW_OK);
        assert_true(coord_space_holds(&s->space, x));
        kinds[k]->destroy(&sampler);
    }
}

/* Of a space of 12 points gp tries each before it repeats one. */
static void gp_does_not_repeat_points(void **state)
{
    (void)state;
    static study_space s;
    s = (study_space){.space.n = 0};
    study_space_choices(&s, 3);
    study_space_int(&s, 1, 4, false);
    void *sampler = made(&coord_sampler_gp, &s.space, (coord_sampler_opts){.seed = 6, .trials = 50, .startup_trials = 2});
    bool there[12] = {false};
    size_t distinct = 0;
    for (uint64_t t = 0; t < 14; t++) {
        double x[2];
        assert_int_equal(coord_sampler_gp.suggest(sampler, t, x, NULL), FW_OK);
        size_t at = (size_t)(x[0] * 4 + x[1] - 1);
        distinct += !there[at];
        there[at] = true;
        ended(&coord_sampler_gp, sampler, t, x, x[0] + x[1]);
    }
    assert_true(distinct >= 11);                   /* the two of the start may be one */
    coord_sampler_gp.destroy(&sampler);
}

/* Two thirds of the trials are pruned after 3 of 27 rounds, where all losses are higher by 1: what was pruned helps, and misleads nobody. */
static void gp_learns_from_pruned_trials(void **state)
{
    (void)state;
    const study_space *s = cube(3);
    void *sampler = made(&coord_sampler_gp, &s->space, (coord_sampler_opts){.seed = 1, .trials = 60, .rounds = 27, .pruned = true});
    double x[3], best = INFINITY;
    for (uint64_t t = 0; t < 60; t++) {
        assert_int_equal(coord_sampler_gp.suggest(sampler, t, x, NULL), FW_OK);
        coord_seen seen = {.number = t, .x = x, .loss = bowl(x, 3) + 1, .rounds = 3, .state = COORD_RUNNING};
        assert_int_equal(coord_sampler_gp.tell(sampler, &seen, NULL), FW_OK);
        if (t % 3 != 0) {
            seen.state = COORD_PRUNED;
        } else {
            seen = (coord_seen){.number = t, .x = x, .loss = bowl(x, 3), .rounds = 27, .state = COORD_COMPLETE};
            best = fmin(best, seen.loss);
        }
        assert_int_equal(coord_sampler_gp.tell(sampler, &seen, NULL), FW_OK);
    }
    assert_true(best < 1e-2);
    coord_sampler_gp.destroy(&sampler);
}

/* As asha leaves them: all are paused after 3 of 27 rounds, and one in ten goes on to its end. */
static void gp_learns_from_paused_trials(void **state)
{
    (void)state;
    const study_space *s = cube(3);
    void *sampler = made(&coord_sampler_gp, &s->space, (coord_sampler_opts){.seed = 1, .trials = 40, .rounds = 27, .pruned = true});
    double x[3], best = INFINITY;
    for (uint64_t t = 0; t < 40; t++) {
        assert_int_equal(coord_sampler_gp.suggest(sampler, t, x, NULL), FW_OK);
        coord_seen seen = {.number = t, .x = x, .loss = bowl(x, 3) + 1, .rounds = 3, .state = COORD_WAITING};
        assert_int_equal(coord_sampler_gp.tell(sampler, &seen, NULL), FW_OK);
        best = fmin(best, bowl(x, 3));
        if (t % 10 != 0) continue;
        seen = (coord_seen){.number = t, .x = x, .loss = bowl(x, 3), .rounds = 27, .state = COORD_COMPLETE};
        assert_int_equal(coord_sampler_gp.tell(sampler, &seen, NULL), FW_OK);
    }
    assert_true(best < 1e-2);
    coord_sampler_gp.destroy(&sampler);
}

static void tell_history(coord_gp_history *h, uint64_t number, double loss, uint64_t rounds, coord_trial_state state, bool is_news)
{
    bool news = !is_news;
    const double x[2] = {0.25, 0.5};
    assert_int_equal(coord_gp_history_tell(h, &(coord_seen){.number = number, .x = x, .loss = loss, .rounds = rounds, .state = state}, &news, NULL), FW_OK);
    assert_int_equal(news, is_news);
}

static void gp_keeps_the_losses_of_lower_rungs(void **state)
{
    (void)state;
    coord_gp_history h = {.space = &cube(2)->space, .rounds = 27, .fidelity = true};
    tell_history(&h, 0, NAN, 0, COORD_RUNNING, false);
    tell_history(&h, 0, 5, 3, COORD_WAITING, true);
    tell_history(&h, 0, 5, 3, COORD_PRUNED, false);         /* known, but for its state */
    tell_history(&h, 1, 4, 3, COORD_WAITING, true);
    tell_history(&h, 1, 2, 9, COORD_RUNNING, true);         /* goes on */
    tell_history(&h, 2, 6, 3, COORD_WAITING, true);
    tell_history(&h, 2, 1, 12, COORD_COMPLETE, true);       /* stopped early: as good as whole */
    tell_history(&h, 5, 7, 4, COORD_RUNNING, true);
    tell_history(&h, 5, 7, 5, COORD_PRUNED, true);          /* too near to the one before to be kept beside it */
    tell_history(&h, 3, INFINITY, 0, COORD_FAIL, true);
    tell_history(&h, 4, NAN, 0, COORD_RUNNING, false);
    tell_history(&h, 6, 8, 3, COORD_WAITING, true);
    assert_int_equal(coord_gp_history_choose(&h, NULL), FW_OK);
    static const coord_gp_known want[] = {{0, 3, 5}, {1, 9, 2}, {2, 27, 1}, {3, 27, INFINITY}, {5, 5, 7}, {6, 3, 8}, {2, 3, 6}, {1, 3, 4}};
    assert_int_equal(h.n_trials, 6);
    assert_int_equal(h.n_members, 8);
    for (size_t k = 0; k < 8; k++) {
        assert_int_equal(h.member[k].trial, want[k].trial);
        assert_int_equal(h.member[k].rounds, want[k].rounds);
        assert_true(h.member[k].loss == want[k].loss);
    }
    assert_int_equal(h.n_pending, 2);              /* 4 and 1, which run; 6 is paused */
    coord_gp_history_clear(&h);
}

static void gp_takes_the_best_and_newest_of_many(void **state)
{
    (void)state;
    const study_space *s = cube(2);
    void *sampler = made(&coord_sampler_gp, &s->space, (coord_sampler_opts){.seed = 1, .startup_trials = 590});
    double x[2];
    for (uint64_t t = 0; t < 600; t++) {
        for (size_t i = 0; i < 2; i++) x[i] = coord_param_from_unit(&s->param[i], fw_random_unit(fw_random(1, FW_RANDOM_TEST, 0, t, (uint32_t)i)));
        assert_int_equal(coord_sampler_gp.tell(sampler, &(coord_seen){.number = t, .x = x, .loss = bowl(x, 2), .rounds = 1, .state = COORD_COMPLETE}, NULL), FW_OK);
    }
    assert_int_equal(coord_sampler_gp.suggest(sampler, 600, x, NULL), FW_OK);
    assert_true(bowl(x, 2) < 0.05);
    coord_sampler_gp.destroy(&sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_bottom_of_a_bowl), cmocka_unit_test(auto_hands_a_long_study_over), cmocka_unit_test(auto_says_what_and_why),
        cmocka_unit_test(mixed_and_conditional_spaces), cmocka_unit_test(a_suggestion_hangs_on_what_was_told_alone), cmocka_unit_test(parallel_asks_keep_apart),
        cmocka_unit_test(losses_that_say_little_are_borne), cmocka_unit_test(points_told_twice_are_borne), cmocka_unit_test(gp_does_not_repeat_points),
        cmocka_unit_test(gp_looks_into_every_branch), cmocka_unit_test(gp_learns_from_pruned_trials), cmocka_unit_test(gp_learns_from_paused_trials),
        cmocka_unit_test(gp_keeps_the_losses_of_lower_rungs), cmocka_unit_test(gp_takes_the_best_and_newest_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
