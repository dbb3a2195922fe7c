/** The page with all that it would ask for, in one file: it needs no server and no network. Of a store that nobody writes any more. */
#ifndef MONITOR_WEB_REPORT_H
#define MONITOR_WEB_REPORT_H

#include <stdbool.h>

#include "common/core/status.h"

typedef struct monitor_report_opts {
    const char *path;                /* of the report */
    const char *store;               /* path */
    const char *verdict;             /* a sentence, for its head */
    bool good;                       /* the verdict */
} monitor_report_opts;

/** Routes that are marked in routes.c, once, for each model, for each feature. Under a temporary name, then renamed. FW_ERR_IO, and nothing is left. */
fw_status monitor_report_write(const monitor_report_opts *opts, fw_error *err);

#endif
