/** A watch and what is told to it: model "m" of the reference fixture, ten rows a summary; what the store then has. Include behind cmocka.h. */
#ifndef FW_TESTS_WATCH_FIXTURE_H
#define FW_TESTS_WATCH_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "monitor/watch_models.h"
#include "tests/unit/reference_fixture.h"
#include "tests/unit/store_fixture.h"

static const char *const CLASSES[] = {"no", "yes"};
static const uint64_t LIKE[] = {1, 2, 3, 3, 0, 1, 6, 3, 1, 0, 6, 4, 0, 0, 2, 8, 0, 0, 6, 4, 0, 0};         /* 10 rows in each of five columns */
static const uint64_t OTHER[] = {0, 0, 0, 0, 0, 10, 6, 3, 1, 0, 6, 4, 0, 0, 2, 8, 0, 0, 6, 4, 0, 0};      /* "age" is missing */
enum { COUNTS = sizeof LIKE / sizeof *LIKE };

static inline monitor_watch_opts options(monitor_store *store, monitor_alert_desk *desk)
{
    monitor_watch_opts o = {.window = {.predictions = 100, .idle_s = 5}, .drift = {.false_alarms = 0.05}, .store = store, .desk = desk};
    for (size_t i = 0; i < MONITOR_N_DETECTORS; i++) o.drift.threshold[i] = 0.1;
    o.drift.opens[MONITOR_PSI] = o.drift.opens[MONITOR_MISSING_RATE] = true;
    return o;
}

static inline fw_mono at(double seconds) { return (fw_mono){.ns = 1 + (int64_t)(seconds * 1e9)}; }

static inline void give(monitor_watch *w, const char *topic, const fw_text *packed, double at_s, fw_error *why)
{
    FW_AUTO(fw_telemetry) *t = NULL;
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    assert_int_equal(fw_telemetry_wrap(t, &bytes, topic, packed->data, packed->len, 0, NULL), FW_OK);
    assert_int_equal(fw_telemetry_decode(&b, topic, bytes.data, bytes.len, NULL), FW_OK);
    assert_int_equal(monitor_watch_take(w, b, bytes.data, bytes.len, at(at_s), why, NULL), FW_OK);
}

static inline void tell_model(monitor_watch *w, double at_s)
{
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_reference) *r = make_reference();
    fw_error why = {0};
    const fw_telemetry_model model = {.name = "m", .digest = "d", .classes = CLASSES, .n_classes = 2, .reference = r};
    assert_int_equal(fw_telemetry_pack_model(&packed, &model, NULL), FW_OK);
    give(w, FW_TOPIC_MODEL "m", &packed, at_s, &why);
    assert_int_equal(why.status, FW_OK);
}

/** Ten rows of a publisher, between two moments. They took a millisecond each, OTHER ones a second; took: whether that is told. */
static inline void tell_times(monitor_watch *w, const uint64_t *count, bool took, uint64_t window, int64_t from_us, int64_t to_us, double at_s, fw_error *why)
{
    fw_times times = {0};
    fw_times_add(&times, count == OTHER ? 1000000000 : 1000000, 10);
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_reference) *r = make_reference();
    const fw_telemetry_summary s = {.model = "m", .digest = "d", .shape = fw_summary_shape(r->summary), .window = window, .rows = 10, .from_us = from_us,
                                    .to_us = to_us, .count = count, .n = COUNTS, .latency = times.count, .n_latency = took ? FW_TIMES_N : 0};
    assert_int_equal(fw_telemetry_pack_summary(&packed, &s, NULL), FW_OK);
    give(w, FW_TOPIC_SUMMARY "m", &packed, at_s, why);
}

static inline void tell_span(monitor_watch *w, const uint64_t *count, uint64_t window, int64_t from_us, int64_t to_us, double at_s, fw_error *why)
{
    tell_times(w, count, true, window, from_us, to_us, at_s, why);
}

static inline void tell_rows(monitor_watch *w, const uint64_t *count, uint64_t window, double at_s, fw_error *why)
{
    tell_span(w, count, window, 1000000 * (int64_t)window, 1000000 * (int64_t)window + 500000, at_s, why);
}

static inline void tell_many(monitor_watch *w, const uint64_t *count, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        fw_error why = {0};
        tell_rows(w, count, i, 0.001 * (double)i, &why);
        if (why.status != FW_OK) fail_msg("%s", why.text);
    }
}

typedef struct found { size_t windows, figures; int64_t rows, last, from_us, to_us, gaps; char closed[8]; double statistic, evidence; } found;

static inline fw_status note_window(void *context, const monitor_window_row *row, fw_error *err)
{
    (void)err;
    found *s = context;
    s->windows++;
    s->rows += row->rows;
    s->last = row->number;
    s->from_us = row->from_us;
    s->to_us = row->to_us;
    s->gaps += atoll(strstr(row->body, "\"gaps\":") + strlen("\"gaps\":"));
    snprintf(s->closed, sizeof s->closed, "%s", row->closed);
    return FW_OK;
}

static inline fw_status note_drift(void *context, const monitor_drift_row *row, fw_error *err)
{
    (void)err;
    found *s = context;
    s->figures++;
    if (strcmp(row->feature, "age") != 0 || strcmp(row->test, "missing_rate") != 0) return FW_OK;
    s->statistic = row->statistic;
    s->evidence = row->evidence;
    return FW_OK;
}

static inline found look_into(const char *file)
{
    FW_AUTO(monitor_reader) *r = NULL;
    found s = {0};
    assert_int_equal(monitor_reader_open(&r, file, NULL), FW_OK);
    assert_int_equal(monitor_read_window(r, NULL, note_window, &s, NULL), FW_OK);
    assert_int_equal(monitor_read_drift(r, NULL, note_drift, &s, NULL), FW_OK);
    return s;
}

static inline monitor_store *open_store(const char *file)
{
    monitor_store *store = NULL;
    fw_error err = {0};
    if (monitor_store_open(&store, &(monitor_store_opts){.path = file}, &err) != FW_OK) fail_msg("%s", err.text);
    return store;
}

static inline void keep(monitor_watch *w, monitor_store *store)
{
    assert_int_equal(monitor_watch_save(w, NULL), FW_OK);
    assert_int_equal(monitor_store_commit(store, NULL), FW_OK);
}

#endif
