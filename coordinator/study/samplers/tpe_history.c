#include "coordinator/study/samplers/tpe_history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "coordinator/study/samplers/draws.h"
#include "coordinator/study/samplers/tpe_parzen.h"

enum { RANK_COMPLETE, RANK_PART, RANK_NONE };

fw_status coord_history_create(coord_history **out, const coord_space *space, uint64_t seed, fw_error *err)
{
    coord_history *h = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&h, 1, sizeof *h, "history of trials", err));
    h->space = space;
    h->seed = seed;
    *out = h;
    return FW_OK;
}

void coord_history_destroy(coord_history **h)
{
    if (*h == NULL) return;
    free((*h)->code);
    free((*h)->hash);
    free((*h)->rank);
    free((*h)->best);
    free((*h)->shuffled);
    free(*h);
    *h = NULL;
}

static fw_status grow(coord_history *h, size_t need, fw_error *err)
{
    if (need <= h->capacity) return FW_OK;
    const size_t capacity = FW_MAX(need, 2 * h->capacity);
    size_t now[5] = {h->capacity, h->capacity, h->capacity, h->capacity, h->capacity * h->space->n}, codes = 0;
    FW_TRY(fw_size_mul(&codes, capacity, h->space->n, "history of trials", err));
    FW_TRY(fw_grow((void **)&h->hash, &now[0], capacity, sizeof *h->hash, "history of trials", err));
    FW_TRY(fw_grow((void **)&h->rank, &now[1], capacity, sizeof *h->rank, "history of trials", err));
    FW_TRY(fw_grow((void **)&h->best, &now[2], capacity, sizeof *h->best, "history of trials", err));
    FW_TRY(fw_grow((void **)&h->shuffled, &now[3], capacity, sizeof *h->shuffled, "history of trials", err));
    FW_TRY(fw_grow((void **)&h->code, &now[4], codes, sizeof *h->code, "history of trials", err));
    h->capacity = capacity;
    return FW_OK;
}

/* Never 0; the NaN of what is not active has one form. */
static uint64_t hash_point(const double *x, size_t n)
{
    double canonical[COORD_MAX_PARAMS];
    for (size_t i = 0; i < n; i++) canonical[i] = isnan(x[i]) ? (double)NAN : x[i] + 0.0;
    return fw_hash64(canonical, n * sizeof *canonical, 0) | 1u;
}

static struct coord_history_rank rank_of(const coord_seen *t)
{
    const bool judged = t->state == COORD_COMPLETE || (t->state != COORD_FAIL && (!isnan(t->loss) || (t->rounds > 0 && t->state == COORD_PRUNED)));
    return (struct coord_history_rank){
        .loss = isnan(t->loss) ? (double)INFINITY : t->loss,
        .rounds = t->state == COORD_COMPLETE ? 0 : t->rounds,
        .kind = !judged ? RANK_NONE : t->state == COORD_COMPLETE ? RANK_COMPLETE : RANK_PART,
    };
}

static bool before(const coord_history *h, uint32_t a, uint32_t b)
{
    const struct coord_history_rank *p = &h->rank[a], *q = &h->rank[b];
    if (p->kind != q->kind) return p->kind < q->kind;
    if (p->rounds != q->rounds) return p->rounds > q->rounds;
    if (p->loss != q->loss) return p->loss < q->loss;
    return a < b;
}

/* The place of a trial among those that are ranked, by the rank it has now. */
static size_t place_of(const coord_history *h, uint32_t number)
{
    size_t low = 0, high = h->n_ranked;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (before(h, h->best[middle], number)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static uint64_t shuffle_key(const coord_history *h, uint32_t number)
{
    const fw_philox r = fw_random(h->seed, FW_RANDOM_SAMPLER, COORD_DRAWS_TPE, number, UINT32_MAX);
    return (uint64_t)r.word[0] << 32 | r.word[1];
}

static void insert(uint32_t *list, size_t *n, size_t at, uint32_t number)
{
    memmove(list + at + 1, list + at, (*n - at) * sizeof *list);
    list[at] = number;
    ++*n;
}

static void add_shuffled(coord_history *h, uint32_t number)
{
    const uint64_t key = shuffle_key(h, number);
    size_t low = 0, high = h->n_known;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (shuffle_key(h, h->shuffled[middle]) < key) low = middle + 1;
        else high = middle;
    }
    insert(h->shuffled, &h->n_known, low, number);
}

fw_status coord_history_tell(coord_history *h, const coord_seen *t, fw_error *err)
{
    if (t->number >= UINT32_MAX - 1) return fw_fail(err, FW_ERR_ARG, "tpe: trial %llu; it numbers at most 2^32 - 1", (unsigned long long)t->number);
    const uint32_t number = (uint32_t)t->number;
    FW_TRY(grow(h, (size_t)number + 1, err));
    for (; h->n <= number; h->n++) h->hash[h->n] = 0;
    if (h->hash[number] == 0) {
        h->hash[number] = hash_point(t->x, h->space->n);
        for (size_t i = 0; i < h->space->n; i++) h->code[number * h->space->n + i] = coord_parzen_code(&h->space->param[i], t->x[i]);
        add_shuffled(h, number);
    } else if (h->rank[number].kind != RANK_NONE) {
        const size_t at = place_of(h, number);
        h->n_ranked--;
        memmove(h->best + at, h->best + at + 1, (h->n_ranked - at) * sizeof *h->best);
    }
    h->rank[number] = rank_of(t);
    if (h->rank[number].kind != RANK_NONE) insert(h->best, &h->n_ranked, place_of(h, number), number);
    return FW_OK;
}

bool coord_history_has(const coord_history *h, const double *x)
{
    const uint64_t hash = hash_point(x, h->space->n);
    bool found = false;
    for (size_t i = 0; i < h->n; i++) found |= h->hash[i] == hash;
    return found;
}
