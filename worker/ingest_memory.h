/** The memory in which an ingest holds rows between parsing and writing: one region of fixed size, so that a rank's need does not grow with the data.
 *  What does not fit goes to temporary files. First the store keeps pieces at its front; as they are read and dropped, buckets take their place.
 *
 *      0 ......... dropped ............ kept_end ............ size
 *        buckets (1st)   pieces of the store   buckets (2nd)
 *  Not thread-safe: one owner. */
#ifndef WORKER_INGEST_MEMORY_H
#define WORKER_INGEST_MEMORY_H

#include <stddef.h>

#include "common/core/status.h"

#define WORKER_MEMORY_BYTES  ((size_t)512 << 20)          /* of all ranks together */
#define WORKER_MEMORY_LEAST  ((size_t)192 << 20)          /* of a rank, however many they are */
#define WORKER_MEMORY_SWITCH "FLYWHEEL_INGEST_MEMORY"      /* the environment may give another number of bytes; 0: everything goes to files */

typedef struct worker_memory worker_memory;

/** bytes of address space, of which only what is used takes memory. */
fw_status worker_memory_create(worker_memory **out, size_t bytes, fw_error *err);
void      worker_memory_destroy(worker_memory **m);
/** What the environment says for each rank, or the share of one of `ranks`. FW_ERR_CONFIG: not a number. */
fw_status worker_memory_limit(size_t *bytes, int ranks, fw_error *err);

/** For the store, before the first take: len bytes behind the last ones; NULL: full. */
void     *worker_memory_keep(worker_memory *m, size_t len);
/** The first piece that is still kept, of len bytes, is not needed any more. */
void      worker_memory_drop(worker_memory *m, size_t len);

/** For buckets: len bytes, aligned to 16; NULL: full. */
void     *worker_memory_take(worker_memory *m, size_t len);
/** All that was taken is free again. */
void      worker_memory_take_back(worker_memory *m);

#endif
