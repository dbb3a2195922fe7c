#include "coordinator/study/samplers/gp_history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "coordinator/study/samplers/gp_acquire.h"
#include "coordinator/study/samplers/warp.h"

void coord_gp_history_clear(coord_gp_history *h)
{
    free(h->trial);
    free(h->x);
    *h = (coord_gp_history){.space = NULL};
}

static bool has_ended(coord_trial_state s)
{
    return s == COORD_COMPLETE || s == COORD_PRUNED || s == COORD_FAIL;
}

fw_status coord_gp_history_tell(coord_gp_history *h, const coord_seen *t, bool *just_ended, fw_error *err)
{
    size_t d = h->space->n, need = 0;
    if (t->number >= h->n) {
        FW_TRY(fw_size_mul(&need, t->number + 1, d, "sampler gp", err));
        FW_TRY(fw_grow((void **)&h->x, &h->x_capacity, need, sizeof *h->x, "sampler gp", err));
        FW_TRY(fw_grow((void **)&h->trial, &h->trial_capacity, t->number + 1, sizeof *h->trial, "sampler gp", err));
        for (; h->n <= t->number; h->n++) h->trial[h->n] = (coord_gp_told){.told = false};
    }
    coord_gp_told *r = &h->trial[t->number];
    *just_ended = has_ended(t->state) && !(r->told && has_ended(r->state));
    *r = (coord_gp_told){t->loss, t->rounds, t->state, true};
    memcpy(h->x + t->number * d, t->x, d * sizeof *t->x);
    h->ended += *just_ended;
    h->finite += *just_ended && isfinite(t->loss);
    return FW_OK;
}

/** Has a loss that can be modelled: it has ended, or its rounds so far are a coordinate. */
static bool is_observed(const coord_gp_history *h, size_t trial)
{
    const coord_gp_told *r = &h->trial[trial];
    return r->told && (has_ended(r->state) || (h->fidelity && r->rounds > 0 && isfinite(r->loss)));
}

typedef struct ranked { double loss; size_t trial; } ranked;

static int by_loss(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->loss != y->loss) return x->loss < y->loss ? -1 : 1;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

fw_status coord_gp_history_choose(coord_gp_history *h, fw_error *err)
{
    FW_FREE ranked *all = NULL;
    FW_FREE bool *in = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&all, h->n, sizeof *all, "sampler gp", err));
    FW_TRY(fw_alloc_zeroed((void **)&in, h->n, sizeof *in, "sampler gp", err));
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++)
        if (is_observed(h, i)) all[n++] = (ranked){isfinite(h->trial[i].loss) ? h->trial[i].loss : INFINITY, i};
    qsort(all, n, sizeof *all, by_loss);
    size_t most = FW_MIN(n, COORD_GP_MEMBERS), taken = 0, best = n <= COORD_GP_MEMBERS ? n : COORD_GP_MEMBERS / 2;
    for (; taken < best; taken++) in[all[taken].trial] = true;
    for (size_t i = h->n; i-- > 0 && taken < most;)
        if (!in[i] && is_observed(h, i)) in[i] = true, taken++;
    h->n_members = h->n_pending = 0;
    for (size_t i = 0; i < h->n; i++)
        if (in[i]) h->member[h->n_members++] = i;
    for (size_t i = h->n; i-- > 0 && h->n_pending < COORD_GP_PENDING;)
        if (h->trial[i].told && !has_ended(h->trial[i].state)) h->pending[h->n_pending++] = i;
    return FW_OK;
}

void coord_gp_history_code(const coord_gp_history *h, size_t trial, double *code)
{
    coord_gp_encode(h->space, h->x + trial * h->space->n, code);
    if (h->fidelity) code[h->space->n] = 1;
}

static double share_of_rounds(const coord_gp_history *h, const coord_gp_told *r)
{
    if (r->state == COORD_FAIL || r->rounds >= h->rounds) return 1;
    return fw_log_double(1 + (double)r->rounds) / fw_log_double(1 + (double)h->rounds);
}

fw_status coord_gp_history_load(const coord_gp_history *h, coord_gp *gp, size_t more, fw_error *err)
{
    double worst = -INFINITY, code[COORD_GP_MAX_DIMENSIONS];
    for (size_t k = 0; k < h->n_members; k++)
        if (isfinite(h->trial[h->member[k]].loss)) worst = fmax(worst, h->trial[h->member[k]].loss);
    gp->n = h->n_members + more;
    for (size_t k = 0; k < h->n_members; k++) {
        const coord_gp_told *r = &h->trial[h->member[k]];
        gp->y[k] = isfinite(r->loss) ? r->loss : isfinite(worst) ? worst : 0;
        coord_gp_history_code(h, h->member[k], code);
        if (h->fidelity) code[h->space->n] = share_of_rounds(h, r);
        for (size_t i = 0; i < gp->d; i++) gp->x[i * gp->n + k] = code[i];
    }
    return coord_warp_losses(gp->y, h->n_members, err);
}
