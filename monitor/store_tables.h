/** The tables of the store as data: what stands where in a row's struct. Statements, copies in memory, and reading are derived from it.
 *  For monitor/store*.c alone. */
#ifndef MONITOR_STORE_TABLES_H
#define MONITOR_STORE_TABLES_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "monitor/store_rows.h"


typedef enum monitor_column_kind { MONITOR_INTEGER, MONITOR_REAL, MONITOR_TEXT, MONITOR_JSON, MONITOR_BYTES } monitor_column_kind;
/** What a put does to a row that is there: replaces the value, keeps the old one, or takes the larger. */
typedef enum monitor_merge { MONITOR_REPLACE, MONITOR_KEEP, MONITOR_LARGER } monitor_merge;

typedef struct monitor_column {
    const char *name;
    monitor_column_kind kind;
    size_t at;                     /* in the row's struct */
    bool nullable;
    monitor_merge merge;
} monitor_column;

typedef struct monitor_table {
    const char *name;
    const monitor_column *columns; size_t n, n_keys;      /* the key comes first */
    size_t row_bytes;
    const char *by_name, *by_range, *by_window;      /* columns that a query restricts; NULL: none */
    bool history;                  /* may be dropped when too much waits in memory */
} monitor_table;

extern const monitor_table monitor_tables[MONITOR_N_TABLES];

/** Statements: "INSERT ... ON CONFLICT ...", "DELETE ... WHERE key", "SELECT columns FROM table" without an end. */
void monitor_table_upsert(fw_text *out, const monitor_table *t);
void monitor_table_delete(fw_text *out, const monitor_table *t);
void monitor_table_select(fw_text *out, const monitor_table *t);

/** A row as bytes of its own, columns in order; *key_len of them are the key. Checks sizes, UTF-8 and JSON. keys_only: nothing behind the key. */
fw_status monitor_row_pack(fw_text *out, size_t *key_len, const monitor_table *t, const void *row, bool keys_only, fw_error *err);
/** Binds packed columns to parameters 1, 2, ...; the bytes must live until the statement was stepped. The SQLite code. */
int       monitor_row_bind(sqlite3_stmt *statement, const monitor_table *t, const char *packed, size_t n_columns);
/** Fills a row from the statement's columns, from `first` on. FW_ERR_FORMAT: a text is not UTF-8, or is missing. */
fw_status monitor_row_fill(void *row, sqlite3_stmt *statement, int first, const monitor_table *t, fw_error *err);

#endif
