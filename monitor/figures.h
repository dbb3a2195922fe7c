/** The figures of drift of one window as bytes: what the store keeps of them, one row for all in place of one for each. Rows in, the same rows out, to the bit.
 *  Numbers lowest byte first, names with a NUL at their end:
 *    u32 magic, u8 tests, tests x { f64 threshold, name }, then up to the end features x { name, u32 figures, figures x { u8 test, u8 flags, f64 statistic, [f64 evidence], [f64 p] } }
 *  A test here is a name with a threshold. flags: 1 an evidence follows, else it is that of the figure before; 2 a p follows, else NaN; effect x 4.
 *  28 features with seven tests each: 3.4 KB. */
#ifndef MONITOR_FIGURES_H
#define MONITOR_FIGURES_H

#include "common/core/text.h"
#include "monitor/store_rows.h"

/** Adds n rows, which are of one model and window. FW_ERR_ARG: a name is missing, an effect is not 0, 1 or 2, more than 255 tests. */
fw_status monitor_figures_pack(fw_text *out, const monitor_drift_row *row, size_t n, fw_error *err);

/** The rows, in the order in which they were packed; *row is malloc'ed, its names lie in bytes. FW_ERR_FORMAT: damaged. */
fw_status monitor_figures_unpack(monitor_drift_row **row, size_t *n, int64_t model, int64_t window, monitor_bytes bytes, fw_error *err);

#endif
