/** How many distinct values there are, from their hashes, over ranks: a set of those below a limit that is halved whenever the set is full. Exact up to
 *  WORKER_DISTINCT_MOST values; above that an estimate whose relative standard error is about 1 / sqrt(n kept), 0.8 to 1.1 %. What is kept depends on the
 *  values alone, so the count is the same in any order and on any number of ranks.
 *  Source  Wegman's adaptive sampling: Flajolet, "On adaptive sampling", Computing 43 (1990). */
#ifndef WORKER_INGEST_DISTINCT_H
#define WORKER_INGEST_DISTINCT_H

#include <stdint.h>

#include "common/stats/reduce.h"

#define WORKER_DISTINCT_MOST ((size_t)16384)

/** Zero-initialise; worker_distinct_clear ends it. At most 256 KiB. */
typedef struct worker_distinct {
    uint64_t *slot;                    /* n_slots: a hash, or 0: free */
    size_t n, n_slots;
    unsigned halvings;                 /* only hashes below 2^(64 - halvings) are kept */
} worker_distinct;

/** Hash 0 counts as hash 1. Cost: about 1 ns a hash that is there already or above the limit. */
fw_status worker_distinct_add(worker_distinct *d, const uint64_t *hash, size_t n, fw_error *err);
void      worker_distinct_clear(worker_distinct *d);
/** Collective: count[i] of sets[i], which end up with anything in them. The ranks share the sets out. */
fw_status worker_distinct_count(uint64_t *count, worker_distinct *const *sets, size_t n_sets, const fw_reduce *reduce, fw_error *err);

/** Local: how many of n hashes are equal to one before them. scratch is grown. */
fw_status worker_count_repeats(uint64_t *repeats, const uint64_t *hash, size_t n, uint64_t **scratch, size_t *capacity, fw_error *err);

#endif
