/** Wagers: that they are e-values, by the exact expectation over all courses; that they agree with the definition, start by start; that their state goes on to the same bits;
 *  and the bounds that their limits come from, as SciPy has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/core/random.h"
#include "common/stats/bound.h"
#include "common/stats/wager.h"
#include "tests/unit/oracle.h"

enum { ROWS = 11 };      /* 2^11 courses */

/** E max over rows of e, P(e >= 4 at any row), and E e at the end, when a row is lost with this chance and the limit is at `limit`. */
typedef struct expected { double end, ever; } expected;

static expected over_all_courses(double chance, double limit)
{
    expected x = {0};
    for (unsigned course = 0; course < 1u << ROWS; course++) {
        fw_wager w = {0};
        double p = 1, highest = -INFINITY;
        for (int row = 0; row < ROWS; row++) {
            const bool lost = course >> row & 1;
            p *= lost ? chance : 1 - chance;
            fw_wager_loss(&w, (lost ? 1 : 0) / limit);
            highest = fmax(highest, fw_wager_log(&w));
        }
        x.end += p * exp(fw_wager_log(&w));
        x.ever += p * (highest >= log(4));
    }
    return x;
}

/* At the limit itself the mean of e is what was put in: 0.9 of the first start's share, and of later ones where they came; so it is below 0.9, whatever the course. */
static void is_an_e_value_up_to_the_limit(void **state)
{
    (void)state;
    for (double limit = 0.02; limit < 1; limit += 0.07) {
        const expected at = over_all_courses(limit, limit), below = over_all_courses(0.7 * limit, limit), above = over_all_courses(fmin(1, 4 * limit), limit);
        const double first = 0.9 / (2.10974280123689197 * 2 * log(2) * log(2));
        if (!(at.end >= first * (1 - 1e-12) && at.end < 0.9 && at.ever <= 0.25 && below.end < at.end && below.ever <= at.ever)) fail_msg("limit %g: E e %g, P %g", limit, at.end, at.ever);
        if (limit < 0.25) assert_true(above.end > 1.02 * at.end);
    }
}

static void agrees_with_the_definition(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_cases(s, "oracle_wager.py", "wager", "NumPy and SciPy (Debian: python3-scipy)", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    int kind = 0, rows = 0, cases = 0, later = 0;
    for (; fscanf(in, "%d %d", &kind, &rows) == 2; cases++) {
        fw_wager w = {0}, half = {0};
        double v = 0, numbers[FW_WAGER_NUMBERS];
        for (int row = 0; row < rows; row++) {
            assert_int_equal(fscanf(in, "%lf", &v), 1);
            if (kind == 0) fw_wager_loss(&w, v), fw_wager_loss(&half, v);
            else fw_wager_normal(&w, v), fw_wager_normal(&half, v);
            if (row % 7 != 3) continue;
            fw_wager_save(&half, numbers);
            half = (fw_wager){0};
            assert_true(fw_wager_restore(&half, numbers));
        }
        assert_int_equal(fscanf(in, "%lf", &v), 1);
        for (size_t i = 0; i < FW_WAGER_BETS; i++) later += w.starts[i] > 1;
        if (!(fabs(fw_wager_log(&w) - v) <= 1e-11 * fmax(1, fabs(v)))) fail_msg("case %d of kind %d: %.17g instead of %.17g", cases, kind, fw_wager_log(&w), v);
        assert_memory_equal(&w, &half, sizeof w);
    }
    assert_int_equal(cases, 60);
    assert_true(later > 20);      /* else the cases say nothing of starts behind the first */
    fclose(in);
}

static void bounds_agree_with_scipy(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_cases(s, "oracle_wager.py", "bounds", "NumPy and SciPy (Debian: python3-scipy)", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    uint64_t hits = 0, n = 0;
    int kind = 0, cases = 0;
    double strength = 0, want = 0, degrees = 0;
    for (; fscanf(in, "%d %lu %lu %lf", &kind, &hits, &n, &strength) == 4; cases++) {
        if (kind == 1) assert_int_equal(fscanf(in, "%lf", &degrees), 1);
        assert_int_equal(fscanf(in, "%lf", &want), 1);
        const double got = kind == 0 ? fw_share_bound(hits, n, strength) : fw_student_bound(strength, degrees);
        if (!(fabs(got - want) <= (kind == 0 ? 1e-9 : degrees > 1e6 ? 1e-9 : 0.01) * want)) fail_msg("%d %lu of %lu, %g: %.15g instead of %.15g", kind, hits, n, strength, got, want);
    }
    const double huge = fw_share_bound(UINT64_MAX / 4, UINT64_MAX, 3.69), some = fw_share_bound(25000000, 100000000, 3.69);      /* at once, and as sure as 1e8 rows */
    assert_true(fabs(huge - some) < 1e-7 && huge > 0.25 && fw_share_bound(UINT64_MAX - 1, UINT64_MAX, 3) >= 1);
    assert_true(cases > 200 && fw_share_bound(0, 0, 3) >= 1 && fw_share_bound(5, 3, 3) >= 1);
    fclose(in);
}

/* A quiet life of 200,000 rows, then the fall of a share from 0.10 to 0.20 beside a limit of 0.156. */
static size_t rows_until(uint64_t seed, size_t quiet, double limit, double after)
{
    fw_wager w = {0};
    for (size_t row = 0; row < quiet + 20000; row++) {
        const double u = fw_random_unit(fw_random(seed, FW_RANDOM_TEST, 0, row, 0));
        fw_wager_loss(&w, (u < (row < quiet ? 0.1 : after)) / limit);
        if (fw_wager_log(&w) >= log(40)) return row < quiet ? 0 : row + 1 - quiet;
    }
    return SIZE_MAX;
}

static void finds_a_fall_after_a_long_quiet_life(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        const size_t small = rows_until(seed, 200000, 0.156, 0.2), large = rows_until(seed, 200000, 0.156, 0.4);
        assert_true(small > 0 && small < 5000 && large > 0 && large < 400);
    }
}

static void begins_anew_with_less_at_stake(void **state)
{
    (void)state;
    fw_wager w = {0}, other = {0};
    for (int i = 0; i < 3000; i++) fw_wager_loss(&w, 3);
    assert_true(fw_wager_log(&w) < log(1e15) && fw_wager_log(&w) > log(1e13));      /* capital has an end, so that it fades */
    double before = INFINITY;
    for (int life = 0; life < 4; life++) {
        fw_wager_loss(&other, 1);
        assert_true(fw_wager_log(&other) < before);
        before = fw_wager_log(&other);
        fw_wager_restart(&other);
        assert_true(isinf(fw_wager_log(&other)));
    }
}

static void numbers_that_can_not_be_are_refused(void **state)
{
    (void)state;
    fw_wager w = {0};
    double numbers[FW_WAGER_NUMBERS];
    for (int i = 0; i < 20; i++) fw_wager_loss(&w, i % 3);
    const fw_wager before = w;
    for (size_t i = 0; i < FW_WAGER_NUMBERS; i++)
        for (int bad = 0; bad < 4; bad++) {
            fw_wager_save(&w, numbers);
            numbers[i] = bad == 0 ? NAN : bad == 1 ? -1 : bad == 2 ? INFINITY : i < 2 * FW_WAGER_BETS ? 1e16 : 0.5;
            assert_false(fw_wager_restore(&w, numbers));
            assert_memory_equal(&w, &before, sizeof w);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_an_e_value_up_to_the_limit),
        cmocka_unit_test_setup_teardown(agrees_with_the_definition, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(bounds_agree_with_scipy, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(finds_a_fall_after_a_long_quiet_life),
        cmocka_unit_test(begins_anew_with_less_at_stake),
        cmocka_unit_test(numbers_that_can_not_be_are_refused),
    };
    return oracle_end(cmocka_run_group_tests(tests, NULL, NULL));
}
