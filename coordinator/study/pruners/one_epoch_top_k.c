/** All trials run min_rounds (one epoch) and wait; when all have, the best k go on to the end. The baseline that any other pruner must beat.
 *  Source  Egele et al., Is One Epoch All You Need For Multi-Fidelity Hyperparameter Optimization? (ESANN 2023). */
#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/pruners/ranking.h"
#include "coordinator/study/pruner.h"

typedef struct top_k {
    coord_pruner_opts opts;
    coord_heap all;                    /* every loss after min_rounds, the best on top */
    coord_heap waiting;                /* of these, paused since the last settling */
    size_t going_on;                   /* of waiting, the best that are let go */
} top_k;

static fw_status create(void **state, const coord_pruner_opts *opts, fw_error *err)
{
    top_k *s = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "pruner one_epoch_top_k", err));
    s->opts = *opts;
    *state = s;
    return FW_OK;
}

static void destroy(void **state)
{
    top_k *s = *state;
    if (s != NULL) free(s->all.v);
    if (s != NULL) free(s->waiting.v);
    free(s);
    *state = NULL;
}

static uint64_t milestone(const void *state, uint64_t trial, uint64_t rounds)
{
    const top_k *s = state;
    (void)trial;
    return rounds < s->opts.min_rounds && s->opts.min_rounds < s->opts.max_rounds ? s->opts.min_rounds : s->opts.max_rounds;
}

static fw_status judge(void *state, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err)
{
    top_k *s = state;
    (void)rounds;
    const bool bad = !(loss < INFINITY);
    const coord_ranked r = {bad ? INFINITY : loss, trial};
    FW_TRY(coord_heap_push(&s->all, r, err));
    if (!bad) FW_TRY(coord_heap_push(&s->waiting, r, err));
    *out = bad ? COORD_PRUNE : COORD_PAUSE;
    return FW_OK;
}

static fw_status ended(void *state, uint64_t trial, uint64_t rounds, double loss, fw_error *err)
{
    (void)state, (void)trial, (void)rounds, (void)loss, (void)err;
    return FW_OK;
}

static bool promote(void *state, uint64_t *trial)
{
    top_k *s = state;
    if (s->going_on == 0) return false;
    s->going_on--;
    *trial = coord_heap_pop(&s->waiting).trial;
    if (s->going_on == 0) s->waiting.n = 0;                    /* the others are pruned */
    return true;
}

static int by_rank(const void *a, const void *b)
{
    return coord_ranked_before(*(const coord_ranked *)a, *(const coord_ranked *)b) ? -1 : 1;
}

/** Those of the best k of all that wait: of a study that was extended the others have gone on before. A list in order is a heap with the best on top. */
static void settle(void *state)
{
    top_k *s = state;
    const double trials = fmax((double)s->opts.trials, (double)s->all.n);
    const uint64_t k = s->opts.keep > 0 ? s->opts.keep : FW_MAX((uint64_t)(trials / s->opts.reduction_factor), (uint64_t)1);
    if (s->waiting.n == 0) return;
    qsort(s->all.v, s->all.n, sizeof *s->all.v, by_rank);
    qsort(s->waiting.v, s->waiting.n, sizeof *s->waiting.v, by_rank);
    const coord_ranked worst = s->all.v[FW_MIN((size_t)k, s->all.n) - 1];
    for (s->going_on = 0; s->going_on < s->waiting.n && !coord_ranked_before(worst, s->waiting.v[s->going_on]);) s->going_on++;
    if (s->going_on == 0) s->waiting.n = 0;
}

const coord_pruner_kind coord_pruner_one_epoch_top_k = {
    .name = "one_epoch_top_k", .help = "every trial runs min_rounds; when all have, the best `keep` go on to the end",
    .create = create, .destroy = destroy, .milestone = milestone, .judge = judge, .ended = ended, .promote = promote, .settle = settle,
};
