/** The row of a version of a model, as predictions tell of it. */
#ifndef MONITOR_STORE_VERSIONS_H
#define MONITOR_STORE_VERSIONS_H

#include "monitor/store.h"

typedef struct monitor_store_version {
    const char *name, *digest;
    const char *const *classes; size_t n_classes;      /* 0: regression */
    uint64_t predictions;
} monitor_store_version;

/** Puts it; *number is that of the version. */
fw_status monitor_store_put_version(int64_t *number, monitor_store *s, const monitor_store_version *v, fw_error *err);

#endif
