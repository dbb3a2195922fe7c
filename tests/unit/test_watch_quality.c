/** Live quality of models of which nobody has told a reference: which version an outcome finds, what waits, and what is not followed. With a reference, a store and
 *  kills: tests/system/test_live_quality.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "monitor/watch_quality.h"

enum { ROWS = 10 };
#define T0 INT64_C(1700000000000000)

static char *CLASSES[] = {"no", "yes"};

typedef struct stage { monitor_watch *watch; monitor_quality *quality; size_t windows; } stage;

static void on_window(void *context, const monitor_model *m, const monitor_summary *s)
{
    (void)m, (void)s;
    ++*(size_t *)context;
}

static void on_total(void *context, const monitor_model *m) { (void)context, (void)m; }

static int begin(void **state)
{
    static stage s;
    s = (stage){0};
    const monitor_watch_opts watched = {.window = {.predictions = 100}, .drift = {.false_alarms = 0.05}};
    const monitor_sink next = {&s.windows, on_window, on_total};
    assert_int_equal(monitor_watch_create(&s.watch, &watched, NULL), FW_OK);
    assert_int_equal(monitor_quality_create(&s.quality, &(monitor_quality_opts){.watch = s.watch, .next = &next}, NULL), FW_OK);
    *state = &s;
    return 0;
}

static int end(void **state)
{
    stage *s = *state;
    monitor_quality_destroy(&s->quality);
    monitor_watch_destroy(&s->watch);
    return 0;
}

/* Rows PREFIX0, PREFIX1, ... of a version: all are predicted to be "yes". */
static void predict(const stage *s, const char *digest, size_t n_classes, const char *prefix, uint64_t window)
{
    char id[ROWS][16];
    fw_prediction rows[ROWS];
    const monitor_model m = {.name = (char *)(uintptr_t)"m", .digest = (char *)(uintptr_t)digest, .classes = CLASSES, .n_classes = n_classes};
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(id[i], sizeof id[i], "%s%zu", prefix, i);
        rows[i] = (fw_prediction){.id = id[i], .label = n_classes == 2, .confidence = 0.75f};
    }
    assert_int_equal(monitor_quality_predicted(s->quality, &m, window, rows, ROWS, T0, NULL), FW_OK);
}

static fw_status tell(const stage *s, const char *model, const char *prefix, const char *outcome)
{
    char id[ROWS][16];
    fw_outcome rows[ROWS];
    fw_error why = {0};
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(id[i], sizeof id[i], "%s%zu", prefix, i);
        rows[i] = (fw_outcome){.id = id[i], .outcome = outcome};
    }
    const fw_telemetry_batch b = {.time_us = T0 + 5000000, .kind = FW_TELEMETRY_OUTCOMES, .outcomes = {.model = model, .rows = rows, .n = ROWS}};
    assert_int_equal(monitor_quality_take(s->quality, &b, &why, NULL), FW_OK);
    return why.status;
}

static monitor_outcomes_counts count(const stage *s, size_t version) { return monitor_outcomes_count(monitor_quality_version(s->quality, version)->outcomes); }

static void an_outcome_finds_its_prediction_in_every_version(void **state)
{
    const stage *s = *state;
    predict(s, "d1", 2, "a", 1);
    predict(s, "d2", 2, "a", 1);      /* in the shadow of the first */
    predict(s, "d2", 2, "b", 1);
    assert_int_equal(tell(s, "m", "a", "yes"), FW_OK);
    assert_int_equal(tell(s, "m", "b", "no"), FW_OK);
    assert_int_equal(count(s, 0).joined, ROWS);
    assert_int_equal(count(s, 1).joined, 2 * ROWS);
    assert_int_equal(monitor_quality_save(s->quality, T0, NULL), FW_OK);
}

static void a_new_version_gets_the_outcomes_that_wait(void **state)
{
    const stage *s = *state;
    predict(s, "d1", 2, "a", 1);
    assert_int_equal(tell(s, "m", "c", "yes"), FW_OK);
    assert_int_equal(count(s, 0).joined, 0);
    predict(s, "d2", 2, "c", 1);
    assert_int_equal(count(s, 1).joined, ROWS);
    assert_int_equal(count(s, 0).joined, 0);
}

static void what_can_not_be_is_told(void **state)
{
    const stage *s = *state;
    predict(s, "d1", 2, "a", 1);
    assert_int_equal(tell(s, "other", "a", "yes"), FW_ERR_DATA);      /* no prediction of it was seen */
    assert_int_equal(tell(s, "m", "a", "maybe"), FW_ERR_DATA);        /* no class */
    assert_int_equal(count(s, 0).refused, ROWS);
    predict(s, "d2", 1, "a", 1);                                      /* one class: there is nothing to be right about */
    assert_int_equal(monitor_quality_n(s->quality), 1);
}

static void so_many_versions_are_followed_and_no_more(void **state)
{
    const stage *s = *state;
    char digest[16];
    for (size_t i = 0; i < MONITOR_QUALITY_VERSIONS + 3; i++) {
        snprintf(digest, sizeof digest, "d%zu", i);
        predict(s, digest, i % 2 == 0 ? 2 : 0, "a", 1);
    }
    assert_int_equal(monitor_quality_n(s->quality), MONITOR_QUALITY_VERSIONS);      /* all have just predicted */
    assert_string_equal(monitor_quality_version(s->quality, MONITOR_QUALITY_VERSIONS - 1)->digest, "d7");
}

static void windows_of_the_intake_are_closed_and_passed_on(void **state)
{
    stage *s = *state;
    const monitor_sink sink = monitor_quality_sink(s->quality);
    const monitor_model m = {.name = (char *)(uintptr_t)"m", .digest = (char *)(uintptr_t)"d1", .classes = CLASSES, .n_classes = 2};
    predict(s, "d1", 2, "a", 7);
    sink.window(sink.context, &m, &(monitor_summary){.number = 7, .predictions = ROWS});
    assert_int_equal(s->windows, 1);
    assert_int_equal(tell(s, "m", "a", "yes"), FW_OK);
    assert_int_equal(monitor_quality_save(s->quality, T0, NULL), FW_OK);
    assert_int_equal(count(s, 0).joined, ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_outcome_finds_its_prediction_in_every_version, begin, end),
        cmocka_unit_test_setup_teardown(a_new_version_gets_the_outcomes_that_wait, begin, end),
        cmocka_unit_test_setup_teardown(what_can_not_be_is_told, begin, end),
        cmocka_unit_test_setup_teardown(so_many_versions_are_followed_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(windows_of_the_intake_are_closed_and_passed_on, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
