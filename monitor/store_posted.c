#include "monitor/store_posted.h"

#include "common/core/fs.h"
#include "monitor/store_sqlite.h"

#define ROW_BYTES 1024      /* of one that waits, beside its message: small ones have a bound too */

static fw_status check_room(sqlite3 *db, const char *path, const monitor_post *posts, size_t n, fw_error *err)
{
    int64_t waiting = 0, rows = 0;
    FW_TRY(monitor_sqlite_number(&waiting, db, path, "SELECT coalesce(sum(length(bytes)), 0) FROM posted", err));
    FW_TRY(monitor_sqlite_number(&rows, db, path, "SELECT count(*) FROM posted", err));
    size_t bytes = (size_t)waiting + (size_t)rows * ROW_BYTES;
    for (size_t i = 0; i < n; i++) bytes += posts[i].len + ROW_BYTES;
    if (bytes <= MONITOR_POSTED_MAX_BYTES) return FW_OK;
    return fw_fail(err, FW_ERR_TIMEOUT, "store %s: %lld messages wait to be taken in, and at most %zu MiB may; try again when the monitor has taken them", path, (long long)rows,
                   MONITOR_POSTED_MAX_BYTES >> 20);
}

static fw_status insert_one(sqlite3 *db, const char *path, sqlite3_stmt *statement, const monitor_post *p, int64_t now_us, fw_error *err)
{
    int code = sqlite3_bind_int64(statement, 1, now_us);
    if (code == SQLITE_OK) code = sqlite3_bind_text(statement, 2, p->topic, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_bind_blob64(statement, 3, p->bytes, p->len, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    const fw_status s = code == SQLITE_DONE ? FW_OK : monitor_sqlite_fail(err, db, code, path, "what was posted can't be written");
    sqlite3_reset(statement);
    return s;
}

static fw_status insert_all(sqlite3 *db, const char *path, const monitor_post *posts, size_t n, int64_t now_us, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    FW_TRY(check_room(db, path, posts, n, err));
    FW_TRY(monitor_sqlite_prepare(&statement, db, path, "INSERT INTO posted (at_us, topic, bytes) VALUES (?1, ?2, ?3)", err));
    for (size_t i = 0; i < n; i++) FW_TRY(insert_one(db, path, statement, &posts[i], now_us, err));
    return FW_OK;
}

static fw_status post_to(sqlite3 *db, const char *path, const monitor_post *posts, size_t n, int64_t now_us, fw_error *err)
{
    FW_TRY(monitor_schema_check(db, path, err));
    FW_TRY(monitor_sqlite_run(db, path, "BEGIN IMMEDIATE", err));
    fw_status s = insert_all(db, path, posts, n, now_us, err);
    if (s >= 0) s = monitor_sqlite_run(db, path, "COMMIT", err);
    if (s < 0 && sqlite3_get_autocommit(db) == 0) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return s;
}

fw_status monitor_store_post(const char *path, const monitor_post *posts, size_t n, int64_t now_us, int wait_ms, fw_error *err)
{
    sqlite3 *db = NULL;
    if (!fw_path_exists(path)) return fw_fail(err, FW_ERR_NOTFOUND, "store %s: there is no such file", path);
    FW_TRY(monitor_sqlite_open(&db, path, SQLITE_OPEN_READWRITE, wait_ms, err));
    const fw_status s = post_to(db, path, posts, n, now_us, err);
    sqlite3_close_v2(db);
    return s;
}
