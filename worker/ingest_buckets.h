/** Pieces of bytes sorted into buckets, put in any order and taken out bucket by bucket. In memory while there is room; then all that is there goes to
 *  a temporary file, and the pieces of a bucket are read back together.
 *  Destroying removes the file. Local; a full disk is FW_ERR_IO at the call that notices it. */
#ifndef WORKER_INGEST_BUCKETS_H
#define WORKER_INGEST_BUCKETS_H

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
/** No more pieces. */
fw_status worker_buckets_finish(worker_buckets *b, fw_error *err);

/** The pieces of a bucket that are in memory, one after another; from NULL on. NULL: no more. */
typedef struct worker_piece worker_piece;
const worker_piece *worker_buckets_next(const worker_buckets *b, size_t bucket, const worker_piece *before);
const void         *worker_piece_bytes(const worker_piece *p, size_t *len);
/** Those that are in the file: appends their bytes to *bytes (malloc'ed, grown); *len and *capacity are updated. After finish. */
fw_status worker_buckets_load(char **bytes, size_t *len, size_t *capacity, const worker_buckets *b, size_t bucket, fw_error *err);

/** The first of n things of a rank's run, when ranks share them out in runs; that of the rank behind it ends the run. */
static inline size_t worker_run_first(size_t n, int rank, int size)
{
    return n / (size_t)size * (size_t)rank + FW_MIN((size_t)rank, n % (size_t)size);
}

#endif
