/** A window over the predictions of one model: counts per label, mean confidence and value, rate.
 *  Closes after a number of predictions or of seconds, and when nothing has come for a while. Knows no message and prints nothing. */
#ifndef MONITOR_WINDOWS_H
#define MONITOR_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/clock.h"
#include "common/core/status.h"

typedef struct monitor_window_opts {
    uint64_t predictions;          /* 0: no limit, then seconds must be given */
    double seconds;                /* since the window's first prediction; 0: no limit */
    double idle_s;                 /* without a prediction; 0: no limit */
} monitor_window_opts;

/** Why a window was closed. */
typedef enum monitor_reason { MONITOR_OPEN, MONITOR_FULL, MONITOR_TIME, MONITOR_IDLE, MONITOR_END } monitor_reason;
const char *monitor_reason_text(monitor_reason r);      /* "full", "time", "idle", "end" */

typedef struct monitor_summary {
    uint64_t number;               /* 1, 2, 3, ... of the model */
    uint64_t predictions;
    double seconds;                /* from its first prediction (or the close of a full window before it) to its last */
    double rate;                   /* predictions a second; 0: not known, they came at one moment */
    double confidence, value;      /* means */
    const uint64_t *counts;        /* (n_classes) by label; valid until the next call on the window */
    size_t n_classes;
    uint64_t gaps;                 /* messages of its publisher that were lost while it was open */
    monitor_reason reason;
} monitor_summary;

typedef struct monitor_window monitor_window;

/** n_classes 0: regression. FW_ERR_ARG: neither predictions nor seconds. */
fw_status monitor_window_create(monitor_window **out, const monitor_window_opts *opts, size_t n_classes, fw_error *err);
void      monitor_window_destroy(monitor_window **w);

/** One prediction at a moment that is not before the last one; label < n_classes (or 0), finite numbers.
 *  Afterwards monitor_window_due says whether the window is full. */
void      monitor_window_add(monitor_window *w, uint32_t label, double confidence, double value, fw_mono now);
void      monitor_window_note(monitor_window *w, uint64_t gaps);

/** MONITOR_OPEN: not yet due, or it holds no prediction. */
monitor_reason  monitor_window_due(const monitor_window *w, fw_mono now);
bool            monitor_window_empty(const monitor_window *w);
/** Closes the window and begins the next one. */
monitor_summary monitor_window_close(monitor_window *w, monitor_reason reason);

/** What the open window holds, to be kept and put back. Its times are not in it: a window that was put back with predictions begins again now. */
typedef struct monitor_window_state {
    uint64_t number, predictions, gaps;
    double confidence, value;
    const uint64_t *counts; size_t n_classes;      /* valid until the next call on the window */
} monitor_window_state;

monitor_window_state monitor_window_save(const monitor_window *w);
/** FW_ERR_FORMAT: it is not of a window with these classes, or its counts are not those of its predictions; w is as it was. */
fw_status monitor_window_restore(monitor_window *w, const monitor_window_state *s, fw_mono now, fw_error *err);

#endif
