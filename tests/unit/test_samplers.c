/** random, grid and sobol; and what holds for every sampler of the table that needs no model of its own. */
#include "coordinator/study/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coordinator/study/samplers/sobol_points.h"
#include "tests/unit/study_space.h"

static const coord_sampler_kind *const kinds[] = {&coord_sampler_random, &coord_sampler_sobol, &coord_sampler_tpe};

static void *made(const coord_sampler_kind *k, const coord_space *s, uint64_t seed)
{
    void *state = NULL;
    fw_error err;
    if (k->create(&state, s, &(coord_sampler_opts){.seed = seed, .parallel = 1, .rounds = 1}, &err) != FW_OK) fail_msg("%s: %s", k->name, err.text);
    return state;
}

/* A choice, three parameters under it and one under one of those, one of each other kind. */
static study_space *mixed(void)
{
    static study_space s;
    s = (study_space){.space.n = 0};
    study_space_choices(&s, 3);
    study_space_int(&s, 1, 4, false);
    study_space_when(&s, 0, 1u << 0 | 1u << 2);
    study_space_choices(&s, 2);
    study_space_when(&s, 0, 1u << 1);
    study_space_step(&s, 0, 1, 0.5);
    study_space_when(&s, 2, 1u << 1);
    study_space_int(&s, 7, 7, false);
    study_space_choices(&s, 2);
    study_space_when(&s, 0, 1u << 2);
    return &s;
}

static void table_finds_by_name(void **state)
{
    (void)state;
    for (const coord_sampler_kind *const *k = coord_samplers; *k != NULL; k++) {
        assert_ptr_equal(coord_sampler_find((*k)->name), *k);
        assert_true((*k)->help != NULL && (*k)->create != NULL && (*k)->destroy != NULL && (*k)->tell != NULL && (*k)->suggest != NULL && (*k)->why != NULL);
    }
    assert_ptr_equal(coord_sampler_find("tpe"), &coord_sampler_tpe);
    assert_null(coord_sampler_find("annealing"));
}

static void points_belong_to_the_space(void **state)
{
    (void)state;
    const study_space *s = mixed();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        void *sampler = made(kinds[i], &s->space, 3);
        bool seen[3] = {false};
        for (uint64_t number = 0; number < 200; number++) {
            double x[COORD_MAX_PARAMS];
            assert_int_equal(kinds[i]->suggest(sampler, number, x, NULL), FW_OK);
            assert_true(coord_space_holds(&s->space, x));
            seen[(int)x[0]] = true;
        }
        assert_true(seen[0] && seen[1] && seen[2]);
        kinds[i]->destroy(&sampler);
        assert_null(sampler);
    }
}

static void a_point_hangs_on_seed_and_number_alone(void **state)
{
    (void)state;
    static study_space s;
    s = (study_space){.space.n = 0};
    for (int i = 0; i < 5; i++) study_space_float(&s, 1e-4, 1, i % 2 == 0);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        void *a = made(kinds[k], &s.space, 11), *b = made(kinds[k], &s.space, 11), *other = made(kinds[k], &s.space, 12);
        double x[5], y[5], z[5];
        for (uint64_t number = 0; number < 20; number++) {
            (void)kinds[k]->suggest(b, 19 - number, y, NULL);              /* other calls between change nothing */
            assert_int_equal(kinds[k]->suggest(a, number, x, NULL), FW_OK);
            assert_int_equal(kinds[k]->suggest(b, number, y, NULL), FW_OK);
            assert_int_equal(kinds[k]->suggest(other, number, z, NULL), FW_OK);
            assert_memory_equal(x, y, sizeof x);
            assert_memory_not_equal(x, z, sizeof x);
        }
        kinds[k]->destroy(&a);
        kinds[k]->destroy(&b);
        kinds[k]->destroy(&other);
    }
}

/* ---- sobol ------------------------------------------------------------------------------------------------------------------------------------ */

/* scipy.stats.qmc.Sobol(100, scramble=False), points 777 and 1000, times 1024. */
static const uint16_t points_777[100] = {
    709, 959, 167, 281, 651, 365, 195, 781, 357, 331, 763, 713, 393, 485, 583, 527, 413, 885, 379, 771, 243, 279, 969, 493, 353, 149, 61, 799, 65, 113, 555, 921,
    115, 3, 825, 969, 473, 359, 351, 367, 739, 273, 971, 411, 329, 155, 385, 33, 795, 975, 85, 37, 631, 725, 709, 933, 365, 661, 821, 565, 525, 501, 141, 437,
    961, 929, 529, 817, 433, 369, 849, 729, 137, 521, 473, 425, 963, 575, 175, 447, 763, 551, 835, 371, 163, 699, 199, 679, 851, 695, 199, 79, 427, 427, 467, 163,
    667, 683, 87, 523};
static const uint16_t points_1000[100] = {
    225, 99, 531, 693, 287, 929, 47, 921, 513, 71, 87, 261, 165, 393, 147, 379, 737, 353, 1015, 743, 535, 563, 973, 553, 597, 929, 41, 1003, 61, 349, 151, 149,
    303, 607, 821, 789, 869, 851, 315, 491, 935, 261, 983, 719, 861, 95, 893, 941, 1023, 491, 361, 529, 771, 449, 129, 913, 465, 81, 905, 585, 457, 617, 265, 457,
    133, 509, 573, 61, 197, 877, 157, 261, 933, 245, 189, 917, 543, 547, 867, 123, 111, 755, 951, 767, 351, 1007, 963, 491, 599, 723, 787, 547, 7, 615, 375, 887,
    247, 783, 835, 191};

static void sobol_points_are_scipys(void **state)
{
    (void)state;
    coord_sobol *s = NULL;
    double a[100], b[100];
    assert_int_equal(coord_sobol_create(&s, 100, NULL, NULL), FW_OK);
    coord_sobol_at(s, 777, a);
    coord_sobol_at(s, 1000, b);
    for (int i = 0; i < 100; i++) {
        assert_int_equal((int)(a[i] * 1024), points_777[i]);
        assert_int_equal((int)(b[i] * 1024), points_1000[i]);
    }
    coord_sobol_destroy(&s);
}

/* Of the first 256 points every dimension has one in each 256th, scrambled as well. */
static void scrambling_keeps_points_even(void **state)
{
    (void)state;
    const uint64_t key = 5, other_key = 6;
    coord_sobol *s = NULL, *other = NULL;
    static bool there[100][256];
    double u[100], v[100];
    assert_int_equal(coord_sobol_create(&s, 100, &key, NULL), FW_OK);
    assert_int_equal(coord_sobol_create(&other, 100, &other_key, NULL), FW_OK);
    for (uint64_t i = 0; i < 256; i++) {
        coord_sobol_at(s, i, u);
        coord_sobol_at(other, i, v);
        assert_memory_not_equal(u, v, sizeof u);
        for (int k = 0; k < 100; k++) {
            assert_true(u[k] > 0 && u[k] < 1);
            assert_false(there[k][(int)(u[k] * 256)]);
            there[k][(int)(u[k] * 256)] = true;
        }
    }
    coord_sobol_destroy(&s);
    coord_sobol_destroy(&other);
}

static void sobol_refuses_too_many_dimensions(void **state)
{
    (void)state;
    coord_sobol *s = NULL;
    fw_error err;
    assert_int_equal(coord_sobol_create(&s, 101, NULL, &err), FW_ERR_ARG);
    assert_non_null(strstr(err.text, "101"));
    assert_int_equal(coord_sobol_create(&s, 0, NULL, NULL), FW_ERR_ARG);
    assert_null(s);
}

/* ---- grid ------------------------------------------------------------------------------------------------------------------------------------- */

/* Points of mixed(): choice 0 with 4 numbers, choice 1 with (0) or (1 and 3 steps), choice 2 with 4 numbers and 2 choices: 4 + 1 + 3 + 8. */
static void grid_has_every_point_once(void **state)
{
    (void)state;
    enum { POINTS = 16 };
    const study_space *s = mixed();
    double x[2][POINTS][6];
    for (uint64_t seed = 0; seed < 2; seed++) {
        void *grid = made(&coord_sampler_grid, &s->space, seed);
        for (uint64_t i = 0; i < POINTS; i++) {
            assert_int_equal(coord_sampler_grid.suggest(grid, i, x[seed][i], NULL), FW_OK);
            assert_true(coord_space_holds(&s->space, x[seed][i]));
            for (uint64_t k = 0; k < i; k++) assert_false(coord_space_same(&s->space, x[seed][k], x[seed][i]));
        }
        assert_int_equal(coord_sampler_grid.suggest(grid, POINTS, x[seed][0], NULL), FW_END);
        assert_int_equal(coord_sampler_grid.suggest(grid, UINT64_MAX, x[seed][0], NULL), FW_END);
        coord_sampler_grid.destroy(&grid);
    }
    assert_memory_not_equal(x[0], x[1], sizeof x[0]);                      /* in another order */
}

static void grid_takes_all_values_of_all_kinds(void **state)
{
    (void)state;
    study_space s = {.space.n = 0};
    study_space_int(&s, 1, 64, true);
    study_space_step(&s, 0.1, 0.7, 0.1);
    study_space_choices(&s, 5);
    void *grid = made(&coord_sampler_grid, &s.space, 9);
    static bool seen[64][7][5];
    for (uint64_t i = 0; i < 64 * 7 * 5; i++) {
        double x[3];
        assert_int_equal(coord_sampler_grid.suggest(grid, i, x, NULL), FW_OK);
        bool *at = &seen[(int)x[0] - 1][(int)lround((x[1] - 0.1) / 0.1)][(int)x[2]];
        assert_false(*at);
        *at = true;
        assert_true(x[1] <= 0.7);
    }
    double x[3];
    assert_int_equal(coord_sampler_grid.suggest(grid, 64 * 7 * 5, x, NULL), FW_END);
    coord_sampler_grid.destroy(&grid);
}

static void grid_refuses_a_continuum(void **state)
{
    (void)state;
    study_space s = {.space.n = 0};
    void *grid = NULL;
    fw_error err;
    study_space_int(&s, 1, 4, false);
    study_space_float(&s, 0, 1, false);
    assert_int_equal(coord_sampler_grid.create(&grid, &s.space, &(coord_sampler_opts){.seed = 1}, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "x01 is a continuum; give it a step"));
    assert_null(grid);
}

static void grid_refuses_points_without_number(void **state)
{
    (void)state;
    study_space s = {.space.n = 0};
    void *grid = NULL;
    fw_error err;
    for (int i = 0; i < 20; i++) study_space_choices(&s, 10);
    assert_int_equal(coord_sampler_grid.create(&grid, &s.space, &(coord_sampler_opts){.seed = 1}, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "more points than"));
    assert_null(grid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_finds_by_name),
        cmocka_unit_test(points_belong_to_the_space),
        cmocka_unit_test(a_point_hangs_on_seed_and_number_alone),
        cmocka_unit_test(sobol_points_are_scipys),
        cmocka_unit_test(scrambling_keeps_points_even),
        cmocka_unit_test(sobol_refuses_too_many_dimensions),
        cmocka_unit_test(grid_has_every_point_once),
        cmocka_unit_test(grid_takes_all_values_of_all_kinds),
        cmocka_unit_test(grid_refuses_a_continuum),
        cmocka_unit_test(grid_refuses_points_without_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
