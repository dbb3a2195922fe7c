/** The monitor's windows and intake: what goes in is counted once, in the right window, and the reason for its close is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/size.h"
#include "monitor/intake.h"
#include "monitor/print.h"
#include "monitor/windows.h"
#include "proto/telemetry.h"

#define TOPIC FW_TOPIC_PREDICTION "m"

static fw_mono at(double seconds) { return fw_mono_after((fw_mono){0}, seconds); }

static void assert_near(double a, double b) { assert_true(a - b < 1e-9 && b - a < 1e-9); }

static void a_window_gives_counts_means_and_rate(void **state)
{
    (void)state;
    FW_AUTO(monitor_window) *w = NULL;
    assert_int_equal(monitor_window_create(&w, &(monitor_window_opts){.idle_s = 5}, 3, NULL), FW_ERR_ARG);
    assert_int_equal(monitor_window_create(&w, &(monitor_window_opts){.predictions = 4}, 3, NULL), FW_OK);
    static const struct { uint32_t label; double confidence, at_s; } table[] = {{0, 0.5, 10}, {2, 0.75, 10.5}, {2, 1.0, 11}, {0, 0.75, 12}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(monitor_window_due(w, at(table[i].at_s)), MONITOR_OPEN);
        monitor_window_add(w, table[i].label, table[i].confidence, 0, at(table[i].at_s));
    }
    monitor_window_note(w, 3);
    assert_int_equal(monitor_window_due(w, at(12)), MONITOR_FULL);
    monitor_summary s = monitor_window_close(w, MONITOR_FULL);
    assert_int_equal(s.number, 1);
    assert_int_equal(s.predictions, 4);
    assert_near(s.seconds, 2);
    assert_near(s.rate, 2);
    assert_near(s.confidence, 0.75);
    assert_int_equal(s.counts[0], 2);
    assert_int_equal(s.counts[1], 0);
    assert_int_equal(s.counts[2], 2);
    assert_int_equal(s.gaps, 3);
    assert_true(monitor_window_empty(w));

    monitor_window_add(w, 1, 1, 0, at(13));
    s = monitor_window_close(w, MONITOR_END);
    assert_int_equal(s.number, 2);
    assert_int_equal(s.counts[1], 1);
    assert_int_equal(s.counts[2], 0);
    assert_int_equal(s.gaps, 0);
    assert_near(s.seconds, 1);                    /* from the end of the full window */

    monitor_window_add(w, 1, 1, 0, at(99));
    s = monitor_window_close(w, MONITOR_IDLE);
    assert_near(s.seconds, 0);                    /* after an end a window begins with its first prediction */
    assert_near(s.rate, 0);
    assert_int_equal(s.counts[0] + s.counts[2], 0);
    assert_int_equal(s.counts[1], 1);
}

static void windows_close_for_the_stated_reason(void **state)
{
    (void)state;
    static const struct { monitor_window_opts opts; double first_s, last_s, now_s; monitor_reason reason; } table[] = {
        {{.predictions = 2}, 0, 0, 0, MONITOR_FULL},
        {{.predictions = 3, .idle_s = 5}, 0, 1, 5.9, MONITOR_OPEN},
        {{.predictions = 3, .idle_s = 5}, 0, 1, 6, MONITOR_IDLE},
        {{.predictions = 3}, 0, 1, 1000, MONITOR_OPEN},
        {{.seconds = 60, .idle_s = 5}, 0, 59, 59.5, MONITOR_OPEN},
        {{.seconds = 60, .idle_s = 5}, 0, 59, 60, MONITOR_TIME},
        {{.predictions = 2, .seconds = 60}, 0, 61, 61, MONITOR_FULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        FW_AUTO(monitor_window) *w = NULL;
        assert_int_equal(monitor_window_create(&w, &table[i].opts, 0, NULL), FW_OK);
        assert_int_equal(monitor_window_due(w, at(table[i].now_s)), MONITOR_OPEN);      /* empty windows don't close */
        monitor_window_add(w, 0, 0, 1, at(table[i].first_s));
        monitor_window_add(w, 0, 0, 3, at(table[i].last_s));
        monitor_reason reason = monitor_window_due(w, at(table[i].now_s));
        if (reason != table[i].reason) fail_msg("row %zu: %s", i, monitor_reason_text(reason));
        assert_near(monitor_window_close(w, reason).value, 2);
    }
}

/* A sink that keeps what it is told. */
typedef struct heard { size_t n_windows, n_totals; uint64_t in_windows, gaps; monitor_summary last; monitor_model total; } heard;

static void hear_window(void *context, const monitor_model *m, const monitor_summary *s)
{
    heard *h = context;
    (void)m;
    h->n_windows++;
    h->in_windows += s->predictions;
    h->gaps += s->gaps;
    h->last = *s;
}

static void hear_total(void *context, const monitor_model *m)
{
    heard *h = context;
    h->n_totals++;
    h->total = *m;
}

static monitor_intake *intake_with(heard *h, uint64_t window)
{
    monitor_intake *in = NULL;
    const monitor_sink sink = {.context = h, .window = hear_window, .total = hear_total};
    assert_int_equal(monitor_intake_create(&in, &(monitor_window_opts){.predictions = window, .idle_s = 5}, &sink, NULL), FW_OK);
    return in;
}

static const fw_stream publisher = {{1}}, another = {{2}};
static uint64_t taken;

static void take(monitor_intake *in, const char *topic, const fw_text *bytes, double at_s)
{
    assert_int_equal(monitor_intake_take(in, &publisher, ++taken, topic, bytes->data, bytes->len, at(at_s), NULL, NULL), FW_OK);
}

static void batch(fw_telemetry *t, fw_text *out, const char *topic, const char *model, size_t n, const char *const *classes, size_t n_classes)
{
    FW_AUTO(fw_text) packed = {0};
    FW_FREE uint64_t *row = calloc(n, sizeof *row);
    FW_FREE uint32_t *label = calloc(n, sizeof *label);
    FW_FREE float *confidence = calloc(n, sizeof *confidence);
    for (size_t i = 0; i < n; i++) row[i] = i, label[i] = (uint32_t)(i % n_classes), confidence[i] = 0.5f;
    const fw_told_rows rows = {.n = n, .row = row, .label = label, .confidence = confidence};
    assert_int_equal(fw_telemetry_pack_rows(&packed, model, "digest", classes, n_classes, &rows, NULL), FW_OK);
    assert_int_equal(fw_telemetry_wrap(t, out, topic, packed.data, packed.len, n, NULL), FW_OK);
}

static fw_telemetry *encoder(void)
{
    fw_telemetry *t = NULL;
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    return t;
}

static const char *const yes_no[] = {"yes", "no"};

static void every_prediction_falls_into_one_window_and_the_total(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_intake) *in = intake_with(&h, 100);
    FW_AUTO(fw_telemetry) *t = encoder();
    FW_AUTO(fw_text) bytes = {0};
    uint64_t sent = 0;
    for (size_t n = 1; n <= 60; n++) {                    /* 1 + 2 + ... + 60 = 1830, batches across the borders of windows */
        batch(t, &bytes, TOPIC, "m", n, yes_no, 2);
        take(in, TOPIC, &bytes, (double)n);
        sent += n;
        assert_int_equal(h.n_windows, sent / 100);
    }
    assert_int_equal(fw_telemetry_end(t, &bytes, TOPIC, NULL), FW_OK);
    take(in, TOPIC, &bytes, 61);
    assert_int_equal(h.n_windows, 19);
    assert_int_equal(h.last.predictions, 30);
    assert_int_equal(h.last.reason, MONITOR_END);
    assert_int_equal(h.in_windows, 1830);
    assert_int_equal(h.n_totals, 1);
    assert_int_equal(h.total.predictions, 1830);
    assert_int_equal(h.total.gaps, 0);
    assert_int_equal(monitor_intake_count(in).ends, 1);
    monitor_intake_finish(in);
    assert_int_equal(h.n_totals, 1);                      /* given once, nothing came since */
}

static void lost_messages_and_malformed_ones_are_counted(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_intake) *in = intake_with(&h, 1000);
    FW_AUTO(fw_telemetry) *t = encoder();
    FW_AUTO(fw_text) bytes = {0};
    taken += 3;
    assert_int_equal(monitor_intake_lost(in, &publisher, taken - 2, taken, NULL), FW_OK);      /* before any prediction */
    for (int i = 1; i <= 6; i++) {
        batch(t, &bytes, TOPIC, "m", 10, yes_no, 2);
        if (i == 4) taken += 2, assert_int_equal(monitor_intake_lost(in, &publisher, taken - 1, taken, NULL), FW_OK);
        if (i == 5) assert_int_equal(monitor_intake_lost(in, &another, 1, 7, NULL), FW_OK);      /* of which no prediction was seen */
        take(in, TOPIC, &bytes, i);
    }
    take(in, TOPIC, &(fw_text){.data = (char *)(uintptr_t) "junk", .len = 4}, 10);
    take(in, "weather/today", &bytes, 10);
    monitor_intake_finish(in);
    assert_int_equal(h.total.predictions, 60);
    assert_int_equal(h.total.gaps, 2);
    assert_int_equal(h.gaps, 2);
    assert_int_equal(monitor_intake_count(in).gaps, 10);
    assert_int_equal(monitor_intake_count(in).malformed, 2);
}

/** Whoever of them spoke last. */
static void lost_messages_are_a_gap_of_each_model_of_their_publisher(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_intake) *in = intake_with(&h, 1000);
    FW_AUTO(fw_telemetry) *t = encoder();
    FW_AUTO(fw_text) bytes = {0};
    batch(t, &bytes, TOPIC, "m", 10, yes_no, 2);
    take(in, TOPIC, &bytes, 1);
    batch(t, &bytes, TOPIC, "second", 10, yes_no, 2);
    take(in, TOPIC, &bytes, 2);
    batch(t, &bytes, TOPIC, "m", 10, yes_no, 2);
    assert_int_equal(monitor_intake_take(in, &another, 1, TOPIC, bytes.data, bytes.len, at(3), NULL, NULL), FW_OK);
    assert_int_equal(monitor_intake_lost(in, &publisher, taken + 1, taken + 3, NULL), FW_OK);
    assert_int_equal(monitor_intake_lost(in, &another, 2, 3, NULL), FW_OK);
    taken += 3;
    monitor_intake_finish(in);
    assert_int_equal(h.n_totals, 2);
    assert_int_equal(h.gaps, (3 + 2) + 3);
    assert_int_equal(monitor_intake_count(in).gaps, 0);
}

static void a_model_may_not_change_its_classes(void **state)
{
    (void)state;
    static const char *const other[] = {"yes", "maybe"};
    heard h = {0};
    FW_AUTO(monitor_intake) *in = intake_with(&h, 1000);
    FW_AUTO(fw_telemetry) *t = encoder();
    FW_AUTO(fw_text) bytes = {0};
    batch(t, &bytes, TOPIC, "m", 10, yes_no, 2);
    take(in, TOPIC, &bytes, 0);
    batch(t, &bytes, TOPIC, "m", 10, other, 2);
    fw_error why = {0};
    assert_int_equal(monitor_intake_take(in, &publisher, ++taken, TOPIC, bytes.data, bytes.len, at(0), &why, NULL), FW_OK);
    assert_non_null(strstr(why.text, "classes"));
    monitor_intake_finish(in);
    assert_int_equal(h.total.predictions, 10);
    assert_int_equal(monitor_intake_count(in).malformed, 1);
}

static void beyond_a_thousand_models_the_rest_is_refused(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_intake) *in = intake_with(&h, 1000);
    FW_AUTO(fw_telemetry) *t = encoder();
    FW_AUTO(fw_text) bytes = {0};
    for (unsigned i = 0; i < MONITOR_MAX_MODELS + 5; i++) {
        char model[32];
        snprintf(model, sizeof model, "m%u", i);
        batch(t, &bytes, TOPIC, model, 2, yes_no, 2);
        take(in, TOPIC, &bytes, 0);
    }
    assert_int_equal(monitor_intake_count(in).refused, 5);
    monitor_intake_tick(in, at(5));
    assert_int_equal(h.n_windows, MONITOR_MAX_MODELS);
    assert_int_equal(h.last.reason, MONITOR_IDLE);
}

static void print_one(char **text, bool jsonl)
{
    size_t len = 0;
    FILE *out = open_memstream(text, &len);
    assert_non_null(out);
    monitor_printer printer = {.out = out, .jsonl = jsonl};
    monitor_sink sink = monitor_print_sink(&printer);
    char *classes[] = {(char *)(uintptr_t) "a\"\n", (char *)(uintptr_t) "b", (char *)(uintptr_t) "c"};
    const uint64_t counts[] = {1, 0, 3};
    const monitor_model m = {.name = (char *)(uintptr_t) "adult", .digest = (char *)(uintptr_t) "0123456789", .classes = classes, .n_classes = 3,
                             .predictions = 4, .gaps = 1};
    const monitor_summary s = {.number = 1, .predictions = 4, .confidence = 0.5, .counts = counts, .n_classes = 3, .reason = MONITOR_FULL};
    sink.window(sink.context, &m, &s);
    sink.total(sink.context, &m);
    const fw_inbox_publisher p = {.name = "p@h", .endpoint = "tcp://h:1", .produced = 10, .delivered = 4, .spooled = 3, .dropped = {[FW_DROP_FULL] = 3},
                                  .position = 8, .lost = 1, .adds_up = true};
    monitor_print_publisher(&printer, &p);
    monitor_print_rest(&printer, &(monitor_counts){.malformed = 1}, 2);
    fclose(out);
    assert_false(printer.failed);
}

static void lines_say_what_was_counted(void **state)
{
    (void)state;
    FW_FREE char *table = NULL;
    FW_FREE char *jsonl = NULL;
    print_one(&table, false);
    assert_non_null(strstr(table, "total adult 4 predictions, 1 gaps"));
    assert_non_null(strstr(table, "  c 75.0%  a\"? 25.0%\n"));      /* the most frequent first, no control characters */
    assert_non_null(strstr(table, "3 malformed"));
    assert_non_null(strstr(table, "publisher p@h (tcp://h:1): 10 messages produced, 4 delivered, 3 spooled, 3 dropped (full 3); here up to 8, 1 lost"));
    print_one(&jsonl, true);
    assert_non_null(strstr(jsonl, "\"classes\":{\"a\\\"\\n\":0.25,\"c\":0.75}"));
    assert_non_null(strstr(jsonl, "\"event\":\"total\""));
    assert_non_null(strstr(jsonl, "\"produced\":10,\"delivered\":4,\"spooled\":3,\"dropped\":{\"queue\":0,\"full\":3,\"disk\":0,\"lost\":0}"));
    size_t lines = 0;
    for (const char *c = jsonl; *c != '\0'; c++) lines += *c == '\n';
    assert_int_equal(lines, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_gives_counts_means_and_rate),
        cmocka_unit_test(windows_close_for_the_stated_reason),
        cmocka_unit_test(every_prediction_falls_into_one_window_and_the_total),
        cmocka_unit_test(lost_messages_and_malformed_ones_are_counted),
        cmocka_unit_test(lost_messages_are_a_gap_of_each_model_of_their_publisher),
        cmocka_unit_test(a_model_may_not_change_its_classes),
        cmocka_unit_test(beyond_a_thousand_models_the_rest_is_refused),
        cmocka_unit_test(lines_say_what_was_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
