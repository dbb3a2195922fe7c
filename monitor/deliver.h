/** Tells of alerts: in the log, on the bus, to a command, to a webhook. The log at once; the bus (alert_bus.h), command and webhook (channel.h) by a thread
 *  and a queue each, so that the watching never waits. How each came out is there to be fetched and stored. One owner. */
#ifndef MONITOR_DELIVER_H
#define MONITOR_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "monitor/alert_bus.h"
#include "monitor/store_rows.h"
#include "proto/telemetry.h"

typedef struct monitor_deliver_opts {
    bool log;
    char *const *command;              /* argv with NULL at its end; NULL: none */
    double command_s;                  /* 0: 30 */
    const char *webhook;               /* NULL: none */
    double webhook_s;                  /* of one try; 0: 10 */
    unsigned webhook_tries;            /* 0: 6, within about 90 s */
    double pause_s;                    /* before its second try; 0: 1, doubled from then on */
    size_t max_waiting;                /* events for each of command and webhook; 0: 256 */
    void (*show)(void *context, const fw_alert *alert);      /* to people, once; NULL: none */
    void *context;
    monitor_alert_bus *bus;            /* NULL: none; it outlives the delivery */
} monitor_deliver_opts;

/** An event that everybody was told of, or some could not be. */
typedef struct monitor_told { int64_t alert, at_us; char event[16]; bool arrived; char why[256]; } monitor_told;

typedef struct monitor_deliver monitor_deliver;
fw_status monitor_deliver_open(monitor_deliver **out, const monitor_deliver_opts *opts, fw_error *err);
/** At once: what is not out has no outcome, and is to be told again by the next monitor. */
void      monitor_deliver_close(monitor_deliver **d);

/** Until all that was given is out, or so long. */
void      monitor_deliver_wait(monitor_deliver *d, double seconds);
/** again: it was told before, and nobody knows whether it arrived; the log is left out, and nobody is shown it. */
fw_status monitor_deliver_event(monitor_deliver *d, const monitor_alert_row *row, const char *event, int64_t at_us, bool again, fw_error *err);
/** The next event with an outcome. False: none. */
bool      monitor_deliver_next(monitor_deliver *d, monitor_told *out);

#endif
