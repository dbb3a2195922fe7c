/** Exact sums between nodes: what the ranks of each node brought becomes the mean of all nodes. The sums are integers, so that their order and the number
 *  of nodes leave no trace.
 *
 *  Peers are the ranks of the same number on every node. Peer k adds up slice k of its node's parts, the peers of a slice scatter its sum among
 *  themselves (each gets a part of the slice), make floats of their parts, and gather the floats into the shared memory of every node: 8 bytes out and 4
 *  bytes in a parameter and node, on as many streams as a node has ranks. Where nodes have unequally many ranks, the smallest node's number is the number
 *  of slices. The in-node part, exponents and the flags' meaning are sums.h's. */
#ifndef WORKER_SUMS_NODES_H
#define WORKER_SUMS_NODES_H

#include "worker/group.h"
#include "worker/kernels/fixed.h"
#include "worker/sums.h"

typedef struct worker_sums_nodes worker_sums_nodes;

/** What a rank of the node brings: numbers in the blocks that it touched. Floats stand densely, a block of integers every WORKER_SUMS_PITCH: rows of a
 *  gradient that is 1,024 wide would else all fall on the same places of the first-level cache. */
typedef struct worker_sums_part { worker_fixed_part numbers; const uint8_t *touched; /* n_blocks: 0, or a bit for each cell */ } worker_sums_part;
#define WORKER_SUMS_CELLS 4
#define WORKER_SUMS_PITCH (WORKER_SUMS_BLOCK + 64)

/** Local: into some (n_parts) the parts that touched a block, as they stand from its first parameter on; returns how many. */
size_t worker_sums_parts_of(worker_fixed_part *some, const worker_sums_part *parts, size_t n_parts, size_t block);

/** Local: bytes of shared memory that it needs (0 on a single node). */
size_t worker_sums_nodes_bytes(const worker_group *g, size_t n_blocks);
/** Local. at: that memory, FW_ALIGN-aligned and zeroed. FW_ERR_NOMEM, also when a slice has more than 2^31 parameters. */
fw_status worker_sums_nodes_create(worker_sums_nodes **out, worker_group *g, size_t n_blocks, void *at, fw_error *err);
void      worker_sums_nodes_destroy(worker_sums_nodes **m);

/** Collective, on several nodes, after the ranks of each node have met; they meet once more in it. In: the node's parts (n_parts of n_blocks * 1,024
 *  parameters, n_parts may be 0), scale and back (n_blocks): what makes a block's floats integers and their sums floats, largest (n_blocks) and flags as found on this node. Out:
 *  largest and flags over all nodes; the means can be read. FW_ERR_MPI at every rank of a node one of whose ranks failed.
 *  Cost  on N nodes of R ranks, n parameters: reads 8 n bytes a rank (4 n where each rank brings one leaf), sends and receives 12 n / R (N - 1) / N bytes a rank. *waited_s grows by the time spent waiting. */
fw_status worker_sums_nodes_merge(worker_sums_nodes *m, const worker_sums_part *parts, size_t n_parts, const float *scale, const double *back,
                                  uint32_t *largest, uint32_t *flags, double *waited_s, fw_error *err);
/** (n_blocks * 1,024), shared by the node: sums times back. Valid until the next merge. */
const float *worker_sums_nodes_means(const worker_sums_nodes *m);

#endif
