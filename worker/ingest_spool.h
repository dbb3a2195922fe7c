/** Bytes of an ingest that are written once in sequence and read back in sequence, as often as wanted: the first 16 MiB in memory, the others in a
 *  temporary file. For the small things: keys, splits.
 *  Destroying removes the file. Local; a full disk is FW_ERR_IO at the call that notices it. */
#ifndef WORKER_INGEST_SPOOL_H
#define WORKER_INGEST_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct worker_spool worker_spool;
fw_status worker_spool_create(worker_spool **out, const char *path, fw_error *err);
void      worker_spool_destroy(worker_spool **s);
fw_status worker_spool_write(worker_spool *s, const void *bytes, size_t len, fw_error *err);
fw_status worker_spool_rewind(worker_spool *s, fw_error *err);               /* all of it is on file; the next read is the first byte */
fw_status worker_spool_read(worker_spool *s, void *bytes, size_t len, fw_error *err);

#endif
