/** The monitor's dashboard over HTTP: page, JSON, metrics, news. It reads the store; threads of its own; whoever watches never waits for it. */
#ifndef MONITOR_WEB_WEB_H
#define MONITOR_WEB_WEB_H

#include <stdbool.h>

#include "common/core/status.h"

typedef struct monitor_web monitor_web;

typedef struct monitor_web_opts {
    const char *address;             /* "127.0.0.1:8090"; port 0: any that is free */
    const char *store;               /* path; NULL: none. It need not be there yet */
    const char *token_file;          /* NULL: none. One line of 16 to 512 characters; nobody else may read it (0600) */
    bool insecure;                   /* an address that others can reach, without a token */
} monitor_web_opts;

/** Serves when it returns. FW_ERR_CONFIG: the address, the token file, or an open address without either. */
fw_status   monitor_web_start(monitor_web **out, const monitor_web_opts *opts, fw_error *err);
void        monitor_web_destroy(monitor_web **w);          /* within a second */
const char *monitor_web_address(const monitor_web *w);     /* as it was bound */

/** A token from its file; *out malloc'ed. FW_ERR_CONFIG: it can't be read, others may read it, or it is none. */
fw_status   monitor_token_read(char **out, const char *path, fw_error *err);

#endif
