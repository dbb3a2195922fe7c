#include "worker/sums_nodes.h"

#include <string.h>

#include "common/core/size.h"

#define MERGE_FAILED 0x80000000u  /* in place of the flags of all nodes */

static size_t round_up(size_t bytes) { return (bytes + FW_ALIGN - 1) / FW_ALIGN * FW_ALIGN; }

size_t worker_sums_nodes_bytes(const worker_group *g, size_t n_blocks, size_t n_slab)
{
    return worker_group_nodes(g) > 1 ? round_up((n_blocks + 1) * sizeof(uint32_t)) + round_up(n_slab * sizeof(int64_t)) : 0;
}

void worker_sums_nodes_place(worker_sums_nodes *m, worker_group *g, size_t n_blocks, size_t n_slab, void *at)
{
    char *total = (char *)at + round_up((n_blocks + 1) * sizeof(uint32_t));
    *m = (worker_sums_nodes){.group = g, .n_blocks = n_blocks, .n_slab = n_slab, .agreed = at, .total = (int64_t *)(void *)total};
}

static fw_status merge_at_leaders(worker_sums_nodes *m, uint32_t flags, fw_error *err)
{
    uint32_t bit[3] = {flags & 1u, (flags >> 1) & 1u, (flags >> 2) & 1u};
    FW_TRY(worker_group_nodes_max_u32(m->group, m->agreed, m->n_blocks, err));
    FW_TRY(worker_group_nodes_max_u32(m->group, bit, 3, err));
    FW_TRY(worker_group_nodes_sum_i64(m->group, m->total, m->n_slab, err));
    m->agreed[m->n_blocks] = bit[0] | bit[1] << 1 | bit[2] << 2;
    return FW_OK;
}

/* Every rank adds up its share of the node's sums, the leader merges nodes, everybody reads the result. */
fw_status worker_sums_nodes_merge(worker_sums_nodes *m, const int64_t *const *parts, size_t n_parts, size_t first, size_t n, uint32_t *largest, uint32_t *flags,
                                  double *waited_s, fw_error *err)
{
    const bool leader = worker_group_node_rank(m->group) == 0;
    memset(m->total + first, 0, n * sizeof *m->total);
    for (size_t p = 0; p < n_parts; p++)
        for (size_t i = first; i < first + n; i++) m->total[i] = (int64_t)((uint64_t)m->total[i] + (uint64_t)parts[p][i]);     /* wraps in a step that is redone */
    if (leader) memcpy(m->agreed, largest, m->n_blocks * sizeof *m->agreed);
    worker_group_meet(m->group, waited_s);
    fw_status status = leader ? merge_at_leaders(m, *flags, err) : FW_OK;
    if (status != FW_OK) m->agreed[m->n_blocks] = MERGE_FAILED;
    worker_group_meet(m->group, waited_s);
    if (m->agreed[m->n_blocks] == MERGE_FAILED) return status != FW_OK ? status : fw_fail(err, FW_ERR_MPI, "summing over nodes failed");
    memcpy(largest, m->agreed, m->n_blocks * sizeof *largest);
    *flags = m->agreed[m->n_blocks];
    return FW_OK;
}
