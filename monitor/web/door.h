/** Lets connections in: listens, looks at the head of the request without taking it (MSG_PEEK), and hands the connection on when it is whole and right.
 *  A thread of its own. Those that say nothing or too little wait here, at most MONITOR_DOOR_WAITING: a head has 5 s from the first moment on, whatever
 *  dribbles in; when there is no room the one that has waited longest goes. What is wrong is answered here, and the connection closed. */
#ifndef MONITOR_WEB_DOOR_H
#define MONITOR_WEB_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "monitor/web/head.h"

#define MONITOR_DOOR_WAITING 512u
#define MONITOR_DOOR_HEAD_S  5.0

typedef struct monitor_door monitor_door;

typedef struct monitor_door_opts {
    const char *address;                                 /* "127.0.0.1:8090", "[::1]:8090"; port 0: any that is free */
    void *context;
    /** The connection is the callee's from now on, also when it fails. */
    void (*admit)(void *context, int fd);
    bool (*room)(void *context);                         /* whether one more can be admitted; else it is told 503 */
    void (*tick)(void *context);                         /* about four times a second */
} monitor_door_opts;

typedef struct monitor_door_counts { uint64_t admitted, refused, timed_out, crowded_out; size_t waiting; } monitor_door_counts;

/** Listens when it returns, and lets in from monitor_door_run on. FW_ERR_CONFIG: the address is none, or can't be had. */
fw_status   monitor_door_open(monitor_door **out, const monitor_door_opts *opts, fw_error *err);
fw_status   monitor_door_run(monitor_door *d, fw_error *err);
void        monitor_door_stop(monitor_door *d);          /* ends the thread; at once. NULL: nothing */
void        monitor_door_destroy(monitor_door **d);      /* stops it too */
const char *monitor_door_address(const monitor_door *d); /* as it was bound: "127.0.0.1:8090" */
monitor_door_counts monitor_door_count(monitor_door *d); /* from any thread */

#endif
