/** Exact sums between nodes: what the ranks of each node brought becomes what all nodes brought. The sums are integers, so that their order and
 *  the number of nodes leave no trace. The in-node part, exponents and flags' meaning are sums.h's. */
#ifndef WORKER_SUMS_NODES_H
#define WORKER_SUMS_NODES_H

#include "worker/group.h"

/** Where a node's total stands: in memory that its ranks share. Empty (bytes 0) on a single node. */
typedef struct worker_sums_nodes {
    worker_group *group;
    size_t n_blocks, n_slab;      /* blocks of parameters; integers of all of them */
    uint32_t *agreed;             /* n_blocks: largest |g| as float bits; then the flags */
    int64_t *total;               /* n_slab */
} worker_sums_nodes;

/** Local: bytes of shared memory that it needs, and its place there (FW_ALIGN-aligned). */
size_t worker_sums_nodes_bytes(const worker_group *g, size_t n_blocks, size_t n_slab);
void   worker_sums_nodes_place(worker_sums_nodes *m, worker_group *g, size_t n_blocks, size_t n_slab, void *at);

/** Collective, on several nodes, after the ranks of each node have met. In: the node's parts (n_parts slabs), largest (n_blocks) and flags as this rank
 *  found them on its node, and this rank's share [first, first + n) of the slab. Out: m->total over all nodes, largest and flags over all nodes.
 *  FW_ERR_MPI at every rank of a node whose leader failed. *waited_s grows by the time spent waiting. */
fw_status worker_sums_nodes_merge(worker_sums_nodes *m, const int64_t *const *parts, size_t n_parts, size_t first, size_t n, uint32_t *largest, uint32_t *flags,
                                  double *waited_s, fw_error *err);

#endif
