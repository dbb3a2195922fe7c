/** Answers requests by the table of routes (route.h). libmicrohttpd does the talking, in one thread, behind the door (door.h), which has judged the head of
 *  each request; a connection serves one request and is closed. Never more than 127 connections, each with a deadline of its own.
 *  The store is read by a connection of this thread alone; whoever watches never waits for it. */
#ifndef MONITOR_WEB_SERVER_H
#define MONITOR_WEB_SERVER_H

#include "common/core/status.h"
#include "monitor/web/route.h"

typedef struct monitor_server monitor_server;

typedef struct monitor_server_opts {
    const char *address;
    const char *store;               /* NULL: there is none */
    const char *token;               /* NULL: none is asked for */
    bool own_hosts_only;             /* refuse requests whose Host is a name: another page may have led a browser here (DNS rebinding) */
} monitor_server_opts;

/** Serves when it returns. Copies its options. FW_ERR_CONFIG: the address. */
fw_status   monitor_server_start(monitor_server **out, const monitor_server_opts *opts, fw_error *err);
void        monitor_server_destroy(monitor_server **s);          /* ends what is under way; within a second */
const char *monitor_server_address(const monitor_server *s);     /* as it was bound */

#endif
