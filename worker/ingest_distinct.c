#include "worker/ingest_distinct.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define DIGIT_BITS 11u
#define DIGITS     (1u << DIGIT_BITS)

/* By one digit, order among equals kept. */
static void sort_by_digit(uint64_t *to, const uint64_t *from, size_t n, unsigned shift)
{
    size_t at[DIGITS + 1] = {0};
    for (size_t i = 0; i < n; i++) at[((from[i] >> shift) & (DIGITS - 1)) + 1]++;
    for (size_t i = 0; i < DIGITS; i++) at[i + 1] += at[i];
    for (size_t i = 0; i < n; i++) to[at[(from[i] >> shift) & (DIGITS - 1)]++] = from[i];
}

/* An even number of passes: the result ends where it began. The digits below those are zero or do not matter yet. */
static void sort_by_digits(uint64_t *v, uint64_t *scratch, size_t n, unsigned passes, unsigned top)
{
    for (unsigned k = 0; k < passes; k++) {
        unsigned below = (passes - k) * DIGIT_BITS, shift = top > below ? top - below : 0;
        sort_by_digit(k % 2 ? v : scratch, k % 2 ? scratch : v, n, shift);
    }
}

/* Nearly sorted: few moves. false: too many, as for hashes that were chosen to be alike. */
static bool insert_all(uint64_t *v, size_t n)
{
    size_t moves = 0;
    for (size_t i = 1; i < n; i++) {
        uint64_t x = v[i];
        size_t k = i;
        for (; k > 0 && v[k - 1] > x; k--) v[k] = v[k - 1];
        v[k] = x;
        if ((moves += i - k) > 8 * n + 64) return false;
    }
    return true;
}

void worker_sort_hashes(uint64_t *v, uint64_t *scratch, size_t n)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++) all |= v[i];
    unsigned top = all == 0 ? 0 : 64 - (unsigned)__builtin_clzll(all);
    unsigned passes = n >> (2 * DIGIT_BITS - 3) == 0 ? 2 : 4;
    if (n > DIGITS) sort_by_digits(v, scratch, n, passes, top);
    if (!insert_all(v, n)) sort_by_digits(v, scratch, n, 6, 6 * DIGIT_BITS);
}

#define FIRST_CAPACITY ((size_t)4096)

/* Sorted, each once, at most K kept; the limit is the K-th: larger hashes no longer matter. */
static fw_status compact(worker_distinct *d, fw_error *err)
{
    FW_FREE uint64_t *scratch = malloc((d->n + 1) * sizeof *scratch);
    if (scratch == NULL) return fw_fail(err, FW_ERR_NOMEM, "counting distinct values");
    worker_sort_hashes(d->hash, scratch, d->n);
    size_t kept = 0;
    for (size_t i = 0; i < d->n && kept < WORKER_DISTINCT_K; i++)
        if (kept == 0 || d->hash[i] != d->hash[kept - 1]) d->hash[kept++] = d->hash[i];
    d->n = kept;
    if (kept == WORKER_DISTINCT_K) d->limit = d->hash[kept - 1];
    return FW_OK;
}

/* Full: compacted, and doubled while that alone does not leave half of it free. */
static fw_status make_room(worker_distinct *d, fw_error *err)
{
    if (d->capacity > 0) FW_TRY(compact(d, err));
    if (d->n * 2 > d->capacity || d->capacity == 0)
        FW_TRY(fw_grow((void **)&d->hash, &d->capacity, FW_MIN(FW_MAX(2 * d->capacity, FIRST_CAPACITY), 2 * WORKER_DISTINCT_K), sizeof *d->hash,
                       "distinct values", err));
    return FW_OK;
}

fw_status worker_distinct_add_slow(worker_distinct *d, uint64_t hash, fw_error *err)
{
    uint64_t *recent = &d->recent[hash % WORKER_DISTINCT_RECENT];
    if (*recent == hash && hash != 0) return FW_OK;
    *recent = hash;
    if (d->n == d->capacity) FW_TRY(make_room(d, err));
    d->hash[d->n++] = hash;
    return FW_OK;
}

void worker_distinct_clear(worker_distinct *d)
{
    free(d->hash);
    *d = (worker_distinct){0};
}

/* How many, of a compacted list. */
static uint64_t counted(const worker_distinct *d)
{
    return d->n < WORKER_DISTINCT_K ? d->n : (uint64_t)((double)(WORKER_DISTINCT_K - 1) / ((double)d->limit * 0x1p-64));
}

/* Two compacted lists as one; out has room for K. */
static void merge(worker_distinct *out, const worker_distinct *a, const uint64_t *b, size_t n)
{
    out->n = 0;
    for (size_t i = 0, k = 0; out->n < WORKER_DISTINCT_K && (i < a->n || k < n);) {
        const uint64_t x = i < a->n ? a->hash[i] : UINT64_MAX, y = k < n ? b[k] : UINT64_MAX;
        i += i < a->n && x <= y;
        k += k < n && y <= x;
        out->hash[out->n++] = FW_MIN(x, y);
    }
    out->limit = out->n == WORKER_DISTINCT_K ? out->hash[out->n - 1] : 0;
}

fw_status worker_distinct_count(uint64_t *count, worker_distinct *d, const fw_reduce *reduce, fw_error *err)
{
    FW_TRY(reduce->agree(reduce->context, compact(d, err), err));
    if (reduce->size == 1) {
        *count = counted(d);
        return FW_OK;
    }
    FW_FREE size_t *offset = calloc((size_t)reduce->size + 1, sizeof *offset);
    FW_TRY(reduce->agree(reduce->context, offset == NULL ? fw_fail(err, FW_ERR_NOMEM, "counting distinct values") : FW_OK, err));
    FW_FREE char *bytes = NULL;
    FW_TRY(reduce->gather_all(reduce->context, d->hash, d->n * sizeof *d->hash, &bytes, offset, err));
    worker_distinct all = {.hash = malloc(WORKER_DISTINCT_K * sizeof *all.hash)}, here = {.hash = malloc(WORKER_DISTINCT_K * sizeof *here.hash)};
    fw_status s = all.hash == NULL || here.hash == NULL ? fw_fail(err, FW_ERR_NOMEM, "counting distinct values") : FW_OK;
    for (int r = 0; s == FW_OK && r < reduce->size; r++) {
        worker_distinct before = all;
        merge(&here, &before, (const uint64_t *)(const void *)(bytes + offset[r]), (offset[r + 1] - offset[r]) / sizeof(uint64_t));
        all = here;
        here = before;
    }
    if (s == FW_OK) *count = counted(&all);
    worker_distinct_clear(&all);
    worker_distinct_clear(&here);
    return reduce->agree(reduce->context, s, err);
}
