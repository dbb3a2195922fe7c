/** Models that are watched: windows over publishers, rows of the store, and a watch that goes on where the last one of the store was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/unit/watch_fixture.h"

static void windows_are_sums_over_publishers_and_close_when_full_idle_or_at_the_end(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = NULL;
    const monitor_watch_opts o = options(store, NULL);
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    assert_false(monitor_watch_has(w, "m", "d"));
    tell_model(w, 0);
    assert_true(monitor_watch_has(w, "m", "d"));
    assert_false(monitor_watch_has(w, "m", "e"));
    tell_many(w, LIKE, 1, 25);
    keep(w, store);
    found s = look_into(path);
    assert_int_equal(s.windows, 2);
    assert_int_equal(s.rows, 200);
    assert_int_equal(s.from_us, 11000000);
    assert_int_equal(s.to_us, 20500000);
    assert_string_equal(s.closed, "full");
    assert_true(s.figures >= 2 * 5 * 3);
    assert_true(s.evidence < 1);
    assert_int_equal(monitor_watch_tick(w, at(4), NULL), FW_OK);      /* since the last row it is not yet 5 s */
    keep(w, store);
    assert_int_equal(look_into(path).windows, 2);
    assert_int_equal(monitor_watch_tick(w, at(6), NULL), FW_OK);
    keep(w, store);
    s = look_into(path);
    assert_int_equal(s.windows, 3);
    assert_string_equal(s.closed, "idle");
    tell_many(w, LIKE, 26, 26);
    assert_int_equal(monitor_watch_finish(w, NULL), FW_OK);
    keep(w, store);
    s = look_into(path);
    assert_int_equal(s.last, 4);
    assert_int_equal(s.rows, 260);
    assert_string_equal(s.closed, "end");
}

typedef struct heard { size_t n; uint64_t rows; monitor_closed last; uint64_t missing; } heard;

static fw_status hear(void *context, const monitor_closed *c, fw_error *err)
{
    (void)err;
    heard *h = context;
    h->n++;
    h->rows += c->rows;
    h->last = *c;
    h->missing = fw_summary_counts(c->counts, 0)[fw_bins_missing(fw_summary_bins(c->counts, 0))];
    return FW_OK;
}

static void a_place_is_the_window_that_is_open_and_the_hearer_hears_of_it(void **state)
{
    (void)state;
    FW_AUTO(monitor_watch) *w = NULL;
    const monitor_watch_opts o = options(NULL, NULL);
    monitor_place p;
    heard h = {0};
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    monitor_watch_tell(w, &(monitor_watch_hearer){&h, hear});
    assert_false(monitor_watch_place(&p, w, "m", "d", 1));
    tell_model(w, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(monitor_watch_place(&p, w, "m", "d", 1));
        assert_string_equal(p.known->digest, "d");
        assert_int_equal(p.model, 1);
        assert_int_equal(p.window, i);
        tell_many(w, OTHER, 10 * i - 9, 10 * i);
        assert_int_equal(h.n, i);
        assert_int_equal(h.last.place.window, i);
        assert_true(h.last.place.known == p.known && h.last.rows == 100 && h.last.revised == 0 && h.missing == 100);
        assert_true(h.last.from_us == (int64_t)(10 * i - 9) * 1000000 && h.last.to_us == (int64_t)(10 * i) * 1000000 + 500000);
    }
    assert_false(monitor_watch_place(&p, w, "m", "e", 1));
    assert_false(monitor_watch_place(&p, w, "n", "d", 1));
}

static void what_nobody_told_of_is_refused(void **state)
{
    (void)state;
    FW_AUTO(monitor_watch) *w = NULL;
    const monitor_watch_opts o = options(NULL, NULL);
    fw_error why = {0};
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    tell_rows(w, LIKE, 1, 0, &why);
    assert_int_equal(why.status, FW_ERR_DATA);
    tell_model(w, 0);
    uint64_t lies[COUNTS];
    memcpy(lies, LIKE, sizeof lies);
    lies[0]++;
    why = (fw_error){0};
    tell_rows(w, lies, 2, 0, &why);
    assert_int_equal(why.status, FW_ERR_DATA);
}

static fw_status see_predictions(void *context, const monitor_model_row *m, fw_error *err)
{
    (void)err;
    *(int64_t *)context = m->predictions;
    return FW_OK;
}

static fw_status see_current(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    fw_text_clear(context);
    fw_text_add_bytes(context, row->bytes.data, row->bytes.len);
    return FW_OK;
}

static void assert_current(monitor_reader *r, const char *begins)
{
    FW_AUTO(fw_text) current = {0};
    assert_int_equal(monitor_read_state(r, &(monitor_query){.name = "current/1"}, see_current, &current, NULL), FW_OK);
    if (current.data == NULL || strncmp(current.data, begins, strlen(begins)) != 0) fail_msg("%s", current.data != NULL ? current.data : "none");
}

/** Of publishers that tell of its features, and of some that do not. */
static void a_version_has_the_rows_of_all_its_sets_of_bins(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = NULL;
    FW_AUTO(monitor_reader) *r = NULL;
    FW_AUTO(fw_reference) *whole = make_reference();
    FW_AUTO(fw_reference) *outputs = NULL;
    FW_AUTO(fw_text) model = {0};
    FW_AUTO(fw_text) rows = {0};
    fw_error why = {0};
    int64_t predictions = 0;
    const monitor_watch_opts o = options(store, NULL);
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    tell_model(w, 0);
    tell_many(w, LIKE, 1, 20);
    assert_int_equal(fw_reference_outputs(&outputs, whole, NULL), FW_OK);
    assert_int_equal(fw_telemetry_pack_model(&model, &(fw_telemetry_model){.name = "m", .digest = "d", .classes = CLASSES, .n_classes = 2, .reference = outputs}, NULL), FW_OK);
    give(w, FW_TOPIC_MODEL "m", &model, 0.1, &why);
    const fw_telemetry_summary s = {.model = "m", .digest = "d", .shape = fw_summary_shape(outputs->summary), .window = 1, .rows = 10, .from_us = 1, .to_us = 2,
                                    .count = LIKE + 10, .n = COUNTS - 10};      /* without the two features */
    assert_int_equal(fw_telemetry_pack_summary(&rows, &s, NULL), FW_OK);
    for (int i = 0; i < 10; i++) give(w, FW_TOPIC_SUMMARY "m", &rows, 0.1, &why);
    assert_int_equal(why.status, FW_OK);
    keep(w, store);
    assert_int_equal(look_into(path).rows, 300);
    assert_int_equal(monitor_reader_open(&r, path, NULL), FW_OK);
    assert_int_equal(monitor_read_model(r, NULL, see_predictions, &predictions, NULL), FW_OK);
    assert_int_equal(predictions, 300);
    assert_current(r, "{\"window\":4,\"columns\":[{\"name\":\"prediction\"");      /* of the set whose window was closed last */
    for (int i = 0; i < 10; i++) give(w, FW_TOPIC_SUMMARY "m", &rows, 0.1, &why);
    tell_many(w, LIKE, 21, 30);
    keep(w, store);
    assert_current(r, "{\"window\":3,\"columns\":[{\"name\":\"age\"");
}

/** Of many windows between two commits each has its row and its figures; what only the last of them determines is put once, and has its counts. */
static void what_many_windows_share_is_put_once_a_commit(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = NULL;
    FW_AUTO(monitor_reader) *r = NULL;
    int64_t predictions = 0;
    const monitor_watch_opts o = options(store, NULL);
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    tell_model(w, 0);
    keep(w, store);
    tell_many(w, LIKE, 1, 30);
    tell_many(w, OTHER, 31, 40);
    assert_int_equal(monitor_store_check(store).waiting_rows, 4 * 2);
    tell_many(w, LIKE, 41, 45);                  /* half a window */
    assert_int_equal(monitor_watch_save(w, NULL), FW_OK);
    assert_int_equal(monitor_store_check(store).waiting_rows, 4 * 2 + 4);      /* the model, the newest counts, drift, the open window */
    assert_int_equal(monitor_store_commit(store, NULL), FW_OK);
    assert_int_equal(monitor_watch_save(w, NULL), FW_OK);
    assert_int_equal(monitor_store_check(store).waiting_rows, 0);
    assert_int_equal(monitor_reader_open(&r, path, NULL), FW_OK);
    assert_int_equal(look_into(path).rows, 400);
    assert_int_equal(monitor_read_model(r, NULL, see_predictions, &predictions, NULL), FW_OK);
    assert_int_equal(predictions, 450);
    assert_current(r, "{\"window\":4,\"columns\":[{\"name\":\"age\",\"counts\":[0,0,0,0,0,100]}");
    tell_many(w, LIKE, 46, 50);
    keep(w, store);
    assert_current(r, "{\"window\":5,\"columns\":[{\"name\":\"age\",\"counts\":[10,20,30,30,0,10]}");
}

/** killed: after so many summaries the watch is dropped, and another one goes on from the store. */
static found life(const char *file, uint64_t killed)
{
    FW_AUTO(monitor_store) *store = open_store(file);
    FW_AUTO(monitor_watch) *w = NULL;
    const monitor_watch_opts o = options(store, NULL);
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    tell_model(w, 0);
    tell_many(w, LIKE, 1, 33);
    tell_many(w, OTHER, 34, killed);
    monitor_watch_lost(w, "m", "d", 7);
    monitor_watch_lost(w, "m", "another", 5);
    keep(w, store);
    monitor_watch_destroy(&w);
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    assert_int_equal(monitor_watch_restore(w, file, at(1), NULL), FW_OK);
    assert_true(monitor_watch_has(w, "m", "d"));
    tell_many(w, OTHER, killed + 1, 60);
    keep(w, store);
    return look_into(file);
}

static void a_watch_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    char other[sizeof path + 16];
    const found whole = life(path, 60);
    assert_int_equal(whole.windows, 6);
    assert_true(whole.evidence > 5 && whole.statistic > 0.9);
    for (uint64_t killed = 33; killed < 60; killed += 9) {
        snprintf(other, sizeof other, "%s.%d", path, (int)killed);
        const found s = life(other, killed);
        assert_int_equal(s.windows, whole.windows);
        assert_int_equal(s.last, whole.last);
        assert_int_equal(s.from_us, whole.from_us);
        assert_int_equal(s.gaps, 7);                                   /* of the window that was open */
        assert_int_equal(s.figures, whole.figures);
        assert_memory_equal(&s.evidence, &whole.evidence, sizeof s.evidence);
        assert_memory_equal(&s.statistic, &whole.statistic, sizeof s.statistic);
    }
}

typedef struct states { size_t n; int64_t told_us; } states;

static fw_status note_state(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    states *s = context;
    s->n++;
    if (strncmp(row->key, "told/", 5) == 0) s->told_us = row->at_us;
    return FW_OK;
}

static states states_of(void)
{
    FW_AUTO(monitor_reader) *r = reader();
    states s = {0};
    assert_int_equal(monitor_read_state(r, NULL, note_state, &s, NULL), FW_OK);
    return s;
}

static void a_model_stays_while_it_is_told_of_and_goes_with_all_its_states(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_watch) *w = NULL;
    monitor_watch_opts o = options(store, NULL);
    bool more = true;
    o.window = (monitor_window_opts){.seconds = 60, .idle_s = 5};
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    tell_model(w, 0);
    tell_many(w, LIKE, 1, 150);                                        /* three windows: two are held, one is open */
    assert_int_equal(monitor_watch_tick(w, at(0.2), NULL), FW_OK);
    keep(w, store);
    const states first = states_of();
    assert_int_equal(first.n, 5 + 3);                                  /* told, reference, misplaced, current, drift */
    tell_model(w, 599);
    keep(w, store);
    assert_true(states_of().told_us == first.told_us);
    tell_model(w, 601);
    keep(w, store);
    const states last = states_of();
    assert_true(last.told_us > first.told_us && last.n == first.n);
    for (int i = 0; i < 20 && more; i++) assert_int_equal(monitor_store_tidy(store, last.told_us + 91 * DAY_US, &more, NULL), FW_OK);
    assert_int_equal(states_of().n, 0);
    assert_int_equal(look_into(path).windows, 0);
}

static fw_status damage(void *context, const monitor_state_row *row, fw_error *err)
{
    monitor_store *store = context;
    if (strncmp(row->key, "drift/", 6) != 0) return FW_OK;
    FW_FREE char *key = strdup(row->key);
    FW_FREE unsigned char *bytes = malloc(row->bytes.len);
    memcpy(bytes, row->bytes.data, row->bytes.len);
    bytes[8 * 7 + 3] ^= 1;                                             /* a count of the open window */
    return monitor_store_put_state(store, &(monitor_state_row){.key = key, .at_us = row->at_us, .bytes = {bytes, row->bytes.len}}, err);
}

static void a_damaged_state_is_begun_anew(void **state)
{
    (void)state;
    life(path, 45);
    FW_AUTO(monitor_store) *store = open_store(path);
    FW_AUTO(monitor_reader) *r = NULL;
    assert_int_equal(monitor_reader_open(&r, path, NULL), FW_OK);
    assert_int_equal(monitor_read_state(r, NULL, damage, store, NULL), FW_OK);
    assert_int_equal(monitor_store_commit(store, NULL), FW_OK);
    FW_AUTO(monitor_watch) *w = NULL;
    const monitor_watch_opts o = options(store, NULL);
    assert_int_equal(monitor_watch_create(&w, &o, NULL), FW_OK);
    assert_int_equal(monitor_watch_restore(w, path, at(1), NULL), FW_OK);
    tell_many(w, LIKE, 61, 70);
    keep(w, store);
    assert_true(look_into(path).evidence < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(windows_are_sums_over_publishers_and_close_when_full_idle_or_at_the_end, begin, end),
        cmocka_unit_test_setup_teardown(a_place_is_the_window_that_is_open_and_the_hearer_hears_of_it, begin, end),
        cmocka_unit_test_setup_teardown(what_nobody_told_of_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_version_has_the_rows_of_all_its_sets_of_bins, begin, end),
        cmocka_unit_test_setup_teardown(what_many_windows_share_is_put_once_a_commit, begin, end),
        cmocka_unit_test_setup_teardown(a_watch_goes_on_to_the_same_bits, begin, end),
        cmocka_unit_test_setup_teardown(a_model_stays_while_it_is_told_of_and_goes_with_all_its_states, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_state_is_begun_anew, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
