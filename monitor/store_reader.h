/** Reads a store, also while a monitor writes it: a connection that can't write, for one thread. Rows come to a callback; no SQL leaves monitor/store*. */
#ifndef MONITOR_STORE_READER_H
#define MONITOR_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/status.h"
#include "monitor/store_rows.h"

typedef struct monitor_reader monitor_reader;

/** FW_ERR_NOTFOUND: no file. FW_ERR_FORMAT: no store. FW_ERR_VERSION: of another schema than this program's. */
fw_status monitor_reader_open(monitor_reader **out, const char *path, fw_error *err);
void      monitor_reader_destroy(monitor_reader **r);

/** Several queries on one state of the store: between begin and end nothing changes for this reader. Keep it short: the store's log grows meanwhile. */
fw_status monitor_reader_begin(monitor_reader *r, fw_error *err);
void      monitor_reader_end(monitor_reader *r);

/** Which rows. Zero or NULL: no restriction. */
typedef struct monitor_query {
    int64_t model;                 /* models: that one */
    const char *name;              /* models: name; drift (store_drift.h): feature; performance: metric; kpi, states, posted: name, key, topic; waiting rows: id; alerts: kind */
    int64_t window;                /* windows, figures, drift, performance: that one */
    int64_t from, to;              /* inclusive. figures, drift, performance: numbers of windows; posted: its number. Else times: windows to_us, alerts raised_us, models last_us,
                                    * publishers heard_us, predictions made_us, the rest at_us */
    int64_t alert;                 /* alerts, events: of this one */
    bool open;                     /* alerts: not resolved */
    bool newest_first;             /* by what from and to mean; else the oldest first */
    size_t limit;
} monitor_query;

/** monitor_read_<noun>(r, query, fn, context, err): fn for each row; it may end the reading with FW_END, which is then FW_OK here, or an error, which
 *  is then returned. query NULL: all. Fields are checked for UTF-8: a text that was damaged is FW_ERR_FORMAT. */
#define X(noun, TABLE)                                                                                                                       \
    typedef fw_status (*monitor_##noun##_fn)(void *context, const monitor_##noun##_row *row, fw_error *err);                                 \
    fw_status monitor_read_##noun(monitor_reader *r, const monitor_query *query, monitor_##noun##_fn fn, void *context, fw_error *err);
MONITOR_TABLE_LIST(X)
#undef X

/** The pairs of a prediction and its outcome that both wait, the oldest outcomes first; both are then to be removed by the owner of the store. */
typedef fw_status (*monitor_pair_fn)(void *context, const monitor_waiting_prediction_row *p, const monitor_waiting_outcome_row *o, fw_error *err);
fw_status monitor_read_pairs(monitor_reader *r, size_t limit, monitor_pair_fn fn, void *context, fw_error *err);

/** Bytes of the file and of what is used in it. */
fw_status monitor_reader_size(monitor_reader *r, uint64_t *file_bytes, uint64_t *used_bytes, fw_error *err);

#endif
