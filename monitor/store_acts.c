#include "monitor/store_acts.h"

#include <stdbool.h>

#include "common/core/fs.h"
#include "monitor/store_sqlite.h"

#define BUSY_MS 5000

static const struct { const char *event, *update; bool tell; } acts[] = {
    [MONITOR_ACKNOWLEDGE] = {"acknowledged", "UPDATE alerts SET acknowledged_us = :now WHERE alert = :alert", true},
    [MONITOR_SILENCE] = {"silenced", "UPDATE alerts SET silenced_until_us = :until, told = 0 WHERE alert = :alert", false},
    [MONITOR_RESOLVE] = {"resolved", "UPDATE alerts SET resolved_us = :now WHERE alert = :alert", true},
};

typedef struct found { bool there; int64_t acknowledged_us, silenced_until_us, resolved_us; } found;

static fw_status find_alert(found *out, sqlite3 *db, const char *path, int64_t alert, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    FW_TRY(monitor_sqlite_prepare(&statement, db, path, "SELECT acknowledged_us, silenced_until_us, resolved_us FROM alerts WHERE alert = ?1", err));
    int code = sqlite3_bind_int64(statement, 1, alert);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return monitor_sqlite_fail(err, db, code, path, "its alerts can't be read");
    *out = (found){.there = code == SQLITE_ROW};
    if (code != SQLITE_ROW) return FW_OK;
    out->acknowledged_us = sqlite3_column_int64(statement, 0);
    out->silenced_until_us = sqlite3_column_int64(statement, 1);
    out->resolved_us = sqlite3_column_int64(statement, 2);
    return FW_OK;
}

static fw_status check(const found *f, const char *path, const monitor_act *act, fw_error *err)
{
    const long long alert = act->alert;
    if (!f->there) return fw_fail(err, FW_ERR_NOTFOUND, "store %s: there is no alert %lld; flywheel-monitor alerts list --store %s shows those that are", path, alert, path);
    if (f->resolved_us > 0 && act->kind != MONITOR_SILENCE) return fw_fail(err, FW_ERR_CHECK, "alert %lld is resolved already", alert);
    if (f->acknowledged_us > 0 && act->kind == MONITOR_ACKNOWLEDGE) return fw_fail(err, FW_ERR_CHECK, "alert %lld is acknowledged already", alert);
    return FW_OK;
}

static int bind_number(sqlite3_stmt *statement, const char *name, int64_t v)
{
    const int i = sqlite3_bind_parameter_index(statement, name);
    return i > 0 ? sqlite3_bind_int64(statement, i, v) : SQLITE_OK;
}

static int bind_text(sqlite3_stmt *statement, const char *name, const char *v)
{
    const int i = sqlite3_bind_parameter_index(statement, name);
    return i > 0 ? sqlite3_bind_text(statement, i, v, -1, SQLITE_STATIC) : SQLITE_OK;
}

/** Runs one statement with those of the act's parameters that it names. */
static fw_status write_one(sqlite3 *db, const char *path, const char *sql, const monitor_act *act, int64_t now_us, bool tell, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    FW_TRY(monitor_sqlite_prepare(&statement, db, path, sql, err));
    int code = bind_number(statement, ":alert", act->alert);
    if (code == SQLITE_OK) code = bind_number(statement, ":now", now_us);
    if (code == SQLITE_OK) code = bind_number(statement, ":until", act->until_us);
    if (code == SQLITE_OK) code = bind_number(statement, ":tell", tell);
    if (code == SQLITE_OK) code = bind_text(statement, ":event", acts[act->kind].event);
    if (code == SQLITE_OK) code = bind_text(statement, ":by", act->by);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    return code == SQLITE_DONE ? FW_OK : monitor_sqlite_fail(err, db, code, path, "the alert can't be changed");
}

static fw_status write_act(sqlite3 *db, const char *path, const monitor_act *act, int64_t now_us, fw_error *err)
{
    found f = {0};
    FW_TRY(find_alert(&f, db, path, act->alert, err));
    FW_TRY(check(&f, path, act, err));
    FW_TRY(write_one(db, path, acts[act->kind].update, act, now_us, false, err));
    return write_one(db, path, "INSERT INTO alert_events (alert, at_us, event, \"by\", delivery) VALUES (:alert, :now, :event, :by, :tell)", act, now_us,
                     acts[act->kind].tell && f.silenced_until_us <= now_us, err);
}

static fw_status act_on(sqlite3 *db, const char *path, const monitor_act *act, int64_t now_us, fw_error *err)
{
    FW_TRY(monitor_schema_check(db, path, err));
    FW_TRY(monitor_sqlite_run(db, path, "BEGIN IMMEDIATE", err));
    fw_status s = write_act(db, path, act, now_us, err);
    if (s >= 0) s = monitor_sqlite_run(db, path, "COMMIT", err);
    if (s < 0 && sqlite3_get_autocommit(db) == 0) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return s;
}

fw_status monitor_store_act(const char *path, const monitor_act *act, int64_t now_us, fw_error *err)
{
    sqlite3 *db = NULL;
    if (!fw_path_exists(path)) return fw_fail(err, FW_ERR_NOTFOUND, "store %s: there is no such file", path);
    FW_TRY(monitor_sqlite_open(&db, path, SQLITE_OPEN_READWRITE, act->wait_ms > 0 ? act->wait_ms : BUSY_MS, err));
    const fw_status s = act_on(db, path, act, now_us, err);
    sqlite3_close_v2(db);
    return s;
}
