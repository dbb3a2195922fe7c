#include "monitor/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "monitor/store_parts.h"
#include "monitor/store_sqlite.h"
#include "monitor/store_tables.h"

#define RETRY_S 1.0

/* ---- open and close ---- */

static fw_status prepare_statements(monitor_store *s, fw_error *err)
{
    for (size_t i = 0; i < MONITOR_N_TABLES; i++) {
        FW_AUTO(fw_text) upsert = {0};
        FW_AUTO(fw_text) removal = {0};
        monitor_table_upsert(&upsert, &monitor_tables[i]);
        monitor_table_delete(&removal, &monitor_tables[i]);
        FW_TRY(fw_text_check(&upsert, err));
        FW_TRY(fw_text_check(&removal, err));
        FW_TRY(monitor_sqlite_prepare(&s->upsert[i], s->db, s->path, upsert.data, err));
        FW_TRY(monitor_sqlite_prepare(&s->removal[i], s->db, s->path, removal.data, err));
    }
    return FW_OK;
}

static fw_status connect_store(monitor_store *s, fw_error *err)
{
    fw_error first = {0};
    fw_status status = monitor_store_connect(&s->db, s->path, &first);
    if (status == FW_ERR_FORMAT && s->opts.put_aside) {
        FW_TRY(monitor_store_move_aside(&s->aside, s->path, err));
        return monitor_store_connect(&s->db, s->path, err);
    }
    if (status == FW_ERR_FORMAT)
        return fw_fail(err, status, "%s. --new-store puts it aside as %s.corrupt and begins a new one; or name another file", first.text, s->path);
    if (status < 0) return fw_fail(err, status, "%s", first.text);
    return FW_OK;
}

static fw_status know_model(monitor_store *s, const char *name, const char *digest, int64_t number, fw_error *err);

static fw_status read_models(monitor_store *s, fw_error *err)
{
    MONITOR_STATEMENT *statement = NULL;
    int code;
    FW_TRY(monitor_sqlite_number(&s->next_model, s->db, s->path, "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'models'), 0) + 1", err));
    FW_TRY(monitor_sqlite_prepare(&statement, s->db, s->path, "SELECT model, name, digest FROM models", err));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const int64_t number = sqlite3_column_int64(statement, 0);
        FW_TRY(know_model(s, (const char *)sqlite3_column_text(statement, 1), (const char *)sqlite3_column_text(statement, 2), number, err));
    }
    return code == SQLITE_DONE ? FW_OK : monitor_sqlite_fail(err, s->db, code, s->path, "its models can't be read");
}

static fw_status open_store(monitor_store *s, fw_error *err)
{
    FW_TRY(fw_copy_text(&s->path, s->opts.path, err));
    s->opts.path = s->path;
    FW_TRY(fw_dict_create(&s->models, err));
    FW_TRY(monitor_waiting_init(&s->waiting, s->opts.max_wait_bytes, err));
    FW_TRY(monitor_store_lock(&s->lock, s->path, err));
    FW_TRY(connect_store(s, err));
    FW_TRY(prepare_statements(s, err));
    FW_TRY(monitor_sqlite_number(&s->data_version, s->db, s->path, "PRAGMA data_version", err));
    return read_models(s, err);
}

fw_status monitor_store_open(monitor_store **out, const monitor_store_opts *opts, fw_error *err)
{
    if (opts->path == NULL || *opts->path == '\0') return fw_fail(err, FW_ERR_ARG, "store: it has no file name");
    FW_AUTO(monitor_store) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "store %s", opts->path);
    s->lock = -1;
    s->opts = *opts;
    if (!(s->opts.keep_s > 0)) s->opts.keep_s = MONITOR_STORE_KEEP_S;
    if (s->opts.max_bytes == 0) s->opts.max_bytes = MONITOR_STORE_MAX_BYTES;
    if (s->opts.max_wait_bytes == 0) s->opts.max_wait_bytes = MONITOR_STORE_MAX_WAIT;
    s->health.writing = true;
    FW_TRY(open_store(s, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

void monitor_store_close(monitor_store **store)
{
    if (store == NULL || *store == NULL) return;
    monitor_store *s = *store;
    for (size_t i = 0; i < MONITOR_N_TABLES; i++) {
        sqlite3_finalize(s->upsert[i]);
        sqlite3_finalize(s->removal[i]);
    }
    sqlite3_close_v2(s->db);
    if (s->lock >= 0) close(s->lock);
    monitor_waiting_release(&s->waiting);
    fw_dict_destroy(&s->models);
    free(s->model_number);
    free(s->aside);
    free(s->path);
    free(s);
    *store = NULL;
}

const char *monitor_store_aside(const monitor_store *s) { return s->aside; }

/* ---- models ---- */

/** *code: the place of a model among those known, new when it equals n_models. */
static fw_status place_model(int32_t *code, monitor_store *s, const char *name, const char *digest, fw_error *err)
{
    FW_AUTO(fw_text) key = {0};
    fw_text_add_bytes(&key, name, strlen(name) + 1);
    fw_text_add(&key, digest);
    FW_TRY(fw_text_check(&key, err));
    FW_TRY(fw_grow((void **)&s->model_number, &s->models_capacity, s->n_models + 1, sizeof *s->model_number, "models", err));
    return fw_dict_add(code, s->models, key.data, key.len, err);
}

static fw_status know_model(monitor_store *s, const char *name, const char *digest, int64_t number, fw_error *err)
{
    int32_t code = 0;
    if (name == NULL || digest == NULL) return fw_fail(err, FW_ERR_FORMAT, "store %s: a model without a name: it is damaged", s->path);
    FW_TRY(place_model(&code, s, name, digest, err));
    if ((size_t)code == s->n_models) s->n_models++;
    s->model_number[code] = number;
    return FW_OK;
}

fw_status monitor_store_model(int64_t *out, monitor_store *s, const char *name, const char *digest, fw_error *err)
{
    int32_t code = 0;
    FW_TRY(place_model(&code, s, name, digest, err));
    if ((size_t)code == s->n_models) {
        s->n_models++;
        s->model_number[code] = s->next_model++;
    }
    *out = s->model_number[code];
    return FW_OK;
}

fw_status monitor_store_next_alert(int64_t *out, monitor_store *s, fw_error *err)
{
    return monitor_sqlite_number(out, s->db, s->path, "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'alerts'), 0) + 1", err);
}

/* ---- puts ---- */

static fw_status add_change(monitor_store *s, monitor_table_id table, const void *row, bool remove, fw_error *err)
{
    size_t dropped = 0;
    FW_TRY(monitor_waiting_add(&s->waiting, table, row, remove, &dropped, err));
    s->health.dropped_rows += dropped;
    return FW_OK;
}

#define X(noun, TABLE)                                                                                       \
    fw_status monitor_store_put_##noun(monitor_store *s, const monitor_##noun##_row *row, fw_error *err)     \
    {                                                                                                        \
        return add_change(s, MONITOR_##TABLE, row, false, err);                                              \
    }                                                                                                        \
    fw_status monitor_store_remove_##noun(monitor_store *s, const monitor_##noun##_row *row, fw_error *err)  \
    {                                                                                                        \
        return add_change(s, MONITOR_##TABLE, row, true, err);                                               \
    }
MONITOR_TABLE_LIST(X)
#undef X

/* ---- commit ---- */

static fw_status write_one(monitor_store *s, const monitor_change *c, fw_error *err)
{
    const monitor_table *t = &monitor_tables[c->table];
    sqlite3_stmt *statement = c->remove ? s->removal[c->table] : s->upsert[c->table];
    int code = monitor_row_bind(statement, t, c->packed, c->remove ? t->n_keys : t->n);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    const fw_status status = code == SQLITE_DONE ? FW_OK : monitor_sqlite_fail(err, s->db, code, s->path, "a row can't be written");
    sqlite3_reset(statement);
    return status;
}

static fw_status write_all(monitor_store *s, fw_error *err)
{
    FW_TRY(monitor_sqlite_run(s->db, s->path, "BEGIN IMMEDIATE", err));
    fw_status status = FW_OK;
    for (size_t i = 0; status >= 0 && i < s->waiting.n; i++) status = write_one(s, &s->waiting.change[i], err);
    if (status >= 0) status = fw_fault("store.before_commit", err);
    if (status >= 0) status = monitor_sqlite_run(s->db, s->path, "COMMIT", err);
    if (status < 0 && sqlite3_get_autocommit(s->db) == 0) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static fw_status note_failure(monitor_store *s, fw_error *err)
{
    s->health.writing = false;
    s->health.failures++;
    s->retry = fw_mono_after(fw_mono_now(), RETRY_S);
    return fw_fail(err, s->why.status, "%s", s->why.text);
}

fw_status monitor_store_commit(monitor_store *s, fw_error *err)
{
    if (!s->health.writing && !fw_mono_passed(s->retry)) return fw_fail(err, s->why.status, "%s", s->why.text);
    if (s->waiting.n > 0) {
        if (write_all(s, &s->why) < 0) return note_failure(s, err);
        s->health.commits++;
        FW_TRY(monitor_waiting_clear(&s->waiting, err));
    }
    s->health.writing = true;
    return FW_OK;
}

monitor_store_health monitor_store_check(const monitor_store *s)
{
    monitor_store_health h = s->health;
    h.why = h.writing ? "" : s->why.text;
    h.waiting_rows = s->waiting.n;
    h.waiting_bytes = s->waiting.bytes;
    return h;
}

fw_status monitor_store_touched(monitor_store *s, bool *touched, fw_error *err)
{
    int64_t now = 0;
    FW_TRY(monitor_sqlite_number(&now, s->db, s->path, "PRAGMA data_version", err));
    *touched = now != s->data_version;
    s->data_version = now;
    return FW_OK;
}
