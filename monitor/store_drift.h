/** Figures of drift in the store: rows in, rows out. In the file those of a window on one set of bins are one row (figures.h), so that a window costs little. */
#ifndef MONITOR_STORE_DRIFT_H
#define MONITOR_STORE_DRIFT_H

#include "monitor/store.h"
#include "monitor/store_reader.h"

/** All figures of the window that the first row names, of the columns of one set of bins: they replace those that were put of it. n > 0. Copies.
 *  at_us: when they were made. Where two sets have figures of one feature and test, those made last are read. FW_ERR_ARG, FW_ERR_NOMEM. */
fw_status monitor_store_put_drift(monitor_store *s, const monitor_drift_row *row, size_t n, int64_t bins, int64_t at_us, fw_error *err);

/** As monitor_read_<noun>: by window, then feature and test. With a name other features are passed over as they are read: it costs as much as all features. */
typedef fw_status (*monitor_drift_fn)(void *context, const monitor_drift_row *row, fw_error *err);
fw_status monitor_read_drift(monitor_reader *r, const monitor_query *query, monitor_drift_fn fn, void *context, fw_error *err);

#endif
