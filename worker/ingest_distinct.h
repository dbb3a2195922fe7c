/** How many distinct values there are, from their hashes, over ranks: the K smallest distinct hashes are kept. Exact up to K - 1 values; above
 *  that an estimate whose relative standard error is 1 / sqrt(K - 2). Free of order: the same on any number of ranks.
 *  Source  Bar-Yossef et al., RANDOM 2002; Beyer et al., SIGMOD 2007 (the unbiased form (K - 1) / U_(K)). */
#ifndef WORKER_INGEST_DISTINCT_H
#define WORKER_INGEST_DISTINCT_H

#include <stdint.h>

#include "common/stats/reduce.h"

#define WORKER_DISTINCT_K      ((size_t)65536 + 1)
#define WORKER_DISTINCT_RECENT 512

/** Zero-initialise; worker_distinct_clear ends it. */
typedef struct worker_distinct {
    uint64_t *hash, limit;             /* limit: hashes from here on no longer matter; 0: none yet */
    size_t n, capacity;
    uint64_t recent[WORKER_DISTINCT_RECENT];   /* seen a moment ago: columns of few values stay out of the way */
} worker_distinct;

fw_status worker_distinct_add_slow(worker_distinct *d, uint64_t hash, fw_error *err);
static inline fw_status worker_distinct_add(worker_distinct *d, uint64_t hash, fw_error *err)
{
    if (d->limit != 0 && hash >= d->limit) return FW_OK;
    return worker_distinct_add_slow(d, hash, err);
}
void      worker_distinct_clear(worker_distinct *d);
/** Collective. */
fw_status worker_distinct_count(uint64_t *count, worker_distinct *d, const fw_reduce *reduce, fw_error *err);

/** Ascending order of n hashes, in place; scratch (n). Radix sort by the leading bits that tell n hashes apart, then insertion. */
void worker_sort_hashes(uint64_t *v, uint64_t *scratch, size_t n);

#endif
