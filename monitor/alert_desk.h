/** Where alerts, their store and their delivery meet. An alert is stored before anybody is told of it, and what was not told when the monitor ended is
 *  told by the next one: at least once, known by the same id. What users did is taken in from the store. One owner, the one of the store. */
#ifndef MONITOR_ALERT_DESK_H
#define MONITOR_ALERT_DESK_H

#include <stdint.h>

#include "common/core/status.h"
#include "monitor/alerts.h"
#include "monitor/deliver.h"
#include "monitor/store.h"

typedef struct monitor_alert_desk monitor_alert_desk;

/** store NULL: alerts live in memory alone. Reads the alerts of the store, and tells again what had no outcome within the last day.
 *  The store must outlive the desk. */
fw_status monitor_alert_desk_open(monitor_alert_desk **out, monitor_store *store, const char *store_path, const monitor_alert_opts *alerts,
                                  const monitor_deliver_opts *deliver, int64_t now_us, fw_error *err);
/** Gives deliveries up to linger_s. Afterwards a last commit of the store keeps how they came out. */
void      monitor_alert_desk_close(monitor_alert_desk **d, double linger_s);

fw_status monitor_alert_desk_look(monitor_alert_desk *d, const monitor_look *look, int64_t now_us, fw_error *err);
/** What users did, silences that are over, deliveries that came out. Before each commit of the store. */
fw_status monitor_alert_desk_tick(monitor_alert_desk *d, int64_t now_us, fw_error *err);
/** Tells what is new. After each commit of the store, also after one that failed: an alarm does not wait for a disk. */
fw_status monitor_alert_desk_tell(monitor_alert_desk *d, fw_error *err);

monitor_alert_counts monitor_alert_desk_count(const monitor_alert_desk *d);

#endif
