/** Takes in what was posted into the store (store_posted.h), as if it had come over the bus: what comes of a message and its removal are one transaction.
 *  One owner, the store's. */
#ifndef MONITOR_WATCH_POSTED_H
#define MONITOR_WATCH_POSTED_H

#include "monitor/intake.h"
#include "monitor/store.h"

typedef struct monitor_posted monitor_posted;

/** store_path: of the store's file. */
fw_status monitor_posted_create(monitor_posted **out, monitor_store *store, const char *store_path, fw_error *err);
void      monitor_posted_destroy(monitor_posted **p);
/** Gives the intake those that it did not have yet, the oldest first, some MiB at a time; what is refused is logged. Before every commit. A store that can't be
 *  read is told once and tried again. */
fw_status monitor_posted_take(monitor_posted *p, monitor_intake *in, fw_mono now, fw_error *err);

#endif
