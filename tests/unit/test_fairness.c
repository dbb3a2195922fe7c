/** Fairness against rates from scikit-learn, and a case worked by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats/metrics.h"
#include "tests/unit/oracle.h"

#define TOLERANCE 1e-14      /* quotients of small integers, each rounded once, and one difference of two of them */

static void check_groups(FILE *in, const char *name, const fw_fairness *f)
{
    for (size_t g = 0; g < f->n_groups; g++) {
        const fw_group_rates *k = &f->groups[g];
        uint64_t count[5];
        double rate[3];
        int too_small = 0;
        assert_int_equal(fscanf(in, " group %lu %lu %lu %lu %lu %lf %lf %lf %d", &count[0], &count[1], &count[2], &count[3], &count[4], &rate[0], &rate[1], &rate[2], &too_small), 9);
        if (k->count != count[0] || k->positives != count[1] || k->selected != count[2] || k->true_positive != count[3] || k->false_positive != count[4] || k->too_small != (too_small != 0))
            fail_msg("%s: group %zu is counted wrong", name, g);
        if (fabs(k->selection_rate - rate[0]) > TOLERANCE || fabs(k->true_positive_rate - rate[1]) > TOLERANCE || fabs(k->false_positive_rate - rate[2]) > TOLERANCE)
            fail_msg("%s: group %zu has wrong rates", name, g);
    }
}

static void check_case(FILE *in, const char *name, size_t n, size_t classes, size_t groups, int positive, uint64_t min_count)
{
    float *p = calloc(n * classes, sizeof *p);
    int32_t *label = calloc(n, sizeof *label), *group = calloc(n, sizeof *group);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fscanf(in, "%d %d", &label[i], &group[i]), 2);
        for (size_t c = 0; c < classes; c++) assert_int_equal(fscanf(in, "%f", &p[i * classes + c]), 1);
    }
    fw_fairness *f = NULL;
    const fw_predictions q = {.task = FW_TASK_CLASSIFICATION, .n = n, .n_classes = classes, .p = p, .label = label};
    assert_int_equal(fw_fairness_compute(&f, &q, positive, group, groups, min_count, NULL), FW_OK);
    assert_int_equal(f->n_groups, groups + 1);
    check_groups(in, name, f);
    double parity = 0, impact = 0, odds = 0;
    int comparable = 0;
    assert_int_equal(fscanf(in, " expect %lf %lf %lf %d", &parity, &impact, &odds, &comparable), 4);
    if (fabs(f->demographic_parity_difference - parity) > TOLERANCE || fabs(f->disparate_impact - impact) > TOLERANCE || fabs(f->equalized_odds_difference - odds) > TOLERANCE ||
        f->comparable != (comparable != 0))
        fail_msg("%s: %.17g %.17g %.17g %d instead of %.17g %.17g %.17g %d", name, f->demographic_parity_difference, f->disparate_impact, f->equalized_odds_difference, f->comparable,
                 parity, impact, odds, comparable);
    fw_fairness_destroy(&f);
    assert_null(f);
    free(p);
    free(label);
    free(group);
}

static void agrees_with_scikit_learn(void **state)
{
    FILE *in = oracle_open(*state, "fairness");
    if (oracle_was_absent) skip();
    assert_non_null(in);
    char word[16], name[64];
    size_t n_cases = 0;
    for (; fscanf(in, "%15s", word) == 1 && strcmp(word, "case") == 0; n_cases++) {
        size_t n = 0, classes = 0, groups = 0;
        int positive = 0;
        uint64_t min_count = 0;
        assert_int_equal(fscanf(in, "%63s %zu %zu %zu %d %lu", name, &n, &classes, &groups, &positive, &min_count), 6);
        check_case(in, name, n, classes, groups, positive, min_count);
    }
    assert_string_equal(word, "end");
    assert_true(n_cases >= 7);
    fclose(in);
}

/** Group 0: 4 rows, 3 selected, 2 of 2 found, 1 of 2 false. Group 1: 4 rows, 1 selected, 1 of 2 found, 0 of 2 false. Missing: 1 row. */
static void by_hand(void **state)
{
    (void)state;
    const float yes[] = {0.25f, 0.75f}, no[] = {0.75f, 0.25f};
    const int32_t label[] = {1, 1, 0, 0, 1, 1, 0, 0, 1}, group[] = {0, 0, 0, 0, 1, 1, 1, 1, -1}, says[] = {1, 1, 1, 0, 1, 0, 0, 0, 0};
    float p[18];
    for (size_t i = 0; i < 9; i++) memcpy(p + 2 * i, says[i] ? yes : no, sizeof yes);
    const fw_predictions q = {.task = FW_TASK_CLASSIFICATION, .n = 9, .n_classes = 2, .p = p, .label = label};
    fw_fairness *f = NULL;
    assert_int_equal(fw_fairness_compute(&f, &q, 1, group, 2, 4, NULL), FW_OK);
    assert_true(f->comparable && f->groups[2].too_small && !f->groups[1].too_small);
    assert_true(f->demographic_parity_difference == 0.5);
    assert_true(f->disparate_impact == 0.25 / 0.75);
    assert_true(f->equalized_odds_difference == 0.5);
    fw_fairness_destroy(&f);
}

/** Group 1 has no positives: it has no hit rate, which is not the same as a hit rate of 0. */
static void a_rate_without_a_denominator_is_not_compared(void **state)
{
    (void)state;
    const float p[] = {0.25f, 0.75f, 0.75f, 0.25f, 0.75f, 0.25f, 0.75f, 0.25f};
    const int32_t label[] = {1, 0, 0, 0}, group[] = {0, 0, 1, 1};
    const fw_predictions q = {.task = FW_TASK_CLASSIFICATION, .n = 4, .n_classes = 2, .p = p, .label = label};
    fw_fairness *f = NULL;
    assert_int_equal(fw_fairness_compute(&f, &q, 1, group, 2, 1, NULL), FW_OK);
    assert_true(f->comparable && f->equalized_odds_difference == 0 && f->demographic_parity_difference == 0.5 && f->disparate_impact == 0);
    fw_fairness_destroy(&f);
}

static void wrong_input_is_refused(void **state)
{
    (void)state;
    const float p[] = {0.5f, 0.5f};
    const int32_t label[] = {1}, good[] = {0}, high[] = {2}, low[] = {-2};
    const double v[] = {1};
    const fw_predictions q = {.task = FW_TASK_CLASSIFICATION, .n = 1, .n_classes = 2, .p = p, .label = label};
    const fw_predictions regression = {.task = FW_TASK_REGRESSION, .n = 1, .value = v, .truth = v};
    fw_fairness *f = NULL;
    assert_int_equal(fw_fairness_compute(&f, &q, 1, high, 2, 1, NULL), FW_ERR_DATA);
    assert_int_equal(fw_fairness_compute(&f, &q, 1, low, 2, 1, NULL), FW_ERR_DATA);
    assert_int_equal(fw_fairness_compute(&f, &q, 2, good, 2, 1, NULL), FW_ERR_ARG);
    assert_int_equal(fw_fairness_compute(&f, &q, -1, good, 2, 1, NULL), FW_ERR_ARG);
    assert_int_equal(fw_fairness_compute(&f, &regression, 1, good, 2, 1, NULL), FW_ERR_ARG);
    assert_null(f);
}

int main(void)
{
    scratch s;
    if (!scratch_make(&s)) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(agrees_with_scikit_learn, &s), cmocka_unit_test(by_hand),
                                       cmocka_unit_test(a_rate_without_a_denominator_is_not_compared), cmocka_unit_test(wrong_input_is_refused)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&s);
    return oracle_end(failed);
}
