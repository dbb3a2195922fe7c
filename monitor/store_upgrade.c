#include "monitor/store_upgrade.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "monitor/figures.h"
#include "monitor/store_sqlite.h"

static const char old_rows[] = "SELECT model, window, feature, test, statistic, threshold, effect, evidence, p FROM drift ORDER BY model, window, feature, test";
static const char new_row[] = "INSERT INTO figures (model, window, bins, at_us, bytes) VALUES (?, ?, 0, 0, ?)";

/** The figures of one window. */
typedef struct packing {
    sqlite3 *db;
    const char *path;
    sqlite3_stmt *insert;
    struct figure { monitor_drift_row row; char *feature, *test; } *held; size_t n, capacity;
    monitor_drift_row *row; size_t row_capacity;
} packing;

static void let_go(packing *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->held[i].feature);
        free(p->held[i].test);
    }
    p->n = 0;
}

static void packing_destroy(packing *p)
{
    let_go(p);
    free(p->held);
    free(p->row);
    sqlite3_finalize(p->insert);
}

static double real_of(sqlite3_stmt *from, int column) { return sqlite3_column_type(from, column) == SQLITE_NULL ? NAN : sqlite3_column_double(from, column); }

static fw_status hold(packing *p, sqlite3_stmt *from, fw_error *err)
{
    const char *feature = (const char *)sqlite3_column_text(from, 2), *test = (const char *)sqlite3_column_text(from, 3);
    if (feature == NULL || test == NULL) return fw_fail(err, FW_ERR_FORMAT, "store %s: a figure of drift without a name: it is damaged", p->path);
    FW_TRY(fw_grow((void **)&p->held, &p->capacity, p->n + 1, sizeof *p->held, "figures of drift", err));
    struct figure *f = &p->held[p->n++];
    *f = (struct figure){.row = {.model = sqlite3_column_int64(from, 0), .window = sqlite3_column_int64(from, 1), .statistic = real_of(from, 4),
                                 .threshold = real_of(from, 5), .effect = sqlite3_column_int64(from, 6), .evidence = real_of(from, 7), .p = real_of(from, 8)}};
    FW_TRY(fw_copy_text(&f->feature, feature, err));
    return fw_copy_text(&f->test, test, err);
}

static fw_status insert(packing *p, const fw_text *bytes, fw_error *err)
{
    int code = sqlite3_bind_int64(p->insert, 1, p->row->model);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(p->insert, 2, p->row->window);
    if (code == SQLITE_OK) code = sqlite3_bind_blob64(p->insert, 3, bytes->data, bytes->len, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(p->insert);
    const fw_status s = code == SQLITE_DONE ? FW_OK : monitor_sqlite_fail(err, p->db, code, p->path, "it can't be brought up to date");
    sqlite3_reset(p->insert);
    return s;
}

static fw_status pack(packing *p, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    fw_error why = {0};
    if (p->n == 0) return FW_OK;
    FW_TRY(fw_grow((void **)&p->row, &p->row_capacity, p->n, sizeof *p->row, "figures of drift", err));
    for (size_t i = 0; i < p->n; i++) {
        p->row[i] = p->held[i].row;
        p->row[i].feature = p->held[i].feature;
        p->row[i].test = p->held[i].test;
    }
    const fw_status s = monitor_figures_pack(&bytes, p->row, p->n, &why);
    if (s < 0) return fw_fail(err, s == FW_ERR_NOMEM ? s : FW_ERR_FORMAT, "store %s: its figures of drift can't be brought up to date: %s", p->path, why.text);
    FW_TRY(insert(p, &bytes, err));
    let_go(p);
    return FW_OK;
}

fw_status monitor_upgrade_drift(sqlite3 *db, const char *path, fw_error *err)
{
    FW_AUTO(packing) p = {.db = db, .path = path};
    MONITOR_STATEMENT *from = NULL;
    int code;
    FW_TRY(monitor_sqlite_prepare(&p.insert, db, path, new_row, err));
    FW_TRY(monitor_sqlite_prepare(&from, db, path, old_rows, err));
    while ((code = sqlite3_step(from)) == SQLITE_ROW) {
        const bool same = p.n > 0 && p.held->row.model == sqlite3_column_int64(from, 0) && p.held->row.window == sqlite3_column_int64(from, 1);
        if (!same) FW_TRY(pack(&p, err));
        FW_TRY(hold(&p, from, err));
    }
    if (code != SQLITE_DONE) return monitor_sqlite_fail(err, db, code, path, "its figures of drift can't be read");
    return pack(&p, err);
}
