/** Forward and backward of the leaves of a step that this rank owns, layer by layer. Products are those of common/model/gemm.h: what a leaf gives
 *  depends on its own rows alone, not on which rank computes it nor on the leaves beside it; forward and backward run over all of them at once. */
#ifndef WORKER_LEARNERS_LEAVES_H
#define WORKER_LEARNERS_LEAVES_H

#include "worker/learners/learner.h"
#include "worker/sums.h"

typedef struct worker_leaves worker_leaves;

/** Local. Room for n_leaves leaves of leaf_rows rows. */
fw_status worker_leaves_create(worker_leaves **out, const worker_task *task, const fw_dense *net, size_t leaf_rows, size_t n_leaves, fw_error *err);
void      worker_leaves_destroy(worker_leaves **l);

/** Gathers the rows of leaf slot i: row[0 .. n), n <= leaf_rows. */
void worker_leaves_load(worker_leaves *l, size_t slot, const uint64_t *row, size_t n);

/** What was found wrong on the way: the first layer with a non-finite number, or -1. */
typedef struct worker_leaves_result { int64_t loss_fixed; int bad_layer; bool bad_loss; } worker_leaves_result;

/** Forward, loss and backward of slots [0, n_slots); gradients (sums over rows) go into sums, layer by layer from the last. */
void worker_leaves_run(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch, worker_sums *sums, worker_leaves_result *result,
                       worker_seconds *seconds);

#endif
