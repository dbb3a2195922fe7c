/** Events of alerts on the bus, under "alert/<model>" ("alert/monitor": of no model), for any number of readers: an outbox of the monitor's own.
 *  With a spool an event that is written reaches every reader that is known by its name, also when monitor or reader was away. One owner. */
#ifndef MONITOR_ALERT_BUS_H
#define MONITOR_ALERT_BUS_H

#include <stdbool.h>

#include "common/bus/inbox.h"
#include "common/bus/outbox.h"
#include "common/core/status.h"
#include "proto/telemetry.h"

typedef struct monitor_alert_bus_opts {
    const char *endpoint;              /* bound */
    fw_bus_identity identity;          /* with keys: publisher.secret and the list of those who are let in */
    const char *name;                  /* of the publisher, for people */
    const char *spool;                 /* folder; NULL: in memory, and what no reader has at the end is lost */
} monitor_alert_bus_opts;

typedef struct monitor_alert_bus monitor_alert_bus;
/** FW_ERR_CONFIG: an endpoint that is none, an open address without keys, a spool that another monitor holds. */
fw_status   monitor_alert_bus_open(monitor_alert_bus **out, const monitor_alert_bus_opts *opts, fw_error *err);
/** Waits up to linger_ms for the readers that are there; 0: at once. last (may be NULL): the account at the end. */
void        monitor_alert_bus_close(monitor_alert_bus **b, int linger_ms, fw_inbox_publisher *last);
const char *monitor_alert_bus_endpoint(const monitor_alert_bus *b);      /* as bound */
/** Its account of events, as a reader of all of them knows it; as of at most a second ago. */
void        monitor_alert_bus_account(fw_inbox_publisher *out, const monitor_alert_bus *b);

/** Does not wait. FW_ERR_DATA, FW_ERR_ARG: the alert does not fit into a message; FW_ERR_BUS: the queue is full. */
fw_status   monitor_alert_bus_put(monitor_alert_bus *b, const fw_alert *alert, fw_error *err);
/** Whether all that was put is in the spool, or went with what the outbox counts as dropped. Does not wait. */
bool        monitor_alert_bus_written(monitor_alert_bus *b);

#endif
