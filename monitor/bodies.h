/** JSON that the store holds and the page shows: written here by those who watch, given on as it is by monitor/web. Lengths in seconds, counts as integers;
 *  what is not known is null. *json is malloc'ed. */
#ifndef MONITOR_BODIES_H
#define MONITOR_BODIES_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/stats/reference.h"

/** The body of a window's row: {"seconds", "rate", "confidence", "value", "gaps", "duplicates", "counts": [by class], "latency": {"p50", "p90", "p99"}}. */
typedef struct monitor_window_body {
    double seconds, rate, confidence, value;       /* NaN: not known */
    uint64_t gaps, duplicates;
    const uint64_t *counts; size_t n_classes;      /* in the order of the model's classes */
    double latency_p50_s, latency_p90_s, latency_p99_s;      /* NaN: not known */
} monitor_window_body;
fw_status monitor_window_body_write(char **json, const monitor_window_body *b, fw_error *err);

/** States (store_rows.h) that go with a model; its number follows. They are written when the model is announced, and with each commit of closed windows. */
#define MONITOR_REFERENCE_KEY "reference/"
#define MONITOR_CURRENT_KEY   "current/"
#define MONITOR_MISPLACED_KEY "misplaced/"      /* and when it changes */

/** {"features": how many of the columns are, "columns": [{"name", "kind", "cuts": [...] or "labels": [...], "counts": [..., unseen, missing]}]} */
fw_status monitor_reference_write(char **json, const fw_reference *r, fw_error *err);
/** {"window": its number, "columns": [{"name", "counts": [..., unseen, missing]}]}: the newest window alone is kept. */
fw_status monitor_current_write(char **json, int64_t window, const fw_summary *s, fw_error *err);
/** {"late": rows that came when their window could not be amended any more, "clock": rows whose publisher told of a moment that can't be} */
fw_status monitor_misplaced_write(char **json, uint64_t late, uint64_t clock, fw_error *err);

#endif
