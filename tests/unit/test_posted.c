/** What is posted comes into the intake once, however often the monitor is killed between the two; and no more waits than may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/core/clock.h"
#include "monitor/store_posted.h"
#include "monitor/watch_posted.h"
#include "proto/telemetry.h"
#include "tests/unit/store_fixture.h"

#define TOPIC FW_TOPIC_OUTCOME "m"

/** A monitor without a bus: of what is taken in it counts the rows, and keeps the count in a state of the store. */
typedef struct desk { monitor_store *store; monitor_intake *in; monitor_posted *posted; uint64_t rows; } desk;

static fw_status take(void *context, fw_telemetry_batch *b, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err)
{
    (void)bytes, (void)len, (void)now;
    desk *d = context;
    if (strcmp(b->outcomes.rows[0].id, "refused") == 0) {
        fw_fail(why, FW_ERR_DATA, "not this one");
        return FW_OK;
    }
    d->rows += b->outcomes.n;
    const monitor_state_row row = {.key = "rows", .bytes = {&d->rows, sizeof d->rows}};
    return monitor_store_put_state(d->store, &row, err);
}

static fw_status see_rows(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    memcpy(context, row->bytes.data, sizeof(uint64_t));
    return FW_OK;
}

static void begin_desk(desk *d)
{
    const monitor_sink none = {0};
    const monitor_others others = {.context = d, .take = take};
    monitor_reader *r = NULL;
    *d = (desk){.store = open_with((monitor_store_opts){0})};
    assert_int_equal(monitor_reader_open(&r, path, NULL), FW_OK);
    assert_int_equal(monitor_read_state(r, &(monitor_query){.name = "rows"}, see_rows, &d->rows, NULL), FW_OK);
    monitor_reader_destroy(&r);
    assert_int_equal(monitor_intake_create(&d->in, &(monitor_window_opts){.predictions = 100}, &none, NULL), FW_OK);
    monitor_intake_pass_on(d->in, &others);
    assert_int_equal(monitor_posted_create(&d->posted, d->store, path, NULL), FW_OK);
}

/** As if it was killed. */
static void kill_desk(desk *d)
{
    monitor_posted_destroy(&d->posted);
    monitor_intake_destroy(&d->in);
    monitor_store_close(&d->store);
}

static void look_desk(desk *d)
{
    fw_error err = {0};
    if (monitor_posted_take(d->posted, d->in, fw_mono_now(), &err) != FW_OK) fail_msg("%s", err.text);
}

static fw_status post_rows(size_t n, const char *id, size_t messages, fw_error *err)
{
    FW_AUTO(fw_telemetry) *t = NULL;
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_text) batch = {0};
    static fw_outcome rows[10000];
    static monitor_post posts[1000];
    for (size_t i = 0; i < n; i++) rows[i] = (fw_outcome){.id = id, .outcome = "yes", .at_us = 1};
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    assert_int_equal(fw_telemetry_pack_outcomes(&packed, &(fw_telemetry_outcomes){"m", rows, n}, NULL), FW_OK);
    assert_int_equal(fw_telemetry_wrap(t, &batch, TOPIC, packed.data, packed.len, n, NULL), FW_OK);
    for (size_t i = 0; i < messages; i++) posts[i] = (monitor_post){TOPIC, batch.data, batch.len};
    return monitor_store_post(path, posts, messages, fw_utc_now_us(), 100, err);
}

static fw_status count_row(void *context, const monitor_posted_row *row, fw_error *err)
{
    (void)row, (void)err;
    ++*(size_t *)context;
    return FW_OK;
}

static size_t waiting(void)
{
    monitor_reader *r = NULL;
    size_t n = 0;
    assert_int_equal(monitor_reader_open(&r, path, NULL), FW_OK);
    assert_int_equal(monitor_read_posted(r, NULL, count_row, &n, NULL), FW_OK);
    monitor_reader_destroy(&r);
    return n;
}

static void comes_once_whenever_the_monitor_is_killed(void **state)
{
    (void)state;
    desk d;
    begin_desk(&d);
    assert_int_equal(post_rows(3, "a", 2, NULL), FW_OK);
    kill_desk(&d);                                 /* before it looked */
    begin_desk(&d);
    look_desk(&d);
    assert_int_equal(d.rows, 6);
    look_desk(&d);                                 /* its commit is still to come */
    assert_int_equal(d.rows, 6);
    kill_desk(&d);                                 /* before the commit: nothing came of it */
    begin_desk(&d);
    assert_int_equal(d.rows, 0);
    look_desk(&d);
    assert_int_equal(post_rows(1, "b", 1, NULL), FW_OK);
    assert_int_equal(monitor_store_commit(d.store, NULL), FW_OK);
    assert_int_equal(waiting(), 1);
    kill_desk(&d);                                 /* behind the commit */
    begin_desk(&d);
    assert_int_equal(d.rows, 6);
    look_desk(&d);
    assert_int_equal(d.rows, 7);
    assert_int_equal(monitor_store_commit(d.store, NULL), FW_OK);
    assert_int_equal(waiting(), 0);
    kill_desk(&d);
}

static void what_is_refused_goes_too(void **state)
{
    (void)state;
    desk d;
    begin_desk(&d);
    assert_int_equal(post_rows(1, "refused", 1, NULL), FW_OK);
    assert_int_equal(monitor_store_post(path, &(monitor_post){TOPIC, "garbage", 7}, 1, 1, 100, NULL), FW_OK);
    look_desk(&d);
    assert_int_equal(monitor_store_commit(d.store, NULL), FW_OK);
    assert_int_equal(d.rows, 0);
    assert_int_equal(monitor_intake_count(d.in).refused, 1);
    assert_int_equal(monitor_intake_count(d.in).malformed, 1);
    assert_int_equal(waiting(), 0);
    kill_desk(&d);
}

static void no_more_waits_than_may(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    fw_error err = {0};
    size_t n = 0;
    static char large[(16 << 20) - 2048];
    while (monitor_store_post(path, &(monitor_post){TOPIC, large, sizeof large}, 1, 1, 100, &err) == FW_OK) n++;
    assert_int_equal(n, 4);
    assert_non_null(strstr(err.text, "try again"));
    assert_int_equal(monitor_store_post(path, &(monitor_post){TOPIC, large, sizeof large}, 1, 1, 100, &err), FW_ERR_TIMEOUT);
    assert_int_equal(waiting(), 4);
}

static void a_lock_is_waited_for(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    fw_error err = {0};
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(post_rows(1, "a", 1, &err), FW_ERR_TIMEOUT);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(post_rows(1, "a", 1, &err), FW_OK);
    sqlite3_close(db);
    assert_int_equal(monitor_store_post("nowhere", &(monitor_post){TOPIC, "", 0}, 1, 1, 100, &err), FW_ERR_NOTFOUND);
}

static void an_older_store_is_brought_up_to_date(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    monitor_store *s = open_with((monitor_store_opts){0});
    monitor_store_close(&s);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, STORE_SCHEMA_2 "DROP TABLE posted; PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(post_rows(1, "a", 1, NULL), FW_ERR_VERSION);
    s = open_with((monitor_store_opts){0});
    assert_int_equal(post_rows(1, "a", 1, NULL), FW_OK);
    assert_int_equal(waiting(), 1);
    monitor_store_close(&s);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {STORE_TEST(comes_once_whenever_the_monitor_is_killed), STORE_TEST(what_is_refused_goes_too), STORE_TEST(no_more_waits_than_may),
                                       STORE_TEST(a_lock_is_waited_for), STORE_TEST(an_older_store_is_brought_up_to_date)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
