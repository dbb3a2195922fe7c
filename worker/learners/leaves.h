/** Forward and backward of the leaves of a step. Each rank takes its leaves forward and their deltas back, layer by layer, and makes their gradients. Where
 *  a net is large for the rows of a step the ranks of a node share the gradients' work otherwise: each makes those of the parameters that it will update,
 *  from the leaves of all. Products are those of common/model/gemm.h: what a leaf gives depends on its own rows alone, not on which rank computes it nor
 *  on the leaves beside it. */
#ifndef WORKER_LEARNERS_LEAVES_H
#define WORKER_LEARNERS_LEAVES_H

#include "worker/learners/learner.h"
#include "worker/sums.h"

typedef struct worker_leaves worker_leaves;

/** Collective. For n_leaves leaves of leaf_rows rows at every rank. Cost  memory of the node for its leaves' input rows, hidden outputs and deltas. */
fw_status worker_leaves_create(worker_leaves **out, const worker_task *task, const fw_dense *net, size_t leaf_rows, size_t n_leaves, fw_error *err);
void      worker_leaves_release(worker_leaves **l);                  /* Collective */

/** Leaves that there are slots for. One, where nothing is gained from more at once: a net of one layer reads its rows twice and its few weights from the
 *  caches, so its leaves are taken through one after the other in the same memory, which then stays in the second-level cache. Else n_leaves. */
size_t worker_leaves_slots(const worker_leaves *l);

/** Local: gathers the rows of leaf slot i: row[0 .. n), n <= leaf_rows. */
void worker_leaves_load(worker_leaves *l, size_t slot, const uint64_t *row, size_t n);

/** What was found wrong on the way: the first layer with a non-finite number, or -1. */
typedef struct worker_leaves_result { int64_t loss_fixed; int bad_layer; bool bad_loss; } worker_leaves_result;

/** Local: forward, loss and deltas of slots [0, n_slots). */
void worker_leaves_run(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch, worker_leaves_result *result, worker_seconds *seconds);
/** Whether gradients are made from other ranks' leaves: then the ranks of the node meet before, and after them before anything is loaded. */
bool worker_leaves_shared_work(const worker_leaves *l);
/** Local: leaves that this rank's gradients will be made from. */
size_t worker_leaves_to_add(const worker_leaves *l);
/** Local: gradients (sums over rows) of these leaves into sums. May be repeated. Nothing where a rank found a loss that is not finite: its result says it. */
void worker_leaves_gradient(worker_leaves *l, worker_sums *sums, worker_leaves_result *result, worker_seconds *seconds);

#endif
