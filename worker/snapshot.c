#include "worker/snapshot.h"

#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "common/core/size.h"

#define BLOCK ((size_t)64 << 10)      /* bytes: hashed and copied while it is in the nearest cache */

/* Shared by a node:  leader | digests of the shares, two of each rank, used in turn | the copy, array by array. */
typedef struct header { int32_t leader; char padding[FW_ALIGN - sizeof(int32_t)]; fw_digest share[]; } header;

struct worker_snapshot {
    worker_group *group;
    worker_shared *memory;
    header *head;
    size_t n, node_rank, node_size, turn;
    bool copies;                       /* there is room for a copy on this node */
    fw_array copy[];                   /* n: where the copy lies; names are the learner's */
};

size_t worker_array_bytes(const fw_array *a) { return a->n * (a->type == FW_F32 ? sizeof(float) : sizeof(double)); }

static bool is_shared(const fw_array *a) { return a->type != FW_I64; }

static size_t blocks_of(const fw_array *a) { return (worker_array_bytes(a) + BLOCK - 1) / BLOCK; }

static fw_digest block_digest(const fw_array *a, size_t number, size_t block)
{
    const size_t at = block * BLOCK, bytes = FW_MIN(BLOCK, worker_array_bytes(a) - at);
    return fw_hash128((const char *)a->data + at, bytes, (uint64_t)number << 48 | block);
}

fw_digest worker_array_digest(const fw_array *a, size_t number)
{
    fw_digest sum = {0};
    for (size_t b = 0; b < blocks_of(a); b++) sum = fw_digest_add(sum, block_digest(a, number, b));
    return sum;
}

/* ---- life --------------------------------------------------------------------------------------------------------------------------- */

static size_t round_up(size_t bytes) { return (bytes + FW_ALIGN - 1) / FW_ALIGN * FW_ALIGN; }

static size_t header_bytes(const worker_group *g)
{
    return round_up(sizeof(header) + 2 * (size_t)worker_group_node_size(g) * sizeof(fw_digest));
}

static void touch(worker_snapshot *s, const fw_array *a)
{
    const size_t bytes = worker_array_bytes(a), first = bytes / s->node_size * s->node_rank;
    const size_t end = s->node_rank + 1 == s->node_size ? bytes : first + bytes / s->node_size;
    memset((char *)a->data + first, 0, end - first);
}

static void place(worker_snapshot *s, const fw_array *arrays)
{
    char *at = (char *)s->head + header_bytes(s->group);
    for (size_t i = 0; i < s->n; i++) {
        s->copy[i] = arrays[i];
        s->copy[i].data = s->copies ? at : NULL;
        if (s->copies) touch(s, &s->copy[i]);
        at += round_up(worker_array_bytes(&arrays[i]));
    }
}

/* Whether this node is that of rank 0: its leader is rank 0, and says so. */
static fw_status meet_leader(worker_snapshot *s, worker_group *g, fw_error *err)
{
    if (s->node_rank == 0) s->head->leader = worker_group_rank(g);
    return worker_group_barrier(g, err);
}

fw_status worker_snapshot_create(worker_snapshot **out, worker_group *g, const fw_array *arrays, size_t n, bool copies, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    worker_snapshot *s = calloc(1, sizeof *s + n * sizeof *s->copy);
    size_t bytes = header_bytes(g);
    if (copies && worker_group_rank(g) == 0)
        for (size_t i = 0; i < n; i++) bytes += round_up(worker_array_bytes(&arrays[i]));
    fw_status status = reduce->agree(reduce->context, s == NULL ? fw_fail(err, FW_ERR_NOMEM, "the state's copy") : FW_OK, err);
    if (status == FW_OK) status = worker_shared_create(&s->memory, g, bytes, "a copy of the state, from which checkpoints are written", err);
    if (status != FW_OK) {
        free(s);
        return status;
    }
    s->group = g;
    s->head = worker_shared_base(s->memory);
    s->n = n;
    s->node_rank = (size_t)worker_group_node_rank(g);
    s->node_size = (size_t)worker_group_node_size(g);
    status = meet_leader(s, g, err);
    if (status != FW_OK) {
        worker_snapshot_release(&s);
        return status;
    }
    s->copies = copies && s->head->leader == 0;
    place(s, arrays);
    *out = s;
    return FW_OK;
}

void worker_snapshot_release(worker_snapshot **s)
{
    if (*s == NULL) return;
    worker_shared_release(&(*s)->memory);
    free(*s);
    *s = NULL;
}

int worker_snapshot_leader(const worker_snapshot *s) { return s->head->leader; }

/* ---- taking ------------------------------------------------------------------------------------------------------------------------- */

/* Past the caches: the copy is not read here again, and what training needs stays where it is. `to` is aligned to FW_ALIGN. */
static void copy_past(void *to, const void *from, size_t bytes)
{
    size_t at = 0;
#if defined(__SSE2__)
    for (; at + FW_ALIGN <= bytes; at += FW_ALIGN)
        for (size_t i = at; i < at + FW_ALIGN; i += sizeof(__m128i))
            _mm_stream_si128((__m128i *)(void *)((char *)to + i), _mm_loadu_si128((const __m128i *)(const void *)((const char *)from + i)));
    _mm_sfence();
#endif
    memcpy((char *)to + at, (const char *)from + at, bytes - at);
}

static fw_digest take_block(const worker_snapshot *s, const fw_array *a, size_t number, size_t block, bool hash, bool copy)
{
    const size_t at = block * BLOCK;
    const fw_digest d = hash ? block_digest(a, number, block) : (fw_digest){0};
    if (copy) copy_past((char *)s->copy[number].data + at, (const char *)a->data + at, FW_MIN(BLOCK, worker_array_bytes(a) - at));
    return d;
}

/* This rank's blocks: of all floats' blocks, one behind the other, as many as each other rank of the node, give or take one. */
static fw_digest take_share(const worker_snapshot *s, const fw_array *arrays, bool hash, bool copy)
{
    size_t all = 0, before = 0;
    fw_digest sum = {0};
    for (size_t i = 0; i < s->n; i++) all += is_shared(&arrays[i]) ? blocks_of(&arrays[i]) : 0;
    const size_t first = all * s->node_rank / s->node_size, end = all * (s->node_rank + 1) / s->node_size;
    for (size_t i = 0; i < s->n; i++) {
        if (!is_shared(&arrays[i])) continue;
        const size_t blocks = blocks_of(&arrays[i]);
        for (size_t b = FW_MAX(first, before); b < FW_MIN(end, before + blocks); b++)
            sum = fw_digest_add(sum, take_block(s, &arrays[i], i, b - before, hash, copy));
        before += blocks;
    }
    return sum;
}

static fw_digest take_own(const worker_snapshot *s, const fw_array *arrays, bool copy)
{
    fw_digest sum = {0};
    for (size_t i = 0; i < s->n; i++) {
        if (is_shared(&arrays[i])) continue;
        sum = fw_digest_add(sum, worker_array_digest(&arrays[i], i));
        if (copy && s->node_rank == 0) memcpy(s->copy[i].data, arrays[i].data, worker_array_bytes(&arrays[i]));
    }
    return sum;
}

void worker_snapshot_take(worker_snapshot *s, const fw_array *arrays, bool hash, bool copy, worker_seal *seal)
{
    fw_digest *share = s->head->share + (s->turn++ % 2) * s->node_size;      /* the other half may still be read */
    const bool copies = copy && s->copies;
    if (hash || copies) share[s->node_rank] = take_share(s, arrays, hash, copies);
    seal->own = take_own(s, arrays, copies);
    worker_group_meet(s->group, NULL);
    if (!hash) return;
    seal->share = share[s->node_rank];
    seal->node = (fw_digest){0};
    for (size_t r = 0; r < s->node_size; r++) seal->node = fw_digest_add(seal->node, share[r]);
}

const fw_array *worker_snapshot_arrays(const worker_snapshot *s, size_t *n)
{
    *n = s->n;
    return s->copy;
}

bool worker_snapshot_holds(const worker_snapshot *s, const worker_seal *seal)
{
    fw_digest floats = {0}, integers = {0};
    for (size_t i = 0; i < s->n; i++) {
        fw_digest *sum = is_shared(&s->copy[i]) ? &floats : &integers;
        *sum = fw_digest_add(*sum, worker_array_digest(&s->copy[i], i));
    }
    return fw_digest_equal(floats, seal->node) && fw_digest_equal(integers, seal->own);
}
