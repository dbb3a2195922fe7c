/** What rank 0 tells of its counts: with windows of time no summary lies in two of them, and every row is in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/core/clock.h"
#include "tests/unit/reference_fixture.h"
#include "worker/score_counts.h"

#define PROJECT "project: p\nproblem: {task: classification, target: y}\ndata:\n  tables: {a: a.csv}\nmonitor: {window: %s}\n"
#define SECOND  INT64_C(1000000)

static const uint64_t TEN[] = {1, 2, 3, 3, 0, 1, 6, 3, 1, 0, 6, 4, 0, 0, 2, 8, 0, 0, 6, 4, 0, 0};      /* rows, in each of five columns */
enum { COUNTS = sizeof TEN / sizeof *TEN };
static const fw_times TOOK = {.count = {[80] = 9, [100] = 1}};      /* the ten */

typedef struct told { size_t models, summaries, torn; uint64_t rows, most; int64_t last_us; } told;

static fw_status note(void *context, const char *topic, const void *bytes, size_t len, fw_error *err)
{
    told *t = context;
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    assert_int_equal(fw_telemetry_decode(&b, topic, bytes, len, err), FW_OK);
    if (b->kind == FW_TELEMETRY_MODEL) {
        t->models++;
        return FW_OK;
    }
    const fw_telemetry_summary *s = &b->summary;
    t->torn += fw_utc_window(s->from_us, SECOND) != fw_utc_window(s->to_us, SECOND);
    assert_true(s->from_us >= t->last_us && s->window == ++t->summaries);
    t->last_us = s->to_us;
    t->rows += s->rows;
    assert_int_equal(s->n_latency, FW_TIMES_N);
    assert_int_equal(fw_times_total(s->latency), s->rows);
    assert_int_equal(s->latency[80], s->latency[100] * 9);
    t->most = s->rows > t->most ? s->rows : t->most;
    return FW_OK;
}

static worker_teller *make(told *t, fw_telemetry **telemetry, const fw_model *m, fw_project **p, const char *window)
{
    char yaml[256];
    worker_teller *out = NULL;
    snprintf(yaml, sizeof yaml, PROJECT, window);
    assert_int_equal(fw_project_parse(p, yaml, "p.yaml", ".", NULL), FW_OK);
    assert_int_equal(fw_telemetry_create(telemetry, NULL), FW_OK);
    assert_int_equal(worker_teller_create(&out, m, "0123", *p, *telemetry, note, t, NULL), FW_OK);
    return out;
}

/** Ten rows every 5 ms for so long. */
static uint64_t tell_for(worker_teller *t, double seconds)
{
    uint64_t rows = 0;
    for (const fw_mono end = fw_mono_after(fw_mono_now(), seconds); !fw_mono_passed(end); fw_sleep_ms(5), rows += 10) {
        assert_int_equal(worker_teller_take(t, TEN, COUNTS, 10, TOOK.count, NULL), FW_OK);
        assert_int_equal(worker_teller_tick(t, NULL), FW_OK);
    }
    assert_int_equal(worker_teller_finish(t, NULL), FW_OK);
    return rows;
}

static void no_summary_lies_in_two_windows_of_time(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_project) *p = NULL;
    FW_AUTO(fw_telemetry) *telemetry = NULL;
    told heard = {0};
    const fw_model m = {.name = "m", .task = FW_TASK_REGRESSION, .reference = r};
    FW_AUTO(worker_teller) *t = make(&heard, &telemetry, &m, &p, "1 s");
    const uint64_t rows = tell_for(t, 2.2);
    assert_int_equal(heard.rows, rows);
    assert_int_equal(heard.torn, 0);
    assert_true(heard.models == 1 && heard.summaries >= 3);
}

static void windows_of_rows_are_told_when_they_are_full(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_project) *p = NULL;
    FW_AUTO(fw_telemetry) *telemetry = NULL;
    told heard = {0};
    const fw_model m = {.name = "m", .task = FW_TASK_REGRESSION, .reference = r};
    FW_AUTO(worker_teller) *t = make(&heard, &telemetry, &m, &p, "40");
    const uint64_t rows = tell_for(t, 0.2);
    assert_int_equal(heard.rows, rows);
    assert_int_equal(heard.most, 40);
    assert_int_equal(worker_teller_take(t, TEN, COUNTS - 1, 10, TOOK.count, NULL), FW_ERR_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_summary_lies_in_two_windows_of_time),
        cmocka_unit_test(windows_of_rows_are_told_when_they_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
