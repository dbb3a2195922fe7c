/** The store as the web reads it: opened when it is there, again when it was replaced, and one transaction a request. For one thread. */
#ifndef MONITOR_WEB_SOURCE_H
#define MONITOR_WEB_SOURCE_H

#include "common/core/status.h"
#include "monitor/store_reader.h"

typedef struct monitor_source monitor_source;

/** path NULL: a source without a store, which every begin says. */
fw_status       monitor_source_create(monitor_source **out, const char *path, fw_error *err);
void            monitor_source_destroy(monitor_source **s);
const char     *monitor_source_path(const monitor_source *s);      /* NULL: without a store */
/** A reader on one state of the store; NULL: there is none, and *why says so until the next call. */
monitor_reader *monitor_source_begin(monitor_source *s, const char **why);
/** failed: a query failed; the store is opened anew next time. */
void            monitor_source_end(monitor_source *s, bool failed);

#endif
