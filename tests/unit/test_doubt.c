/** Doubts about the business figure and about estimates: how often there is evidence while nothing is wrong, also at what is just allowed; that there is when something is;
 *  and which events and windows count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/doubt.h"
#include "monitor/watch_kpi.h"
#include "tests/unit/drift_columns.h"
#include "tests/unit/store_fixture.h"

/* Tolerance 0.014 of 0.14: at most 0.354, at least 0.646. */
static const monitor_kpi_opts less = {.name = "k", .minimize = true, .baseline = 0.34, .target = 0.20}, more = {.name = "k", .baseline = 0.66, .target = 0.80};

/** A proof whose budget is 0.1 over so many events, yes or no. */
static bool ever_by_events(const monitor_kpi_opts *goal, double share, size_t events, uint64_t seed)
{
    monitor_proof p = monitor_doubt_of_kpi(goal, 0.1);
    draws d = draws_of(seed);
    bool evident = false;
    assert_int_equal(p.n, 1);
    for (size_t i = 0; i < events && !evident; i++) {
        monitor_doubt_event(&p, goal, draw_unit(&d) < share);
        evident = monitor_proof_sure(&p).evident;
    }
    return evident;
}

/* 200 runs with a budget of 0.1: more than 36 have a chance below 1e-3. 1,000 events suffice for a change of 0.1. */
static void events_are_doubted_when_they_are_worse_than_the_tolerance(void **state)
{
    (void)state;
    size_t low = 0, high = 0, within = 0, found = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        low += ever_by_events(&less, 0.354, 3000, seed);
        high += ever_by_events(&more, 0.646, 3000, 1000 + seed);
        within += ever_by_events(&less, 0.33, 3000, 2000 + seed);
        found += ever_by_events(&less, 0.45, 1000, 3000 + seed) + ever_by_events(&more, 0.55, 1000, 4000 + seed);
    }
    if (low > 36 || high > 36 || within > 36 || found < 380) fail_msg("at the limit %zu and %zu, within %zu of 200; found %zu of 400", low, high, within, found);
}

static monitor_kpi_window figure_of(const monitor_kpi_opts *goal, double value, double one)
{
    return (monitor_kpi_window){.name = "k", .minimize = goal->minimize, .due = true, .baseline = goal->baseline, .target = goal->target, .value = fw_interval_normal(value, one, -INFINITY, INFINITY)};
}

/** Windows whose figure lies so many standard errors beyond the tolerance, in the mean. */
static bool ever_by_windows(const monitor_kpi_opts *goal, double beyond, size_t windows, uint64_t seed)
{
    monitor_proof p = monitor_doubt_of_kpi(goal, 0.1);
    draws d = draws_of(seed);
    bool evident = false;
    monitor_doubt_event(&p, goal, goal->minimize ? -1 : 2);      /* can't be judged one by one */
    assert_true(p.plain);
    for (size_t i = 0; i < windows && !evident; i++) {
        const double off = 0.014 + 0.03 * (beyond + draw_normal(&d));
        const monitor_kpi_window w = figure_of(goal, goal->baseline + (goal->minimize ? off : -off), 0.03);
        monitor_doubt_window(&p, &w);
        evident = monitor_proof_sure(&p).evident;
    }
    return evident;
}

static void windows_are_what_is_looked_at_where_events_can_not_be(void **state)
{
    (void)state;
    size_t at = 0, found = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        at += ever_by_windows(seed % 2 ? &less : &more, 0, 600, seed);
        found += ever_by_windows(seed % 2 ? &less : &more, 3, 10, 1000 + seed);
    }
    if (at > 36 || found < 190) fail_msg("at the limit %zu, found %zu of 200", at, found);
    monitor_proof p = monitor_doubt_of_kpi(&less, 0.1);      /* as long as events can be judged, windows count for nothing */
    const monitor_kpi_window w = figure_of(&less, 0.9, 0.03);
    monitor_doubt_window(&p, &w);
    assert_true(isinf(monitor_proof_sure(&p).log_e) && !p.changed);
}

static void without_a_baseline_there_is_nothing_to_doubt(void **state)
{
    (void)state;
    const monitor_kpi_opts none = {.name = "k", .baseline = NAN, .target = 0.2}, nowhere = {.name = "k", .baseline = 0, .target = 0};
    monitor_proof p = monitor_doubt_of_kpi(&none, 0.1);
    assert_true(p.n == 0 && monitor_doubt_of_kpi(&nowhere, 0.1).n == 0);
    monitor_doubt_event(&p, &none, 1);
    assert_true(!p.changed && !monitor_proof_sure(&p).evident);
}

/* ---- estimates ------------------------------------------------------------------------------------------------------------------------------ */

static fw_reference_metric metrics[] = {{"accuracy", 0.87, 0.868, 0.01}, {"rmse", 4.0, 4.1, 0.2}};
static const fw_reference reference = {.metrics = metrics, .n_metrics = 2, .chunk_rows = 1000, .n_chunks = 10}, small = {.metrics = metrics, .n_metrics = 2};

/** Windows in which the estimate is off by this in the mean; the two standard errors make one of 0.025. */
static bool ever_by_estimates(fw_quality_metric metric, double off, size_t windows, uint64_t seed)
{
    const monitor_performance_opts o = {.metric = metric};
    monitor_proof p = monitor_doubt_of_estimate(&o, &reference, 0.1);
    draws d = draws_of(seed);
    bool evident = false;
    assert_int_equal(p.n, 2);
    for (size_t i = 0; i < windows && !evident; i++) {
        monitor_quality_window w = {.due = true, .realised = fw_qualities_none(), .estimated = fw_qualities_none()};
        w.realised.of[metric] = fw_interval_normal(0.8 + off + 0.02 * draw_normal(&d), 0.02, -INFINITY, INFINITY);
        w.estimated.of[metric] = fw_interval_normal(0.8 + 0.015 * draw_normal(&d), 0.015, -INFINITY, INFINITY);
        monitor_doubt_estimate(&p, &o, &reference, &w, 0.1);
        evident = monitor_proof_sure(&p).evident;
    }
    return evident;
}

/* The drop is 0.05, of rmse 0.05 x 4; chunks that vary by 0.01 leave 2.26 x 0.01 / sqrt(10) = 0.007 of the accuracy open. */
static void an_estimate_is_doubted_to_both_sides(void **state)
{
    (void)state;
    size_t right = 0, at = 0, found = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        right += ever_by_estimates(FW_QUALITY_ACCURACY, 0, 600, seed);
        at += ever_by_estimates(FW_QUALITY_ACCURACY, seed % 2 ? 0.057 : -0.057, 600, 1000 + seed);
        found += ever_by_estimates(FW_QUALITY_ACCURACY, seed % 2 ? 0.12 : -0.12, 12, 2000 + seed) + ever_by_estimates(FW_QUALITY_RMSE, seed % 2 ? 0.5 : -0.5, 12, 3000 + seed);
    }
    if (right > 0 || at > 36 || found < 380) fail_msg("right %zu, at the limit %zu of 200; found %zu of 400", right, at, found);
}

static void windows_that_are_not_due_or_say_nothing_do_not_count(void **state)
{
    (void)state;
    const monitor_performance_opts o = {.metric = FW_QUALITY_ACCURACY};
    monitor_proof p = monitor_doubt_of_estimate(&o, &reference, 0.1), none = monitor_doubt_of_estimate(&o, &small, 0.1);
    monitor_quality_window w = {.due = true, .realised = fw_qualities_none(), .estimated = fw_qualities_none()};
    w.realised.of[FW_QUALITY_ACCURACY] = (fw_interval){0.3, 0.28, 0.32};
    monitor_doubt_estimate(&p, &o, &reference, &w, 0.1);
    w.estimated.of[FW_QUALITY_ACCURACY] = (fw_interval){0.9, 0.88, 0.92};
    w.due = false;
    monitor_doubt_estimate(&p, &o, &reference, &w, 0.1);
    assert_true(!p.changed && isinf(monitor_proof_sure(&p).log_e));
    w.due = true;
    monitor_doubt_estimate(&none, &o, &small, &w, 0.1);
    assert_true(none.n == 0 && !none.changed && !monitor_proof_sure(&none).evident);
    monitor_doubt_estimate(&p, &o, &reference, &w, 0.1);
    assert_true(p.changed && monitor_proof_sure(&p).log_e > 0);
}

static void its_state_goes_on_and_that_of_other_figures_is_refused(void **state)
{
    (void)state;
    monitor_kpi_opts other = less;
    other.baseline = 0.35;
    monitor_proof p = monitor_doubt_of_kpi(&less, 0.1), again = monitor_doubt_of_kpi(&less, 0.1), of_other = monitor_doubt_of_kpi(&other, 0.1);
    FW_AUTO(fw_text) bytes = {0};
    draws d = draws_of(9);
    for (size_t i = 0; i < 500; i++) monitor_doubt_event(&p, &less, draw_unit(&d) < 0.5);
    monitor_proof_judge(&p, 0.1, 0.014);
    monitor_proof_judge(&p, 0.001, 0.014);
    monitor_doubt_event(&p, &less, -1);
    assert_int_equal(monitor_proof_save(&p, NULL, &bytes, NULL), FW_OK);
    assert_int_equal(monitor_proof_restore(&again, NULL, bytes.data, bytes.len, NULL), FW_OK);
    assert_true(again.plain && again.alarm && again.calm == 1 && !p.changed);
    const monitor_sure a = monitor_proof_sure(&p), b = monitor_proof_sure(&again);
    assert_memory_equal(&a.log_e, &b.log_e, sizeof a.log_e);
    assert_int_equal(monitor_proof_restore(&of_other, NULL, bytes.data, bytes.len, NULL), FW_ERR_DATA);
    assert_true(!of_other.alarm && isinf(monitor_proof_sure(&of_other).log_e));
}

/* ---- the KPI with a store ------------------------------------------------------------------------------------------------------------------- */

enum { EVENTS = 400 };
#define T0 INT64_C(1700000000000000)

static monitor_kpis *open_kpis(monitor_store *store, monitor_alert_desk *desk)
{
    monitor_kpis *k = NULL;
    assert_int_equal(monitor_kpis_create(&k, &(monitor_kpis_opts){.project = "p", .goal = less, .store = store, .store_path = path, .desk = desk}, NULL), FW_OK);
    assert_int_equal(monitor_kpis_restore(k, NULL), FW_OK);
    return k;
}

static fw_status take_state(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    fw_text_add_bytes(context, row->bytes.data, row->bytes.len);
    return FW_OK;
}

/** What is kept of the evidence after a life of all events, the last ones of each part told twice, with so many of them between two monitors. */
static void live(fw_text *kept, size_t part)
{
    monitor_store *store = open_with((monitor_store_opts){0});
    monitor_alert_desk *desk = NULL;
    monitor_reader *from = NULL;
    draws d = draws_of(3);
    double value[EVENTS];
    assert_int_equal(monitor_alert_desk_open(&desk, store, path, &(monitor_alert_opts){0}, &(monitor_deliver_opts){0}, T0, NULL), FW_OK);
    monitor_kpis *k = open_kpis(store, desk);
    for (size_t i = 0; i < EVENTS; i++) value[i] = draw_unit(&d) < 0.4;
    for (size_t i = 0; i < EVENTS; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%zu", i);
        fw_kpi_event row = {.id = id, .value = value[i], .at_us = T0};
        const fw_telemetry_batch b = {.time_us = T0, .kind = FW_TELEMETRY_KPI, .kpi = {.project = "p", .name = "k", .rows = &row, .n = 1}};
        for (int twice = 0; twice < 2; twice++) assert_int_equal(monitor_kpis_take(k, &b, NULL, NULL), FW_OK);
        if ((i + 1) % part != 0) continue;
        assert_int_equal(monitor_kpis_save(k, T0, NULL), FW_OK);
        assert_int_equal(monitor_store_commit(store, NULL), FW_OK);
        monitor_kpis_destroy(&k);
        k = open_kpis(store, desk);
    }
    assert_int_equal(monitor_reader_open(&from, path, NULL), FW_OK);
    assert_int_equal(monitor_read_state(from, &(monitor_query){.name = "fall/kpi/k"}, take_state, kept, NULL), FW_OK);
    monitor_reader_destroy(&from);
    monitor_kpis_destroy(&k);
    monitor_alert_desk_close(&desk, 0);
    monitor_store_close(&store);
}

static void events_count_once_also_through_the_store(void **state)
{
    (void)state;
    FW_AUTO(fw_text) whole = {0}, parts = {0};
    live(&whole, EVENTS);
    end(state);
    assert_int_equal(begin(state), 0);
    live(&parts, 40);
    assert_true(whole.len == parts.len && whole.len > 300);
    assert_memory_equal(whole.data, parts.data, whole.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_doubted_when_they_are_worse_than_the_tolerance),
        cmocka_unit_test(windows_are_what_is_looked_at_where_events_can_not_be),
        cmocka_unit_test(without_a_baseline_there_is_nothing_to_doubt),
        cmocka_unit_test(an_estimate_is_doubted_to_both_sides),
        cmocka_unit_test(windows_that_are_not_due_or_say_nothing_do_not_count),
        cmocka_unit_test(its_state_goes_on_and_that_of_other_figures_is_refused),
        cmocka_unit_test_setup_teardown(events_count_once_also_through_the_store, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
