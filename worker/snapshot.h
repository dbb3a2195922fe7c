/** A learner's state at a step boundary: hashed, and on the node of rank 0 copied into memory made beforehand, from which it can be written while
 *  training goes on. Every rank of a node looks after a share of the floats; integers are each rank's own (worker_learner_kind.arrays).
 *
 *  The floats are cut into blocks of 64 KiB; a block's hash is keyed by its array and number, and a state's digest is the sum of its blocks': it does
 *  not depend on how many ranks a node has. */
#ifndef WORKER_SNAPSHOT_H
#define WORKER_SNAPSHOT_H

#include "common/model/checkpoint.h"
#include "worker/vote.h"

typedef struct worker_snapshot worker_snapshot;

/** Collective. arrays (n): of the state, floats in memory of the node. copies: room for a copy on the node of rank 0, its pages touched by those who
 *  will fill them. */
fw_status worker_snapshot_create(worker_snapshot **out, worker_group *g, const fw_array *arrays, size_t n, bool copies, fw_error *err);
void      worker_snapshot_release(worker_snapshot **s);       /* Collective */

/** Collective over the ranks of a node, after a step: the state as it stands. hash: seal->share and ->node are found (else left as they are; ->own always
 *  is found). copy: it is copied where there is room. No allocation. Cost: the state is read once; a copy is written in the same pass, past the caches. */
void worker_snapshot_take(worker_snapshot *s, const fw_array *arrays, bool hash, bool copy, worker_seal *seal);

int worker_snapshot_leader(const worker_snapshot *s);         /* this node's leader, as a rank of the group */

/** Local, at rank 0, by any thread: the copy (n), and whether it still is what was sealed. Both until the next copy is taken. */
const fw_array *worker_snapshot_arrays(const worker_snapshot *s, size_t *n);
bool            worker_snapshot_holds(const worker_snapshot *s, const worker_seal *seal);

/** The digest of one array, as it counts in a state at place `number`. */
fw_digest worker_array_digest(const fw_array *a, size_t number);
size_t    worker_array_bytes(const fw_array *a);

#endif
