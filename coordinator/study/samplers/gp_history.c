#include "coordinator/study/samplers/gp_history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "coordinator/study/samplers/gp_acquire.h"
#include "coordinator/study/samplers/warp.h"

#define FAR_APART 2                /* rungs; where each round is judged, a trial would fill the process with neighbours of its own */

void coord_gp_history_clear(coord_gp_history *h)
{
    free(h->trial);
    free(h->x);
    free(h->earlier);
    *h = (coord_gp_history){.space = NULL};
}

static bool has_ended(coord_trial_state s)
{
    return s == COORD_COMPLETE || s == COORD_PRUNED || s == COORD_FAIL;
}

/** Has a loss that can be modelled: it has ended, or its rounds so far are a coordinate. */
static bool is_observed(const coord_gp_history *h, const coord_gp_told *r)
{
    return r->told && (has_ended(r->state) || (h->fidelity && r->rounds > 0 && isfinite(r->loss)));
}

/** Runs, and how it will end is not known. One that waits with a loss was paused: mostly for good. */
static bool is_pending(const coord_gp_told *r)
{
    return r->told && !has_ended(r->state) && !(r->state == COORD_WAITING && isfinite(r->loss));
}

/** Something is known that was not: that it has ended, or, where rounds are a coordinate, a loss of more of them. */
static bool is_news(const coord_gp_history *h, const coord_gp_told *was, const coord_gp_told *is)
{
    return is_observed(h, is) && (!is_observed(h, was) || (h->fidelity && is->rounds > was->rounds));
}

static fw_status keep_earlier(coord_gp_history *h, uint64_t trial, const coord_gp_told *was, fw_error *err)
{
    FW_TRY(fw_grow((void **)&h->earlier, &h->earlier_capacity, h->n_earlier + 1, sizeof *h->earlier, "sampler gp", err));
    h->earlier[h->n_earlier++] = (coord_gp_known){(size_t)trial, was->rounds, was->loss};
    return FW_OK;
}

fw_status coord_gp_history_tell(coord_gp_history *h, const coord_seen *t, bool *news, fw_error *err)
{
    size_t d = h->space->n, need = 0;
    if (t->number >= h->n) {
        FW_TRY(fw_size_mul(&need, t->number + 1, d, "sampler gp", err));
        FW_TRY(fw_grow((void **)&h->x, &h->x_capacity, need, sizeof *h->x, "sampler gp", err));
        FW_TRY(fw_grow((void **)&h->trial, &h->trial_capacity, t->number + 1, sizeof *h->trial, "sampler gp", err));
        for (; h->n <= t->number; h->n++) h->trial[h->n] = (coord_gp_told){.told = false};
    }
    const coord_gp_told was = h->trial[t->number], is = {t->loss, t->rounds, t->state, true};
    *news = is_news(h, &was, &is);
    if (*news && is_observed(h, &was) && t->rounds >= FAR_APART * was.rounds) FW_TRY(keep_earlier(h, t->number, &was, err));
    h->trial[t->number] = is;
    memcpy(h->x + t->number * d, t->x, d * sizeof *t->x);
    h->observed += *news;
    h->finite += *news && isfinite(t->loss);
    return FW_OK;
}

typedef struct ranked { double loss; size_t trial; } ranked;

static int by_loss(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->loss != y->loss) return x->loss < y->loss ? -1 : 1;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

/** One that is complete in fewer rounds stopped early, at its best. */
static uint64_t known_rounds(const coord_gp_history *h, const coord_gp_told *r)
{
    return r->state == COORD_COMPLETE || r->state == COORD_FAIL ? h->rounds : r->rounds;
}

fw_status coord_gp_history_choose(coord_gp_history *h, fw_error *err)
{
    FW_FREE ranked *all = NULL;
    FW_FREE bool *in = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&all, h->n, sizeof *all, "sampler gp", err));
    FW_TRY(fw_alloc_zeroed((void **)&in, h->n, sizeof *in, "sampler gp", err));
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++)
        if (is_observed(h, &h->trial[i])) all[n++] = (ranked){isfinite(h->trial[i].loss) ? h->trial[i].loss : INFINITY, i};
    qsort(all, n, sizeof *all, by_loss);
    size_t most = FW_MIN(n, COORD_GP_MEMBERS), taken = 0, best = n <= COORD_GP_MEMBERS ? n : COORD_GP_MEMBERS / 2;
    for (; taken < best; taken++) in[all[taken].trial] = true;
    for (size_t i = h->n; i-- > 0 && taken < most;)
        if (!in[i] && is_observed(h, &h->trial[i])) in[i] = true, taken++;
    h->n_members = h->n_pending = 0;
    for (size_t i = 0; i < h->n; i++)
        if (in[i]) h->member[h->n_members++] = (coord_gp_known){i, known_rounds(h, &h->trial[i]), h->trial[i].loss};
    h->n_trials = h->n_members;
    for (size_t k = h->n_earlier; k-- > 0 && h->n_members < COORD_GP_MEMBERS;) h->member[h->n_members++] = h->earlier[k];
    for (size_t i = h->n; i-- > 0 && h->n_pending < COORD_GP_PENDING;)
        if (is_pending(&h->trial[i])) h->pending[h->n_pending++] = i;
    return FW_OK;
}

void coord_gp_history_code(const coord_gp_history *h, size_t trial, double *code)
{
    coord_gp_encode(h->space, h->x + trial * h->space->n, code);
    if (h->fidelity) code[h->space->n] = 1;
}

static double share_of_rounds(const coord_gp_history *h, uint64_t rounds)
{
    return rounds >= h->rounds ? 1 : fw_log_double(1 + (double)rounds) / fw_log_double(1 + (double)h->rounds);
}

fw_status coord_gp_history_load(const coord_gp_history *h, coord_gp *gp, size_t more, fw_error *err)
{
    double worst = -INFINITY, code[COORD_GP_MAX_DIMENSIONS];
    for (size_t k = 0; k < h->n_members; k++)
        if (isfinite(h->member[k].loss)) worst = fmax(worst, h->member[k].loss);
    gp->n = h->n_members + more;
    for (size_t k = 0; k < h->n_members; k++) {
        const coord_gp_known *m = &h->member[k];
        gp->y[k] = isfinite(m->loss) ? m->loss : isfinite(worst) ? worst : 0;
        coord_gp_history_code(h, m->trial, code);
        if (h->fidelity) code[h->space->n] = share_of_rounds(h, m->rounds);
        for (size_t i = 0; i < gp->d; i++) gp->x[i * gp->n + k] = code[i];
    }
    return coord_warp_losses(gp->y, h->n_members, err);
}
