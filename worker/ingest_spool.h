/** Temporary files of an ingest: a spool is written once in sequence and read back in sequence; buckets are written in any order and read
 *  back one bucket at a time, by any rank. Destroying removes the file. Local; a full disk is FW_ERR_IO at the call that notices it. */
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

/** A file of buckets: extents of bytes, each of one bucket; behind them a table of extents ordered by bucket, so that a reader seeks.
 *    extents | {offset u64, length u64} ... by bucket | first extent of bucket u64 (n_buckets + 1) | where the table starts u64 */
typedef struct worker_buckets worker_buckets;
fw_status worker_buckets_create(worker_buckets **out, const char *path, size_t n_buckets, fw_error *err);
void      worker_buckets_destroy(worker_buckets **b);
fw_status worker_buckets_add(worker_buckets *b, size_t bucket, const void *bytes, size_t len, fw_error *err);
fw_status worker_buckets_finish(worker_buckets *b, fw_error *err);           /* writes the rest and the table, frees the buffers */

/** Appends the bytes of one bucket of a finished file to *bytes (malloc'ed, grown); *len and *capacity are updated. */
fw_status worker_buckets_load(char **bytes, size_t *len, size_t *capacity, const char *path, size_t n_buckets, size_t bucket, fw_error *err);

#endif
