/** The monitor's store: what was put comes back, as it is asked for, until it is too old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/text.h"
#include "tests/unit/store_fixture.h"

/* Every column of every table: two rows each, the second with all that may be missing. */
static fw_status see_model(void *context, const monitor_model_row *m, fw_error *err)
{
    (void)err;
    if ((*(int *)context)++ > 0) return FW_OK;
    assert_int_equal(m->model, 7);
    assert_string_equal(m->name, "adult");
    assert_string_equal(m->digest, "d1");
    assert_string_equal(m->task, "classification");
    assert_string_equal(m->classes, "[\"a\"]");
    assert_int_equal(m->reference.len, 4);
    assert_memory_equal(m->reference.data, "a\0b\1", 4);
    assert_int_equal(m->first_us, 1);
    assert_int_equal(m->last_us, 2);
    assert_int_equal(m->predictions, INT64_MAX);
    return FW_OK;
}

static fw_status see_drift(void *context, const monitor_drift_row *d, fw_error *err)
{
    (void)err;
    const bool first = (*(int *)context)++ == 0;
    assert_string_equal(d->feature, first ? "age" : "sex");
    assert_string_equal(d->test, "psi");
    assert_true(first ? d->statistic == 0.25 : isnan(d->statistic));
    assert_true(first ? isinf(d->evidence) : isnan(d->evidence));
    return FW_OK;
}

static fw_status see_alert(void *context, const monitor_alert_row *a, fw_error *err)
{
    (void)err;
    ++*(int *)context;
    assert_string_equal(a->subject, "");
    assert_null(a->name);
    assert_null(a->features);
    assert_true(isnan(a->certainty));
    return FW_OK;
}

static fw_status see_state(void *context, const monitor_state_row *st, fw_error *err)
{
    (void)err;
    ++*(int *)context;
    assert_string_equal(st->key, "drift/d1");
    assert_int_equal(st->bytes.len, 0);
    return FW_OK;
}

static void what_was_put_comes_back(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    const monitor_model_row m = {.model = 7, .name = "adult", .digest = "d1", .task = "classification", .classes = "[\"a\"]", .reference = {"a\0b\1", 4},
                                 .first_us = 1, .last_us = 2, .predictions = INT64_MAX};
    const monitor_model_row other = {.model = 8, .name = "adult", .digest = "d2", .last_us = 3};
    const monitor_drift_row d = {.model = 7, .window = 1, .feature = "age", .test = "psi", .statistic = 0.25, .evidence = INFINITY, .p = 0.5};
    const monitor_drift_row none = {.model = 7, .window = 1, .feature = "sex", .test = "psi", .statistic = NAN, .evidence = NAN, .p = NAN};
    const monitor_alert_row a = {.alert = 1, .kind = "drift", .subject = "", .certainty = NAN};
    const monitor_state_row st = {.key = "drift/d1"};
    assert_int_equal(monitor_store_put_model(s, &m, NULL), FW_OK);
    assert_int_equal(monitor_store_put_model(s, &other, NULL), FW_OK);
    assert_int_equal(monitor_store_put_drift(s, (monitor_drift_row[]){none, d}, 2, 1, 1, NULL), FW_OK);
    assert_int_equal(monitor_store_put_alert(s, &a, NULL), FW_OK);
    assert_int_equal(monitor_store_put_state(s, &st, NULL), FW_OK);
    commit(s);
    FW_AUTO(monitor_reader) *r = reader();
    int n[4] = {0};
    assert_int_equal(monitor_read_model(r, NULL, see_model, &n[0], NULL), FW_OK);
    assert_int_equal(monitor_read_drift(r, &(monitor_query){.model = 7, .window = 1}, see_drift, &n[1], NULL), FW_OK);
    assert_int_equal(monitor_read_alert(r, &(monitor_query){.open = true, .name = "drift"}, see_alert, &n[2], NULL), FW_OK);
    assert_int_equal(monitor_read_state(r, &(monitor_query){.name = "drift/d1"}, see_state, &n[3], NULL), FW_OK);
    assert_int_equal(n[0], 2);
    assert_int_equal(n[1], 2);
    assert_int_equal(n[2], 1);
    assert_int_equal(n[3], 1);
}

static void a_model_keeps_its_number(void **state)
{
    (void)state;
    int64_t a = 0, b = 0, again = 0, after = 0;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    assert_int_equal(monitor_store_model(&a, s, "m", "d1", NULL), FW_OK);
    assert_int_equal(monitor_store_model(&b, s, "m", "d2", NULL), FW_OK);
    assert_int_equal(monitor_store_model(&again, s, "m", "d1", NULL), FW_OK);
    assert_int_equal(a, again);
    assert_int_not_equal(a, b);
    assert_int_equal(monitor_store_put_model(s, &(monitor_model_row){.model = b, .name = "m", .digest = "d2"}, NULL), FW_OK);
    commit(s);
    assert_int_equal(monitor_store_remove_model(s, &(monitor_model_row){.model = b}, NULL), FW_OK);
    commit(s);
    monitor_store_close(&s);
    s = open_with((monitor_store_opts){0});
    assert_int_equal(monitor_store_model(&after, s, "m", "d3", NULL), FW_OK);
    assert_true(after > b);                      /* a number is never given twice */
}

static void a_query_restricts_orders_and_ends(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    for (int64_t model = 1; model <= 2; model++)
        for (int64_t n = 1; n <= 10; n++) put_window(s, model, n, model);
    put_window(s, 2, 10, 5);                     /* replaces */
    commit(s);
    static const struct { monitor_query q; int64_t n, rows, first, last; } table[] = {
        {{0}, 20, 33, 1, 10},
        {{.model = 2}, 10, 23, 1, 10},
        {{.model = 2, .newest_first = true, .limit = 3}, 3, 9, 10, 8},
        {{.model = 1, .from = 3999, .to = 5999}, 3, 3, 3, 5},
        {{.model = 1, .window = 4}, 1, 1, 4, 4},
        {{.model = 3}, 0, 0, 0, 0},
        {{.model = 1, .limit = SIZE_MAX}, 10, 10, 1, 10},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const seen v = look(&table[i].q);
        if (v.n != table[i].n || v.rows != table[i].rows || v.first != table[i].first || v.last != table[i].last)
            fail_msg("row %zu: %ld windows with %ld rows, %ld to %ld", i, (long)v.n, (long)v.rows, (long)v.first, (long)v.last);
    }
}

static void bad_rows_are_refused_when_they_are_put(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    fw_error err = {0};
    const monitor_window_row no_json = {.model = 1, .number = 1, .body = "{\"a\":"}, twice = {.model = 1, .number = 1, .body = "{\"a\":1,\"a\":2}"};
    const monitor_window_row no_text = {.model = 1, .number = 1, .closed = "\xff"};
    const monitor_state_row no_key = {.bytes = {"a", 1}}, long_one = {.key = "k", .bytes = {"a", MONITOR_STORE_MAX_FIELD + 1}};
    assert_int_equal(monitor_store_put_window(s, &no_json, &err), FW_ERR_DATA);
    assert_non_null(strstr(err.text, "windows.body is not JSON"));
    assert_int_equal(monitor_store_put_window(s, &twice, NULL), FW_ERR_DATA);
    assert_int_equal(monitor_store_put_window(s, &no_text, NULL), FW_ERR_DATA);
    assert_int_equal(monitor_store_put_state(s, &no_key, NULL), FW_ERR_ARG);
    assert_int_equal(monitor_store_put_state(s, &long_one, NULL), FW_ERR_ARG);
    assert_int_equal(monitor_store_check(s).waiting_rows, 0);
}

/* ---- what goes ---- */

static void tidy(monitor_store *s, int64_t now_us)
{
    fw_error err = {0};
    bool more = true;
    for (int i = 0; more; i++) {
        if (monitor_store_tidy(s, now_us, &more, &err) != FW_OK) fail_msg("%s", err.text);
        assert_true(i < 10000);
    }
}

static fw_status count_drift(void *context, const monitor_drift_row *row, fw_error *err)
{
    (void)row, (void)err;
    ++*(int64_t *)context;
    return FW_OK;
}

static int64_t drift_rows(void)
{
    FW_AUTO(monitor_reader) *r = reader();
    int64_t n = 0;
    assert_int_equal(monitor_read_drift(r, NULL, count_drift, &n, NULL), FW_OK);
    return n;
}

static void put_days(monitor_store *s, int64_t model, int64_t days)
{
    for (int64_t d = 1; d <= days; d++) {
        monitor_window_row w = window_of(model, d, 1);
        w.to_us = d * DAY_US;
        assert_int_equal(monitor_store_put_window(s, &w, NULL), FW_OK);
        const monitor_drift_row row = {.model = model, .window = d, .feature = "age", .test = "psi"};
        assert_int_equal(monitor_store_put_drift(s, &row, 1, 1, 1, NULL), FW_OK);
    }
}

static void what_is_older_than_keep_goes_with_what_hangs_on_it(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){.keep_s = 10 * 86400.0});
    put_days(s, 1, 100);
    put_days(s, 2, 50);                                             /* not heard of since */
    const monitor_alert_row old = {.alert = 1, .kind = "drift", .subject = "a", .resolved_us = DAY_US}, open = {.alert = 2, .kind = "drift", .subject = "b"},
                            silenced = {.alert = 3, .kind = "drift", .subject = "c", .resolved_us = DAY_US, .silenced_until_us = 99 * DAY_US};
    assert_int_equal(monitor_store_put_alert(s, &old, NULL), FW_OK);
    assert_int_equal(monitor_store_put_alert(s, &open, NULL), FW_OK);
    assert_int_equal(monitor_store_put_alert(s, &silenced, NULL), FW_OK);
    for (int64_t alert = 1; alert <= 3; alert++)
        assert_int_equal(monitor_store_put_event(s, &(monitor_event_row){.alert = alert, .at_us = 1, .event = "raised"}, NULL), FW_OK);
    commit(s);
    tidy(s, 100 * DAY_US);
    const seen v = look(NULL);
    assert_int_equal(v.first, 90);
    assert_int_equal(v.n, 11);
    assert_int_equal(drift_rows(), 11);
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT group_concat(alert), (SELECT group_concat(alert) FROM alert_events) FROM alerts", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "2,3");
    assert_string_equal((const char *)sqlite3_column_text(statement, 1), "2,3");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static fw_status note_waiting(void *context, const monitor_waiting_outcome_row *row, fw_error *err)
{
    (void)err;
    fw_text_format(context, "%lld:%s ", (long long)row->model, row->id);
    return FW_OK;
}

/** An outcome of long ago waits as long as its model is there; an event of a KPI (model 0) does not. */
static void what_waits_goes_with_its_model_not_with_its_time(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){.keep_s = 10 * 86400.0});
    FW_AUTO(fw_text) left = {0};
    assert_int_equal(monitor_store_put_model(s, &(monitor_model_row){.model = 2, .name = "m", .digest = "d", .last_us = 99 * DAY_US}, NULL), FW_OK);
    assert_int_equal(monitor_store_put_model(s, &(monitor_model_row){.model = 3, .name = "m", .digest = "e", .last_us = DAY_US}, NULL), FW_OK);
    for (int64_t model = 0; model <= 3; model++) {
        assert_int_equal(monitor_store_put_waiting_outcome(s, &(monitor_waiting_outcome_row){.model = model, .id = "old", .outcome = "1", .at_us = DAY_US}, NULL), FW_OK);
        assert_int_equal(monitor_store_put_waiting_outcome(s, &(monitor_waiting_outcome_row){.model = model, .id = "new", .outcome = "1", .at_us = 99 * DAY_US}, NULL), FW_OK);
    }
    commit(s);
    tidy(s, 100 * DAY_US);
    FW_AUTO(monitor_reader) *r = reader();
    assert_int_equal(monitor_read_waiting_outcome(r, NULL, note_waiting, &left, NULL), FW_OK);
    assert_string_equal(left.data, "2:old 0:new 2:new ");
}

static void the_file_keeps_within_its_bound(void **state)
{
    (void)state;
    const uint64_t bound = 1 << 20;
    char body[2100] = "[\"";
    memset(body + 2, 'x', 2000);
    strcpy(body + 2002, "\"]");
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){.max_bytes = bound});
    uint64_t file = 0, used = 0, most = 0;
    for (int64_t n = 1; n <= 3000; n++) {                           /* six times the bound */
        monitor_window_row w = window_of(1, n, 1);
        w.body = body;
        assert_int_equal(monitor_store_put_window(s, &w, NULL), FW_OK);
        if (n % 100 > 0) continue;
        commit(s);
        tidy(s, 0);
        FW_AUTO(monitor_reader) *r = reader();
        assert_int_equal(monitor_reader_size(r, &file, &used, NULL), FW_OK);
        most = FW_MAX(most, file);
    }
    assert_true(most <= bound);
    assert_true(used > bound / 2);                                  /* and not far below it */
    const seen v = look(NULL);
    assert_int_equal(v.last, 3000);
    assert_int_equal(v.n, v.last - v.first + 1);
    monitor_store_close(&s);
    uint64_t bytes = 0;
    assert_int_equal(fw_file_size(&bytes, path, NULL), FW_OK);
    assert_true(bytes <= bound);
}

/* ---- what users did ---- */

static fw_status see_times(void *context, const monitor_alert_row *a, fw_error *err)
{
    (void)err;
    *(monitor_alert_row *)context = *a;
    return FW_OK;
}

static void a_put_does_not_undo_what_a_user_did(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    monitor_alert_row a = {.alert = 1, .kind = "drift", .subject = "age", .level = 1};
    assert_int_equal(monitor_store_put_alert(s, &a, NULL), FW_OK);
    commit(s);
    run_sql("UPDATE alerts SET acknowledged_us = 5, silenced_until_us = 70, resolved_us = 9");
    a.level = 2;
    assert_int_equal(monitor_store_put_alert(s, &a, NULL), FW_OK);
    commit(s);
    FW_AUTO(monitor_reader) *r = reader();
    monitor_alert_row found = {0};
    assert_int_equal(monitor_read_alert(r, &(monitor_query){.alert = 1}, see_times, &found, NULL), FW_OK);
    assert_true(found.level == 2);
    assert_int_equal(found.acknowledged_us, 5);
    assert_int_equal(found.silenced_until_us, 70);
    assert_int_equal(found.resolved_us, 9);
}

/* ---- outcomes ---- */

static fw_status see_pair(void *context, const monitor_waiting_prediction_row *p, const monitor_waiting_outcome_row *o, fw_error *err)
{
    (void)err;
    assert_string_equal(p->id, o->id);
    assert_int_equal(p->model, o->model);
    assert_string_equal(o->outcome, "yes");
    return ++*(int *)context == 2 ? FW_END : FW_OK;
}

static void an_outcome_finds_its_prediction(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    for (int i = 0; i < 6; i++) {
        char id[8];
        snprintf(id, sizeof id, "r%d", i);
        const monitor_waiting_prediction_row p = {.model = 1, .id = id, .label = i};
        const monitor_waiting_outcome_row o = {.model = i < 5 ? 1 : 2, .id = id, .outcome = "yes", .at_us = i};
        if (i < 3 || i == 5) assert_int_equal(monitor_store_put_waiting_prediction(s, &p, NULL), FW_OK);
        assert_int_equal(monitor_store_put_waiting_outcome(s, &o, NULL), FW_OK);
    }
    commit(s);
    FW_AUTO(monitor_reader) *r = reader();
    int n = 0;
    assert_int_equal(monitor_read_pairs(r, 100, see_pair, &n, NULL), FW_OK);      /* it ends the reading at the second of three */
    assert_int_equal(n, 2);
    assert_int_equal(monitor_store_remove_waiting_outcome(s, &(monitor_waiting_outcome_row){.model = 1, .id = "r0"}, NULL), FW_OK);
    assert_int_equal(monitor_store_remove_waiting_outcome(s, &(monitor_waiting_outcome_row){.model = 1, .id = "r1"}, NULL), FW_OK);
    commit(s);
    n = -10;
    assert_int_equal(monitor_read_pairs(r, 100, see_pair, &n, NULL), FW_OK);
    assert_int_equal(n, -9);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_was_put_comes_back),
        STORE_TEST(a_model_keeps_its_number),
        STORE_TEST(a_query_restricts_orders_and_ends),
        STORE_TEST(bad_rows_are_refused_when_they_are_put),
        STORE_TEST(what_is_older_than_keep_goes_with_what_hangs_on_it),
        STORE_TEST(what_waits_goes_with_its_model_not_with_its_time),
        STORE_TEST(the_file_keeps_within_its_bound),
        STORE_TEST(a_put_does_not_undo_what_a_user_did),
        STORE_TEST(an_outcome_finds_its_prediction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
