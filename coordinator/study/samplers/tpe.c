/** Tree-structured Parzen estimator. The trials are split into the best and the rest; each set gives a density; of some points drawn from the density of the
 *  good ones the one is taken at which good is most likely over bad.
 *
 *  By default one density over all parameters (multivariate): a trial's kernel keeps its values together. Where a condition left a parameter out of a
 *  trial, that trial says nothing of it: its factor is the prior's. With `univariate` each parameter has densities of its own, of the trials in which it was
 *  active. In a space with conditions now and then one choice is given and the split is made among its trials alone, so that the branch that is best at
 *  first doesn't keep the others from being known.
 *  Source  Bergstra et al., NIPS 2011; Falkner et al., "BOHB", ICML 2018; Watanabe, arXiv 2304.11127. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/sampler.h"
#include "coordinator/study/samplers/sobol_points.h"
#include "coordinator/study/samplers/tpe_history.h"
#include "coordinator/study/samplers/tpe_parzen.h"

#define GOOD_SHARE   0.1           /* of the ranked trials, rounded up; Optuna's */
#define MAX_GOOD     25
#define MAX_NEWEST   250           /* bad ones that are always there */
#define MAX_OLDER    250           /* a fair sample of the rest, which stands for all of it */
#define CANDIDATES   24
#define STARTUP      10
#define GIVEN_CHOICE 0.2           /* how often a branch is looked at by itself */
#define FRESH_TRIES  64

/* A light flat kernel among the good ones, and a heavy one among the bad, which keeps their density from being all bumps. For a parameter by itself
 * there are many kernels a dimension: Optuna's. */
static const coord_parzen_opts good = {.prior = 0.1, .flat = 3}, bad = {.prior = 30, .flat = INFINITY}, alone = {.prior = 1, .neighbours = true};

/* Which trials are looked at: all (param == SIZE_MAX), or those with this choice. */
typedef struct subset { size_t param; float choice; } subset;

typedef struct tpe_sampler {
    const coord_space *space;
    coord_sampler_opts opts;
    coord_sobol *start;
    coord_history *history;
    coord_parzen *good, *bad;
    size_t *all;                   /* (parameters) 0, 1, ... */
    size_t *parent;                /* (n_parents) parameters that a condition names */
    size_t  n_parents;
    subset  of;
    uint32_t best[MAX_GOOD];       /* (n_best) the good ones, best first */
    size_t  n_best;
    bool   *is_best;               /* (trials) */
    size_t  is_best_capacity;
    double *x;                     /* (parameters) a candidate */
} tpe_sampler;

/* ---- create ----------------------------------------------------------------------------------------------------------------------------------- */

static void destroy(void **state)
{
    tpe_sampler *s = *state;
    if (s == NULL) return;
    coord_sobol_destroy(&s->start);
    coord_history_destroy(&s->history);
    coord_parzen_destroy(&s->good);
    coord_parzen_destroy(&s->bad);
    free(s->all);
    free(s->parent);
    free(s->is_best);
    free(s->x);
    free(s);
    *state = NULL;
}

static bool is_parent(const coord_space *s, size_t param)
{
    bool named = false;
    for (size_t i = param + 1; i < s->n; i++)
        for (size_t c = 0; c < s->param[i].n_conditions; c++) named |= s->param[i].condition[c].parent == param;
    return named;
}

static fw_status make(tpe_sampler *s, fw_error *err)
{
    const size_t n = s->space->n;
    FW_TRY(coord_sobol_create(&s->start, n, &s->opts.seed, err));
    FW_TRY(coord_history_create(&s->history, s->space, s->opts.seed, err));
    FW_TRY(coord_parzen_create(&s->good, s->space, MAX_GOOD, err));
    FW_TRY(coord_parzen_create(&s->bad, s->space, MAX_NEWEST + MAX_OLDER, err));
    FW_TRY(fw_alloc_zeroed((void **)&s->all, n, sizeof *s->all, "sampler tpe", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->parent, n, sizeof *s->parent, "sampler tpe", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->x, n, sizeof *s->x, "sampler tpe", err));
    for (size_t i = 0; i < n; i++) {
        s->all[i] = i;
        if (is_parent(s->space, i)) s->parent[s->n_parents++] = i;
    }
    return FW_OK;
}

static fw_status create(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    void *made = NULL;
    FW_TRY(fw_alloc_zeroed(&made, 1, sizeof(tpe_sampler), "sampler tpe", err));
    tpe_sampler *s = made;
    s->space = space;
    s->opts = *opts;
    if (s->opts.startup_trials == 0) s->opts.startup_trials = STARTUP;
    const fw_status status = make(s, err);
    if (status < 0) destroy(&made);
    else *state = made;
    return status;
}

static fw_status tell(void *state, const coord_seen *t, fw_error *err)
{
    tpe_sampler *s = state;
    const size_t before = s->history->n;
    FW_TRY(coord_history_tell(s->history, t, err));
    FW_TRY(fw_grow((void **)&s->is_best, &s->is_best_capacity, s->history->n, sizeof *s->is_best, "sampler tpe", err));
    for (size_t i = before; i < s->history->n; i++) s->is_best[i] = false;
    return FW_OK;
}

/* ---- good and bad ----------------------------------------------------------------------------------------------------------------------------- */

static float code_of(const tpe_sampler *s, uint32_t number, size_t param) { return s->history->code[number * s->space->n + param]; }

static bool belongs(const tpe_sampler *s, uint32_t number) { return s->of.param == SIZE_MAX || code_of(s, number, s->of.param) == s->of.choice; }

static size_t good_ones(size_t n) { return (size_t)FW_MIN(ceil(GOOD_SHARE * (double)n), (double)MAX_GOOD); }

/* The best of those that are looked at. */
static void split(tpe_sampler *s, subset of)
{
    const coord_history *h = s->history;
    for (size_t i = 0; i < s->n_best; i++) s->is_best[s->best[i]] = false;
    s->of = of;
    s->n_best = 0;
    size_t ranked = of.param == SIZE_MAX ? h->n_ranked : 0;
    for (size_t i = 0; i < h->n_ranked && of.param != SIZE_MAX; i++) ranked += belongs(s, h->best[i]);
    const size_t wanted = good_ones(ranked);
    for (size_t i = 0; i < h->n_ranked && s->n_best < wanted; i++) {
        if (!belongs(s, h->best[i])) continue;
        s->is_best[h->best[i]] = true;
        s->best[s->n_best++] = h->best[i];
    }
}

/* A trial in which none of the parameters was active says nothing of them. */
static void add(const tpe_sampler *s, coord_parzen *p, const size_t *params, size_t n_params, uint32_t number, double weight)
{
    bool any = false;
    for (size_t i = 0; i < n_params && !any; i++) any = !isnan(code_of(s, number, params[i]));
    if (any) coord_parzen_add(p, s->history->code + number * s->space->n, weight);
}

static void model_good(tpe_sampler *s, const size_t *params, size_t n_params)
{
    coord_parzen_begin(s->good, params, n_params);
    for (size_t i = 0; i < s->n_best; i++) add(s, s->good, params, n_params, s->best[i], 1);
    coord_parzen_finish(s->good, s->opts.univariate ? &alone : &good);
}

static bool is_bad(const tpe_sampler *s, uint32_t number) { return s->history->hash[number] != 0 && !s->is_best[number] && belongs(s, number); }

static void model_bad(tpe_sampler *s, const size_t *params, size_t n_params)
{
    const coord_history *h = s->history;
    size_t newest = 0, first = h->n, older = 0;
    coord_parzen_begin(s->bad, params, n_params);
    while (first > 0 && newest < MAX_NEWEST) {
        if (!is_bad(s, (uint32_t)--first)) continue;
        newest++;
        add(s, s->bad, params, n_params, (uint32_t)first, 1);
    }
    for (uint32_t number = 0; number < first; number++) older += is_bad(s, number);
    const size_t wanted = FW_MIN(older, (size_t)MAX_OLDER);
    for (size_t i = 0, taken = 0; i < h->n_known && taken < wanted; i++) {
        const uint32_t number = h->shuffled[i];
        if (number >= first || !is_bad(s, number)) continue;
        taken++;
        add(s, s->bad, params, n_params, number, (double)older / (double)wanted);
    }
    coord_parzen_finish(s->bad, s->opts.univariate ? &alone : &bad);
}

/* ---- points ----------------------------------------------------------------------------------------------------------------------------------- */

static bool fits(const tpe_sampler *s, const double *x) { return s->of.param == SIZE_MAX || (float)x[s->of.param] == s->of.choice; }

/* The best of some draws into x, whose earlier parameters stand; of whole points one that is not known yet. False: there was none. */
static bool choose(tpe_sampler *s, const size_t *params, size_t n_params, coord_draws *d, double *x)
{
    const bool whole = n_params == s->space->n;
    double best = -INFINITY;
    model_good(s, params, n_params);
    model_bad(s, params, n_params);
    memcpy(s->x, x, s->space->n * sizeof *x);
    for (int c = 0; c < CANDIDATES; c++) {
        coord_parzen_draw(s->good, d, s->x);
        if (whole && !fits(s, s->x)) continue;
        const double score = coord_parzen_log(s->good, s->x) - coord_parzen_log(s->bad, s->x);
        if (!(score > best) || (whole && coord_history_has(s->history, s->x))) continue;
        best = score;
        for (size_t i = 0; i < n_params; i++) x[params[i]] = s->x[params[i]];
    }
    return best > -INFINITY;
}

static void point_of(const tpe_sampler *s, const double *u, double *x)
{
    for (size_t i = 0; i < s->space->n; i++) x[i] = coord_param_from_unit(&s->space->param[i], u[i]);
    coord_space_mask(s->space, x);
}

/* Any point that is not known, if one is soon found: the same point would have the same loss, to the bit. */
static void fresh(const tpe_sampler *s, coord_draws *d, double *x)
{
    for (int tries = 0; tries < FRESH_TRIES && (tries == 0 || coord_history_has(s->history, x)); tries++) {
        double u[COORD_MAX_PARAMS];
        for (size_t i = 0; i < s->space->n; i++) u[i] = coord_draws_unit(d);
        point_of(s, u, x);
    }
}

/* Mostly all trials; now and then those with one choice of a parent. */
static subset draw_subset(const tpe_sampler *s, coord_draws *d)
{
    if (s->n_parents == 0 || coord_draws_unit(d) >= GIVEN_CHOICE) return (subset){.param = SIZE_MAX};
    const size_t param = s->parent[(size_t)(coord_draws_unit(d) * (double)s->n_parents)];
    return (subset){.param = param, .choice = (float)floor(coord_draws_unit(d) * (double)s->space->param[param].n_choices)};
}

static bool propose(tpe_sampler *s, coord_draws *d, double *x)
{
    for (size_t i = 0; i < s->space->n; i++) x[i] = NAN;
    if (!s->opts.univariate) {
        split(s, draw_subset(s, d));
        return choose(s, s->all, s->space->n, d, x);
    }
    split(s, (subset){.param = SIZE_MAX});
    for (size_t i = 0; i < s->space->n; i++) {
        if (!coord_space_active(s->space, x, i)) x[i] = NAN;
        else (void)choose(s, &s->all[i], 1, d, x);
    }
    return true;
}

static fw_status suggest(void *state, uint64_t number, double *x, fw_error *err)
{
    tpe_sampler *s = state;
    coord_draws d = {.seed = s->opts.seed, .number = number};
    bool proposed = true;
    (void)err;
    if (s->history->n_ranked < s->opts.startup_trials) {
        double u[COORD_MAX_PARAMS];
        coord_sobol_at(s->start, number, u);
        point_of(s, u, x);
    } else {
        proposed = propose(s, &d, x);
    }
    if (!proposed || coord_history_has(s->history, x)) fresh(s, &d, x);
    return FW_OK;
}

static const char *why(const void *state)
{
    (void)state;
    return NULL;
}

const coord_sampler_kind coord_sampler_tpe = {
    .name = "tpe", .help = "tree-structured Parzen estimator: where good trials are dense and bad ones are not", .create = create, .destroy = destroy, .tell = tell,
    .suggest = suggest, .why = why,
};
