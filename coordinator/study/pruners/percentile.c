/** Rules and numbers are Optuna's PercentilePruner: the best loss over the rounds of the trial against the interpolated percentile (numpy's linear)
 *  of the complete trials' losses at the same round, from startup_trials and min_rounds on. Every round is a milestone; NaN is passed over, and a
 *  trial that has nothing else is pruned. Cost: a verdict O(log trials); the end of a trial O(rounds log trials). */
#include "coordinator/study/pruners/percentile.h"

#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/pruners/ranking.h"

typedef struct course { double *loss, best; size_t n, capacity; } course;      /* (n) after each round; best: of these, NaN: none */

typedef struct percentile {
    coord_pruner_opts opts;
    double share;                      /* in (0, 1) */
    course *trial; size_t n_trials, capacity;
    coord_cut *at; size_t n_at, at_capacity;       /* by round: losses of complete trials, cut at the percentile */
    uint64_t complete;
} percentile;

fw_status coord_percentile_create(void **state, const coord_pruner_opts *opts, double share, fw_error *err)
{
    percentile *p = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&p, 1, sizeof *p, "pruner percentile", err));
    p->opts = *opts;
    p->share = share / 100;
    *state = p;
    return FW_OK;
}

void coord_percentile_destroy(void **state)
{
    percentile *p = *state;
    for (size_t i = 0; p != NULL && i < p->n_trials; i++) free(p->trial[i].loss);
    for (size_t i = 0; p != NULL && i < p->n_at; i++) coord_cut_release(&p->at[i]);
    if (p != NULL) free(p->trial);
    if (p != NULL) free(p->at);
    free(p);
    *state = NULL;
}

uint64_t coord_percentile_milestone(const void *state, uint64_t trial, uint64_t rounds)
{
    const percentile *p = state;
    (void)trial;
    return rounds + 1 < p->opts.max_rounds ? rounds + 1 : p->opts.max_rounds;
}

static fw_status course_of(percentile *p, uint64_t trial, course **out, fw_error *err)
{
    void *array = p->trial;
    FW_TRY(fw_grow(&array, &p->capacity, (size_t)trial + 1, sizeof *p->trial, "pruner: trials", err));
    p->trial = array;
    for (; p->n_trials <= trial; p->n_trials++) p->trial[p->n_trials] = (course){.best = NAN};
    *out = &p->trial[trial];
    return FW_OK;
}

static fw_status add_loss(course *c, uint64_t rounds, double loss, fw_error *err)
{
    if (rounds != c->n + 1) return fw_fail(err, FW_ERR_ARG, "pruner: round %llu follows on round %zu", (unsigned long long)rounds, c->n);
    void *array = c->loss;
    FW_TRY(fw_grow(&array, &c->capacity, c->n + 1, sizeof *c->loss, "pruner: losses", err));
    c->loss = array;
    c->loss[c->n++] = loss;
    c->best = isnan(c->best) || loss < c->best ? loss : c->best;
    return FW_OK;
}

/** numpy.percentile, method linear, of the losses at a round; NaN: there are none. Of inf on either side of the cut the side itself. */
static double at_percentile(const percentile *p, uint64_t rounds)
{
    const coord_cut *c = rounds <= p->n_at ? &p->at[rounds - 1] : NULL;
    if (c == NULL || coord_cut_size(c) == 0) return NAN;
    const double where = (double)(coord_cut_size(c) - 1) * p->share, t = where - floor(where), a = c->best.v[0].loss;
    if (t == 0 || c->rest.n == 0) return a;
    const double b = c->rest.v[0].loss;
    if (isinf(a) || isinf(b)) return t >= 0.5 ? b : a;
    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

fw_status coord_percentile_judge(void *state, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err)
{
    percentile *p = state;
    course *c = NULL;
    FW_TRY(course_of(p, trial, &c, err));
    FW_TRY(add_loss(c, rounds, loss, err));
    *out = COORD_GO_ON;
    if (rounds < p->opts.min_rounds || p->complete < FW_MAX(p->opts.startup_trials, (uint64_t)1)) return FW_OK;
    const double bound = at_percentile(p, rounds);
    if (isnan(c->best) || c->best > bound) *out = COORD_PRUNE;             /* false where bound is NaN */
    return FW_OK;
}

static fw_status add_course(percentile *p, const course *c, uint64_t trial, fw_error *err)
{
    void *array = p->at;
    FW_TRY(fw_grow(&array, &p->at_capacity, c->n, sizeof *p->at, "pruner: rounds", err));
    p->at = array;
    for (; p->n_at < c->n; p->n_at++) coord_cut_init(&p->at[p->n_at]);
    for (size_t i = 0; i < c->n; i++) {
        if (isnan(c->loss[i])) continue;
        const size_t k = (size_t)floor((double)coord_cut_size(&p->at[i]) * p->share) + 1;
        FW_TRY(coord_cut_add(&p->at[i], (coord_ranked){c->loss[i], trial}, k, err));
    }
    return FW_OK;
}

fw_status coord_percentile_ended(void *state, uint64_t trial, uint64_t rounds, double loss, fw_error *err)
{
    percentile *p = state;
    course *c = NULL;
    (void)rounds;
    FW_TRY(course_of(p, trial, &c, err));
    if (!isnan(loss)) {                                        /* complete, not failed */
        FW_TRY(add_course(p, c, trial, err));
        p->complete++;
    }
    free(c->loss);
    *c = (course){.best = NAN};
    return FW_OK;
}

bool coord_percentile_promote(void *state, uint64_t *trial)
{
    (void)state, (void)trial;
    return false;
}

void coord_percentile_settle(void *state)
{
    (void)state;
}

static fw_status create(void **state, const coord_pruner_opts *opts, fw_error *err)
{
    return coord_percentile_create(state, opts, opts->percentile, err);
}

const coord_pruner_kind coord_pruner_percentile = {
    .name = "percentile", .help = "ends a trial whose best loss is not among the best `percentile` percent of the complete ones at the same round",
    .create = create, .destroy = coord_percentile_destroy, .milestone = coord_percentile_milestone, .judge = coord_percentile_judge,
    .ended = coord_percentile_ended, .promote = coord_percentile_promote, .settle = coord_percentile_settle,
};
