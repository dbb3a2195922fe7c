/** Bodies of requests to write: what is taken, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/alerts.h"
#include "monitor/web/body.h"
#include "proto/telemetry.h"

#define OF_MODEL(rows) "{\"model\":\"m\",\"outcomes\":[" rows "]}"
#define OF_KPI(rows)   "{\"project\":\"p\",\"name\":\"k\",\"events\":[" rows "]}"

static void takes_outcomes(void **state)
{
    (void)state;
    static const char text[] = OF_MODEL("{\"id\":\"a\",\"outcome\":\"yes\",\"time\":\"1970-01-01T00:00:02Z\"},{\"id\":7,\"outcome\":2.5},{\"id\":\"\\u00e9\",\"outcome\":-3,\"time\":null}");
    monitor_body b = {0};
    fw_telemetry_outcomes o = {0};
    fw_error err = {0};
    if (monitor_body_outcomes(&o, &b, text, strlen(text), &err) != FW_OK) fail_msg("%s", err.text);
    assert_string_equal(o.model, "m");
    assert_int_equal(o.n, 3);
    assert_string_equal(o.rows[0].id, "a");
    assert_string_equal(o.rows[0].outcome, "yes");
    assert_int_equal(o.rows[0].at_us, 2000000);
    assert_string_equal(o.rows[1].id, "7");
    assert_string_equal(o.rows[1].outcome, "2.5");
    assert_int_equal(o.rows[1].at_us, 0);
    assert_string_equal(o.rows[2].id, "\xc3\xa9");
    assert_string_equal(o.rows[2].outcome, "-3");
    monitor_body_destroy(&b);
}

static void takes_events(void **state)
{
    (void)state;
    static const char text[] = OF_KPI("{\"id\":\"a\",\"value\":1},{\"id\":\"b\",\"value\":0.25,\"time\":\"1970-01-01T00:00:01Z\"}");
    monitor_body b = {0};
    fw_telemetry_kpi k = {0};
    assert_int_equal(monitor_body_kpi(&k, &b, text, strlen(text), NULL), FW_OK);
    assert_string_equal(k.project, "p");
    assert_string_equal(k.name, "k");
    assert_int_equal(k.n, 2);
    assert_true(k.rows[0].value == 1 && k.rows[1].value == 0.25 && k.rows[1].at_us == 1000000);
    monitor_body_destroy(&b);
}

typedef struct bad_row { const char *text, *says; } bad_row;

static void refuses_outcomes_with_a_reason(void **state)
{
    (void)state;
    static const bad_row rows[] = {
        {"", "model is missing"}, {"[]", "is no JSON object"}, {"nonsense", "is no JSON object: line 1"}, {"{} {}", "is no JSON object"}, {"\xff", "is no JSON object"},
        {"{\"model\":\"m\",\"model\":\"n\"}", "is no JSON object"}, {"{\"model\":\"m\"}", "outcomes: it is a list"}, {"{\"model\":\"\",\"outcomes\":[]}", "model: it is a text"},
        {"{\"model\":1,\"outcomes\":[]}", "model: it is a text"}, {OF_MODEL(""), "at least one"}, {"{\"modle\":\"m\"}", "did you mean 'model'"}, {OF_MODEL("1"), "row 1 is no JSON object"},
        {OF_MODEL("{\"outcome\":\"a\"}"), "row 1: id is missing"}, {OF_MODEL("{\"id\":\"\",\"outcome\":\"a\"}"), "row 1: id"}, {OF_MODEL("{\"id\":1.5,\"outcome\":\"a\"}"), "whole number"},
        {OF_MODEL("{\"id\":\"a\"}"), "row 1: outcome is missing"}, {OF_MODEL("{\"id\":\"a\",\"outcome\":true}"), "row 1: outcome"},
        {OF_MODEL("{\"id\":\"a\",\"outcome\":NaN}"), "is no JSON object"}, {OF_MODEL("{\"id\":\"a\",\"outcome\":1e999}"), "is no JSON object"},
        {OF_MODEL("{\"id\":\"a\\u0000b\",\"outcome\":\"x\"}"), "is no JSON object"}, {OF_MODEL("{\"id\":\"a\",\"outcome\":\"x\"},{\"id\":\"b\",\"outcome\":\"x\",\"time\":\"soon\"}"), "row 2: time"},
        {OF_MODEL("{\"id\":\"a\",\"outcome\":\"x\",\"time\":5}"), "row 1: time"}, {OF_MODEL("{\"id\":\"a\",\"outcome\":\"x\",\"time\":\"1969-12-31\"}"), "row 1: time"},
        {OF_MODEL("{\"id\":\"a\",\"outcome\":\"x\",\"tme\":1}"), "did you mean 'time'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        monitor_body b = {0};
        fw_telemetry_outcomes o = {0};
        fw_error err = {0};
        if (monitor_body_outcomes(&o, &b, rows[i].text, strlen(rows[i].text), &err) != FW_ERR_ARG) fail_msg("%s is taken", rows[i].text);
        if (strstr(err.text, rows[i].says) == NULL) fail_msg("%s: %s", rows[i].text, err.text);
        monitor_body_destroy(&b);
    }
}

static void refuses_events_with_a_reason(void **state)
{
    (void)state;
    static const bad_row rows[] = {{"{\"name\":\"k\"}", "project is missing"}, {"{\"project\":\"p\"}", "name is missing"}, {OF_KPI(""), "at least one"},
                                   {OF_KPI("{\"value\":1}"), "row 1: id"}, {OF_KPI("{\"id\":\"a\"}"), "row 1: value"}, {OF_KPI("{\"id\":\"a\",\"value\":\"1\"}"), "row 1: value"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        monitor_body b = {0};
        fw_telemetry_kpi k = {0};
        fw_error err = {0};
        if (monitor_body_kpi(&k, &b, rows[i].text, strlen(rows[i].text), &err) != FW_ERR_ARG) fail_msg("%s is taken", rows[i].text);
        if (strstr(err.text, rows[i].says) == NULL) fail_msg("%s: %s", rows[i].text, err.text);
        monitor_body_destroy(&b);
    }
}

/** Nesting has a bound, so it ends before the stack does. */
static void deep_nesting_ends(void **state)
{
    (void)state;
    const size_t n = 1 << 20;
    char *text = malloc(n);
    monitor_body b = {0};
    fw_telemetry_outcomes o = {0};
    assert_non_null(text);
    memset(text, '[', n);
    assert_int_equal(monitor_body_outcomes(&o, &b, text, n, NULL), FW_ERR_ARG);
    monitor_body_destroy(&b);
    free(text);
}

static void reads_silences(void **state)
{
    (void)state;
    static const struct { const char *text; double s; } good[] = {{"90s", 90}, {"30min", 1800}, {"2 h", 7200}, {"7d", 604800}, {"0s", 0}, {"1.5h", 5400}};
    static const char *const bad[] = {"", "2", "h", "-1h", "2 weeks", "367d", "1e9d", "nan s", "2 h 5", "2026-03-01"};
    double s = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(monitor_silence_parse(&s, good[i].text) && s == good[i].s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (monitor_silence_parse(&s, bad[i])) fail_msg("'%s' is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(takes_outcomes), cmocka_unit_test(takes_events), cmocka_unit_test(refuses_outcomes_with_a_reason),
                                       cmocka_unit_test(refuses_events_with_a_reason), cmocka_unit_test(deep_nesting_ends), cmocka_unit_test(reads_silences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
