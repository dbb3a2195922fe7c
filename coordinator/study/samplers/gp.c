/** Bayesian optimisation: Gaussian processes over the losses told so far, and the point of largest log expected improvement.
 *
 *  Two processes with different priors take turns. The *keen* one may become as short-sighted as the data say, and finds the bottom of a valley. The *calm* one
 *  has long lengths and takes ripples for noise, so it sees the trend of the whole and leaves a local minimum that the keen one digs in.
 *
 *  Losses of fewer rounds (pruned, paused and running trials, and what those that went on had at lower rungs) take part: rounds are a coordinate of the
 *  process, and proposals are made for whole trials.
 *  Trials that run stand as if they had ended as expected (kriging believer: Ginsbourger, Le Riche, Carraro, 2010).
 *  Hyperparameters are fitted when losses come that were not known, from those before, so a suggestion depends on the trials told and their order alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "coordinator/study/sampler.h"
#include "coordinator/study/samplers/gp_acquire.h"
#include "coordinator/study/samplers/gp_history.h"

#define BRANCH_EVERY 4             /* of so many proposals one is for a branch of its own */
#define BRANCH_TURN  2             /* a turn of the keen process */
#define STARTS       8               /* best members whose neighbourhoods are searched */

enum { KEEN, CALM, MODELS };

static const coord_gp_prior priors[MODELS] = {
    [KEEN] = {.length = 0.3, .length_sd = 1, .spread = 0.5, .noise = -5, .noise_sd = 2},
    [CALM] = {.length = -0.2, .length_sd = 0.1, .spread = 0.1, .noise = -2, .noise_sd = 1},
};

typedef struct gp_sampler {
    const coord_space *space;
    coord_sampler_opts opts;
    void *start;                   /* sobol: before there is a model */
    uint64_t startup, fits, next_fit;              /* fitted when so many losses are known */
    coord_gp_history history;
    bool *choice;
    coord_gp *gp;
    double theta[MODELS][COORD_GP_MAX_DIMENSIONS + 3];
} gp_sampler;

static void destroy(void **state)
{
    gp_sampler *s = *state;
    if (s == NULL) return;
    if (s->start != NULL) coord_sampler_sobol.destroy(&s->start);
    coord_gp_destroy(&s->gp);
    coord_gp_history_clear(&s->history);
    free(s->choice);
    free(s);
    *state = NULL;
}

static fw_status fill(gp_sampler *s, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    bool fidelity = opts->pruned && opts->rounds > 1;
    *s = (gp_sampler){.space = space, .opts = *opts, .history = {.space = space, .rounds = opts->rounds, .fidelity = fidelity},
                      .startup = opts->startup_trials > 0 ? opts->startup_trials : FW_MIN(FW_MAX(space->n + 2, 6), 20)};
    s->next_fit = s->startup;
    FW_TRY(coord_sampler_sobol.create(&s->start, space, opts, err));
    FW_TRY(fw_alloc_zeroed((void **)&s->choice, space->n + 1, sizeof *s->choice, "sampler gp", err));
    for (size_t i = 0; i < space->n; i++) s->choice[i] = space->param[i].kind == COORD_PARAM_CATEGORICAL;
    FW_TRY(coord_gp_create(&s->gp, FW_MAX(space->n + fidelity, 1), s->choice, COORD_GP_MEMBERS + COORD_GP_PENDING, err));
    for (size_t k = 0; k < MODELS; k++) {
        s->gp->prior = priors[k];
        coord_gp_prior_mode(s->gp, s->theta[k]);
    }
    return FW_OK;
}

static fw_status create(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    gp_sampler *s = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "sampler gp", err));
    fw_status status = fill(s, space, opts, err);
    *state = s;
    if (status < 0) destroy(state);
    return status;
}

/* ---- tell ------------------------------------------------------------------------------------------------------------------------------------ */

/** Each process goes on from where it was; rarer when there are many trials. */
static fw_status fit(gp_sampler *s, fw_error *err)
{
    FW_TRY(coord_gp_history_choose(&s->history, err));
    FW_TRY(coord_gp_history_load(&s->history, s->gp, 0, err));
    for (size_t k = 0; k < MODELS; k++) {
        s->gp->prior = priors[k];
        coord_gp_fit(s->gp, s->theta[k], s->fits == 0 ? 60 : 20);
    }
    s->fits++;
    s->next_fit = s->history.observed + 1 + s->history.observed / 25;
    return FW_OK;
}

static fw_status tell(void *state, const coord_seen *t, fw_error *err)
{
    gp_sampler *s = state;
    bool news = false;
    if (s->space->n == 0) return FW_OK;
    FW_TRY(coord_gp_history_tell(&s->history, t, &news, err));
    return news && s->history.observed >= s->next_fit && s->history.finite > 0 ? fit(s, err) : FW_OK;
}

/* ---- suggest --------------------------------------------------------------------------------------------------------------------------------- */

/** Running trials behind the members, with the losses that are expected of them. */
static fw_status add_pending(gp_sampler *s, const double *theta, fw_error *err)
{
    const coord_gp_history *h = &s->history;
    double expected[COORD_GP_PENDING], code[COORD_GP_MAX_DIMENSIONS];
    if (h->n_pending == 0) return FW_OK;
    for (size_t k = 0; k < h->n_pending; k++) {
        coord_gp_history_code(h, h->pending[k], code);
        expected[k] = coord_gp_predict(s->gp, code, NULL, NULL).mean;
    }
    FW_TRY(coord_gp_history_load(h, s->gp, h->n_pending, err));
    for (size_t k = 0; k < h->n_pending; k++) {
        coord_gp_history_code(h, h->pending[k], code);
        for (size_t i = 0; i < s->gp->d; i++) s->gp->x[i * s->gp->n + h->n_members + k] = code[i];
        s->gp->y[h->n_members + k] = expected[k];
    }
    coord_gp_factor(s->gp, theta);
    return FW_OK;
}

/** The members of the best expected losses as whole trials, best first: codes to start (STARTS, space->n). Of one branch, where it has any: those whose
 *  parameter *parent, which may be NULL, is `choice`. */
static size_t best_members(gp_sampler *s, const size_t *parent, double choice, double *start, double *best)
{
    const coord_gp_history *h = &s->history;
    double code[COORD_GP_MAX_DIMENSIONS], mean[STARTS], noise = fw_exp_double(s->gp->theta[s->gp->d + 1]);
    size_t n = 0, d = s->space->n;
    for (size_t k = 0; k < h->n_trials; k++) {
        coord_gp_history_code(h, h->member[k].trial, code);
        if (parent != NULL && code[*parent] != choice) continue;
        double here = h->fidelity ? coord_gp_predict(s->gp, code, NULL, NULL).mean : s->gp->y[k] - noise * s->gp->alpha[k];
        size_t at = n;
        while (at > 0 && here < mean[at - 1]) at--;
        if (at == STARTS) continue;
        n = FW_MIN(n + 1, STARTS);
        memmove(mean + at + 1, mean + at, (n - at - 1) * sizeof *mean);
        memmove(start + (at + 1) * d, start + at * d, (n - at - 1) * d * sizeof *start);
        mean[at] = here;
        memcpy(start + at * d, code, d * sizeof *start);
    }
    if (n == 0) return best_members(s, NULL, 0, start, best);
    *best = mean[0];
    return n;
}

/** Now and then a proposal of a conditional space is to improve on the best of one branch, in turn: a branch whose parameters are hardly known has no chance
 *  against the one that leads. *parent: the first parameter that others depend on. */
static bool next_branch(const gp_sampler *s, uint64_t number, size_t *parent, double *choice)
{
    if (number % BRANCH_EVERY != BRANCH_TURN) return false;
    for (size_t i = 0; i < s->space->n; i++) {
        if (s->space->param[i].n_conditions == 0) continue;
        *parent = s->space->param[i].condition[0].parent;
        *choice = (double)(number / BRANCH_EVERY % s->space->param[*parent].n_choices);
        return true;
    }
    return false;
}

static fw_status search(gp_sampler *s, uint64_t number, double *x, fw_error *err)
{
    const coord_gp_history *h = &s->history;
    size_t d = s->space->n, n_taken = 0;
    double start[STARTS * COORD_GP_MAX_DIMENSIONS], best = 0, whole = 1;
    FW_FREE double *taken = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&taken, h->n * d, sizeof *taken, "sampler gp", err));
    for (size_t i = 0; i < h->n; i++)
        if (h->trial[i].told) coord_gp_encode(s->space, h->x + i * d, taken + n_taken++ * d);
    size_t parent = 0;
    double choice = 0;
    bool branch = next_branch(s, number, &parent, &choice);
    size_t n_starts = best_members(s, branch ? &parent : NULL, choice, start, &best);
    return coord_gp_search_run(&(coord_gp_search){.space = s->space, .gp = s->gp, .fixed = &whole, .best = best, .start = start, .n_starts = n_starts, .taken = taken, .n_taken = n_taken, .forced = branch ? &parent : NULL, .choice = choice, .seed = s->opts.seed, .number = number}, x, err);
}

static fw_status suggest(void *state, uint64_t number, double *x, fw_error *err)
{
    gp_sampler *s = state;
    if (s->fits == 0) return coord_sampler_sobol.suggest(s->start, number, x, err);
    const double *theta = s->theta[number % MODELS];
    FW_TRY(coord_gp_history_choose(&s->history, err));
    FW_TRY(coord_gp_history_load(&s->history, s->gp, 0, err));
    coord_gp_factor(s->gp, theta);
    FW_TRY(add_pending(s, theta, err));
    fw_status found = search(s, number, x, err);
    return found == FW_END ? coord_sampler_sobol.suggest(s->start, number, x, err) : found;
}

static const char *why(const void *state)
{
    (void)state;
    return NULL;
}

const coord_sampler_kind coord_sampler_gp = {
    .name = "gp", .help = "Gaussian processes and expected improvement; up to a few hundred trials", .create = create, .destroy = destroy, .tell = tell, .suggest = suggest, .why = why,
};
