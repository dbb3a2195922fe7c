/** A way out for messages that may be slow, or down: a bounded queue and a thread that sends, so that whoever watches never waits. Tries again with
 *  growing pauses, then gives up. How a message came out is there to be fetched. put and next: one owner; the sending is in the thread. */
#ifndef MONITOR_CHANNEL_H
#define MONITOR_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

/** Sends one text, within a deadline of its own, and leaves as soon as it can when *stop is set. FW_OK; FW_ERR_TIMEOUT, FW_ERR_IO, FW_ERR_LOST: it may
 *  be tried again; any other error is final. */
typedef fw_status (*monitor_send_fn)(void *context, const char *text, const atomic_bool *stop, fw_error *err);

typedef struct monitor_channel_opts {
    const char *name;                  /* in errors: "command", "webhook" */
    monitor_send_fn send;
    void *context;
    size_t max_waiting;                /* 0: 256 */
    unsigned tries;                    /* 0: 1 */
    double first_pause_s, max_pause_s; /* 0: 1 and 60; doubled from one to the other */
} monitor_channel_opts;

typedef struct monitor_sent {
    uint64_t ticket;                   /* as it was given to put */
    bool arrived;
    char why[256];                     /* not */
} monitor_sent;

typedef struct monitor_channel monitor_channel;
fw_status monitor_channel_open(monitor_channel **out, const monitor_channel_opts *opts, fw_error *err);
/** Waits up to linger_s until what waits is sent; what is left then has not arrived, and is in no monitor_sent. */
void      monitor_channel_close(monitor_channel **c, double linger_s);

/** Copies. FW_END: the queue is full, it was not taken. */
fw_status monitor_channel_put(monitor_channel *c, uint64_t ticket, const char *text, fw_error *err);
/** The next message that was sent or given up. False: none. */
bool      monitor_channel_next(monitor_channel *c, monitor_sent *out);

#endif
