/** What the monitor counts goes on after its end, however it came: every prediction in one window, none twice, whatever was committed when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "monitor/recorder.h"
#include "proto/telemetry.h"
#include "tests/unit/store_fixture.h"

#define TOPIC FW_TOPIC_PREDICTION "m"
static const char *const yes_no[] = {"yes", "no"};

/** The next sink: what was shown. */
typedef struct shown { uint64_t windows, predictions, last; monitor_model total; } shown;

static void show_window(void *context, const monitor_model *m, const monitor_summary *s)
{
    shown *v = context;
    (void)m;
    v->windows++;
    v->predictions += s->predictions;
    v->last = s->number;
}

static void show_total(void *context, const monitor_model *m)
{
    shown *v = context;
    v->total = *m;
}

/** A monitor without a bus. */
typedef struct desk { shown shown; monitor_store *store; monitor_recorder *recorder; monitor_intake *in; } desk;

static void start(desk *d)
{
    const monitor_sink last = {&d->shown, show_window, show_total};
    fw_error err = {0};
    d->store = open_with((monitor_store_opts){0});
    assert_int_equal(monitor_recorder_create(&d->recorder, d->store, &last, NULL), FW_OK);
    const monitor_sink sink = monitor_recorder_sink(d->recorder);
    assert_int_equal(monitor_intake_create(&d->in, &(monitor_window_opts){.predictions = 100}, &sink, NULL), FW_OK);
    if (monitor_recorder_restore(d->in, path, fw_mono_now(), &err) != FW_OK) fail_msg("%s", err.text);
}

/** As if it was killed: nothing is finished or committed. */
static void stop(desk *d)
{
    monitor_intake_destroy(&d->in);
    monitor_recorder_destroy(&d->recorder);
    monitor_store_close(&d->store);
}

static void commit_desk(desk *d)
{
    fw_error err = {0};
    if (monitor_recorder_commit(d->recorder, d->in, &err) != FW_OK) fail_msg("%s", err.text);
}

#define BATCHES 60
static void make_batches(fw_text batch[BATCHES])
{
    FW_AUTO(fw_telemetry) *t = NULL;
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    for (size_t i = 0; i < BATCHES; i++) {                /* 1 + 2 + ... + 60 = 1830 predictions, across the borders of windows */
        FW_AUTO(fw_text) packed = {0};
        uint64_t row[BATCHES];
        uint32_t label[BATCHES];
        float confidence[BATCHES];
        for (size_t k = 0; k <= i; k++) row[k] = k, label[k] = (uint32_t)(k % 2), confidence[k] = 0.75f;
        const fw_told_rows rows = {.n = i + 1, .row = row, .label = label, .confidence = confidence};
        assert_int_equal(fw_telemetry_pack_rows(&packed, "m", "digest", yes_no, 2, &rows, NULL), FW_OK);
        assert_int_equal(fw_telemetry_wrap(t, &batch[i], TOPIC, packed.data, packed.len, i + 1, NULL), FW_OK);
    }
}

static const fw_stream publisher = {{1}};

static void take(desk *d, const fw_text *batch, size_t i)
{
    assert_int_equal(monitor_intake_take(d->in, &publisher, i + 1, TOPIC, batch[i].data, batch[i].len, fw_mono_now(), NULL, NULL), FW_OK);
}

static fw_status see_model(void *context, const monitor_model_row *m, fw_error *err)
{
    (void)err;
    assert_string_equal(m->classes, "[\"yes\",\"no\"]");
    *(int64_t *)context = m->predictions;
    return FW_OK;
}

static void a_monitor_goes_on_where_the_last_commit_was(void **state)
{
    (void)state;
    fw_text batch[BATCHES] = {{0}};
    desk d = {0};
    make_batches(batch);
    for (size_t at = 0, kills = 0; at < BATCHES; kills++) {
        start(&d);
        const size_t from = at, committed = FW_MIN(from + kills % 7 + 1, (size_t)BATCHES);
        for (size_t i = from > 3 ? from - 3 : 0; i < committed; i++) take(&d, batch, i);      /* some come again */
        commit_desk(&d);
        for (size_t i = committed; i < committed + kills % 3 && i < BATCHES; i++) take(&d, batch, i);      /* taken, not committed */
        stop(&d);
        at = committed;
    }
    start(&d);
    monitor_intake_finish(d.in);
    commit_desk(&d);
    assert_int_equal(d.shown.total.predictions, 1830);
    assert_int_equal(d.shown.total.gaps, 0);
    const seen v = look(NULL);
    assert_int_equal(v.rows, 1830);
    assert_int_equal(v.n, 19);
    assert_int_equal(v.last, 19);
    FW_AUTO(monitor_reader) *r = reader();
    int64_t predictions = 0;
    assert_int_equal(monitor_read_model(r, NULL, see_model, &predictions, NULL), FW_OK);
    assert_int_equal(predictions, 1830);
    stop(&d);
    for (size_t i = 0; i < BATCHES; i++) fw_text_destroy(&batch[i]);
}

/** Also when nothing comes behind a window that was filled by the last row of a batch. */
static void the_total_in_the_store_is_the_sum_of_the_closed_windows(void **state)
{
    (void)state;
    fw_text batch[BATCHES] = {{0}};
    desk d = {0};
    int64_t predictions = 0;
    make_batches(batch);
    start(&d);
    const size_t some[] = {59, 39};                        /* 60 and 40: a window */
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(monitor_intake_take(d.in, &publisher, i + 1, TOPIC, batch[some[i]].data, batch[some[i]].len, fw_mono_now(), NULL, NULL), FW_OK);
    commit_desk(&d);
    FW_AUTO(monitor_reader) *r = reader();
    assert_int_equal(monitor_read_model(r, NULL, see_model, &predictions, NULL), FW_OK);
    assert_int_equal(look(NULL).rows, 100);
    assert_int_equal(predictions, 100);
    stop(&d);
    for (size_t i = 0; i < BATCHES; i++) fw_text_destroy(&batch[i]);
}

static void what_was_lost_while_it_was_away_is_a_gap(void **state)
{
    (void)state;
    fw_text batch[BATCHES] = {{0}};
    desk d = {0};
    make_batches(batch);
    start(&d);
    take(&d, batch, 0);
    commit_desk(&d);
    stop(&d);
    start(&d);
    const monitor_position *positions = NULL;
    assert_int_equal(monitor_intake_positions(d.in, &positions), 1);
    assert_int_equal(positions[0].last, 1);
    assert_memory_equal(&positions[0].stream, &publisher, sizeof publisher);
    assert_int_equal(monitor_intake_lost(d.in, &publisher, 2, 3, NULL), FW_OK);
    commit_desk(&d);
    stop(&d);
    start(&d);
    assert_int_equal(monitor_intake_lost_of(d.in, &publisher), 2);
    take(&d, batch, 3);
    monitor_intake_finish(d.in);
    assert_int_equal(d.shown.total.predictions, 1 + 4);
    assert_int_equal(d.shown.total.gaps, 2);
    stop(&d);
    for (size_t i = 0; i < BATCHES; i++) fw_text_destroy(&batch[i]);
}

static void a_state_that_is_damaged_is_refused(void **state)
{
    (void)state;
#define COUNTS "\"counts\":{\"malformed\":0,\"refused\":0,\"gaps\":0,\"ends\":0}"
#define MODEL(classes, counts, predictions)                                                                                                          \
    "{" COUNTS ",\"streams\":[],\"models\":[{\"topic\":\"prediction/m\",\"name\":\"m\",\"digest\":\"d\",\"classes\":" classes ",\"predictions\":5,"      \
    "\"gaps\":0,\"news\":true,\"window\":{\"number\":2,\"predictions\":" predictions ",\"gaps\":0,"                            \
    "\"confidence\":0.5,\"value\":0,\"counts\":" counts "}}]}"
    static const struct { const char *what, *json; fw_status status; } table[] = {
        {"sound", MODEL("[\"a\",\"b\"]", "[2,1]", "3"), FW_OK},
        {"nothing", "", FW_ERR_FORMAT},
        {"no JSON", "{", FW_ERR_FORMAT},
        {"a list", "[]", FW_ERR_FORMAT},
        {"no counts", "{}", FW_ERR_FORMAT},
        {"a count too few", MODEL("[\"a\",\"b\"]", "[3]", "3"), FW_ERR_FORMAT},
        {"counts that are not those of its predictions", MODEL("[\"a\",\"b\"]", "[2,2]", "3"), FW_ERR_FORMAT},
        {"a negative count", MODEL("[\"a\",\"b\"]", "[4,-1]", "3"), FW_ERR_FORMAT},
        {"a class that is no text", MODEL("[\"a\",1]", "[2,1]", "3"), FW_ERR_FORMAT},
        {"predictions as text", MODEL("[\"a\",\"b\"]", "[2,1]", "\"3\""), FW_ERR_FORMAT},
        {"more lost than there were", "{" COUNTS ",\"streams\":[{\"stream\":\"0123456789abcdef0123456789abcdef\",\"last\":2,\"lost\":3}]}", FW_ERR_FORMAT},
        {"a publisher of no model", "{" COUNTS ",\"streams\":[],\"senders\":[{\"stream\":\"0123456789abcdef0123456789abcdef\",\"name\":\"m\"}]}", FW_ERR_FORMAT},
        {"a stream without a number", "{" COUNTS ",\"streams\":[{\"stream\":\"0123456789abcdef0123456789abcdef\"}]}", FW_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        desk d = {0};
        fw_error err = {0};
        const monitor_sink sink = {&d.shown, show_window, show_total};
        assert_int_equal(monitor_intake_create(&d.in, &(monitor_window_opts){.predictions = 100}, &sink, NULL), FW_OK);
        const fw_status s = monitor_intake_load(d.in, table[i].json, strlen(table[i].json), fw_mono_now(), &err);
        if (s != table[i].status) fail_msg("%s: %s %s", table[i].what, fw_status_name(s), err.text);
        monitor_intake_destroy(&d.in);
    }
}

/** Between two looks a minute apart a fast monitor writes many times what the store may hold: it is tidied by what was written, too. */
static void a_store_that_grows_fast_keeps_within_its_bound(void **state)
{
    (void)state;
    enum { WINDOWS = 400, BYTES = 4000, COMMITS = 30 };      /* 48 MB */
    const uint64_t bound = 1 << 20;
    const monitor_sink last = {NULL, NULL, NULL};
    FW_AUTO(monitor_store) *store = open_with((monitor_store_opts){.max_bytes = bound});
    FW_AUTO(monitor_recorder) *recorder = NULL;
    FW_AUTO(monitor_intake) *in = NULL;
    FW_AUTO(monitor_reader) *r = reader();
    char body[BYTES] = "[\"";
    uint64_t file = 0, used = 0, most = 0;
    memset(body + 2, 'x', sizeof body - 5);
    memcpy(body + sizeof body - 3, "\"]", 3);
    assert_int_equal(monitor_recorder_create(&recorder, store, &last, NULL), FW_OK);
    assert_int_equal(monitor_intake_create(&in, &(monitor_window_opts){.predictions = 100}, &last, NULL), FW_OK);
    for (int64_t commit = 0; commit < COMMITS; commit++) {
        for (int64_t i = 1; i <= WINDOWS; i++) {
            monitor_window_row w = window_of(1, commit * WINDOWS + i, 1);
            w.body = body;
            w.to_us = fw_utc_now_us();           /* not too old */
            assert_int_equal(monitor_store_put_window(store, &w, NULL), FW_OK);
        }
        assert_int_equal(monitor_recorder_commit(recorder, in, NULL), FW_OK);
        assert_int_equal(monitor_reader_size(r, &file, &used, NULL), FW_OK);
        most = FW_MAX(most, used);
    }
    assert_in_range(most, bound, 24 * bound);
    assert_true(look(NULL).n > 0);
}

int main(void)
{
#define RECORDER_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        RECORDER_TEST(a_monitor_goes_on_where_the_last_commit_was),
        RECORDER_TEST(the_total_in_the_store_is_the_sum_of_the_closed_windows),
        RECORDER_TEST(what_was_lost_while_it_was_away_is_a_gap),
        RECORDER_TEST(a_state_that_is_damaged_is_refused),
        RECORDER_TEST(a_store_that_grows_fast_keeps_within_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
