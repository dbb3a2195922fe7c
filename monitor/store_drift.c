#include "monitor/store_drift.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/figures.h"

fw_status monitor_store_put_drift(monitor_store *s, const monitor_drift_row *row, size_t n, int64_t bins, int64_t at_us, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    if (n == 0) return fw_fail(err, FW_ERR_ARG, "store: no figure of drift");
    FW_TRY(monitor_figures_pack(&bytes, row, n, err));
    const monitor_figures_row packed = {.model = row->model, .window = row->window, .bins = bins, .at_us = at_us, .bytes = {bytes.data, bytes.len}};
    return monitor_store_put_figures(s, &packed, err);
}

/* ---- reading: one window after the other; a window may have several sets of bins ---- */

typedef struct one { monitor_drift_row row; int64_t at_us; } one;

typedef struct drift_reading {
    const monitor_query *query;
    monitor_drift_fn fn;
    void *context;
    int64_t model, window;             /* of what is held */
    one *held; size_t n, capacity;
    char **bytes; size_t n_bytes, bytes_capacity;      /* what the rows' names lie in */
    size_t given;
    bool over;                         /* that was enough */
} drift_reading;

static void let_go(drift_reading *d)
{
    for (size_t i = 0; i < d->n_bytes; i++) free(d->bytes[i]);
    d->n = d->n_bytes = 0;
}

static void drift_reading_destroy(drift_reading *d)
{
    let_go(d);
    free(d->held);
    free(d->bytes);
}

static int by_name(const one *a, const one *b)
{
    const int feature = strcmp(a->row.feature, b->row.feature);
    return feature != 0 ? feature : strcmp(a->row.test, b->row.test);
}

/** What was made last comes first. */
static int ascending(const void *a, const void *b)
{
    const one *x = a, *y = b;
    const int name = by_name(x, y);
    return name != 0 ? name : (x->at_us < y->at_us) - (x->at_us > y->at_us);
}

/** Each figure once. */
static void settle(drift_reading *d)
{
    size_t n = 0;
    if (d->n > 1) qsort(d->held, d->n, sizeof *d->held, ascending);
    for (size_t i = 0; i < d->n; i++)
        if (n == 0 || by_name(&d->held[n - 1], &d->held[i]) != 0) d->held[n++] = d->held[i];
    d->n = n;
}

/** FW_END: that was enough. */
static fw_status give(drift_reading *d, fw_error *err)
{
    fw_status s = FW_OK;
    settle(d);
    for (size_t i = 0; s == FW_OK && i < d->n; i++) {
        s = d->fn(d->context, &d->held[d->query->newest_first ? d->n - 1 - i : i].row, err);
        if (s == FW_OK && ++d->given == d->query->limit) s = FW_END;
    }
    d->over = s != FW_OK;
    let_go(d);
    return s;
}

static fw_status hold(drift_reading *d, const monitor_figures_row *row, fw_error *err)
{
    FW_FREE monitor_drift_row *rows = NULL;
    size_t n = 0;
    FW_TRY(fw_grow((void **)&d->bytes, &d->bytes_capacity, d->n_bytes + 1, sizeof *d->bytes, "figures of drift", err));
    char *copy = malloc(FW_MAX(row->bytes.len, 1));
    if (copy == NULL) return fw_fail(err, FW_ERR_NOMEM, "store: figures of drift");
    if (row->bytes.len > 0) memcpy(copy, row->bytes.data, row->bytes.len);
    d->bytes[d->n_bytes++] = copy;
    FW_TRY(monitor_figures_unpack(&rows, &n, row->model, row->window, (monitor_bytes){copy, row->bytes.len}, err));
    FW_TRY(fw_grow((void **)&d->held, &d->capacity, d->n + n, sizeof *d->held, "figures of drift", err));
    for (size_t i = 0; i < n; i++)
        if (d->query->name == NULL || strcmp(d->query->name, rows[i].feature) == 0) d->held[d->n++] = (one){rows[i], row->at_us};
    return FW_OK;
}

static fw_status take(void *context, const monitor_figures_row *row, fw_error *err)
{
    drift_reading *d = context;
    if (d->n_bytes > 0 && (row->model != d->model || row->window != d->window)) {
        const fw_status s = give(d, err);
        if (s != FW_OK) return s;
    }
    d->model = row->model;
    d->window = row->window;
    return hold(d, row, err);
}

fw_status monitor_read_drift(monitor_reader *r, const monitor_query *query, monitor_drift_fn fn, void *context, fw_error *err)
{
    static const monitor_query all = {0};
    FW_AUTO(drift_reading) d = {.query = query != NULL ? query : &all, .fn = fn, .context = context};
    monitor_query windows = *d.query;
    windows.name = NULL;
    windows.limit = 0;
    FW_TRY(monitor_read_figures(r, &windows, take, &d, err));
    const fw_status s = d.over ? FW_OK : give(&d, err);
    return s == FW_END ? FW_OK : s;
}
