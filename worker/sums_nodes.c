#include "worker/sums_nodes.h"

#include <mpi.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "worker/group_mpi.h"

#define BLOCK     WORKER_SUMS_BLOCK
#define FLAG_BITS 3               /* each a word of its own behind the largest values, so that one maximum merges both */
#define GRAIN     16u             /* parameters: parts of a slice begin at multiples of a cache line of floats */

struct worker_sums_nodes {
    worker_group *group;
    MPI_Comm peers;               /* MPI_COMM_NULL: this rank has no slice */
    size_t n_blocks, first_block, n_slice;   /* this rank's slice: n_slice parameters from first_block on */
    _Atomic uint32_t *failed;     /* shared, once it is set it stays */
    uint32_t *agreed;             /* shared: n_blocks largest, FLAG_BITS flags */
    float *mean;                  /* shared (n_blocks * BLOCK) */
    int64_t *total, *mine;        /* (n_slice) the node's sums of the slice; (n_slice) of them all nodes' of this rank's part */
    uint32_t *words;              /* n_blocks + FLAG_BITS; slice 0 alone */
    worker_fixed_part *some;      /* scratch: parts of a block */
    int *count, *start;           /* nodes each: the parts of a slice */
};

static size_t round_up(size_t bytes) { return (bytes + FW_ALIGN - 1) / FW_ALIGN * FW_ALIGN; }
static size_t words_bytes(size_t n_blocks) { return round_up((n_blocks + FLAG_BITS) * sizeof(uint32_t)); }

size_t worker_sums_nodes_bytes(const worker_group *g, size_t n_blocks)
{
    return worker_group_nodes(g) > 1 ? FW_ALIGN + words_bytes(n_blocks) + n_blocks * BLOCK * sizeof(float) : 0;
}

static fw_status cut_slices(worker_sums_nodes *m, fw_error *err)
{
    const size_t slots = (size_t)worker_group_slots(m->group), slot = (size_t)worker_group_node_rank(m->group), nodes = (size_t)worker_group_nodes(m->group);
    if (slot >= slots) return FW_OK;
    m->peers = worker_group_peers(m->group);
    m->first_block = m->n_blocks * slot / slots;
    m->n_slice = (m->n_blocks * (slot + 1) / slots - m->first_block) * BLOCK;
    if (m->n_slice > INT32_MAX) return fw_fail(err, FW_ERR_NOMEM, "sums between nodes: %zu parameters a rank, more than 2^31; use more ranks a node", m->n_slice);
    FW_TRY(fw_alloc_zeroed((void **)&m->total, m->n_slice + 1, sizeof *m->total, "sums between nodes", err));
    FW_TRY(fw_alloc_zeroed((void **)&m->mine, m->n_slice / nodes + 2 * GRAIN, sizeof *m->mine, "sums between nodes", err));
    FW_TRY(fw_alloc_zeroed((void **)&m->words, m->n_blocks + FLAG_BITS, sizeof *m->words, "sums between nodes", err));
    FW_TRY(fw_alloc_zeroed((void **)&m->some, (size_t)worker_group_node_size(m->group), sizeof *m->some, "sums between nodes", err));
    FW_TRY(fw_alloc_zeroed((void **)&m->count, nodes, sizeof *m->count, "sums between nodes", err));
    FW_TRY(fw_alloc_zeroed((void **)&m->start, nodes, sizeof *m->start, "sums between nodes", err));
    const size_t grains = m->n_slice / GRAIN;
    for (size_t i = 0; i < nodes; i++) {
        m->start[i] = (int)(grains * i / nodes * GRAIN);
        m->count[i] = (int)(grains * (i + 1) / nodes * GRAIN) - m->start[i];
    }
    return FW_OK;
}

fw_status worker_sums_nodes_create(worker_sums_nodes **out, worker_group *g, size_t n_blocks, void *at, fw_error *err)
{
    FW_AUTO(worker_sums_nodes) *m = calloc(1, sizeof *m);
    if (m == NULL) return fw_fail(err, FW_ERR_NOMEM, "sums between nodes");
    char *base = at;
    *m = (worker_sums_nodes){.group = g, .peers = MPI_COMM_NULL, .n_blocks = n_blocks, .failed = (_Atomic uint32_t *)(void *)base,
                             .agreed = (uint32_t *)(void *)(base + FW_ALIGN), .mean = (float *)(void *)(base + FW_ALIGN + words_bytes(n_blocks))};
    FW_TRY(cut_slices(m, err));
    *out = m;
    m = NULL;
    return FW_OK;
}

void worker_sums_nodes_destroy(worker_sums_nodes **m)
{
    if (*m == NULL) return;
    free((*m)->total);
    free((*m)->mine);
    free((*m)->words);
    free((*m)->some);
    free((*m)->count);
    free((*m)->start);
    free(*m);
    *m = NULL;
}

size_t worker_sums_parts_of(worker_fixed_part *some, const worker_sums_part *parts, size_t n_parts, size_t block)
{
    size_t n = 0;
    for (size_t p = 0; p < n_parts; p++) {
        if (parts[p].touched[block] == 0) continue;
        const worker_fixed_part *all = &parts[p].numbers;
        some[n++] = all->sum != NULL ? (worker_fixed_part){.sum = all->sum + block * WORKER_SUMS_PITCH} : (worker_fixed_part){.leaf = all->leaf + block * BLOCK};
    }
    return n;
}

const float *worker_sums_nodes_means(const worker_sums_nodes *m) { return m->mean; }

static fw_status mpi_check(int rc, fw_error *err)
{
    return rc == MPI_SUCCESS ? FW_OK : fw_fail(err, FW_ERR_MPI, "summing over nodes failed");
}

/* The maximum over the nodes; one slice's peers do it for all. */
static fw_status merge_words(worker_sums_nodes *m, const uint32_t *largest, uint32_t flags, fw_error *err)
{
    if (worker_group_node_rank(m->group) != 0) return FW_OK;
    memcpy(m->words, largest, m->n_blocks * sizeof *m->words);
    for (uint32_t i = 0; i < FLAG_BITS; i++) m->words[m->n_blocks + i] = (flags >> i) & 1u;
    return mpi_check(MPI_Allreduce(m->words, m->agreed, (int)(m->n_blocks + FLAG_BITS), MPI_UINT32_T, MPI_MAX, m->peers), err);
}

/* The node's sum of this rank's slice. It wraps in a step that is redone. */
static void add_slice(worker_sums_nodes *m, const worker_sums_part *parts, size_t n_parts, const float *scale)
{
    for (size_t at = 0, block = m->first_block; at < m->n_slice; at += BLOCK, block++)
        worker_fixed_total(m->total + at, m->some, worker_sums_parts_of(m->some, parts, n_parts, block), 0, BLOCK, scale[block]);
}

/* This rank's part of the slice as floats in the node's memory. A part may begin and end within blocks. */
static void make_means(worker_sums_nodes *m, const double *back)
{
    const int node = worker_group_node(m->group);
    const size_t begin = m->first_block * BLOCK + (size_t)m->start[node];
    for (size_t done = 0, n = (size_t)m->count[node]; done < n;) {
        const size_t at = begin + done, run = FW_MIN(n - done, BLOCK - at % BLOCK);
        const worker_fixed_part part = {.sum = m->mine};
        worker_fixed_collect(m->mean + at, &part, 1, done, run, 1.0f, back[at / BLOCK]);
        done += run;
    }
}

static fw_status merge_slice(worker_sums_nodes *m, const worker_sums_part *parts, size_t n_parts, const float *scale, const double *back, fw_error *err)
{
    float *slice = m->mean + m->first_block * BLOCK;
    add_slice(m, parts, n_parts, scale);
    FW_TRY(mpi_check(MPI_Reduce_scatter(m->total, m->mine, m->count, MPI_INT64_T, MPI_SUM, m->peers), err));
    make_means(m, back);
    return mpi_check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, slice, m->count, m->start, MPI_FLOAT, m->peers), err);
}

fw_status worker_sums_nodes_merge(worker_sums_nodes *m, const worker_sums_part *parts, size_t n_parts, const float *scale, const double *back,
                                  uint32_t *largest, uint32_t *flags, double *waited_s, fw_error *err)
{
    fw_status s = FW_OK;
    if (m->peers != MPI_COMM_NULL) {
        const fw_mono start = fw_mono_now();
        s = merge_words(m, largest, *flags, err);
        if (s == FW_OK) s = merge_slice(m, parts, n_parts, scale, back, err);
        if (s != FW_OK) atomic_store(m->failed, 1u);
        if (waited_s != NULL) *waited_s += fw_mono_seconds(start, fw_mono_now());
    }
    worker_group_meet(m->group, waited_s);
    if (atomic_load(m->failed) != 0) return s != FW_OK ? s : fw_fail(err, FW_ERR_MPI, "summing over nodes failed");
    memcpy(largest, m->agreed, m->n_blocks * sizeof *largest);
    *flags = 0;
    for (uint32_t i = 0; i < FLAG_BITS; i++) *flags |= m->agreed[m->n_blocks + i] << i;
    return FW_OK;
}
