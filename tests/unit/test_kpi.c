/** KPI events in windows of UTC time; doubles, corrections, refusals, a restart; and the verdicts on quality and KPI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "monitor/performance.h"
#include "monitor/store_outcomes.h"
#include "tests/unit/store_fixture.h"

#define HOUR INT64_C(3600000000)
#define NOW  (INT64_C(472000) * HOUR)      /* of 2023 */

typedef struct heard { monitor_kpi_window last[8]; size_t n, told, due, took; double sum; } heard;

static fw_status hear(void *c, const monitor_kpi_window *w, fw_error *err)
{
    (void)err;
    heard *h = c;
    size_t i = 0;
    while (i < h->n && h->last[i].from_us != w->from_us) i++;
    assert_true(i < 8);
    h->n = i < h->n ? h->n : i + 1;
    h->last[i] = *w;
    h->told++;
    h->due += w->due;
    return FW_OK;
}

static void count_took(void *c, const char *name, double value)
{
    heard *h = c;
    assert_string_equal(name, "transfer_rate");
    h->took++;
    h->sum += value;
}

static monitor_kpi_opts opts_of(void) { return (monitor_kpi_opts){.name = "transfer_rate", .minimize = true, .baseline = 0.34, .target = 0.2}; }

static monitor_kpi *make(heard *h, monitor_kpi_opts opts)
{
    const monitor_shelf nothing = {0};
    const monitor_kpi_teller teller = {h, hear, count_took};
    monitor_kpi *k = NULL;
    *h = (heard){0};
    assert_int_equal(monitor_kpi_create(&k, &opts, &nothing, &teller, NULL), FW_OK);
    return k;
}

static void take(monitor_kpi *k, int id, double value, int64_t at_us)
{
    char text[16];
    snprintf(text, sizeof text, "e%d", id);
    assert_int_equal(monitor_kpi_take(k, text, value, at_us, NOW, NULL, NULL), FW_OK);
}

static void a_share_has_wilsons_interval_and_a_mean_the_normal_one(void **state)
{
    (void)state;
    heard h;
    monitor_kpi *k = make(&h, opts_of());
    double square = 0, sum = 0;
    for (int i = 0; i < 100; i++) take(k, i, i % 4 == 0, NOW - 2 * HOUR + i);
    for (int i = 100; i < 150; i++) {
        take(k, i, 0.1 * i, NOW - HOUR + i);
        sum += 0.1 * i;
        square += 0.01 * i * i;
    }
    assert_int_equal(monitor_kpi_flush(k, NOW, NULL), FW_OK);
    assert_true(h.n == 2 && h.due == 2 && h.last[0].events == 100 && h.last[0].from_us == NOW - 2 * HOUR && h.last[0].to_us == NOW - HOUR);
    const fw_interval share = fw_interval_share(25, 100), mean = fw_interval_mean(sum / 50, square / 50, 50);
    assert_memory_equal(&h.last[0].value, &share, sizeof share);
    assert_true(fabs(h.last[1].value.value - mean.value) < 1e-12 && fabs(h.last[1].value.low - mean.low) < 1e-9);
    assert_int_equal(monitor_kpi_flush(k, NOW, NULL), FW_OK);
    assert_int_equal(h.told, 2);
    monitor_kpi_destroy(&k);
}

static void events_again_count_once_and_later_ones_correct(void **state)
{
    (void)state;
    heard h;
    monitor_kpi *k = make(&h, opts_of());
    for (int i = 0; i < 40; i++) take(k, i, 1, NOW - HOUR + i);
    for (int i = 0; i < 40; i++) take(k, i, 1, NOW - HOUR + i);          /* doubles */
    for (int i = 0; i < 10; i++) take(k, i, 0, NOW - HOUR + i);          /* conflicts: not later */
    assert_int_equal(monitor_kpi_flush(k, NOW, NULL), FW_OK);
    assert_true(h.last[0].events == 40 && h.last[0].value.value > 0.99 && h.last[0].due && h.last[0].revised == 0);
    for (int i = 0; i < 20; i++) take(k, i, 0, NOW - HOUR + 1000 + i);   /* corrections, in a window that is over */
    for (int i = 20; i < 30; i++) take(k, i, 0, NOW + i);                /* and into the next one */
    for (int i = 0; i < 5; i++) assert_int_equal(monitor_kpi_take(k, "", 1, NOW - HOUR, NOW, NULL, NULL), FW_OK);      /* without an id each one counts */
    assert_int_equal(monitor_kpi_flush(k, NOW, NULL), FW_OK);
    assert_true(h.last[0].events == 35 && h.last[0].revised == 1 && !h.last[0].due && fabs(h.last[0].value.value - 15.0 / 35) < 1e-12);
    assert_true(h.last[1].events == 10 && h.last[1].value.value <= 0 && !h.last[1].due);
    const monitor_kpi_counts c = monitor_kpi_count(k);
    assert_true(c.events == 125 && c.doubled == 40 && c.conflicts == 10 && c.corrected == 30 && c.refused == 0);
    assert_true(h.took == 45 && h.sum > 44.5);                           /* each once, as it came first */
    monitor_kpi_destroy(&k);
}

static void bad_events_are_refused_with_their_reason(void **state)
{
    (void)state;
    heard h;
    monitor_kpi_opts opts = opts_of();
    opts.max_windows = 2;
    opts.max_ids = 3;
    monitor_kpi *k = make(&h, opts);
    const struct { double value; int64_t at_us; const char *why; } bad[] = {
        {NAN, NOW, "is nan"}, {INFINITY, NOW, "is inf"}, {1e200, NOW, "1e+200"}, {1, -1, "before 1970"}, {1, NOW + 25 * HOUR, "a day ahead"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fw_error why = {0};
        assert_int_equal(monitor_kpi_take(k, "x", bad[i].value, bad[i].at_us, NOW, &why, NULL), FW_OK);
        if (strstr(why.text, bad[i].why) == NULL) fail_msg("%s", why.text);
    }
    assert_int_equal(monitor_kpi_count(k).refused, 5);
    for (int i = 0; i < 10; i++) take(k, i, 1, NOW - (i % 5) * HOUR);    /* hours 0, -1, then -2, ... which are too old, and 0, -1 again */
    assert_int_equal(monitor_kpi_count(k).late, 6);
    const monitor_kpi_opts none[] = {{.name = ""}, {.name = NULL}, {.name = "\xff"}, {.name = "a", .window_s = 0.5}, {.name = "a", .window_s = -1}};
    const monitor_shelf nothing = {0};
    const monitor_kpi_teller nobody = {0};
    monitor_kpi *no = NULL;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_int_equal(monitor_kpi_create(&no, &none[i], &nothing, &nobody, NULL), FW_ERR_ARG);
    monitor_kpi_destroy(&k);
}

static fw_status count_kpi(void *c, const monitor_kpi_row *row, fw_error *err)
{
    (void)err;
    assert_true(strcmp(row->name, "transfer_rate") == 0 && row->at_us % HOUR == 0 && fabs(row->target - 0.2) < 1e-12);
    ++*(size_t *)c;
    return FW_OK;
}

static void goes_on_from_the_store(void **state)
{
    (void)state;
    heard h = {0}, once;
    monitor_kpi *plain = make(&once, opts_of()), *k = NULL;
    monitor_store *store = open_with((monitor_store_opts){0});
    monitor_store_shelf to = {.store = store, .context = &h, .heard_kpi = hear, .now_us = NOW};
    const monitor_shelf shelf = monitor_store_shelf_of(&to);
    const monitor_kpi_teller teller = monitor_store_teller_of(&to);
    const monitor_kpi_opts opts = opts_of();
    size_t left_out = 0, n = 0;
    for (int i = 0; i < 200; i++) {
        if (i % 23 == 0) {
            if (k != NULL) assert_int_equal(monitor_kpi_flush(k, NOW, NULL), FW_OK);
            commit(store);
            monitor_kpi_destroy(&k);
            monitor_reader *r = reader();
            assert_int_equal(monitor_kpi_create(&k, &opts, &shelf, &teller, NULL), FW_OK);
            assert_int_equal(monitor_kpi_restore(k, r, NOW, &left_out, NULL, NULL), FW_OK);
            assert_int_equal(left_out, 0);
            monitor_reader_destroy(&r);
        }
        take(k, i, 0.37 * i, NOW - (i % 3) * HOUR);
        take(k, i / 2, 0.37 * (i / 2), NOW - (i / 2 % 3) * HOUR);      /* a double, of this life or an earlier one */
        take(plain, i, 0.37 * i, NOW - (i % 3) * HOUR);
    }
    assert_int_equal(monitor_kpi_flush(k, NOW, NULL), FW_OK);
    assert_int_equal(monitor_kpi_flush(plain, NOW, NULL), FW_OK);
    commit(store);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            if (h.last[i].from_us == once.last[j].from_us) {
                assert_memory_equal(&h.last[i].value, &once.last[j].value, sizeof(fw_interval));
                n++;
            }
    assert_true(n == 3 && h.n == 3);
    n = 0;
    FW_AUTO(monitor_reader) *r = reader();
    assert_int_equal(monitor_read_kpi(r, NULL, count_kpi, &n, NULL), FW_OK);
    assert_int_equal(n, 3);
    assert_int_equal(monitor_kpi_restore_state(k, "kpi/transfer_rate/0", (monitor_bytes){"12345678", 8}, NULL), FW_ERR_DATA);
    assert_int_equal(monitor_kpi_restore_state(k, "kpi/transfer_rates/0", (monitor_bytes){"1", 1}, NULL), FW_OK);      /* another one's */
    monitor_kpi_destroy(&k);
    monitor_kpi_destroy(&plain);
    monitor_store_close(&store);
}

/* ---- verdicts ------------------------------------------------------------------------------------------------------------------------------ */

static fw_reference_metric metrics[] = {{"accuracy", 0.87, 0.868, 0.01}, {"rmse", 4.0, 4.1, 0.2}, {"auc", 0.9, 0.9, 0}};
static const fw_reference reference = {.metrics = metrics, .n_metrics = 3, .chunk_rows = 1000, .n_chunks = 10};

static monitor_quality_window window_of_hits(uint64_t hits, uint64_t rows)
{
    monitor_quality_window w = {.window = 7, .rows = rows, .labelled = rows, .due = true, .realised = fw_qualities_none(), .estimated = fw_qualities_none()};
    w.realised.of[FW_QUALITY_ACCURACY] = fw_interval_share(hits, rows);
    return w;
}

static const monitor_sure sure = {.evident = true, .log_e = 6.907755278982137}, unsure = {.log_e = -3};

static void a_fall_is_loud_when_it_is_large_and_sure(void **state)
{
    (void)state;
    monitor_performance_opts o;
    monitor_finding v;
    assert_int_equal(monitor_performance_opts_of(&o, NULL, 0, FW_TASK_CLASSIFICATION, NULL), FW_OK);
    const struct { uint64_t hits, rows; bool reached; } cases[] = {{870, 1000, false}, {825, 1000, false}, {810, 1000, true}, {780, 1000, true}, {39, 50, true}, {950, 1000, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const monitor_quality_window w = window_of_hits(cases[i].hits, cases[i].rows);
        assert_true(monitor_performance_realised(&v, &o, &reference, &w, unsure) && !v.look.evidence && !(v.look.certainty > 0));
        assert_true(monitor_performance_realised(&v, &o, &reference, &w, sure) && v.look.evidence && fabs(v.look.certainty - 0.999) < 1e-12);
        assert_true((v.look.level >= v.look.threshold) == cases[i].reached && v.look.kind == MONITOR_ALERT_PERFORMANCE);
    }
    const monitor_quality_window fallen = window_of_hits(700, 1000);
    assert_true(monitor_performance_realised(&v, &o, &reference, &fallen, sure));
    assert_string_equal(v.look.subject, "accuracy");
    assert_string_equal(v.look.detail, "accuracy is 0.7 (0.6709 to 0.7276) in window 7 instead of 0.87; 100 % of its outcomes are in; with all before it, e-value 10^3.0");
    monitor_quality_window early = fallen;
    early.due = false;
    assert_false(monitor_performance_realised(&v, &o, &reference, &early, sure));
    o.metric = FW_QUALITY_F1;                                            /* the reference has none */
    assert_false(monitor_performance_realised(&v, &o, &reference, &fallen, sure));
}

static void a_loss_rises_by_a_share_of_the_reference(void **state)
{
    (void)state;
    monitor_performance_opts o;
    monitor_finding v;
    monitor_quality_window w = window_of_hits(1, 1);
    assert_int_equal(monitor_performance_opts_of(&o, NULL, 0.1, FW_TASK_REGRESSION, NULL), FW_OK);
    w.realised.of[FW_QUALITY_RMSE] = (fw_interval){4.6, 4.5, 4.7};
    assert_true(monitor_performance_realised(&v, &o, &reference, &w, sure));
    assert_true(fabs(v.look.level - 0.15) < 1e-12 && v.look.threshold > 0.09 && v.look.threshold < 0.11);
}

static void an_estimate_is_held_against_the_spread_of_chunks(void **state)
{
    (void)state;
    monitor_performance_opts o;
    monitor_finding v;
    fw_qualities q = fw_qualities_none();
    assert_int_equal(monitor_performance_opts_of(&o, "accuracy", 0, FW_TASK_CLASSIFICATION, NULL), FW_OK);
    q.of[FW_QUALITY_ACCURACY] = (fw_interval){0.828, 0.81, 0.84};
    assert_true(monitor_performance_estimated(&v, &o, &reference, &q, 5000));
    assert_true(fabs(v.look.level - 4) < 1e-9 && v.look.evidence && v.look.threshold > 2.9 && v.look.threshold < 3.1);
    assert_true(monitor_performance_estimated(&v, &o, &reference, &q, 250) && fabs(v.look.level - 2) < 1e-9);      /* half as many standard deviations */
    q.of[FW_QUALITY_ACCURACY] = (fw_interval){0.95, 0.94, 0.96};                                                   /* better than expected */
    assert_true(monitor_performance_estimated(&v, &o, &reference, &q, 5000) && v.look.level < 0 && !v.look.evidence);
    assert_false(monitor_performance_estimated(&v, &o, &reference, &q, 10));
    o.metric = FW_QUALITY_AUC;
    assert_false(monitor_performance_estimated(&v, &o, &reference, &q, 5000));
}

static void an_estimate_that_outcomes_contradict_is_loud(void **state)
{
    (void)state;
    monitor_performance_opts o;
    monitor_finding v;
    monitor_quality_window w = window_of_hits(700, 1000);                /* 0.671 to 0.728 */
    assert_int_equal(monitor_performance_opts_of(&o, "accuracy", 0, FW_TASK_CLASSIFICATION, NULL), FW_OK);
    assert_false(monitor_performance_parted(&v, &o, &reference, &w, sure));      /* nothing was estimated */
    const struct { fw_interval said; bool reached; } cases[] = {
        {{0.71, 0.69, 0.73}, false}, {{0.80, 0.77, 0.83}, true}, {{0.85, 0.82, 0.88}, true}, {{0.55, 0.52, 0.58}, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w.estimated.of[FW_QUALITY_ACCURACY] = cases[i].said;
        assert_true(monitor_performance_parted(&v, &o, &reference, &w, unsure) && !v.look.evidence);
        assert_true(monitor_performance_parted(&v, &o, &reference, &w, sure));
        assert_true(v.look.evidence && fabs(v.look.certainty - 0.999) < 1e-12 && (v.look.level >= v.look.threshold) == cases[i].reached && v.look.kind == MONITOR_ALERT_PERFORMANCE);
    }
    assert_string_equal(v.look.subject, "accuracy (estimate)");
    assert_non_null(strstr(monitor_alert_advice(v.look.kind, v.look.subject), "not by estimates"));
    w.due = false;
    assert_false(monitor_performance_parted(&v, &o, &reference, &w, sure));
    assert_int_equal(monitor_performance_opts_of(&o, "rmse", 0.1, FW_TASK_REGRESSION, NULL), FW_OK);
    w.due = true;                                                        /* 0.2 apart, 5 % of the reference's 4 */
    w.realised.of[FW_QUALITY_RMSE] = (fw_interval){4.6, 4.5, 4.7};
    w.estimated.of[FW_QUALITY_RMSE] = (fw_interval){4.2, 4.1, 4.3};
    assert_true(monitor_performance_parted(&v, &o, &reference, &w, sure) && fabs(v.look.level - 0.1) < 1e-12);
}

static void a_kpi_is_held_against_its_baseline(void **state)
{
    (void)state;
    monitor_finding v;
    monitor_kpi_window w = {.name = "transfer_rate", .events = 500, .minimize = true, .due = true, .baseline = 0.34, .target = 0.2, .value = {0.45, 0.41, 0.49}};
    assert_true(monitor_performance_kpi(&v, &w, unsure) && !v.look.evidence);
    assert_true(monitor_performance_kpi(&v, &w, sure) && v.look.evidence && strstr(v.look.detail, "e-value 10^3.0") != NULL && fabs(v.look.level - 0.11) < 1e-12 && fabs(v.look.threshold - 0.014) < 1e-12);
    w.value = (fw_interval){0.35, 0.31, 0.39};
    assert_true(monitor_performance_kpi(&v, &w, sure) && v.look.level < v.look.threshold);
    w.minimize = false;                                                  /* larger is better: 0.35 is above the baseline */
    assert_true(monitor_performance_kpi(&v, &w, sure) && v.look.level < 0);
    w.baseline = NAN;
    assert_false(monitor_performance_kpi(&v, &w, sure));
}

static void metrics_that_are_not_followed_are_refused(void **state)
{
    (void)state;
    monitor_performance_opts o;
    assert_int_equal(monitor_performance_opts_of(&o, "r2", 0, FW_TASK_REGRESSION, NULL), FW_ERR_CONFIG);
    assert_int_equal(monitor_performance_opts_of(&o, "rmse", 0, FW_TASK_CLASSIFICATION, NULL), FW_ERR_CONFIG);
    assert_int_equal(monitor_performance_opts_of(&o, "auc", 0, FW_TASK_REGRESSION, NULL), FW_ERR_CONFIG);
    assert_int_equal(monitor_performance_opts_of(&o, "mae", 0, FW_TASK_REGRESSION, NULL), FW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_has_wilsons_interval_and_a_mean_the_normal_one),
        cmocka_unit_test(events_again_count_once_and_later_ones_correct),
        cmocka_unit_test(bad_events_are_refused_with_their_reason),
        cmocka_unit_test_setup_teardown(goes_on_from_the_store, begin, end),
        cmocka_unit_test(a_fall_is_loud_when_it_is_large_and_sure),
        cmocka_unit_test(a_loss_rises_by_a_share_of_the_reference),
        cmocka_unit_test(an_estimate_is_held_against_the_spread_of_chunks),
        cmocka_unit_test(an_estimate_that_outcomes_contradict_is_loud),
        cmocka_unit_test(a_kpi_is_held_against_its_baseline),
        cmocka_unit_test(metrics_that_are_not_followed_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
