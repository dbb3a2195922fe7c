/** worker/sums.h as it would be without law 1: floats are added as they come, first by each rank, then over the ranks of the node. For one node. Linked
 *  into a program in place of worker/sums.c, it is what the exact sums are measured against. */
#include "worker/sums.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define BLOCK WORKER_SUMS_BLOCK

typedef struct corner { _Atomic uint32_t *word; /* flags */ bool *touched; float *sum; } corner;

struct worker_sums {
    worker_group *group;
    worker_shared *memory;
    size_t n, n_blocks;
    int node_rank, node_size;
    float factor;
    corner *corners;
    bool single;
    int64_t *exponent;            /* what a checkpoint holds; nothing moves them */
};

fw_status worker_sums_create(worker_sums **out, worker_group *g, size_t n, size_t n_leaves, fw_error *err)
{
    worker_sums *s = calloc(1, sizeof *s);
    (void)n_leaves;
    if (s == NULL || worker_group_nodes(g) > 1) abort();
    *s = (worker_sums){.group = g, .n = n, .n_blocks = (n + BLOCK - 1) / BLOCK, .node_rank = worker_group_node_rank(g), .node_size = worker_group_node_size(g)};
    const size_t touched = (s->n_blocks + FW_ALIGN - 1) / FW_ALIGN * FW_ALIGN, slab = FW_ALIGN + touched + s->n_blocks * BLOCK * sizeof(float);
    s->corners = calloc((size_t)s->node_size, sizeof *s->corners);
    s->exponent = calloc(s->n_blocks, sizeof *s->exponent);
    if (!s->corners || !s->exponent) abort();
    FW_TRY(worker_shared_create(&s->memory, g, (size_t)s->node_size * slab, "gradient sums", err));
    for (int r = 0; r < s->node_size; r++) {
        char *at = (char *)worker_shared_base(s->memory) + (size_t)r * slab;
        s->corners[r] = (corner){(_Atomic uint32_t *)(void *)at, (bool *)(void *)(at + FW_ALIGN), (float *)(void *)(at + FW_ALIGN + touched)};
    }
    *out = s;
    return FW_OK;
}

void worker_sums_release(worker_sums **sums)
{
    worker_sums *s = *sums;
    if (s == NULL) return;
    worker_shared_release(&s->memory);
    free(s->corners);
    free(s->exponent);
    free(s);
    *sums = NULL;
}

void worker_sums_begin(worker_sums *s, double factor, size_t leaves)
{
    s->single = leaves <= 1;
    s->factor = (float)factor;
    memset(s->corners[s->node_rank].touched, 0, s->n_blocks * sizeof(bool));
    atomic_store_explicit(s->corners[s->node_rank].word, 0, memory_order_relaxed);
}

float *worker_sums_place(worker_sums *s, size_t at) { return s->single ? s->corners[s->node_rank].sum + at : NULL; }

bool worker_sums_add(worker_sums *s, size_t at, const float *g, size_t n)
{
    bool *touched = s->corners[s->node_rank].touched;
    while (n > 0) {
        size_t block = at / BLOCK, from = at % BLOCK, run = FW_MIN(n, BLOCK - from);
        float *sum = s->corners[s->node_rank].sum + at;
        if (!touched[block]) {
            touched[block] = true;
            memset(sum - from, 0, from * sizeof *sum);
            memset(sum + run, 0, (BLOCK - from - run) * sizeof *sum);
            if (sum != g) memcpy(sum, g, run * sizeof *g);
        } else if (s->single) {
            if (sum != g) memcpy(sum, g, run * sizeof *g);
        } else {
            for (size_t i = 0; i < run; i++) sum[i] += g[i];
        }
        at += run;
        g += run;
        n -= run;
    }
    return true;
}

void worker_sums_flag(worker_sums *s, uint32_t flags)
{
    atomic_fetch_or_explicit(s->corners[s->node_rank].word, flags, memory_order_relaxed);
}

fw_status worker_sums_meet(worker_sums *s, uint32_t *flags, bool *redo, double *waited_s, fw_error *err)
{
    (void)err;
    worker_group_meet(s->group, waited_s);
    *flags = 0;
    *redo = false;
    for (int r = 0; r < s->node_size; r++) *flags |= atomic_load_explicit(s->corners[r].word, memory_order_relaxed);
    return FW_OK;
}

void worker_sums_take(const worker_sums *s, float *restrict g, size_t at, size_t n)
{
    while (n > 0) {
        const size_t block = at / BLOCK, run = FW_MIN(n, BLOCK - at % BLOCK);
        memset(g, 0, run * sizeof *g);
        for (int r = 0; r < s->node_size; r++) {
            const float *restrict part = s->corners[r].sum + at;
            for (size_t i = 0; s->corners[r].touched[block] && i < run; i++) g[i] += part[i];
        }
        for (size_t i = 0; i < run; i++) g[i] *= s->factor;
        at += run;
        g += run;
        n -= run;
    }
}

void worker_sums_done(worker_sums *s, double *waited_s) { worker_group_meet(s->group, waited_s); }

void worker_sums_share(const worker_sums *s, size_t *first, size_t *n)
{
    size_t lo = s->n_blocks * (size_t)s->node_rank / (size_t)s->node_size, hi = s->n_blocks * ((size_t)s->node_rank + 1) / (size_t)s->node_size;
    *first = lo * BLOCK;
    *n = FW_MIN(hi * BLOCK, s->n) - FW_MIN(*first, s->n);
}

size_t   worker_sums_n_blocks(const worker_sums *s) { return s->n_blocks; }
int64_t *worker_sums_exponents(worker_sums *s) { return s->exponent; }
uint64_t worker_sums_redone(const worker_sums *s) { (void)s; return 0; }
