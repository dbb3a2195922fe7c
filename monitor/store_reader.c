#include "monitor/store_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "monitor/store_sqlite.h"
#include "monitor/store_tables.h"

#define BUSY_MS 2000

struct monitor_reader { sqlite3 *db; char *path; };

fw_status monitor_reader_open(monitor_reader **out, const char *path, fw_error *err)
{
    FW_AUTO(monitor_reader) *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "store %s: a reader", path);
    FW_TRY(fw_copy_text(&r->path, path, err));
    if (!fw_path_exists(path)) return fw_fail(err, FW_ERR_NOTFOUND, "store %s: there is no such file; flywheel-monitor --store %s makes it", path, path);
    FW_TRY(monitor_sqlite_open(&r->db, path, SQLITE_OPEN_READONLY, BUSY_MS, err));
    FW_TRY(monitor_schema_check(r->db, path, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

void monitor_reader_destroy(monitor_reader **r)
{
    if (r == NULL || *r == NULL) return;
    sqlite3_close_v2((*r)->db);
    free((*r)->path);
    free(*r);
    *r = NULL;
}

fw_status monitor_reader_begin(monitor_reader *r, fw_error *err) { return monitor_sqlite_run(r->db, r->path, "BEGIN", err); }

void monitor_reader_end(monitor_reader *r)
{
    if (sqlite3_get_autocommit(r->db) == 0) sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
}

/* ---- queries ---- */

static bool has_column(const monitor_table *t, const char *name)
{
    for (size_t i = 0; name != NULL && i < t->n; i++)
        if (strcmp(t->columns[i].name, name) == 0) return true;
    return false;
}

/** The statement of a query. Each restriction that the table knows has its fixed parameter; 0 or NULL in it: none. */
static void write_query(fw_text *sql, const monitor_table *t, const monitor_query *q)
{
    monitor_table_select(sql, t);
    fw_text_add(sql, " WHERE 1");
    if (q->model != 0 && has_column(t, "model")) fw_text_add(sql, " AND model = ?1");
    if (q->name != NULL && t->by_name != NULL) fw_text_format(sql, " AND \"%s\" = ?2", t->by_name);
    if (q->window != 0 && t->by_window != NULL) fw_text_format(sql, " AND \"%s\" = ?3", t->by_window);
    if (q->from != 0) fw_text_format(sql, " AND \"%s\" >= ?4", t->by_range);
    if (q->to != 0) fw_text_format(sql, " AND \"%s\" <= ?5", t->by_range);
    if (q->alert != 0 && has_column(t, "alert")) fw_text_add(sql, " AND alert = ?6");
    if (q->open && has_column(t, "resolved_us")) fw_text_add(sql, " AND resolved_us = 0");
    const char *way = q->newest_first ? "DESC" : "ASC";
    fw_text_format(sql, " ORDER BY \"%s\" %s", t->by_range, way);
    for (size_t i = 0; i < t->n_keys; i++)
        if (strcmp(t->columns[i].name, t->by_range) != 0) fw_text_format(sql, ", \"%s\" %s", t->columns[i].name, way);
    if (q->limit != 0) fw_text_add(sql, " LIMIT ?7");
}

static int bind_query(sqlite3_stmt *statement, const monitor_query *q)
{
    const int64_t numbers[] = {0, q->model, 0, q->window, q->from, q->to, q->alert, q->limit > INT64_MAX ? INT64_MAX : (int64_t)q->limit};
    const int n = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= n; i++) {
        const int code = i == 2 ? sqlite3_bind_text(statement, i, q->name, -1, SQLITE_STATIC) : sqlite3_bind_int64(statement, i, numbers[i]);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

/** What the typed functions make of a row. */
typedef fw_status (*row_fn)(void *context, const void *row, fw_error *err);

static fw_status each_row(monitor_reader *r, sqlite3_stmt *statement, const monitor_table *t, row_fn fn, void *context, fw_error *err)
{
    FW_FREE void *row = NULL;
    int code;
    FW_TRY(fw_alloc_zeroed(&row, 1, t->row_bytes, "a row of the store", err));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        FW_TRY(monitor_row_fill(row, statement, 0, t, err));
        const fw_status s = fn(context, row, err);
        if (s != FW_OK) return s == FW_END ? FW_OK : s;
    }
    return code == SQLITE_DONE ? FW_OK : monitor_sqlite_fail(err, r->db, code, r->path, "it can't be read");
}

static fw_status read_table(monitor_reader *r, monitor_table_id table, const monitor_query *query, row_fn fn, void *context, fw_error *err)
{
    static const monitor_query all = {0};
    const monitor_query *q = query != NULL ? query : &all;
    const monitor_table *t = &monitor_tables[table];
    FW_AUTO(fw_text) sql = {0};
    MONITOR_STATEMENT *statement = NULL;
    write_query(&sql, t, q);
    FW_TRY(fw_text_check(&sql, err));
    FW_TRY(monitor_sqlite_prepare(&statement, r->db, r->path, sql.data, err));
    const int code = bind_query(statement, q);
    if (code != SQLITE_OK) return monitor_sqlite_fail(err, r->db, code, r->path, "a query");
    return each_row(r, statement, t, fn, context, err);
}

#define X(noun, TABLE)                                                                                                                          \
    typedef struct noun##_call { monitor_##noun##_fn fn; void *context; } noun##_call;                                                          \
    static fw_status call_##noun(void *context, const void *row, fw_error *err)                                                                \
    {                                                                                                                                           \
        const noun##_call *c = context;                                                                                                         \
        return c->fn(c->context, row, err);                                                                                                     \
    }                                                                                                                                           \
    fw_status monitor_read_##noun(monitor_reader *r, const monitor_query *query, monitor_##noun##_fn fn, void *context, fw_error *err)          \
    {                                                                                                                                           \
        noun##_call call = {fn, context};                                                                                                       \
        return read_table(r, MONITOR_##TABLE, query, call_##noun, &call, err);                                                                  \
    }
MONITOR_TABLE_LIST(X)
#undef X

/* ---- pairs, size ---- */

static void add_columns(fw_text *sql, const monitor_table *t, const char *alias)
{
    for (size_t i = 0; i < t->n; i++) fw_text_format(sql, "%s%s.\"%s\"", i > 0 ? ", " : "", alias, t->columns[i].name);
}

fw_status monitor_read_pairs(monitor_reader *r, size_t limit, monitor_pair_fn fn, void *context, fw_error *err)
{
    const monitor_table *predictions = &monitor_tables[MONITOR_WAITING_PREDICTIONS], *outcomes = &monitor_tables[MONITOR_WAITING_OUTCOMES];
    monitor_waiting_prediction_row p;
    monitor_waiting_outcome_row o;
    FW_AUTO(fw_text) sql = {0};
    MONITOR_STATEMENT *statement = NULL;
    int code;
    fw_text_add(&sql, "SELECT ");
    add_columns(&sql, predictions, "p");
    fw_text_add(&sql, ", ");
    add_columns(&sql, outcomes, "o");
    fw_text_format(&sql, " FROM waiting_outcomes o INDEXED BY waiting_outcomes_by_time CROSS JOIN waiting_predictions p ON p.model = o.model AND p.id = o.id"
                         " ORDER BY o.at_us LIMIT %zu", limit);
    FW_TRY(fw_text_check(&sql, err));
    FW_TRY(monitor_sqlite_prepare(&statement, r->db, r->path, sql.data, err));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        FW_TRY(monitor_row_fill(&p, statement, 0, predictions, err));
        FW_TRY(monitor_row_fill(&o, statement, (int)predictions->n, outcomes, err));
        const fw_status s = fn(context, &p, &o, err);
        if (s != FW_OK) return s == FW_END ? FW_OK : s;
    }
    return code == SQLITE_DONE ? FW_OK : monitor_sqlite_fail(err, r->db, code, r->path, "its waiting rows can't be read");
}

fw_status monitor_reader_size(monitor_reader *r, uint64_t *file_bytes, uint64_t *used_bytes, fw_error *err)
{
    int64_t pages = 0, unused = 0, page = 0;
    FW_TRY(monitor_sqlite_number(&pages, r->db, r->path, "PRAGMA page_count", err));
    FW_TRY(monitor_sqlite_number(&unused, r->db, r->path, "PRAGMA freelist_count", err));
    FW_TRY(monitor_sqlite_number(&page, r->db, r->path, "PRAGMA page_size", err));
    *file_bytes = (uint64_t)(pages * page);
    *used_bytes = (uint64_t)((pages - unused) * page);
    return FW_OK;
}
