#include "worker/ingest_distinct.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define FIRST_SLOTS ((size_t)512)
#define GROWTH      8u
#define MOST_SLOTS  (2 * WORKER_DISTINCT_MOST)           /* FIRST_SLOTS * GROWTH^2; a set is full at a half: probes stay short */
#define TOGETHER    256
#define STRIDE      ((size_t)7919)                       /* no common divisor with the slots */

static size_t most_of(size_t n_slots)
{
    return n_slots / 2;
}

/* By the low half of a hash: the limit is on the high one. */
static size_t home_of(uint64_t hash, size_t n_slots)
{
    return (size_t)(((hash & UINT32_MAX) * n_slots) >> 32);
}

/* Whether it was not there. There is a free slot. */
static bool put(uint64_t *slot, size_t n_slots, uint64_t hash)
{
    size_t at = home_of(hash, n_slots);
    while (slot[at] != 0 && slot[at] != hash) at = at + 1 == n_slots ? 0 : at + 1;
    const bool fresh = slot[at] == 0;
    slot[at] = hash;
    return fresh;
}

static uint64_t limit_of(const worker_distinct *d)
{
    return UINT64_MAX >> d->halvings;
}

/* The same hashes, those below the limit, in n_slots slots. */
static fw_status rebuild(worker_distinct *d, size_t n_slots, fw_error *err)
{
    uint64_t *slot = calloc(n_slots, sizeof *slot);
    if (slot == NULL) return fw_fail(err, FW_ERR_NOMEM, "counting distinct values");
    const uint64_t limit = limit_of(d);
    size_t n = 0;
    for (size_t i = 0; i < d->n_slots; i++)
        if (d->slot[i] != 0 && d->slot[i] <= limit) n += put(slot, n_slots, d->slot[i]);
    free(d->slot);
    *d = (worker_distinct){.slot = slot, .n = n, .n_slots = n_slots, .halvings = d->halvings};
    return FW_OK;
}

static bool has(const worker_distinct *d, uint64_t hash)
{
    if (d->n_slots == 0) return false;
    size_t at = home_of(hash, d->n_slots);
    while (d->slot[at] != 0 && d->slot[at] != hash) at = at + 1 == d->n_slots ? 0 : at + 1;
    return d->slot[at] != 0;
}

/* A hash below the limit. */
static fw_status add_one(worker_distinct *d, uint64_t hash, fw_error *err)
{
    while (d->n >= most_of(d->n_slots)) {
        if (has(d, hash)) return FW_OK;
        const bool full = d->n_slots == MOST_SLOTS;
        d->halvings += full;
        FW_TRY(rebuild(d, full ? MOST_SLOTS : FW_MAX(GROWTH * d->n_slots, FIRST_SLOTS), err));
        if (hash > limit_of(d)) return FW_OK;
    }
    d->n += put(d->slot, d->n_slots, hash);
    return FW_OK;
}

fw_status worker_distinct_add(worker_distinct *d, const uint64_t *hash, size_t n, fw_error *err)
{
    uint64_t below[TOGETHER];
    for (size_t first = 0; first < n; first += TOGETHER) {
        const size_t some = FW_MIN(n - first, (size_t)TOGETHER);
        const uint64_t limit = limit_of(d);
        size_t m = 0;
        for (size_t i = 0; i < some; i++) {
            below[m] = hash[first + i] | (hash[first + i] == 0);
            m += hash[first + i] <= limit;
        }
        for (size_t i = 0; i < m && d->n_slots > 0; i++) __builtin_prefetch(&d->slot[home_of(below[i], d->n_slots)], 1);
        for (size_t i = 0; i < m; i++)
            if (below[i] <= limit_of(d)) FW_TRY(add_one(d, below[i], err));
    }
    return FW_OK;
}

void worker_distinct_clear(worker_distinct *d)
{
    free(d->slot);
    *d = (worker_distinct){0};
}

/* ---- over ranks ---- */

/* A set as it crosses ranks: halvings, then the hashes, not in the order of their slots: put into another set in that order, they would crowd its
 * first slots while the others are free. */
typedef struct parcel { uint64_t *v; size_t n, capacity; } parcel;

static fw_status pack(parcel *p, const worker_distinct *d, fw_error *err)
{
    FW_TRY(fw_grow((void **)&p->v, &p->capacity, p->n + 1 + d->n, sizeof *p->v, "counting distinct values", err));
    p->v[p->n++] = d->halvings;
    for (size_t i = 0; i < d->n_slots; i++) {
        const uint64_t hash = d->slot[i * STRIDE % d->n_slots];
        if (hash != 0) p->v[p->n++] = hash;
    }
    return FW_OK;
}

static fw_status merge(worker_distinct *d, const uint64_t *packed, size_t n, fw_error *err)
{
    if (n == 0) return FW_OK;
    if (packed[0] > d->halvings) {
        d->halvings = (unsigned)packed[0];
        FW_TRY(rebuild(d, FW_MAX(d->n_slots, FIRST_SLOTS), err));
    }
    return worker_distinct_add(d, packed + 1, n - 1, err);
}

/* Sets [first, first + n): the d-th is counted by rank d. */
static fw_status count_round(uint64_t *count, worker_distinct *const *sets, size_t n, parcel *mine, char **got, size_t *capacity, size_t *at,
                             const fw_reduce *r, fw_error *err)
{
    const size_t size = (size_t)r->size, rank = (size_t)r->rank;
    size_t *offset = at + size + 1;
    fw_status s = FW_OK;
    mine->n = at[0] = 0;
    for (size_t d = 0; d < size; d++) {
        if (s == FW_OK && d < n && d != rank) s = pack(mine, sets[d], err);
        at[d + 1] = mine->n * sizeof *mine->v;
    }
    FW_TRY(r->agree(r->context, s, err));
    FW_TRY(r->exchange(r->context, mine->v, at, got, capacity, offset, err));
    if (rank >= n) return FW_OK;
    for (size_t k = 0; s == FW_OK && k < size; k++)
        s = merge(sets[rank], (const uint64_t *)(const void *)(*got + offset[k]), (offset[k + 1] - offset[k]) / sizeof(uint64_t), err);
    if (s == FW_OK) count[rank] = (uint64_t)sets[rank]->n << sets[rank]->halvings;
    return s;
}

fw_status worker_distinct_count(uint64_t *count, worker_distinct *const *sets, size_t n_sets, const fw_reduce *r, fw_error *err)
{
    FW_FREE size_t *at = calloc(2 * ((size_t)r->size + 1), sizeof *at);
    FW_TRY(r->agree(r->context, at == NULL ? fw_fail(err, FW_ERR_NOMEM, "counting distinct values") : FW_OK, err));
    FW_FREE char *got = NULL;
    size_t capacity = 0;
    parcel mine = {0};
    fw_status s = FW_OK;
    memset(count, 0, n_sets * sizeof *count);
    for (size_t i = 0; s == FW_OK && i < n_sets; i += (size_t)r->size) {
        s = count_round(count + i, sets + i, FW_MIN(n_sets - i, (size_t)r->size), &mine, &got, &capacity, at, r, err);
        s = r->agree(r->context, s, err);
    }
    free(mine.v);
    return s == FW_OK ? r->sum_i64(r->context, (int64_t *)(void *)count, n_sets, err) : s;
}

/* ---- repeats ---- */

fw_status worker_count_repeats(uint64_t *repeats, const uint64_t *hash, size_t n, uint64_t **scratch, size_t *capacity, fw_error *err)
{
    const size_t n_slots = 2 * n + 1;
    size_t fresh = 0;
    if (n > UINT32_MAX / 4) return fw_fail(err, FW_ERR_NOMEM, "%zu rows whose hashes begin alike", n);
    FW_TRY(fw_grow((void **)scratch, capacity, n_slots, sizeof **scratch, "equal rows", err));
    memset(*scratch, 0, n_slots * sizeof **scratch);
    for (size_t i = 0; i < n; i++) fresh += put(*scratch, n_slots, hash[i] | (hash[i] == 0));
    *repeats = n - fresh;
    return FW_OK;
}
