#include "monitor/store_sqlite.h"

#include <string.h>

#include "monitor/store.h"

static fw_status status_of(int code)
{
    switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return FW_ERR_FORMAT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT: return FW_ERR_TIMEOUT;
    case SQLITE_NOMEM: return FW_ERR_NOMEM;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_PROTOCOL: return FW_ERR_IO;
    default: return FW_ERR_INTERNAL;
    }
}

static const char *advice_of(int code)
{
    switch (code & 0xFF) {
    case SQLITE_FULL: return "; make room on its disk";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "; another program holds a lock on it";
    case SQLITE_READONLY:
    case SQLITE_PERM: return "; look at the rights of the file and its folder";
    default: return "";
    }
}

fw_status monitor_sqlite_fail(fw_error *err, sqlite3 *db, int code, const char *path, const char *what)
{
    const char *said = db != NULL && sqlite3_extended_errcode(db) == code ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    const int system = db != NULL ? sqlite3_system_errno(db) : 0;
    const int main_code = code & 0xFF;
    if ((main_code == SQLITE_IOERR || main_code == SQLITE_CANTOPEN || main_code == SQLITE_FULL) && system != 0)
        return fw_fail(err, status_of(code), "store %s: %s: %s (%s)%s", path, what, said, strerror(system), advice_of(code));
    return fw_fail(err, status_of(code), "store %s: %s: %s%s", path, what, said, advice_of(code));
}

fw_status monitor_sqlite_open(sqlite3 **out, const char *path, int flags, int busy_ms, fw_error *err)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(db, busy_ms);
    if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(db, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        const fw_status s = monitor_sqlite_fail(err, db, code, path, "can't be opened");
        sqlite3_close_v2(db);
        return s;
    }
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, (int)(MONITOR_STORE_MAX_FIELD + (1 << 20)));
    *out = db;
    return FW_OK;
}

fw_status monitor_sqlite_run(sqlite3 *db, const char *path, const char *sql, fw_error *err)
{
    const int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? FW_OK : monitor_sqlite_fail(err, db, code, path, sql);
}

fw_status monitor_sqlite_prepare(sqlite3_stmt **out, sqlite3 *db, const char *path, const char *sql, fw_error *err)
{
    const int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    return code == SQLITE_OK ? FW_OK : monitor_sqlite_fail(err, db, code, path, sql);
}

void monitor_statement_destroy(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
    *statement = NULL;
}

fw_status monitor_sqlite_number(int64_t *out, sqlite3 *db, const char *path, const char *sql, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    FW_TRY(monitor_sqlite_prepare(&statement, db, path, sql, err));
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return fw_fail(err, FW_ERR_NOTFOUND, "store %s: %s: no row", path, sql);
    if (code != SQLITE_ROW) return monitor_sqlite_fail(err, db, code, path, sql);
    *out = sqlite3_column_int64(statement, 0);
    return FW_OK;
}
