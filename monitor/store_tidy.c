#include <stdlib.h>
#include <string.h>

#include "monitor/store_parts.h"
#include "monitor/store_sqlite.h"

#define PIECE_MS        50          /* of one call */
#define WINDOWS_AT_ONCE "100"       /* with a row of figures and some of performance each */
#define ROWS_AT_ONCE    "2000"
#define PAGES_AT_ONCE   "500"

/** What goes with its time; ?1: the moment before which. Each a piece. */
static const char *const by_age[] = {
    "DELETE FROM windows WHERE rowid IN (SELECT rowid FROM windows WHERE to_us < ?1 ORDER BY to_us LIMIT " WINDOWS_AT_ONCE ")",
    "DELETE FROM waiting_outcomes WHERE model = 0 AND id IN (SELECT id FROM waiting_outcomes WHERE model = 0 AND at_us < ?1 LIMIT " ROWS_AT_ONCE ")",
    "DELETE FROM kpi WHERE (name, model, at_us) IN (SELECT name, model, at_us FROM kpi WHERE at_us < ?1 LIMIT " ROWS_AT_ONCE ")",
    "DELETE FROM alerts WHERE alert IN (SELECT alert FROM alerts WHERE resolved_us > 0 AND max(resolved_us, silenced_until_us) < ?1 LIMIT " ROWS_AT_ONCE ")",
    "DELETE FROM publishers WHERE heard_us < ?1",
    "DELETE FROM states WHERE at_us < ?1",
    "DELETE FROM models WHERE last_us < ?1 AND NOT EXISTS (SELECT 1 FROM windows WHERE windows.model = models.model)",
};
static const char oldest_windows[] = "DELETE FROM windows WHERE rowid IN (SELECT rowid FROM windows ORDER BY to_us LIMIT " WINDOWS_AT_ONCE ")";

/** What hangs on windows and alerts that have gone: numbers below the first window that is left. Models are found by steps, not by a scan. */
static const char first_left[] = "SELECT coalesce((SELECT min(number) FROM windows WHERE model = ?1), 9223372036854775807)";
typedef struct hanging { const char *first, *next, *removal; } hanging;
#define HANGING(table)                                                                                            \
    {"SELECT min(model) FROM " table, "SELECT min(model) FROM " table " WHERE model > ?1",                         \
     "DELETE FROM " table " WHERE model = ?1 AND window < ?2"}
static const hanging of_windows[] = {HANGING("figures"), HANGING("performance")};

/** What waits of models that have gone. Of others it is monitor_outcomes' own, whatever time it bears: an outcome can be told long after it was observed. */
#define WAITING(table)                                                                                            \
    {"SELECT min(model) FROM " table " WHERE model > 0", "SELECT min(model) FROM " table " WHERE model > ?1",      \
     "DELETE FROM " table " WHERE model = ?1 AND NOT EXISTS (SELECT 1 FROM models WHERE models.model = ?1)"       \
     " AND id IN (SELECT id FROM " table " WHERE model = ?1 LIMIT " ROWS_AT_ONCE ")"}
static const hanging of_models[] = {WAITING("waiting_predictions"), WAITING("waiting_outcomes")};
static const char lone_events[] = "DELETE FROM alert_events WHERE NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.alert = alert_events.alert)";

/** Runs a statement with up to two numbers. *changed: rows deleted are added. *value: the first column, when it is a number; else it stays. */
static fw_status run_with(monitor_store *s, const char *sql, int64_t a, int64_t b, int64_t *changed, int64_t *value, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    FW_TRY(monitor_sqlite_prepare(&statement, s->db, s->path, sql, err));
    const int n = sqlite3_bind_parameter_count(statement);
    int code = SQLITE_OK;
    if (n >= 1) code = sqlite3_bind_int64(statement, 1, a);
    if (n >= 2 && code == SQLITE_OK) code = sqlite3_bind_int64(statement, 2, b);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW && value != NULL && sqlite3_column_type(statement, 0) == SQLITE_INTEGER) *value = sqlite3_column_int64(statement, 0);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return monitor_sqlite_fail(err, s->db, code, s->path, "it can't be tidied");
    if (changed != NULL && code == SQLITE_DONE) *changed += sqlite3_changes64(s->db);
    return FW_OK;
}

static fw_status remove_hanging(monitor_store *s, const hanging *h, int64_t *changed, fw_error *err)
{
    int64_t model = INT64_MIN, first = 0;
    FW_TRY(run_with(s, h->first, 0, 0, NULL, &model, err));
    for (int64_t before = INT64_MIN; model != before;) {
        FW_TRY(run_with(s, first_left, model, 0, NULL, &first, err));
        FW_TRY(run_with(s, h->removal, model, first, changed, NULL, err));
        before = model;
        FW_TRY(run_with(s, h->next, before, 0, NULL, &model, err));
    }
    return FW_OK;
}

static fw_status is_too_large(bool *out, monitor_store *s, fw_error *err)
{
    int64_t pages = 0, unused = 0, page = 0;
    FW_TRY(monitor_sqlite_number(&pages, s->db, s->path, "PRAGMA page_count", err));
    FW_TRY(monitor_sqlite_number(&unused, s->db, s->path, "PRAGMA freelist_count", err));
    FW_TRY(monitor_sqlite_number(&page, s->db, s->path, "PRAGMA page_size", err));
    *out = (uint64_t)(pages - unused) * (uint64_t)page > s->opts.max_bytes;
    return FW_OK;
}

static fw_status remove_old(monitor_store *s, int64_t before_us, int64_t *changed, fw_error *err)
{
    bool large = false;
    for (size_t i = 0; i < sizeof by_age / sizeof *by_age; i++) FW_TRY(run_with(s, by_age[i], before_us, 0, changed, NULL, err));
    FW_TRY(is_too_large(&large, s, err));
    if (large) FW_TRY(run_with(s, oldest_windows, 0, 0, changed, NULL, err));
    for (size_t i = 0; i < sizeof of_windows / sizeof *of_windows; i++) FW_TRY(remove_hanging(s, &of_windows[i], changed, err));
    for (size_t i = 0; i < sizeof of_models / sizeof *of_models; i++) FW_TRY(remove_hanging(s, &of_models[i], changed, err));
    return run_with(s, lone_events, 0, 0, changed, NULL, err);
}

/** One transaction. */
static fw_status remove_piece(monitor_store *s, int64_t before_us, int64_t *changed, fw_error *err)
{
    *changed = 0;
    FW_TRY(monitor_sqlite_run(s->db, s->path, "BEGIN IMMEDIATE", err));
    fw_status status = remove_old(s, before_us, changed, err);
    if (status >= 0) status = monitor_sqlite_run(s->db, s->path, "COMMIT", err);
    if (status < 0 && sqlite3_get_autocommit(s->db) == 0) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static fw_status check_place(monitor_store *s, fw_error *err)
{
    int moved = 0;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0)
        return fw_fail(err, FW_ERR_NOTFOUND, "store %s: the file was moved or removed while it was open; what is stored now is lost with it: put it back, or start the monitor again",
                       s->path);
    return FW_OK;
}

fw_status monitor_store_tidy(monitor_store *s, int64_t now_us, bool *more, fw_error *err)
{
    const fw_mono end = fw_mono_after(fw_mono_now(), PIECE_MS / 1e3);
    const int64_t before_us = now_us - (int64_t)(s->opts.keep_s * 1e6);
    int64_t changed = 1, unused = 1;
    FW_TRY(check_place(s, err));
    while (changed > 0 && !fw_mono_passed(end)) FW_TRY(remove_piece(s, before_us, &changed, err));
    while (unused > 0 && !fw_mono_passed(end)) {
        FW_TRY(monitor_sqlite_run(s->db, s->path, "PRAGMA incremental_vacuum(" PAGES_AT_ONCE ")", err));
        FW_TRY(monitor_sqlite_number(&unused, s->db, s->path, "PRAGMA freelist_count", err));
    }
    *more = changed > 0 || unused > 0;
    return FW_OK;
}
