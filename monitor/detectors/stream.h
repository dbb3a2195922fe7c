/** Detectors of a stream of single values: losses, errors, latencies. Each value is seen once; the state is an array of doubles that can be saved and restored as it is.
 *  Definitions and defaults are River's. They are cheap and know no budget of false alarms: they are for reading, beside evidence.
 *  To add one: a file, and a line in stream.c. */
#ifndef MONITOR_DETECTORS_STREAM_H
#define MONITOR_DETECTORS_STREAM_H

#include <stdbool.h>
#include <stddef.h>

typedef enum monitor_signal { MONITOR_QUIET, MONITOR_WARNING, MONITOR_DRIFT } monitor_signal;

typedef struct monitor_stream {
    const char *name, *help;
    size_t numbers;                        /* doubles of state */
    double low, high;                      /* values outside are refused; low = high = 0: any finite one */
    void           (*start)(double *state);
    monitor_signal (*add)(double *state, double x);      /* after a drift the next value begins anew */
    bool           (*valid)(const double *state);        /* whether `add` could have left it so; finite is checked by the caller */
} monitor_stream;

extern const monitor_stream *const monitor_streams[];      /* NULL-terminated */
const monitor_stream *monitor_stream_find(const char *name);      /* NULL: none */

/** A value that is not finite or out of range is no value: MONITOR_QUIET, state unchanged, *refused (which may be NULL) is counted up. O(log n) at most. */
monitor_signal monitor_stream_add(const monitor_stream *s, double *state, double x, size_t *refused);
/** Copies a saved state; false, and state unchanged, when it can't be one. */
bool           monitor_stream_restore(const monitor_stream *s, double *state, const double *saved);

extern const monitor_stream monitor_stream_page_hinkley, monitor_stream_adwin, monitor_stream_ddm;

#endif
