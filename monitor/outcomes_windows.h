/** The newest windows of a model with what their outcomes say, in the order of their numbers. Those that are worked on are open: their counts lie in memory as they
 *  are (16 KiB with one score); of the others only what isn't zero is kept, packed, so that outcomes may come thousands of windows later. For monitor/outcomes.c. */
#ifndef MONITOR_OUTCOMES_WINDOWS_H
#define MONITOR_OUTCOMES_WINDOWS_H

#include "monitor/outcomes.h"

typedef struct monitor_held {
    uint64_t window, rows, revised;
    bool closed, judged, due;          /* judged: it was due before */
    bool changed, amended;             /* since the last flush: anything; its outcomes, after it was closed */
    fw_qualities estimated;
    monitor_realised *realised;        /* NULL: packed, or no outcome has come */
    char *packed; size_t n_packed;
} monitor_held;

typedef struct monitor_windows_held {
    monitor_shape shape;
    size_t max, max_open, max_bytes;   /* windows; those that are open; bytes of those that are packed */
    monitor_held *v; size_t n, capacity, bytes;
    size_t left;                       /* places before v, of windows that have left: capacity is counted from the first of them */
    uint64_t *open; size_t n_open;     /* (max_open) their numbers, the one that was wanted last at the end */
    uint64_t *changed; size_t n_changed, changed_capacity;      /* numbers; some may be gone */
    monitor_realised *none;            /* of no outcome */
} monitor_windows_held;

fw_status     monitor_held_init(monitor_windows_held *h, const monitor_shape *shape, size_t max, size_t max_open, size_t max_bytes, fw_error *err);
void          monitor_held_release(monitor_windows_held *h);
/** What is found is good until the next call of make or drop. */
monitor_held *monitor_held_find(const monitor_windows_held *h, uint64_t window);
/** It, or a new one; NULL in *out: older than all that are held, and there is no room. */
fw_status     monitor_held_make(monitor_held **out, monitor_windows_held *h, uint64_t window, fw_error *err);
/** Over a limit: the one that has to go, the oldest. NULL: there is room. */
monitor_held *monitor_held_over(const monitor_windows_held *h);
void          monitor_held_drop(monitor_windows_held *h, monitor_held *w);
/** Its counts can be changed: w->realised is there. The one that was not wanted for longest is packed for it. */
fw_status     monitor_held_open(monitor_held *w, monitor_windows_held *h, fw_error *err);
/** Is among those that have changed, in the order of their numbers, until it is settled. */
fw_status     monitor_held_change(monitor_held *w, monitor_windows_held *h, fw_error *err);
void          monitor_held_sort_changed(monitor_windows_held *h);

/** As bytes; back into a window that was just made. FW_ERR_DATA: damaged, or of another model; the window is then as it was made. save: it is open, or without outcomes. */
void      monitor_held_save(const monitor_held *w, const monitor_windows_held *h, fw_text *out);
fw_status monitor_held_restore(monitor_held *w, monitor_windows_held *h, monitor_words *in, fw_error *err);

/** What its outcomes say: its own counts, or those of none. It is open, or without outcomes. */
static inline const monitor_realised *monitor_held_counts(const monitor_held *w, const monitor_windows_held *h) { return w->realised != NULL ? w->realised : h->none; }

#endif
