#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/text.h"
#include "monitor/store_parts.h"
#include "monitor/store_sqlite.h"

#define BUSY_MS     200                     /* the watching waits no longer for somebody's lock */
#define OPEN_MS     5000                    /* at the start there is time */
#define JOURNAL_MAX (16 << 20)              /* bytes that the log keeps between checkpoints */
#define ASIDE_TRIES 100

/* ---- the owner ---- */

fw_status monitor_store_lock(int *out, const char *path, fw_error *err)
{
    FW_AUTO(fw_text) name = {0};
    char holder[24] = "";
    fw_text_format(&name, "%s.lock", path);
    FW_TRY(fw_text_check(&name, err));
    const int fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "store %s: its lock %s can't be opened; is its folder there and writable?", path, name.data);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
        holder[n > 0 ? strspn(holder, "0123456789") : 0] = '\0';
        close(fd);
        return fw_fail(err, FW_ERR_CONFIG, "store %s: another flywheel-monitor has it (process %s); end that one, or name another file", path,
                       *holder != '\0' ? holder : "unknown");
    }
    snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, holder, strlen(holder), 0) < 0) fw_log_debug("store %s: no room for a number in its lock", path);
    *out = fd;
    return FW_OK;
}

/* ---- a damaged one ---- */

static fw_status rename_one(const char *path, const char *companion, const char *to, fw_error *err)
{
    FW_AUTO(fw_text) from = {0};
    FW_AUTO(fw_text) target = {0};
    fw_text_format(&from, "%s%s", path, companion);
    fw_text_format(&target, "%s%s", to, companion);
    FW_TRY(fw_text_check(&from, err));
    FW_TRY(fw_text_check(&target, err));
    if (rename(from.data, target.data) == 0 || errno == ENOENT) return FW_OK;
    return fw_fail_errno(err, FW_ERR_IO, "store %s: it can't be put aside as %s", from.data, target.data);
}

fw_status monitor_store_move_aside(char **out, const char *path, fw_error *err)
{
    static const char *const companions[] = {"-wal", "-shm", ""};      /* the file itself last: until then a second try finds it */
    FW_AUTO(fw_text) to = {0};
    for (int i = 1; i <= ASIDE_TRIES; i++) {
        fw_text_clear(&to);
        fw_text_format(&to, i == 1 ? "%s.corrupt" : "%s.corrupt.%d", path, i);
        FW_TRY(fw_text_check(&to, err));
        if (!fw_path_exists(to.data)) break;
    }
    if (fw_path_exists(to.data)) return fw_fail(err, FW_ERR_IO, "store %s: %d damaged stores lie beside it; move them away", path, ASIDE_TRIES);
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) FW_TRY(rename_one(path, companions[i], to.data, err));
    *out = fw_text_take(&to);
    return FW_OK;
}

/* ---- the file ---- */

static fw_status prepare_file(const char *path, fw_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return fw_fail(err, FW_ERR_CONFIG, "store %s: it is not a regular file", path);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "store %s: it can't be opened for writing", path);
    close(fd);
    return FW_OK;
}

static fw_status check_whole(sqlite3 *db, const char *path, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    FW_TRY(monitor_sqlite_prepare(&statement, db, path, "PRAGMA quick_check(1)", err));
    const int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return monitor_sqlite_fail(err, db, code, path, "its check");
    const char *said = (const char *)sqlite3_column_text(statement, 0);
    if (said == NULL || strcmp(said, "ok") != 0) return fw_fail(err, FW_ERR_FORMAT, "store %s: it is damaged: %.300s", path, said == NULL ? "?" : said);
    return FW_OK;
}

static fw_status set_log(sqlite3 *db, const char *path, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    FW_TRY(monitor_sqlite_prepare(&statement, db, path, "PRAGMA journal_mode = WAL", err));
    const int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return monitor_sqlite_fail(err, db, code, path, "its log can't be begun");
    const char *mode = (const char *)sqlite3_column_text(statement, 0);
    if (mode == NULL || strcmp(mode, "wal") != 0)
        return fw_fail(err, FW_ERR_IO, "store %s: its file system has no shared memory for a write-ahead log; name a file on a local disk", path);
    return FW_OK;
}

/** Of an empty file only: later it takes a VACUUM. */
static fw_status set_vacuum(sqlite3 *db, const char *path, fw_error *err)
{
    int64_t tables = 0, mode = 0;
    FW_TRY(monitor_sqlite_number(&tables, db, path, "SELECT count(*) FROM sqlite_schema", err));
    FW_TRY(monitor_sqlite_number(&mode, db, path, "PRAGMA auto_vacuum", err));
    if (tables > 0 || mode == 2) return FW_OK;
    return monitor_sqlite_run(db, path, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM", err);
}

static fw_status connect_and_check(sqlite3 *db, const char *path, fw_error *err)
{
    char limit[64];
    snprintf(limit, sizeof limit, "PRAGMA journal_size_limit = %d", JOURNAL_MAX);
    FW_TRY(check_whole(db, path, err));
    FW_TRY(set_vacuum(db, path, err));
    FW_TRY(set_log(db, path, err));
    FW_TRY(monitor_sqlite_run(db, path, limit, err));
    return monitor_schema_update(db, path, err);
}

fw_status monitor_store_connect(sqlite3 **out, const char *path, fw_error *err)
{
    sqlite3 *db = NULL;
    FW_TRY(prepare_file(path, err));
    FW_TRY(monitor_sqlite_open(&db, path, SQLITE_OPEN_READWRITE, OPEN_MS, err));
    const fw_status s = connect_and_check(db, path, err);
    if (s < 0) {
        sqlite3_close_v2(db);
        return s;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    *out = db;
    return FW_OK;
}
