/** Asynchronous successive halving, promotion type: one ladder of rungs for all trials. */
#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/pruners/ladder.h"

static fw_status create(void **state, const coord_pruner_opts *opts, fw_error *err)
{
    coord_ladder *l = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&l, 1, sizeof *l, "pruner asha", err));
    const fw_status s = coord_ladder_init(l, opts, (double)opts->min_rounds, err);
    if (s < 0) free(l);
    else *state = l;
    return s;
}

static void destroy(void **state)
{
    if (*state != NULL) coord_ladder_release(*state);
    free(*state);
    *state = NULL;
}

static uint64_t milestone(const void *state, uint64_t trial, uint64_t rounds)
{
    (void)trial;
    return coord_ladder_milestone(state, rounds);
}

static fw_status judge(void *state, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err)
{
    return coord_ladder_judge(state, trial, rounds, loss, out, err);
}

static fw_status ended(void *state, uint64_t trial, uint64_t rounds, double loss, fw_error *err)
{
    (void)trial, (void)rounds, (void)err;
    coord_ladder *l = state;
    l->completed = l->completed || isfinite(loss);
    return FW_OK;
}

static bool promote(void *state, uint64_t *trial)
{
    coord_ladder *l = state;
    coord_rung *rung = coord_ladder_ready(l);
    if (rung == NULL) return false;
    *trial = coord_heap_pop(&rung->waiting).trial;
    return true;
}

static void settle(void *state)
{
    coord_ladder_settle(state, 1);
}

const coord_pruner_kind coord_pruner_asha = {
    .name = "asha", .help = "rungs at min_rounds x reduction_factor^k; the best 1 of reduction_factor at a rung go on, the others wait until they are",
    .create = create, .destroy = destroy, .milestone = milestone, .judge = judge, .ended = ended, .promote = promote, .settle = settle,
};
