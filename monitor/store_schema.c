#include <stdbool.h>
#include <stdio.h>

#include "monitor/store.h"
#include "monitor/store_sqlite.h"
#include "monitor/store_upgrade.h"

/** What brings a store from version i to i + 1. A step that was ever in a release stays as it is; a change is a step more.
 *  The columns are told in store_rows.h. STRICT: a damaged type is an error, not another type. */
typedef struct step {
    const char *sql;
    fw_status (*convert)(sqlite3 *db, const char *path, fw_error *err);      /* NULL: SQL is enough */
    const char *last;                                                        /* SQL behind it */
} step;

static const step steps[] = {
    {"CREATE TABLE models (model INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, digest TEXT NOT NULL, task TEXT, classes TEXT, reference BLOB NOT NULL,"
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, predictions INTEGER NOT NULL, UNIQUE (name, digest)) STRICT;"
    "CREATE TABLE publishers (stream BLOB PRIMARY KEY NOT NULL, name TEXT, address TEXT, position INTEGER NOT NULL, produced INTEGER NOT NULL,"
    " delivered INTEGER NOT NULL, spooled INTEGER NOT NULL, dropped INTEGER NOT NULL, reasons TEXT, missing INTEGER NOT NULL,"
    " duplicates INTEGER NOT NULL, malformed INTEGER NOT NULL, first_us INTEGER NOT NULL, heard_us INTEGER NOT NULL, ended INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE windows (model INTEGER NOT NULL, number INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, rows INTEGER NOT NULL,"
    " revised INTEGER NOT NULL, closed TEXT, body TEXT, PRIMARY KEY (model, number)) STRICT;"
    "CREATE INDEX windows_by_time ON windows (to_us, model);"
    "CREATE TABLE drift (model INTEGER NOT NULL, window INTEGER NOT NULL, feature TEXT NOT NULL, test TEXT NOT NULL, statistic REAL, threshold REAL,"
    " effect INTEGER NOT NULL, evidence REAL, p REAL, PRIMARY KEY (model, window, feature, test)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE performance (model INTEGER NOT NULL, window INTEGER NOT NULL, metric TEXT NOT NULL, realised REAL, low REAL, high REAL,"
    " estimated REAL, reference REAL, labelled REAL, PRIMARY KEY (model, window, metric)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE waiting_predictions (model INTEGER NOT NULL, id TEXT NOT NULL, window INTEGER NOT NULL, made_us INTEGER NOT NULL,"
    " label INTEGER NOT NULL, confidence REAL, value REAL, probabilities BLOB NOT NULL, PRIMARY KEY (model, id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX waiting_predictions_by_time ON waiting_predictions (made_us);"
    "CREATE TABLE waiting_outcomes (model INTEGER NOT NULL, id TEXT NOT NULL, outcome TEXT NOT NULL, at_us INTEGER NOT NULL, PRIMARY KEY (model, id))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX waiting_outcomes_by_time ON waiting_outcomes (at_us);"
    "CREATE TABLE kpi (name TEXT NOT NULL, model INTEGER NOT NULL, at_us INTEGER NOT NULL, value REAL, baseline REAL, target REAL,"
    " PRIMARY KEY (name, model, at_us)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE alerts (alert INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, model INTEGER NOT NULL, name TEXT, digest TEXT, subject TEXT NOT NULL,"
    " since_us INTEGER NOT NULL, raised_us INTEGER NOT NULL, last_us INTEGER NOT NULL, acknowledged_us INTEGER NOT NULL,"
    " silenced_until_us INTEGER NOT NULL, resolved_us INTEGER NOT NULL, level REAL, peak REAL, threshold REAL, certainty REAL,"
    " loud INTEGER NOT NULL, quiet INTEGER NOT NULL, told INTEGER NOT NULL, features TEXT, text TEXT, advice TEXT) STRICT;"
    "CREATE INDEX alerts_by_cause ON alerts (kind, model, subject);"
    "CREATE TABLE alert_events (alert INTEGER NOT NULL, at_us INTEGER NOT NULL, event TEXT NOT NULL, \"by\" TEXT, delivery INTEGER NOT NULL, note TEXT,"
    " PRIMARY KEY (alert, at_us, event)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE states (key TEXT PRIMARY KEY NOT NULL, at_us INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;", NULL, NULL},
    {"CREATE TABLE posted (posted INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, topic TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;", NULL, NULL},
    {"CREATE TABLE figures (model INTEGER NOT NULL, window INTEGER NOT NULL, bins INTEGER NOT NULL, at_us INTEGER NOT NULL, bytes BLOB NOT NULL,"
     " PRIMARY KEY (model, window, bins)) STRICT, WITHOUT ROWID;", monitor_upgrade_drift, "DROP TABLE drift"},
};
_Static_assert(sizeof steps / sizeof *steps == MONITOR_STORE_VERSION, "a step for each version of the schema");

static fw_status versions(int64_t *application, int64_t *version, int64_t *tables, sqlite3 *db, const char *path, fw_error *err)
{
    FW_TRY(monitor_sqlite_number(application, db, path, "PRAGMA application_id", err));
    FW_TRY(monitor_sqlite_number(version, db, path, "PRAGMA user_version", err));
    return monitor_sqlite_number(tables, db, path, "SELECT count(*) FROM sqlite_schema", err);
}

static fw_status refuse_others(int64_t application, int64_t version, const char *path, fw_error *err)
{
    if (application != MONITOR_STORE_APPLICATION)
        return fw_fail(err, FW_ERR_CONFIG, "store %s: it is the database of another program; name another file", path);
    if (version > MONITOR_STORE_VERSION)
        return fw_fail(err, FW_ERR_VERSION, "store %s: it was written by a newer flywheel-monitor (schema %lld; this one knows up to %d): use that one, or name another file",
                       path, (long long)version, MONITOR_STORE_VERSION);
    if (version < 1) return fw_fail(err, FW_ERR_FORMAT, "store %s: its schema has the version %lld, which never was: it is damaged", path, (long long)version);
    return FW_OK;
}

fw_status monitor_schema_check(sqlite3 *db, const char *path, fw_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    FW_TRY(versions(&application, &version, &tables, db, path, err));
    if (tables == 0) return fw_fail(err, FW_ERR_NOTFOUND, "store %s: nothing is in it yet; start flywheel-monitor with --store %s", path, path);
    FW_TRY(refuse_others(application, version, path, err));
    if (version < MONITOR_STORE_VERSION)
        return fw_fail(err, FW_ERR_VERSION, "store %s: it is of an older flywheel-monitor (schema %lld, now %d); start this flywheel-monitor with it once, which brings it up to date",
                       path, (long long)version, MONITOR_STORE_VERSION);
    return FW_OK;
}

static fw_status run_step(sqlite3 *db, const char *path, const step *s, fw_error *err)
{
    FW_TRY(monitor_sqlite_run(db, path, s->sql, err));
    if (s->convert != NULL) FW_TRY(s->convert(db, path, err));
    return s->last != NULL ? monitor_sqlite_run(db, path, s->last, err) : FW_OK;
}

static fw_status run_steps(sqlite3 *db, const char *path, int64_t from, fw_error *err)
{
    char end[96];
    for (int64_t v = from; v < MONITOR_STORE_VERSION; v++) FW_TRY(run_step(db, path, &steps[v], err));
    snprintf(end, sizeof end, "PRAGMA application_id = %d; PRAGMA user_version = %d", MONITOR_STORE_APPLICATION, MONITOR_STORE_VERSION);
    return monitor_sqlite_run(db, path, end, err);
}

fw_status monitor_schema_update(sqlite3 *db, const char *path, fw_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    FW_TRY(versions(&application, &version, &tables, db, path, err));
    if (tables > 0) {
        FW_TRY(refuse_others(application, version, path, err));
        if (version == MONITOR_STORE_VERSION) return FW_OK;
    }
    FW_TRY(monitor_sqlite_run(db, path, "BEGIN IMMEDIATE", err));
    fw_status s = run_steps(db, path, tables > 0 ? version : 0, err);
    if (s >= 0) s = monitor_sqlite_run(db, path, "COMMIT", err);
    if (s < 0) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return s;
}
