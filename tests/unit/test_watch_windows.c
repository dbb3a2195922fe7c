/** Windows of time: which window rows are counted in, what late rows amend, clocks that jump, and a watch that goes on in the middle of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "common/core/text.h"
#include "monitor/bodies.h"
#include "tests/unit/watch_fixture.h"

#define SECOND INT64_C(1000000)
#define LENGTH (60 * SECOND)
#define FIRST  28000000                /* a window of 60 s, in 2023 */

/** Second s of window FIRST. */
static int64_t moment(double s) { return FIRST * LENGTH + (int64_t)(s * 1e6); }

static monitor_watch *begin_watch(monitor_store *store, double seconds)
{
    monitor_watch *w = NULL;
    monitor_watch_opts o = options(store, NULL);
    o.window = (monitor_window_opts){.seconds = seconds, .idle_s = 5};
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    return w;
}

/** Ten rows of one second, which ends there. */
static void rows_at(monitor_watch *w, const uint64_t *count, double s)
{
    static uint64_t number;
    fw_error why = {0};
    tell_span(w, count, ++number, moment(s - 1), moment(s), 0, &why);
    if (why.status != FW_OK) fail_msg("%s", why.text);
}

static void tick(monitor_watch *w, double at_s) { assert_int_equal(monitor_watch_tick(w, at(at_s), NULL), FW_OK); }

/* ---- what the store has of a window ---- */

typedef struct row { int64_t number, rows, revised, from_us, to_us; char closed[8]; double missing, evidence, p[3]; } row;      /* p: seconds of half the rows, 90 %, 99 %; NaN: not known */

static double percentile(const char *body, const char *name)
{
    char key[16];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *value = strstr(body, key) + strlen(key);
    return strncmp(value, "null", 4) == 0 ? NAN : atof(value);
}

static fw_status take_window(void *context, const monitor_window_row *r, fw_error *err)
{
    (void)err;
    static const char *const names[] = {"p50", "p90", "p99"};
    row *o = context;
    o->number = r->number;
    o->rows += r->rows;
    o->revised = r->revised;
    o->from_us = r->from_us;
    o->to_us = r->to_us;
    snprintf(o->closed, sizeof o->closed, "%s", r->closed);
    for (size_t i = 0; i < 3; i++) o->p[i] = percentile(r->body, names[i]);
    return FW_OK;
}

static fw_status take_drift(void *context, const monitor_drift_row *r, fw_error *err)
{
    (void)err;
    row *o = context;
    if (strcmp(r->feature, "age") != 0 || strcmp(r->test, "missing_rate") != 0) return FW_OK;
    o->missing = r->statistic;
    o->evidence = r->evidence;
    return FW_OK;
}

/** rows 0: there is none. number 0: the rows of all. */
static row window_in(const char *file, int64_t number)
{
    FW_AUTO(monitor_reader) *r = NULL;
    const monitor_query q = {.window = number};
    row o = {0};
    assert_int_equal(monitor_reader_open(&r, file, NULL), FW_OK);
    assert_int_equal(monitor_read_window(r, &q, take_window, &o, NULL), FW_OK);
    assert_int_equal(monitor_read_drift(r, &q, take_drift, &o, NULL), FW_OK);
    return o;
}

static fw_status count_window_state(void *context, const monitor_state_row *r, fw_error *err)
{
    (void)err;
    *(size_t *)context += strncmp(r->key, "window/", 7) == 0;
    return FW_OK;
}

static size_t states_in(const char *file)
{
    FW_AUTO(monitor_reader) *r = NULL;
    size_t n = 0;
    assert_int_equal(monitor_reader_open(&r, file, NULL), FW_OK);
    assert_int_equal(monitor_read_state(r, NULL, count_window_state, &n, NULL), FW_OK);
    return n;
}

static fw_status take_waiting(void *context, const monitor_state_row *r, fw_error *err)
{
    (void)err;
    if (strncmp(r->key, "drift/", 6) == 0) memcpy(context, (const char *)r->bytes.data + 9 * sizeof(uint64_t), sizeof(uint64_t));
    return FW_OK;
}

static fw_status take_misplaced(void *context, const monitor_state_row *r, fw_error *err)
{
    (void)err;
    fw_text_add_bytes(context, r->bytes.data, r->bytes.len);
    return FW_OK;
}

/** What /metrics shows of rows that are not in the window of their time. */
static void assert_misplaced(const char *file, unsigned late, unsigned clock)
{
    FW_AUTO(monitor_reader) *r = NULL;
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_text) expected = {0};
    fw_text_format(&expected, "{\"late\":%u,\"clock\":%u}", late, clock);
    assert_int_equal(monitor_reader_open(&r, file, NULL), FW_OK);
    assert_int_equal(monitor_read_state(r, &(monitor_query){.name = MONITOR_MISPLACED_KEY "1"}, take_misplaced, &bytes, NULL), FW_OK);
    assert_string_equal(bytes.data, expected.data);
}

/** Rows that were not looked at yet. */
static uint64_t waiting_in(const char *file)
{
    FW_AUTO(monitor_reader) *r = NULL;
    uint64_t rows = 0;
    assert_int_equal(monitor_reader_open(&r, file, NULL), FW_OK);
    assert_int_equal(monitor_read_state(r, NULL, take_waiting, &rows, NULL), FW_OK);
    return rows;
}

/** Never below, at most a bin above. */
static bool about(double told, double seconds) { return told >= seconds && told <= seconds * 1.0911; }

/* ---- tests ---- */

static void rows_are_counted_where_they_end_and_windows_begin_at_multiples(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 60);
    monitor_place p;
    tell_model(w, 0);
    rows_at(w, LIKE, 59.999999);
    rows_at(w, LIKE, 60);                          /* from 59: it is of window 1, which shows from 60 on */
    rows_at(w, LIKE, 61.9);
    assert_true(monitor_watch_place(&p, w, "m", "d", moment(59.999999)) && p.window == FIRST);
    assert_true(monitor_watch_place(&p, w, "m", "d", moment(60)) && p.window == FIRST + 1);
    tick(w, 0);
    keep(w, store);
    assert_int_equal(window_in(path, FIRST).rows, 0);      /* the grace is not over */
    rows_at(w, LIKE, 62);
    tick(w, 0);
    keep(w, store);
    row r = window_in(path, FIRST);
    assert_true(r.rows == 10 && r.revised == 0 && r.from_us == moment(58.999999) && r.to_us == moment(59.999999));
    assert_string_equal(r.closed, "time");
    assert_int_equal(window_in(path, FIRST + 1).rows, 0);
    tick(w, 4.9);
    keep(w, store);
    assert_int_equal(window_in(path, FIRST + 1).rows, 0);
    tick(w, 5.1);                                  /* nothing came, and its time is over by this clock too */
    keep(w, store);
    r = window_in(path, FIRST + 1);
    assert_true(r.rows == 30 && r.from_us == moment(60) && r.to_us == moment(62));
    assert_string_equal(r.closed, "idle");
    rows_at(w, LIKE, 500);
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
    assert_string_equal(window_in(path, FIRST + 8).closed, "end");
    assert_int_equal(window_in(path, 0).rows, 50);
}

static void a_window_that_is_not_over_stays_open_when_nothing_comes(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 86400);
    fw_error why = {0};
    const int64_t now_us = fw_utc_now_us();
    tell_model(w, 0);
    tell_span(w, LIKE, 1, now_us, now_us, 0, &why);
    tick(w, 60);
    keep(w, store);
    assert_int_equal(window_in(path, 0).rows, 0);
}

typedef struct heard { size_t n; uint64_t rows[2], revised[2], missing[2]; } heard;      /* of two windows: as they were told of last */

static fw_status hear(void *context, const monitor_closed *c, fw_error *err)
{
    (void)err;
    heard *h = context;
    const size_t i = c->place.window - FIRST;
    if (i > 1) return FW_OK;
    h->n++;
    h->rows[i] = c->rows;
    h->revised[i] = c->revised;
    h->missing[i] = fw_summary_counts(c->counts, 0)[fw_bins_missing(fw_summary_bins(c->counts, 0))];
    return FW_OK;
}

static void late_rows_amend_their_window_and_are_evidence_once(void **state)
{
    (void)state;
    char other[sizeof path + 16];
    snprintf(other, sizeof other, "%s.order", path);
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_store) *ordered = open_store(other);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 60);
    FW_AUTO(monitor_watch) *in_order = begin_watch(ordered, 60);
    heard h = {0};
    monitor_watch_tell(w, &(monitor_watch_hearer){&h, hear});
    tell_model(w, 0);
    tell_model(in_order, 0);
    for (int i = 0; i < 170; i++) rows_at(w, LIKE, i);                           /* one publisher is ahead */
    tick(w, 0);
    assert_true(h.n == 2 && h.rows[0] == 600 && h.revised[0] == 0 && h.missing[0] == 60);
    for (int i = 0; i < 120; i++) rows_at(w, OTHER, i);                          /* the other one lags */
    tick(w, 0);
    assert_true(h.n == 4 && h.rows[0] == 1200 && h.revised[0] == 1 && h.missing[0] == 660 && h.rows[1] == 1200 && h.revised[1] == 1);
    tick(w, 0);
    assert_int_equal(h.n, 4);                                                    /* nothing new */
    keep(w, store);
    const row amended = window_in(path, FIRST), before = window_in(path, FIRST + 2);
    assert_true(amended.rows == 1200 && amended.revised == 1 && before.rows == 0);
    assert_true(amended.evidence < 1);                                           /* of when it was closed */
    rows_at(w, LIKE, 250);
    tick(w, 0);
    keep(w, store);
    assert_true(window_in(path, FIRST + 2).evidence > 5);                        /* the late rows are in it */
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
    for (int i = 0; i < 170; i++) {
        rows_at(in_order, LIKE, i);
        if (i < 120) rows_at(in_order, OTHER, i);
    }
    rows_at(in_order, LIKE, 250);
    assert_int_equal(monitor_watch_finish(in_order, NULL), FW_OK);
    keep(in_order, ordered);
    for (int64_t i = FIRST; i <= FIRST + 4; i++) {                               /* the same windows as if nobody had been late */
        const row a = window_in(path, i), b = window_in(other, i);
        assert_true(a.rows == b.rows && a.from_us == b.from_us && a.to_us == b.to_us);
        assert_memory_equal(&a.missing, &b.missing, sizeof a.missing);
    }
    assert_int_equal(window_in(path, 0).rows, 2910);
}

static void times_are_those_of_the_rows_of_whom_they_are_told(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 60);
    fw_error why = {0};
    tell_model(w, 0);
    for (uint64_t i = 1; i <= 20; i++) tell_times(w, LIKE, false, i, moment(10), moment(11), 0, &why);        /* they know nothing of times */
    rows_at(w, LIKE, 70);
    tick(w, 0);
    keep(w, store);
    assert_true(window_in(path, FIRST).rows == 200 && isnan(window_in(path, FIRST).p[0]) && isnan(window_in(path, FIRST).p[2]));
    monitor_watch_destroy(&w);
    w = begin_watch(store, 60);
    assert_int_equal(monitor_watch_restore(w, path, at(0), NULL), FW_OK);
    rows_at(w, OTHER, 20);                                                       /* late */
    for (int i = 0; i < 9; i++) rows_at(w, LIKE, 21 + i);
    tick(w, 0);
    keep(w, store);
    const row r = window_in(path, FIRST);
    assert_int_equal(r.rows, 300);
    assert_true(about(r.p[0], 1e-3) && about(r.p[1], 1e-3) && about(r.p[2], 1));
}

/** Late rows alone, and nothing else comes: they are looked at all the same. */
static void late_rows_get_a_look_when_no_window_is_open(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 60);
    tell_model(w, 0);
    for (int i = 0; i < 60; i++) rows_at(w, LIKE, i);
    tick(w, 6);
    for (int i = 0; i < 60; i++) rows_at(w, OTHER, i);
    tick(w, 4);
    keep(w, store);
    assert_int_equal(waiting_in(path), 600);
    tick(w, 6);
    keep(w, store);
    assert_int_equal(waiting_in(path), 0);
    rows_at(w, LIKE, 100);
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
    assert_true(window_in(path, FIRST).rows == 1200 && window_in(path, FIRST).revised == 1);
    assert_true(window_in(path, FIRST + 1).evidence > 5);
}

static void a_clock_that_jumps_counts_as_now(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 3600);
    fw_error why = {0};
    monitor_place p;
    const int64_t hour = 3600 * SECOND, before_us = fw_utc_now_us();
    tell_model(w, 0);
    tell_span(w, LIKE, 1, before_us + 2 * hour, before_us + 2 * hour, 0, &why);      /* ahead */
    tell_span(w, LIKE, 2, 0, 5, 0, &why);                                            /* no clock at all */
    tell_span(w, LIKE, 3, 7, before_us + hour / 2, 0, &why);                         /* a little ahead is as it says; its beginning is not */
    assert_true(monitor_watch_place(&p, w, "m", "d", before_us + 3 * hour));
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
    const int64_t after_us = fw_utc_now_us();
    assert_true((int64_t)p.window >= before_us / hour && (int64_t)p.window <= after_us / hour);
    row all = window_in(path, 0);
    assert_int_equal(all.rows, 30);
    assert_true(all.number == (before_us + hour / 2) / hour && all.from_us <= all.to_us);
    assert_int_equal(window_in(path, (before_us + 2 * hour) / hour).rows, 0);
    assert_int_equal(window_in(path, 0).rows, 30);
    assert_misplaced(path, 0, 30);
}

/** Two publishers, one of them 100 s behind, 240 s long; killed: after so many seconds another watch goes on from the store. */
static void live(const char *file, int killed)
{
    FW_AUTO(monitor_store) *store = open_store(file);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 60);
    tell_model(w, 0);
    for (int i = 1; i < 340; i++) {
        if (i < 240) rows_at(w, i < 120 ? LIKE : OTHER, i);
        if (i >= 100) rows_at(w, LIKE, i - 100);
        if (i % 7 == 0) tick(w, 0);
        if (i != killed) continue;
        keep(w, store);
        rows_at(w, OTHER, i);                                     /* came, and was not kept */
        monitor_watch_destroy(&w);
        w = begin_watch(store, 60);
        assert_int_equal(monitor_watch_restore(w, file, at(0), NULL), FW_OK);
    }
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
}

static void a_watch_goes_on_in_the_middle_to_the_same_bits(void **state)
{
    (void)state;
    char other[sizeof path + 16];
    live(path, 0);
    assert_int_equal(window_in(path, 0).rows, 2390 + 2400);
    assert_true(window_in(path, FIRST).revised > 1 && window_in(path, FIRST + 3).evidence > 5);
    assert_true(about(window_in(path, FIRST + 3).p[0], 1e-3) && about(window_in(path, FIRST + 3).p[1], 1));
    for (int killed = 50; killed < 340; killed += 43) {
        snprintf(other, sizeof other, "%s.%d", path, killed);
        live(other, killed);
        for (int64_t i = FIRST; i < FIRST + 4; i++) {
            const row a = window_in(path, i), b = window_in(other, i);
            assert_true(a.rows == b.rows && a.revised == b.revised && a.from_us == b.from_us && a.to_us == b.to_us && strcmp(a.closed, b.closed) == 0);
            assert_memory_equal(&a.missing, &b.missing, sizeof a.missing);
            assert_memory_equal(a.p, b.p, sizeof a.p);
            assert_memory_equal(&a.evidence, &b.evidence, sizeof a.evidence);
        }
    }
}

static void what_is_older_than_is_held_stays_as_it_is_and_is_evidence(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 60);
    tell_model(w, 0);
    for (int i = 0; i < 100; i++) {
        rows_at(w, LIKE, 60 * i + 30);
        tick(w, 0);
        keep(w, store);
        assert_true(states_in(path) <= 65);
    }
    monitor_watch_destroy(&w);
    w = begin_watch(store, 60);
    assert_int_equal(monitor_watch_restore(w, path, at(0), NULL), FW_OK);
    for (int i = 0; i < 300; i++) rows_at(w, OTHER, 30);                         /* window 0: it left long ago */
    for (int i = 0; i < 100; i++) rows_at(w, OTHER, -600);                       /* never there, and older than what is held */
    rows_at(w, OTHER, 60 * 35 + 10);                                             /* the oldest that is held: 35 to 98; 99 is open */
    rows_at(w, OTHER, 60 * 34 + 10);
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
    assert_true(window_in(path, FIRST).rows == 10 && window_in(path, FIRST).revised == 0);
    assert_true(window_in(path, FIRST + 34).rows == 10 && window_in(path, FIRST + 35).rows == 20 && window_in(path, FIRST + 35).revised == 1);
    assert_int_equal(window_in(path, FIRST - 10).rows, 0);
    assert_int_equal(window_in(path, 0).rows, 1000 + 10);
    assert_true(window_in(path, FIRST + 99).evidence > 5);
    assert_int_equal(states_in(path), 64);
    assert_misplaced(path, 3000 + 1000 + 10, 0);
}

static void windows_of_another_length_are_closed_when_a_watch_goes_on(void **state)
{
    (void)state;
    static const double lengths[] = {60, 3600, 0};      /* 0: of 100 rows */
    FW_AUTO(monitor_store) *store = open_store(path);
    int64_t rows = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        FW_AUTO(monitor_watch) *w = NULL;
        monitor_watch_opts o = options(store, NULL);
        if (lengths[i] > 0) o.window = (monitor_window_opts){.seconds = lengths[i], .idle_s = 5};
        assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
        assert_int_equal(monitor_watch_restore(w, path, at(0), NULL), FW_OK);
        if (i == 0) tell_model(w, 0);
        tick(w, 0);
        for (int k = 0; k < 70; k++, rows += 10) rows_at(w, LIKE, 300 * (double)i + k);
        tick(w, 0);
        keep(w, store);
    }
    FW_AUTO(monitor_watch) *last = begin_watch(store, 60);
    assert_int_equal(monitor_watch_restore(last, path, at(0), NULL), FW_OK);
    assert_int_equal(monitor_watch_finish(last, NULL), FW_OK);
    keep(last, store);
    assert_int_equal(window_in(path, 0).rows, rows);
}

/** One publisher may tell of features, the other may not. */
static void sets_of_bins_share_the_row_of_a_window(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = begin_watch(store, 60);
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_reference) *outputs = NULL;
    FW_AUTO(fw_text) model = {0};
    FW_AUTO(fw_text) rows = {0};
    fw_error why = {0};
    assert_int_equal(fw_reference_outputs(&outputs, r, NULL), FW_OK);
    tell_model(w, 0);
    const fw_telemetry_model m = {.name = "m", .digest = "d", .classes = CLASSES, .n_classes = 2, .reference = outputs};
    assert_int_equal(fw_telemetry_pack_model(&model, &m, NULL), FW_OK);
    give(w, FW_TOPIC_MODEL "m", &model, 0, &why);
    const size_t skipped = COUNTS - fw_summary_total(outputs->summary);
    const fw_telemetry_summary s = {.model = "m", .digest = "d", .shape = fw_summary_shape(outputs->summary), .window = 1, .rows = 10, .from_us = moment(20),
                                    .to_us = moment(25), .count = LIKE + skipped, .n = COUNTS - skipped};
    assert_int_equal(fw_telemetry_pack_summary(&rows, &s, NULL), FW_OK);
    give(w, FW_TOPIC_SUMMARY "m", &rows, 0, &why);
    assert_int_equal(why.status, FW_OK);
    rows_at(w, LIKE, 10);
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
    const row o = window_in(path, FIRST);
    assert_true(o.rows == 20 && o.from_us == moment(9) && o.to_us == moment(25));
    assert_true(look_into(path).windows == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_counted_where_they_end_and_windows_begin_at_multiples, begin, end),
        cmocka_unit_test_setup_teardown(a_window_that_is_not_over_stays_open_when_nothing_comes, begin, end),
        cmocka_unit_test_setup_teardown(late_rows_amend_their_window_and_are_evidence_once, begin, end),
        cmocka_unit_test_setup_teardown(times_are_those_of_the_rows_of_whom_they_are_told, begin, end),
        cmocka_unit_test_setup_teardown(late_rows_get_a_look_when_no_window_is_open, begin, end),
        cmocka_unit_test_setup_teardown(a_clock_that_jumps_counts_as_now, begin, end),
        cmocka_unit_test_setup_teardown(a_watch_goes_on_in_the_middle_to_the_same_bits, begin, end),
        cmocka_unit_test_setup_teardown(what_is_older_than_is_held_stays_as_it_is_and_is_evidence, begin, end),
        cmocka_unit_test_setup_teardown(windows_of_another_length_are_closed_when_a_watch_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(sets_of_bins_share_the_row_of_a_window, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
