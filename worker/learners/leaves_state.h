/** What leaves.c and leaves_weights.c share: the rows of a step between the two halves of the way back. Private to this folder.
 *
 *  What the gradients of the weights are made from stands in memory of the node, one place for each leaf of each of its ranks: the input rows, each
 *  hidden layer's output, each layer's delta. Rows of wide layers are a cache line apart from the power of two, so that the same column of many rows
 *  does not fall on one place of the caches; what is between them stays zero. */
#ifndef WORKER_LEARNERS_LEAVES_STATE_H
#define WORKER_LEARNERS_LEAVES_STATE_H

#include "worker/learners/leaves.h"

/** Pointers to the node's first row; rows are counted over the node: (node_size * n_leaves) leaves of leaf_rows rows. */
typedef struct worker_leaves_shared {
    size_t *n_rows;                            /* (leaves of the node) 0: not in this step */
    uint32_t *bad;                             /* (node_size) a loss of this rank's is not finite */
    float *x;                                  /* (rows, ld) */
    float *out[FW_DENSE_MAX_LAYERS];           /* (rows, pitch) after activation and dropout; of the hidden layers */
    float *delta[FW_DENSE_MAX_LAYERS];         /* (rows, pitch) */
} worker_leaves_shared;

struct worker_leaves {
    const worker_task *task;
    const fw_dense *net;
    size_t leaf_rows, n_leaves, ld, node_leaves;
    size_t first_row;                          /* of this rank among the node's */
    bool shared_work;
    size_t from, to;                           /* leaves of the node that this rank's gradients are made from */
    size_t pitch[FW_DENSE_MAX_LAYERS];         /* floats from row to row of a layer's out, kept, mask and delta */
    double dropout, loss_max;
    uint64_t seed;
    worker_shared *memory;
    worker_leaves_shared node;
    float *x, *out[FW_DENSE_MAX_LAYERS], *delta[FW_DENSE_MAX_LAYERS];      /* this rank's rows of them; out of the last layer is its own */
    float *last;                               /* (n_leaves * leaf_rows, n_out): that */
    float *kept[FW_DENSE_MAX_LAYERS];          /* gelu: before the activation; tanh with dropout: after it; else NULL */
    float *mask[FW_DENSE_MAX_LAYERS];          /* of dropout; NULL without */
    float *panel;                              /* of dW; or a row of the widest layer, for db */
    float *slices;                             /* columns of a layer's input, cut for many panels */
    uint64_t *row;                             /* (n_leaves * leaf_rows) row of the training split */
    float *loss;                               /* (leaf_rows) of the rows of a leaf, */
    int32_t *label;                            /* (leaf_rows) and their labels */
    size_t panels, floats, floats_timed;       /* of this step: panels of dW, floats that were added, those of them under the clock */
    double add_s;                              /* what these took */
};

/** Floats that `panel` and `slices` are to hold; slices 0: no layer is wide. */
void worker_leaves_room(const worker_leaves *l, size_t *panel, size_t *slices);

#endif
