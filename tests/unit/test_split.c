/* Splits: shares, exact counts, and that a row's split hangs on the row alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/split.h"

static fw_project project(fw_split_by by, double train, double validation, double test)
{
    fw_project p = {0};
    p.problem.task = FW_TASK_CLASSIFICATION;
    p.data.split.by = by;
    p.data.split.train = train;
    p.data.split.validation = validation;
    p.data.split.test = test;
    p.data.split.seed = 3;
    return p;
}

/* A share p of n hashes: the count's standard deviation is sqrt(n p (1 - p)); five of them are passed by chance once in 1.7 million. */
static void random_shares_are_kept(void **state)
{
    (void)state;
    const double shares[][3] = {{0.8, 0.1, 0.1}, {0.5, 0.25, 0.25}, {1, 0, 0}, {0.7, 0, 0.3}, {0.6, 0.4, 0}};
    for (size_t c = 0; c < sizeof shares / sizeof *shares; c++) {
        fw_project p = project(FW_BY_RANDOM, shares[c][0], shares[c][1], shares[c][2]);
        fw_split_rule r = fw_split_rule_make(&p);
        double n = 100000, count[FW_N_SPLITS] = {0};
        for (uint64_t row = 0; row < (uint64_t)n; row++) count[fw_split_of_row(&r, row)]++;
        for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) {
            double e = n * shares[c][s];
            assert_true(fabs(count[s] - e) <= 5 * sqrt(e * (1 - shares[c][s])));
        }
    }
}

static void rows_that_are_appended_change_nothing_and_seeds_do(void **state)
{
    (void)state;
    fw_project p = project(FW_BY_RANDOM, 0.8, 0.1, 0.1);
    fw_split_rule r = fw_split_rule_make(&p);
    p.data.split.seed = 4;
    fw_split_rule q = fw_split_rule_make(&p);
    size_t differ = 0;
    for (uint64_t row = 0; row < 1000; row++) {
        assert_int_equal(fw_split_of_row(&r, row), fw_split_of_row(&r, row));
        differ += fw_split_of_row(&r, row) != fw_split_of_row(&q, row);
    }
    assert_in_range(differ, 200, 500);      /* 1 - (0.64 + 0.01 + 0.01) = 0.34 of the rows */
}

static void stratified_counts_are_exact(void **state)
{
    (void)state;
    const struct { uint64_t n, train, validation, test; } cases[] = {
        {1, 1, 0, 0}, {2, 2, 0, 0}, {3, 2, 1, 0}, {5, 4, 1, 0}, {10, 8, 1, 1}, {100, 80, 10, 10}, {101, 81, 10, 10}, {12345, 9876, 1235, 1234}};
    fw_project p = project(FW_BY_RANDOM, 0.8, 0.1, 0.1);
    p.data.split.stratify = true;
    fw_split_rule r = fw_split_rule_make(&p);
    assert_true(r.stratified);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        fw_permutation order = fw_split_class_order(&r, (uint32_t)c, cases[c].n);
        uint64_t count[FW_N_SPLITS] = {0};
        for (uint64_t i = 0; i < cases[c].n; i++) count[fw_split_of_class_row(&r, &order, i)]++;
        assert_int_equal(count[FW_TRAIN], cases[c].train);
        assert_int_equal(count[FW_VALIDATION], cases[c].validation);
        assert_int_equal(count[FW_TEST], cases[c].test);
    }
}

static void given_tables_share_out_validation_alone(void **state)
{
    (void)state;
    fw_project p = project(FW_BY_GIVEN, 0.8, 0.25, 0.1);       /* train and test are tables: their shares mean nothing */
    fw_split_rule r = fw_split_rule_make(&p);
    size_t count[FW_N_SPLITS] = {0};
    for (uint64_t row = 0; row < 40000; row++) count[fw_split_of_row(&r, row)]++;
    assert_int_equal(count[FW_TEST], 0);
    assert_in_range(count[FW_VALIDATION], 9560, 10440);
    p.data.split.validation = 0;
    r = fw_split_rule_make(&p);
    for (uint64_t row = 0; row < 40000; row++) assert_int_equal(fw_split_of_row(&r, row), FW_TRAIN);
}

static void an_instant_belongs_to_the_split_that_it_starts(void **state)
{
    (void)state;
    fw_project p = project(FW_BY_TIME, 0.8, 0.1, 0.1);
    fw_split_rule r = fw_split_rule_make(&p);
    assert_false(r.stratified);
    r.validation_from = 10;
    r.test_from = 20;
    const struct {
        double at;
        fw_split split;
    } cases[] = {{-1e300, FW_TRAIN}, {9.99, FW_TRAIN}, {10, FW_VALIDATION}, {19, FW_VALIDATION}, {20, FW_TEST}, {1e300, FW_TEST}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_int_equal(fw_split_of_instant(&r, cases[i].at), cases[i].split);
}

static void groups_and_rows_have_hashes_of_their_own(void **state)
{
    (void)state;
    fw_project p = project(FW_BY_GROUP, 0.5, 0.25, 0.25);
    fw_split_rule r = fw_split_rule_make(&p);
    size_t same = 0;
    for (uint64_t k = 0; k < 10000; k++) same += fw_split_of_group(&r, k) == fw_split_of_row(&r, k);
    assert_in_range(same, 3500, 4000);      /* 0.25 + 0.0625 + 0.0625 = 0.375 if independent */
}

static void the_file_order_is_a_permutation_of_each_split(void **state)
{
    (void)state;
    fw_project p = project(FW_BY_RANDOM, 0.8, 0.1, 0.1);
    fw_split_rule r = fw_split_rule_make(&p);
    enum { N = 1000 };
    fw_permutation a = fw_split_file_order(&r, FW_TRAIN, N), b = fw_split_file_order(&r, FW_TEST, N);
    bool seen[N] = {false};
    size_t equal = 0;
    for (uint64_t i = 0; i < N; i++) {
        uint64_t y = fw_permutation_at(&a, i);
        assert_true(y < N && !seen[y]);
        seen[y] = true;
        equal += y == fw_permutation_at(&b, i);
    }
    assert_true(equal < 10);                /* two splits are not shuffled alike */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_shares_are_kept),
        cmocka_unit_test(rows_that_are_appended_change_nothing_and_seeds_do),
        cmocka_unit_test(stratified_counts_are_exact),
        cmocka_unit_test(given_tables_share_out_validation_alone),
        cmocka_unit_test(an_instant_belongs_to_the_split_that_it_starts),
        cmocka_unit_test(groups_and_rows_have_hashes_of_their_own),
        cmocka_unit_test(the_file_order_is_a_permutation_of_each_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
