/** The newest windows of a model with what their outcomes say, in the order of their numbers. For monitor/outcomes.c. */
#ifndef MONITOR_OUTCOMES_WINDOWS_H
#define MONITOR_OUTCOMES_WINDOWS_H

#include "monitor/outcomes.h"

typedef struct monitor_held {
    uint64_t window, rows, revised;
    bool closed, judged, due;          /* judged: it was due before */
    bool changed, amended;             /* since the last flush: anything; its outcomes, after it was closed */
    fw_qualities estimated;
    monitor_realised *realised;
} monitor_held;

typedef struct monitor_windows_held { monitor_held *v; size_t n, max; monitor_shape shape; } monitor_windows_held;

fw_status     monitor_held_init(monitor_windows_held *h, const monitor_shape *shape, size_t max, fw_error *err);
void          monitor_held_release(monitor_windows_held *h);
monitor_held *monitor_held_find(const monitor_windows_held *h, uint64_t window);
monitor_held *monitor_held_leaving(const monitor_windows_held *h, uint64_t window);      /* the one that is to make room for it; NULL: none */
/** It, or a new one; NULL in *out: older than all that are held. *gone: the window that made room, 0: none. */
fw_status     monitor_held_make(monitor_held **out, uint64_t *gone, monitor_windows_held *h, uint64_t window, fw_error *err);

void      monitor_held_save(const monitor_held *w, fw_text *out);
/** FW_ERR_DATA: damaged, or of another model. */
fw_status monitor_held_restore(monitor_held *w, monitor_words *in, fw_error *err);

#endif
