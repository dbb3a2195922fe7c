/** The watch over a gang, with a clock of the test's own: who is lost, when, and when not. */
#include "coordinator/gang/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { RANKS = 3 };
static const coord_watch_limits limits = {.start_s = 60.0, .silent_s = 8.0, .stall_s = 10.0, .stall_steps = 5.0, .stuck_s = 600.0};

static fw_mono at(double s) { return (fw_mono){(int64_t)(s * 1e9)}; }

static coord_watch *fresh(void)
{
    coord_watch *w = NULL;
    assert_int_equal(coord_watch_create(&w, RANKS, &limits, at(0.0), NULL), FW_OK);
    return w;
}

/* All ranks are there, and an order is at hand. */
static coord_watch *at_work(void)
{
    coord_watch *w = fresh();
    coord_watch_ready(w, at(0.0));
    coord_watch_order(w, true, at(0.0));
    return w;
}

static void beat(coord_watch *w, uint32_t rank, const char *phase, uint64_t step, double now)
{
    fw_gang_message m = {.kind = FW_GANG_HEARTBEAT, .rank = rank, .pid = 100 + rank, .round = 1, .step = step, .made = step};
    snprintf(m.phase, sizeof m.phase, "%s", phase);
    snprintf(m.host, sizeof m.host, rank < 2 ? "a" : "b");
    coord_watch_beat(w, &m, at(now));
}

static coord_watch_finding judged(coord_watch *w, double now, int *rank)
{
    double for_s = 0.0;
    return coord_watch_judge(w, at(now), rank, &for_s);
}

/* All ranks make a step every step_s from `from` to `to`, looked at as often. */
static uint64_t train(coord_watch *w, double from, double to, double step_s)
{
    uint64_t step = 1;
    int rank;
    for (double t = from; t <= to; t += step_s, step++) {
        for (uint32_t r = 0; r < RANKS; r++) beat(w, r, "train", step, t);
        assert_int_equal(judged(w, t, &rank), COORD_WATCH_WELL);
    }
    return step;
}

/* Heartbeats go on, all with this phase and step; the first finding and when. */
static coord_watch_finding go_on(coord_watch *w, const char *phase, uint64_t step, double from, double to, double *when)
{
    for (*when = from; *when <= to; *when += 0.5) {
        int rank;
        for (uint32_t r = 0; r < RANKS; r++) beat(w, r, phase, step, *when);
        const coord_watch_finding f = judged(w, *when, &rank);
        if (f != COORD_WATCH_WELL) return f;
    }
    return COORD_WATCH_WELL;
}

static void the_start_has_a_deadline(void **state)
{
    (void)state;
    coord_watch *w = fresh();
    int rank;
    for (double t = 0.0; t < 60.0; t += 1.0) assert_int_equal(judged(w, t, &rank), COORD_WATCH_WELL);
    assert_int_equal(judged(w, 60.5, &rank), COORD_WATCH_NOT_READY);
    coord_watch_destroy(&w);
}

static void a_rank_without_heartbeats_is_lost_and_named(void **state)
{
    (void)state;
    coord_watch *w = fresh();
    int rank = -1;
    coord_watch_ready(w, at(1.0));
    double t = 1.0;
    for (; t < 3.0; t += 0.2) {
        for (uint32_t r = 0; r < RANKS; r++) beat(w, r, "open", 0, t);
        assert_int_equal(judged(w, t, &rank), COORD_WATCH_WELL);
    }
    coord_watch_finding f = COORD_WATCH_WELL;
    for (; t < 20.0 && f == COORD_WATCH_WELL; t += 0.2) {
        beat(w, 0, "open", 0, t);
        beat(w, 2, "open", 0, t);
        f = judged(w, t, &rank);
    }
    assert_int_equal(f, COORD_WATCH_SILENT);
    assert_int_equal(rank, 1);
    assert_true(t > 10.5 && t < 11.8);
    coord_watch_destroy(&w);
}

/* One that never sent any is silent from the moment on when all were said to be there. */
static void a_rank_that_was_never_heard_is_lost(void **state)
{
    (void)state;
    coord_watch *w = fresh();
    int rank = -1;
    coord_watch_ready(w, at(1.0));
    for (double t = 1.0; t < 9.0; t += 0.5) {
        beat(w, 0, "open", 0, t);
        beat(w, 1, "open", 0, t);
        assert_int_equal(judged(w, t, &rank), COORD_WATCH_WELL);
    }
    beat(w, 0, "open", 0, 9.5);
    beat(w, 1, "open", 0, 9.5);
    assert_int_equal(judged(w, 9.5, &rank), COORD_WATCH_SILENT);
    assert_int_equal(rank, 2);
    coord_watch_destroy(&w);
}

static void no_step_is_a_stall_after_ten_seconds_or_five_steps(void **state)
{
    (void)state;
    const struct { double step_s, after_s; } cases[] = {{0.1, 10.0}, {1.0, 10.0}, {1.9, 10.0}, {4.0, 20.0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        coord_watch *w = fresh();
        coord_watch_limits long_ones = limits;
        double when = 0.0;
        coord_watch_destroy(&w);
        long_ones.silent_s = 1000.0;
        assert_int_equal(coord_watch_create(&w, RANKS, &long_ones, at(0.0), NULL), FW_OK);
        coord_watch_ready(w, at(0.0));
        coord_watch_order(w, true, at(0.0));
        uint64_t step = 1;
        int rank;
        double t = 0.0;
        for (; t <= 60.0; t += cases[i].step_s, step++) {
            for (uint32_t r = 0; r < RANKS; r++) beat(w, r, "train", step, t);
            for (double u = t; u < t + cases[i].step_s; u += 0.5) assert_int_equal(judged(w, u, &rank), COORD_WATCH_WELL);
        }
        const double last = t - cases[i].step_s;
        assert_int_equal(go_on(w, "train", step - 1, t, t + 100.0, &when), COORD_WATCH_STALLED);
        assert_true(when - last > cases[i].after_s && when - last < cases[i].after_s + 2.0);
        coord_watch_destroy(&w);
    }
}

/* Two hundred steps between two heartbeats, and then none: the leader was never seen to make one. A training that goes on from a checkpoint says
 * nothing of its speed by the number of its first step. */
static void a_step_that_hangs_before_any_was_seen_is_a_stall(void **state)
{
    (void)state;
    const struct { uint64_t made; double after_s; coord_watch_finding finding; } cases[] = {{200, 10.0, COORD_WATCH_STALLED}, {0, 600.0, COORD_WATCH_STUCK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        coord_watch *w = fresh();
        coord_watch_finding f = COORD_WATCH_WELL;
        double t = 1.0;
        int rank;
        for (uint32_t r = 0; r < RANKS; r++) beat(w, r, "open", 0, 0.5);
        coord_watch_ready(w, at(0.5));
        coord_watch_order(w, true, at(0.9));
        for (; t < 700.0 && f == COORD_WATCH_WELL; t += 0.5) {
            for (uint32_t r = 0; r < RANKS; r++) {
                fw_gang_message m = {.kind = FW_GANG_HEARTBEAT, .rank = r, .step = 10200, .made = cases[i].made, .phase = "train", .host = "a"};
                coord_watch_beat(w, &m, at(t));
            }
            f = judged(w, t, &rank);
        }
        assert_int_equal(f, cases[i].finding);
        assert_true(t > 1.0 + cases[i].after_s && t < 4.0 + cases[i].after_s);
        coord_watch_destroy(&w);
    }
}

static void what_is_no_training_has_the_long_deadline(void **state)
{
    (void)state;
    const char *const phases[] = {"open", "validate", "save", "evaluate"};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        coord_watch *w = fresh();
        double when = 0.0;
        coord_watch_ready(w, at(0.0));
        coord_watch_order(w, true, at(0.0));
        uint64_t step = train(w, 0.0, 30.0, 0.25);
        assert_int_equal(go_on(w, phases[i], step, 30.5, 620.0, &when), COORD_WATCH_WELL);
        assert_int_equal(go_on(w, phases[i], step, when, 640.0, &when), COORD_WATCH_STUCK);
        coord_watch_destroy(&w);
    }
}

/* An answer in between is a sign; without an order nothing is waited for. */
static void progress_and_idleness_are_no_loss(void **state)
{
    (void)state;
    coord_watch *w = at_work();
    double when = 0.0;
    assert_int_equal(go_on(w, "evaluate", 0, 0.0, 500.0, &when), COORD_WATCH_WELL);
    coord_watch_progress(w, at(500.0));
    assert_int_equal(go_on(w, "evaluate", 0, when, 1000.0, &when), COORD_WATCH_WELL);
    coord_watch_order(w, false, at(1000.0));
    assert_int_equal(go_on(w, "idle", 0, when, 5000.0, &when), COORD_WATCH_WELL);
    coord_watch_destroy(&w);
}

/* One rank of three trains on its own clock: the others validate, nothing stalls in the sense of steps. */
static void a_phase_of_one_rank_ends_the_rule_of_steps(void **state)
{
    (void)state;
    coord_watch *w = at_work();
    int rank;
    uint64_t step = train(w, 0.0, 10.0, 0.25);
    for (double t = 10.5; t < 40.0; t += 0.5) {
        beat(w, 0, "checkpoint", step, t);
        beat(w, 1, "train", step, t);
        beat(w, 2, "train", step, t);
        assert_int_equal(judged(w, t, &rank), COORD_WATCH_WELL);
    }
    coord_watch_destroy(&w);
}

static void the_coordinators_own_absence_is_charged_to_nobody(void **state)
{
    (void)state;
    coord_watch *w = at_work();
    int rank;
    uint64_t step = train(w, 0.0, 10.0, 0.25);
    assert_int_equal(judged(w, 500.0, &rank), COORD_WATCH_WELL);           /* stopped for eight minutes */
    for (double t = 500.5; t < 507.0; t += 0.5) assert_int_equal(judged(w, t, &rank), COORD_WATCH_WELL);
    for (uint32_t r = 0; r < RANKS; r++) beat(w, r, "train", step, 507.0);
    assert_int_equal(judged(w, 507.0, &rank), COORD_WATCH_WELL);
    coord_watch_destroy(&w);
}

static void a_silent_host_is_told_from_a_silent_gang(void **state)
{
    (void)state;
    coord_watch *w = fresh();
    assert_false(coord_watch_host_silent(w, "b"));                         /* nobody was ever heard */
    beat(w, 0, "train", 1, 9.0);
    assert_false(coord_watch_host_silent(w, "b"));
    for (uint32_t r = 0; r < RANKS; r++) beat(w, r, "train", 1, 10.0);
    beat(w, 0, "train", 1, 12.4);
    assert_false(coord_watch_host_silent(w, "b"));
    beat(w, 0, "train", 1, 13.0);
    assert_true(coord_watch_host_silent(w, "b"));
    assert_false(coord_watch_host_silent(w, "a"));                         /* one of its two ranks was heard */
    beat(w, 2, "train", 1, 13.0);
    assert_false(coord_watch_host_silent(w, "b"));
    coord_watch_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_has_a_deadline),
        cmocka_unit_test(a_rank_without_heartbeats_is_lost_and_named),
        cmocka_unit_test(a_rank_that_was_never_heard_is_lost),
        cmocka_unit_test(no_step_is_a_stall_after_ten_seconds_or_five_steps),
        cmocka_unit_test(a_step_that_hangs_before_any_was_seen_is_a_stall),
        cmocka_unit_test(what_is_no_training_has_the_long_deadline),
        cmocka_unit_test(progress_and_idleness_are_no_loss),
        cmocka_unit_test(a_phase_of_one_rank_ends_the_rule_of_steps),
        cmocka_unit_test(the_coordinators_own_absence_is_charged_to_nobody),
        cmocka_unit_test(a_silent_host_is_told_from_a_silent_gang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
