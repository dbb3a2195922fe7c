/** Where the monitor's events come from: publishers on the bus, or recordings of what went over one. A table of operations; the events are those of an inbox
 *  (common/bus/inbox.h): each message once and in the order of its stream. */
#ifndef MONITOR_FEED_H
#define MONITOR_FEED_H

#include "common/bus/inbox.h"

typedef struct monitor_feed {
    void *context;
    /** FW_ERR_TIMEOUT: nothing came before the deadline. FW_END: there will be nothing more. */
    fw_status (*next)(void *context, fw_inbox_event *out, fw_mono deadline, fw_error *err);
    /** Where the caller stands in a stream: it goes on behind this number, if it can. Before the first next. */
    fw_status (*set_position)(void *context, const fw_stream *stream, uint64_t sequence, fw_error *err);
    /** All that was given is committed. */
    void (*acknowledge)(void *context);
    size_t (*n)(const void *context);                                              /* publishers, at most FW_INBOX_MAX_PUBLISHERS */
    const fw_inbox_publisher *(*at)(const void *context, size_t i);
    void (*close)(void *context);
} monitor_feed;

typedef struct monitor_bus_opts {
    const char *const *endpoints; size_t n_endpoints;
    fw_bus_identity identity;          /* who it is for the publishers */
    const char *name;                  /* by which publishers know what was taken */
} monitor_bus_opts;

/** Publishers that need not be there yet. */
fw_status monitor_feed_bus(monitor_feed *out, const monitor_bus_opts *opts, fw_error *err);
/** Recordings and spools (common/bus/recording.h), one behind the other; each has been looked through when this returns. No network.
 *  The paths must outlive it. */
fw_status monitor_feed_recordings(monitor_feed *out, const char *const *paths, size_t n, fw_error *err);
void      monitor_feed_destroy(monitor_feed *f);       /* also of zeros */

#endif
