/** What is posted to a running monitor: messages as they come over the bus, written into its store by a connection of its own. The monitor takes them in at its next
 *  look, and removes them in the transaction that keeps what came of them: told once, counted once, whenever either side is killed. */
#ifndef MONITOR_STORE_POSTED_H
#define MONITOR_STORE_POSTED_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

#define MONITOR_POSTED_MAX_BYTES ((size_t)64 << 20)      /* that wait to be taken in */

typedef struct monitor_post { const char *topic; const void *bytes; size_t len; } monitor_post;      /* bytes: a TelemetryBatch */

/** All of them or none, durable when it returns FW_OK. FW_ERR_TIMEOUT: others hold a lock for wait_ms, or MONITOR_POSTED_MAX_BYTES wait already.
 *  FW_ERR_IO: no room on the disk, ... FW_ERR_NOTFOUND: no such store. FW_ERR_VERSION: of another schema. */
fw_status monitor_store_post(const char *path, const monitor_post *posts, size_t n, int64_t now_us, int wait_ms, fw_error *err);

#endif
