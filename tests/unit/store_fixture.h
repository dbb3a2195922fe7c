/** A store in a folder of its own, and what a reader sees in it. For the tests of the store. */
#ifndef FW_TESTS_STORE_FIXTURE_H
#define FW_TESTS_STORE_FIXTURE_H

#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>

#include "common/core/size.h"
#include "monitor/store.h"
#include "monitor/store_drift.h"
#include "tests/unit/scratch.h"

#define DAY_US INT64_C(86400000000)

/* From the schema as it is to that of version 2. */
#define STORE_SCHEMA_2                                                                                                                                      \
    "DROP TABLE figures; PRAGMA user_version = 2;"                                                                                                          \
    "CREATE TABLE drift (model INTEGER NOT NULL, window INTEGER NOT NULL, feature TEXT NOT NULL, test TEXT NOT NULL, statistic REAL, threshold REAL,"       \
    " effect INTEGER NOT NULL, evidence REAL, p REAL, PRIMARY KEY (model, window, feature, test)) STRICT, WITHOUT ROWID;"

static scratch folder;
static char path[600];

static inline int begin(void **state)
{
    (void)state;
    if (!scratch_make(&folder)) return -1;
    snprintf(path, sizeof path, "%s", scratch_path(&folder, "m.store"));
    return 0;
}

static inline void allow_bytes(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = FW_MIN(bytes, limit.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static inline int end(void **state)
{
    (void)state;
    allow_bytes(RLIM_INFINITY);
    scratch_remove(&folder);
    return 0;
}

static inline monitor_store *open_with(monitor_store_opts opts)
{
    monitor_store *s = NULL;
    fw_error err = {0};
    opts.path = path;
    if (monitor_store_open(&s, &opts, &err) != FW_OK) fail_msg("%s", err.text);
    return s;
}

static inline void commit(monitor_store *s)
{
    fw_error err = {0};
    if (monitor_store_commit(s, &err) != FW_OK) fail_msg("%s", err.text);
}

static inline monitor_reader *reader(void)
{
    monitor_reader *r = NULL;
    fw_error err = {0};
    if (monitor_reader_open(&r, path, &err) != FW_OK) fail_msg("%s", err.text);
    return r;
}

static inline monitor_window_row window_of(int64_t model, int64_t number, int64_t rows)
{
    return (monitor_window_row){.model = model, .number = number, .from_us = number * 1000, .to_us = number * 1000 + 999, .rows = rows, .closed = "full",
                                .body = "{\"counts\":[1,2]}"};
}

static inline monitor_publisher_row position_of(const char *stream, int64_t position)
{
    return (monitor_publisher_row){.stream = {stream, 16}, .name = "p", .position = position, .heard_us = 5};
}

#define STREAM "0123456789abcdef"

static inline void put_window(monitor_store *s, int64_t model, int64_t number, int64_t rows)
{
    const monitor_window_row w = window_of(model, number, rows);
    assert_int_equal(monitor_store_put_window(s, &w, NULL), FW_OK);
}

static inline void put_position(monitor_store *s, int64_t position)
{
    const monitor_publisher_row p = position_of(STREAM, position);
    assert_int_equal(monitor_store_put_publisher(s, &p, NULL), FW_OK);
}

/* ---- reading back ---- */

typedef struct seen { int64_t n, rows, first, last, position; } seen;

static inline fw_status see_window(void *context, const monitor_window_row *w, fw_error *err)
{
    (void)err;
    seen *v = context;
    if (v->n++ == 0) v->first = w->number;
    v->last = w->number;
    v->rows += w->rows;
    return FW_OK;
}

static inline fw_status see_position(void *context, const monitor_publisher_row *p, fw_error *err)
{
    (void)err;
    assert_int_equal(p->stream.len, 16);
    ((seen *)context)->position = p->position;
    return FW_OK;
}

static inline seen look(const monitor_query *q)
{
    FW_AUTO(monitor_reader) *r = reader();
    seen v = {0};
    assert_int_equal(monitor_reader_begin(r, NULL), FW_OK);
    assert_int_equal(monitor_read_window(r, q, see_window, &v, NULL), FW_OK);
    assert_int_equal(monitor_read_publisher(r, NULL, see_position, &v, NULL), FW_OK);
    monitor_reader_end(r);
    return v;
}

static inline void run_sql(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

#endif
