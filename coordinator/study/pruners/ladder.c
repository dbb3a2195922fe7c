#include "coordinator/study/pruners/ladder.h"

#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"

/** The rung after r, at least one round higher. Products in a fixed order: the same rungs everywhere. */
static double next_rung(double r, double eta)
{
    return fmax(r * eta, floor(r) + 1);
}

fw_status coord_ladder_init(coord_ladder *l, const coord_pruner_opts *opts, double first, fw_error *err)
{
    const double max = (double)opts->max_rounds;
    *l = (coord_ladder){.eta = opts->reduction_factor, .max_rounds = opts->max_rounds, .last = COORD_NOBODY};
    size_t n = 0;
    for (double r = first; floor(r) < max; r = next_rung(r, l->eta)) n++;
    FW_TRY(fw_alloc_zeroed((void **)&l->rung, n, sizeof *l->rung, "pruner: rungs", err));
    for (double r = first; l->n < n; r = next_rung(r, l->eta)) {
        coord_cut_init(&l->rung[l->n].all);
        l->rung[l->n++].rounds = (uint64_t)r;
    }
    return FW_OK;
}

void coord_ladder_release(coord_ladder *l)
{
    for (size_t i = 0; i < l->n; i++) {
        coord_cut_release(&l->rung[i].all);
        free(l->rung[i].waiting.v);
    }
    free(l->rung);
    *l = (coord_ladder){0};
}

uint64_t coord_ladder_milestone(const coord_ladder *l, uint64_t rounds)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->rung[i].rounds > rounds) return l->rung[i].rounds;
    return l->max_rounds;
}

fw_status coord_ladder_judge(coord_ladder *l, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err)
{
    size_t i = 0;
    while (i < l->n && l->rung[i].rounds != rounds) i++;
    if (i == l->n) return fw_fail(err, FW_ERR_ARG, "pruner: %llu rounds are no rung", (unsigned long long)rounds);
    coord_rung *rung = &l->rung[i];
    const bool bad = !(loss < INFINITY);
    const coord_ranked r = {bad ? INFINITY : loss, trial};
    const size_t k = (size_t)((double)(coord_cut_size(&rung->all) + 1) / l->eta);
    FW_TRY(coord_cut_add(&rung->all, r, k, err));
    const bool goes_on = !bad && (trial == l->last || coord_cut_has_best(&rung->all, r));
    if (!goes_on && !bad) FW_TRY(coord_heap_push(&rung->waiting, r, err));
    *out = goes_on ? COORD_GO_ON : bad ? COORD_PRUNE : COORD_PAUSE;
    return FW_OK;
}

/** The best that waits: when it may not go on, none may. */
static bool may_go_on(const coord_ladder *l, const coord_rung *rung)
{
    const coord_ranked best = rung->waiting.v[0];
    return best.trial == l->last || coord_cut_has_best(&rung->all, best);
}

coord_rung *coord_ladder_ready(coord_ladder *l)
{
    for (size_t i = l->n; i-- > 0;)
        if (l->rung[i].waiting.n > 0 && may_go_on(l, &l->rung[i])) return &l->rung[i];
    return NULL;
}

/** The highest rung of all ladders at which one waits. */
static coord_ladder *highest_waiting(coord_ladder *l, size_t n, coord_rung **out)
{
    coord_ladder *found = NULL;
    for (size_t k = 0; k < n; k++)
        for (size_t i = l[k].n; i-- > 0;)
            if (l[k].rung[i].waiting.n > 0 && (found == NULL || l[k].rung[i].rounds > (*out)->rounds)) {
                found = &l[k];
                *out = &l[k].rung[i];
            }
    return found;
}

void coord_ladder_settle(coord_ladder *l, size_t n)
{
    bool completed = false;
    coord_rung *rung = NULL;
    for (size_t k = 0; k < n; k++) completed = completed || l[k].completed;
    coord_ladder *chosen = completed ? NULL : highest_waiting(l, n, &rung);
    const coord_ranked best = chosen != NULL ? rung->waiting.v[0] : (coord_ranked){0};
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < l[k].n; i++) l[k].rung[i].waiting.n = 0;
    if (chosen == NULL) return;
    chosen->last = best.trial;
    rung->waiting.v[rung->waiting.n++] = best;
}
