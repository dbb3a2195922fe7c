/** The business KPI (goal.kpi), reported as events: id, value, time. Each falls into a window of UTC time; the window's figure is the mean of its values,
 *  with Wilson's interval where all are 0 or 1, else the normal one. An event again: as an outcome again (outcomes.h). An event without an id counts each time it comes.
 *  A pure state with a shelf, as outcomes.h; the ids wait on it under model 0 as "NAME/ID". Not thread-safe. */
#ifndef MONITOR_KPI_H
#define MONITOR_KPI_H

#include "monitor/outcomes.h"

#define MONITOR_KPI_WINDOW_S 3600.0
#define MONITOR_KPI_WINDOWS  1000u
#define MONITOR_KPI_IDS      200000u
#define MONITOR_KPI_LEAST    30u         /* events in a window that is judged */

typedef struct monitor_kpi_opts {
    const char *name;                  /* copied; at most 60 bytes, without a slash and control characters */
    bool minimize;
    double baseline, target;           /* NaN: not given */
    double window_s;                   /* 0: as above; at least 1 */
    size_t max_windows, max_ids;       /* 0: as above */
    uint64_t least;                    /* 0: as above */
} monitor_kpi_opts;

/** How a window of it stands. */
typedef struct monitor_kpi_window {
    const char *name;
    int64_t from_us, to_us;
    uint64_t events, revised;          /* revised: how often it changed after it was over */
    fw_interval value;
    bool minimize, due;                /* due: over, with enough events, for the first time */
    double baseline, target;
} monitor_kpi_window;

typedef struct monitor_kpi_counts { uint64_t events, doubled, corrected, conflicts, refused, late; } monitor_kpi_counts;

typedef struct monitor_kpi monitor_kpi;

/** Hears of each window that has changed, at every flush; and of each event, once: not when it is restored, comes again or is corrected. Any may be NULL. */
typedef struct monitor_kpi_teller {
    void *context;
    fw_status (*tell)(void *context, const monitor_kpi_window *w, fw_error *err);
    void (*took)(void *context, const char *name, double value);
} monitor_kpi_teller;
/** Of the shelf keep_outcome and keep_state are used. FW_ERR_ARG: a name or a window that can't be. */
fw_status monitor_kpi_create(monitor_kpi **out, const monitor_kpi_opts *opts, const monitor_shelf *shelf, const monitor_kpi_teller *teller, fw_error *err);
void      monitor_kpi_destroy(monitor_kpi **k);

/** Refused and counted: a value whose square is not finite, a time before 1970 or more than a day ahead of now; the reason is then in *why, which may be NULL. */
fw_status monitor_kpi_take(monitor_kpi *k, const char *id, double value, int64_t at_us, int64_t now_us, fw_error *why, fw_error *err);
fw_status monitor_kpi_flush(monitor_kpi *k, int64_t now_us, fw_error *err);

monitor_kpi_counts monitor_kpi_count(const monitor_kpi *k);

/** As in outcomes.h; keys and ids of others are passed over. */
fw_status monitor_kpi_restore_state(monitor_kpi *k, const char *key, monitor_bytes bytes, fw_error *err);
fw_status monitor_kpi_restore_event(monitor_kpi *k, const monitor_waiting_outcome_row *row, int64_t now_us, fw_error *err);

#endif
