/** Pieces of bytes sorted into buckets, written in any order and read back one bucket at a time, by any rank. In memory while there is room; then
 *  all that is there goes to a temporary file, ordered by bucket. A rank reads a run of buckets: at the end the others' go to the file too, this
 *  rank's own stay. The file:
 *    extents of bytes, each of one bucket | {offset u64, length u64} ... by bucket | first extent of bucket u64 (n_buckets + 1) | where the table starts
 *  Destroying removes it. Local; a full disk is FW_ERR_IO at the call that notices it. */
#ifndef WORKER_INGEST_BUCKETS_H
#define WORKER_INGEST_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/size.h"
#include "worker/ingest_memory.h"

typedef struct worker_buckets worker_buckets;
/** memory: not owned, outlives the buckets; nobody else takes anything there. */
fw_status worker_buckets_create(worker_buckets **out, const char *path, size_t n_buckets, worker_memory *memory, fw_error *err);
void      worker_buckets_destroy(worker_buckets **b);

/** Room for a piece in a bucket, aligned to 16, to be filled before anything else but room is asked for. NULL: memory is full; flush and ask
 *  again, and when that is NULL too the piece is larger than the memory: add it. */
void     *worker_buckets_room(worker_buckets *b, size_t bucket, size_t len);
fw_status worker_buckets_flush(worker_buckets *b, fw_error *err);
/** A copy of a piece that lies elsewhere. */
fw_status worker_buckets_add(worker_buckets *b, size_t bucket, const void *bytes, size_t len, fw_error *err);
/** The first bucket of a rank's run; that of the rank behind it ends the run. */
static inline size_t worker_buckets_first(size_t n_buckets, int rank, int size)
{
    return n_buckets / (size_t)size * (size_t)rank + FW_MIN((size_t)rank, n_buckets % (size_t)size);
}
/** No more pieces: what others will read goes to the file. */
fw_status worker_buckets_finish(worker_buckets *b, int rank, int size, fw_error *err);

/** The pieces of a bucket that are in memory, one after another; from NULL on. NULL: no more. */
typedef struct worker_piece worker_piece;
const worker_piece *worker_buckets_next(const worker_buckets *b, size_t bucket, const worker_piece *before);
const void         *worker_piece_bytes(const worker_piece *p, size_t *len);
/** Whether there is a file to be loaded from; always with several ranks. */
bool      worker_buckets_have_file(const worker_buckets *b);
/** Appends the bytes of one bucket of a finished file to *bytes (malloc'ed, grown); *len and *capacity are updated. */
fw_status worker_buckets_load(char **bytes, size_t *len, size_t *capacity, const char *path, size_t n_buckets, size_t bucket, fw_error *err);

#endif
