/** SQLite in this folder's words: codes as statuses, statements that end themselves, the schema. For monitor/store*.c alone. */
#ifndef MONITOR_STORE_SQLITE_H
#define MONITOR_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdint.h>

#include "common/core/status.h"

#define MONITOR_STORE_APPLICATION 0x46576D6F      /* "FWmo": PRAGMA application_id */

/** The status of an SQLite code that is not OK, ROW or DONE; err: "store <path>: <what>: <why>". db may be NULL. */
fw_status monitor_sqlite_fail(fw_error *err, sqlite3 *db, int code, const char *path, const char *what);

/** Opens with the limits and the manners that all connections of ours have. flags: SQLITE_OPEN_... */
fw_status monitor_sqlite_open(sqlite3 **out, const char *path, int flags, int busy_ms, fw_error *err);
fw_status monitor_sqlite_run(sqlite3 *db, const char *path, const char *sql, fw_error *err);
/** The first column of the first row, as a number. FW_ERR_NOTFOUND: no row. */
fw_status monitor_sqlite_number(int64_t *out, sqlite3 *db, const char *path, const char *sql, fw_error *err);
fw_status monitor_sqlite_prepare(sqlite3_stmt **out, sqlite3 *db, const char *path, const char *sql, fw_error *err);
void      monitor_statement_destroy(sqlite3_stmt **statement);
#define   MONITOR_STATEMENT __attribute__((cleanup(monitor_statement_destroy))) sqlite3_stmt

/** Makes the tables of a new store, or brings an older one up to MONITOR_STORE_VERSION, in one transaction. FW_ERR_VERSION: it is newer. */
fw_status monitor_schema_update(sqlite3 *db, const char *path, fw_error *err);
/** For those who only read: FW_ERR_FORMAT: not a store; FW_ERR_VERSION: not of this version. */
fw_status monitor_schema_check(sqlite3 *db, const char *path, fw_error *err);

#endif
