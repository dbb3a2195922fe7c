/** After a loss: again, after how long, or not. */
#include "coordinator/gang/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static coord_loss_facts killed(uint64_t step, uint64_t progress)
{
    return (coord_loss_facts){.ready = true, .training = true, .step = step, .progress = progress, .exit_code = 137};
}

static void the_first_restart_is_at_once_the_next_ones_wait(void **state)
{
    (void)state;
    const double wait_s[] = {0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0};
    coord_policy p = {.max_restarts = 10};
    for (uint64_t i = 0; i < 10; i++) {
        const coord_loss_facts f = killed(100 * i, 0);
        const coord_verdict v = coord_policy_lost(&p, &f);
        assert_int_equal(v.kind, COORD_START_AGAIN);
        assert_true(v.wait_s == wait_s[i]);
    }
    const coord_loss_facts f = killed(5000, 0);
    assert_int_equal(coord_policy_lost(&p, &f).kind, COORD_TOO_OFTEN);
}

static void progress_makes_the_count_begin_anew(void **state)
{
    (void)state;
    coord_policy p = {.max_restarts = 2};
    for (uint64_t i = 1; i < 1000; i++) {
        const coord_loss_facts f = killed(10 * i, i);
        const coord_verdict v = coord_policy_lost(&p, &f);
        assert_int_equal(v.kind, COORD_START_AGAIN);
        assert_true(v.wait_s == 0.0);
    }
    const coord_loss_facts less = killed(20000, 3);          /* it had been further */
    assert_int_equal(coord_policy_lost(&p, &less).kind, COORD_START_AGAIN);
    assert_int_equal(p.without, 1);
}

static void a_step_that_breaks_it_three_times_is_reported(void **state)
{
    (void)state;
    coord_policy p = {.max_restarts = 10};
    const uint64_t steps[] = {41, 42, 41};                   /* the leader may be one ahead */
    for (int i = 0; i < 3; i++) {
        const coord_loss_facts f = killed(steps[i], 30);
        assert_int_equal(coord_policy_lost(&p, &f).kind, i < 2 ? COORD_START_AGAIN : COORD_CRASH_LOOP);
    }
}

static void other_steps_in_between_are_no_loop(void **state)
{
    (void)state;
    coord_policy p = {.max_restarts = 100};
    for (uint64_t i = 0; i < 60; i++) {
        const coord_loss_facts f = killed(i % 3 == 2 ? 900 : 40, 0);
        assert_int_equal(coord_policy_lost(&p, &f).kind, COORD_START_AGAIN);
    }
}

/* Killed while it opens the dataset, it stands at no step that could be blamed. */
static void losses_outside_training_are_no_loop(void **state)
{
    (void)state;
    coord_policy p = {.max_restarts = 100};
    for (int i = 0; i < 50; i++) {
        coord_loss_facts f = killed(0, 0);
        f.training = false;
        assert_int_equal(coord_policy_lost(&p, &f).kind, COORD_START_AGAIN);
    }
}

static void wrong_settings_and_data_are_not_tried_again(void **state)
{
    (void)state;
    for (int code = 1; code < 6; code++) {
        coord_policy p = {.max_restarts = 10};
        coord_policy_ready(&p);
        const coord_loss_facts f = {.ready = true, .exit_code = code};
        assert_int_equal(coord_policy_lost(&p, &f).kind, code == 2 || code == 4 ? COORD_REFUSED : COORD_START_AGAIN);
    }
}

static void a_launcher_that_fails_is_tried_again_only_if_it_ever_worked(void **state)
{
    (void)state;
    const coord_loss_facts f = {.exit_code = 1}, by_signal = {.exit_code = 137};
    coord_policy never = {.max_restarts = 10}, once = {.max_restarts = 10}, killed_once = {.max_restarts = 10};
    assert_int_equal(coord_policy_lost(&never, &f).kind, COORD_NEVER_STARTED);
    coord_policy_ready(&once);
    assert_int_equal(coord_policy_lost(&once, &f).kind, COORD_START_AGAIN);
    assert_int_equal(coord_policy_lost(&killed_once, &by_signal).kind, COORD_START_AGAIN);
}

static void no_restarts_are_none(void **state)
{
    (void)state;
    coord_policy p = {.max_restarts = 0};
    const coord_loss_facts f = killed(10, 5);
    assert_int_equal(coord_policy_lost(&p, &f).kind, COORD_TOO_OFTEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_restart_is_at_once_the_next_ones_wait),
        cmocka_unit_test(progress_makes_the_count_begin_anew),
        cmocka_unit_test(a_step_that_breaks_it_three_times_is_reported),
        cmocka_unit_test(other_steps_in_between_are_no_loop),
        cmocka_unit_test(losses_outside_training_are_no_loop),
        cmocka_unit_test(wrong_settings_and_data_are_not_tried_again),
        cmocka_unit_test(a_launcher_that_fails_is_tried_again_only_if_it_ever_worked),
        cmocka_unit_test(no_restarts_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
