/** What has changed in a store since the last look: for the news. */
#ifndef MONITOR_WEB_CHANGES_H
#define MONITOR_WEB_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/status.h"
#include "monitor/store_reader.h"

/** Zero at first. */
typedef struct monitor_changes {
    bool known;                          /* the marks below are of an earlier look; the first one tells nothing */
    uint64_t windows, alerts, publishers, progress;
} monitor_changes;

typedef void (*monitor_change_fn)(void *context, const char *event, const char *data);

/** Tells each kind of change once, with the newest row as data: "windows" {"model", "number"}, "alerts" {"alert"}, "publishers" {}, "progress" {}.
 *  Looks at the newest 64 windows, 256 alerts and 256 publishers. */
fw_status monitor_changes_find(monitor_changes *c, monitor_reader *r, monitor_change_fn tell, void *context, fw_error *err);

#endif
