#include "worker/sums.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "worker/kernels/fixed.h"
#include "worker/sums_nodes.h"

#define BLOCK        WORKER_SUMS_BLOCK
#define CELL         (BLOCK / WORKER_SUMS_CELLS)
#define EXPONENT_MIN (-60)        /* keeps 2^shift a float */
#define EXPONENT_MAX 128          /* FLT_MAX < 2^128 */
#define HEADROOM     8            /* a block's gradients may always grow 256-fold in a step without a redo, */
#define SLACK        8            /* and by so many bits more where they were larger before: an input that is rarely not zero comes back */
#define NOT_FINITE   0x7f800000u

/* Each rank's corner of the node's shared memory: what it brings to a meeting. Its gradients are integers, or floats in the same place. */
enum { NOTHING, INTEGERS, FLOATS };
typedef struct corner { _Atomic uint32_t *word; /* flags; what it brings */ uint32_t *largest; uint8_t *touched; int64_t *sum; } corner;

struct worker_sums {
    worker_group *group;
    worker_shared *memory;
    size_t n, n_blocks;
    int leaf_bits, node_rank, node_size, nodes;
    corner *corners;              /* node_size; pointers into the window, made by each rank for itself */
    worker_sums_nodes *between;   /* NULL on a single node */
    worker_sums_part *parts;      /* scratch: of the active ranks, */
    worker_fixed_part *some;      /* and those of them that touched a block */
    size_t n_parts;
    int64_t *exponent;            /* n_blocks, the same at every rank */
    float *scale;                 /* n_blocks: a float to its integer, */
    double *back;                 /* n_blocks: and a sum of them back, times the step's factor (between nodes) */
    bool single;                  /* this rank adds one leaf in this step: floats */
    uint32_t *largest;            /* n_blocks, of all ranks, after the meeting */
    double factor;                /* of the step */
    uint32_t flags;
    uint64_t redone;
};

static size_t round_up(size_t bytes) { return (bytes + FW_ALIGN - 1) / FW_ALIGN * FW_ALIGN; }

static size_t corner_bytes(size_t n_blocks)
{
    return round_up(2 * sizeof(uint32_t)) + round_up(n_blocks * sizeof(uint32_t)) + round_up(n_blocks) + round_up(n_blocks * WORKER_SUMS_PITCH * sizeof(int64_t));
}

/* 2^k, -126 <= k <= 127. ldexp for every block would be seen in a short step. */
static float power_of_two(int k)
{
    const uint32_t bits = (uint32_t)(127 + k) << 23;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void set_scales(worker_sums *s, double factor)
{
    for (size_t b = 0; b < s->n_blocks; b++) {
        const int64_t e = FW_MAX(FW_MIN(s->exponent[b], (int64_t)EXPONENT_MAX), (int64_t)EXPONENT_MIN);
        s->scale[b] = power_of_two(WORKER_FIXED_BITS - s->leaf_bits - (int)e);
        s->back[b] = factor / (double)s->scale[b];
    }
}

/* The smallest e with x < 2^e, for float bits x. */
static int64_t exponent_above(uint32_t bits)
{
    int64_t e = (int64_t)(bits >> 23) - 126;
    return FW_MAX(e, (int64_t)EXPONENT_MIN);
}

/* Local. What stands behind the corners is for the sums between nodes. */
static fw_status place_corners(worker_sums *s, fw_error *err)
{
    char *at = worker_shared_base(s->memory);
    const size_t flags_bytes = round_up(2 * sizeof(uint32_t)), largest_bytes = round_up(s->n_blocks * sizeof(uint32_t)), touched_bytes = round_up(s->n_blocks);
    for (int r = 0; r < s->node_size; r++) {
        s->corners[r].word = (_Atomic uint32_t *)(void *)at;
        s->corners[r].largest = (uint32_t *)(void *)(at + flags_bytes);
        s->corners[r].touched = (uint8_t *)(at + flags_bytes + largest_bytes);
        s->corners[r].sum = (int64_t *)(void *)(at + flags_bytes + largest_bytes + touched_bytes);
        at += corner_bytes(s->n_blocks);
    }
    return s->nodes > 1 ? worker_sums_nodes_create(&s->between, s->group, s->n_blocks, at, err) : FW_OK;
}

fw_status worker_sums_create(worker_sums **out, worker_group *g, size_t n, size_t n_leaves, fw_error *err)
{
    worker_sums *s = calloc(1, sizeof *s);
    const fw_reduce *reduce = worker_group_reduce(g);
    fw_status status = reduce->agree(reduce->context, s == NULL ? fw_fail(err, FW_ERR_NOMEM, "sums") : FW_OK, err);
    if (status != FW_OK) {
        free(s);
        return status;
    }
    s->group = g;
    s->n = n;
    s->n_blocks = (n + BLOCK - 1) / BLOCK;
    s->node_rank = worker_group_node_rank(g);
    s->node_size = worker_group_node_size(g);
    s->nodes = worker_group_nodes(g);
    while ((1ull << s->leaf_bits) < n_leaves) s->leaf_bits++;
    size_t bytes = (size_t)s->node_size * corner_bytes(s->n_blocks) + worker_sums_nodes_bytes(g, s->n_blocks);
    s->corners = calloc((size_t)s->node_size, sizeof *s->corners);
    s->parts = calloc((size_t)s->node_size, sizeof *s->parts);
    s->exponent = calloc(s->n_blocks, sizeof *s->exponent);
    s->scale = calloc(s->n_blocks, sizeof *s->scale);
    s->back = calloc(s->n_blocks, sizeof *s->back);
    s->some = calloc((size_t)s->node_size, sizeof *s->some);
    s->largest = calloc(s->n_blocks + 1, sizeof *s->largest);
    bool memory = s->corners && s->parts && s->exponent && s->scale && s->back && s->some && s->largest;
    status = reduce->agree(reduce->context, memory ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "sums of %zu parameters", n), err);
    if (status == FW_OK) status = worker_shared_create(&s->memory, g, bytes, "gradient sums", err);
    if (status == FW_OK) status = reduce->agree(reduce->context, place_corners(s, err), err);
    if (status != FW_OK) {
        worker_sums_release(&s);
        return status;
    }
    for (size_t b = 0; b < s->n_blocks; b++) s->exponent[b] = EXPONENT_MIN;
    *out = s;
    return FW_OK;
}

void worker_sums_release(worker_sums **sums)
{
    worker_sums *s = *sums;
    if (s == NULL) return;
    worker_shared_release(&s->memory);
    worker_sums_nodes_destroy(&s->between);
    free(s->corners);
    free(s->parts);
    free(s->exponent);
    free(s->scale);
    free(s->back);
    free(s->some);
    free(s->largest);
    free(s);
    *sums = NULL;
}

void worker_sums_begin(worker_sums *s, double factor, size_t leaves)
{
    set_scales(s, factor);
    s->factor = factor;
    s->single = leaves <= 1;
    memset(s->corners[s->node_rank].touched, 0, s->n_blocks);
    memset(s->corners[s->node_rank].largest, 0, s->n_blocks * sizeof(uint32_t));
    atomic_store_explicit(&s->corners[s->node_rank].word[0], 0, memory_order_relaxed);
    atomic_store_explicit(&s->corners[s->node_rank].word[1], NOTHING, memory_order_relaxed);
}

static float *own_leaf(const worker_sums *s) { return (float *)(void *)s->corners[s->node_rank].sum; }

/* [from, to) of a block of this rank's part is zero. */
static void clear(worker_sums *s, size_t block, size_t from, size_t to)
{
    if (s->single) memset(own_leaf(s) + block * BLOCK + from, 0, (to - from) * sizeof(float));
    else memset(s->corners[s->node_rank].sum + block * WORKER_SUMS_PITCH + from, 0, (to - from) * sizeof(int64_t));
}

/* The cells, one bit each, that [from, from + n) of a block is in. */
static uint8_t cells_of(size_t from, size_t n)
{
    const unsigned first = (unsigned)(from / CELL), last = (unsigned)((from + n - 1) / CELL);
    return (uint8_t)((2u << last) - (1u << first));
}

/* Cells that this rank touches for the first time are cleared where the run does not cover them. */
static void first_touch(worker_sums *s, size_t block, size_t from, size_t n, uint8_t cells)
{
    const size_t to = from + n;
    s->corners[s->node_rank].touched[block] |= cells;
    if (from % CELL != 0) clear(s, block, from / CELL * CELL, from);
    if (to % CELL != 0) clear(s, block, to, (to + CELL - 1) / CELL * CELL);
}

float *worker_sums_place(worker_sums *s, size_t at) { return s->single ? own_leaf(s) + at : NULL; }

bool worker_sums_add(worker_sums *s, size_t at, const float *g, size_t n)
{
    corner *mine = &s->corners[s->node_rank];
    bool finite = true;
    if (s->single && g != own_leaf(s) + at) memcpy(own_leaf(s) + at, g, n * sizeof *g);
    while (n > 0) {
        size_t block = at / BLOCK, from = at % BLOCK, run = FW_MIN(n, BLOCK - from);
        uint8_t cells = cells_of(from, run), known = mine->touched[block] & cells;
        if (known != 0 && known != cells) {                                   /* some of each: one cell at a time */
            run = FW_MIN(run, CELL - from % CELL);
            cells = cells_of(from, run);
            known = mine->touched[block] & cells;
        }
        if (known == 0) first_touch(s, block, from, run, cells);
        const uint32_t largest =
            s->single ? worker_fixed_largest(g, run) : worker_fixed_add(mine->sum + block * WORKER_SUMS_PITCH + from, g, run, s->scale[block], known == 0);
        if (largest > mine->largest[block]) mine->largest[block] = largest;
        finite = finite && largest < NOT_FINITE;
        at += run;
        g += run;
        n -= run;
    }
    atomic_store_explicit(&mine->word[1], s->single ? FLOATS : INTEGERS, memory_order_relaxed);
    return finite;
}

void worker_sums_flag(worker_sums *s, uint32_t flags)
{
    atomic_fetch_or_explicit(&s->corners[s->node_rank].word[0], flags, memory_order_relaxed);
}

/* Largest values and flags of the node's ranks; the list of ranks that brought sums. */
static void look_around(worker_sums *s)
{
    memset(s->largest, 0, (s->n_blocks + 1) * sizeof *s->largest);
    s->flags = 0;
    s->n_parts = 0;
    for (int r = 0; r < s->node_size; r++) {
        s->flags |= atomic_load_explicit(&s->corners[r].word[0], memory_order_relaxed);
        const uint32_t brings = atomic_load_explicit(&s->corners[r].word[1], memory_order_relaxed);
        if (brings == NOTHING) continue;
        const int64_t *sum = s->corners[r].sum;
        worker_sums_part *part = &s->parts[s->n_parts++];
        *part = (worker_sums_part){.touched = s->corners[r].touched};
        if (brings == FLOATS) part->numbers.leaf = (const float *)(const void *)sum;
        else part->numbers.sum = sum;
        for (size_t b = 0; b < s->n_blocks; b++) s->largest[b] = FW_MAX(s->largest[b], s->corners[r].largest[b]);
    }
}

/* What others will read is whole blocks. */
static void complete_blocks(worker_sums *s)
{
    const uint8_t *touched = s->corners[s->node_rank].touched;
    for (size_t b = 0; b < s->n_blocks; b++)
        for (size_t c = 0; touched[b] != 0 && c < WORKER_SUMS_CELLS; c++)
            if ((touched[b] >> c & 1) == 0) clear(s, b, c * CELL, (c + 1) * CELL);
}

fw_status worker_sums_meet(worker_sums *s, uint32_t *flags, bool *redo, double *waited_s, fw_error *err)
{
    complete_blocks(s);
    worker_group_meet(s->group, waited_s);
    look_around(s);
    if (s->between != NULL) FW_TRY(worker_sums_nodes_merge(s->between, s->parts, s->n_parts, s->scale, s->back, s->largest, &s->flags, waited_s, err));
    bool grew = false;
    for (size_t b = 0; b < s->n_blocks; b++) {
        if (s->largest[b] >= NOT_FINITE) s->flags |= WORKER_FLAG_NOT_FINITE;
        else if (exponent_above(s->largest[b]) > s->exponent[b]) grew = true;
    }
    *flags = s->flags;
    *redo = grew && !(s->flags & WORKER_FLAG_NOT_FINITE);
    if (s->flags & WORKER_FLAG_NOT_FINITE) worker_group_meet(s->group, waited_s);      /* all have seen it before anyone begins again */
    if (!*redo) return FW_OK;
    s->redone++;
    worker_sums_done(s, waited_s);
    return FW_OK;
}

void worker_sums_take(const worker_sums *s, float *g, size_t at, size_t n)
{
    if (s->between != NULL) {
        memcpy(g, worker_sums_nodes_means(s->between) + at, n * sizeof *g);
        return;
    }
    while (n > 0) {
        const size_t block = at / BLOCK, from = at % BLOCK, run = FW_MIN(n, BLOCK - from), some = worker_sums_parts_of(s->some, s->parts, s->n_parts, block);
        worker_fixed_collect(g, s->some, some, from, run, s->scale[block], s->factor);
        at += run;
        g += run;
        n -= run;
    }
}

/* Exponents follow the largest values of the step that ended: up at once, down by one a step. A block whose gradients are all zero tells nothing: it keeps
 * its exponent, or takes the largest of all when it never had one. The same at every rank. */
static void move_exponents(worker_sums *s)
{
    int64_t top = EXPONENT_MIN;
    for (size_t b = 0; b < s->n_blocks; b++) {
        if (s->largest[b] != 0) {
            const int64_t need = FW_MIN(exponent_above(s->largest[b]) + HEADROOM, (int64_t)EXPONENT_MAX);
            if (s->exponent[b] < need) s->exponent[b] = need;
            else if (s->exponent[b] > need + SLACK) s->exponent[b]--;
        }
        top = FW_MAX(top, s->exponent[b]);
    }
    for (size_t b = 0; b < s->n_blocks; b++)
        if (s->exponent[b] == EXPONENT_MIN) s->exponent[b] = top;
}

void worker_sums_done(worker_sums *s, double *waited_s)
{
    move_exponents(s);
    worker_group_meet(s->group, waited_s);
}

void worker_sums_share(const worker_sums *s, size_t *first, size_t *n)
{
    size_t lo = s->n_blocks * (size_t)s->node_rank / (size_t)s->node_size, hi = s->n_blocks * ((size_t)s->node_rank + 1) / (size_t)s->node_size;
    *first = lo * BLOCK;
    *n = FW_MIN(hi * BLOCK, s->n) - FW_MIN(*first, s->n);
}

size_t   worker_sums_n_blocks(const worker_sums *s) { return s->n_blocks; }
int64_t *worker_sums_exponents(worker_sums *s) { return s->exponent; }
uint64_t worker_sums_redone(const worker_sums *s) { return s->redone; }
