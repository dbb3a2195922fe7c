/** Proposes points. A sampler is a pure function of space, options, the trial's number and what it was told so far, in that order: no clock, no state of
 *  randomness but fw_random keyed by seed and trial number. What it keeps between calls only saves time. */
#ifndef COORD_STUDY_SAMPLER_H
#define COORD_STUDY_SAMPLER_H

#include "coordinator/study/space.h"
#include "coordinator/study/trial.h"

typedef struct coord_sampler_opts {
    uint64_t seed;
    uint64_t trials;               /* budget; 0: not known */
    uint32_t parallel;             /* trials at a time */
    uint64_t rounds;               /* a whole trial's */
    bool pruned;                   /* a pruner ends trials early: their losses are of fewer rounds */
    uint64_t startup_trials;       /* drawn by sobol before a model is made; 0: the sampler's default */
    bool univariate;               /* tpe: each parameter by itself; default multivariate */
} coord_sampler_opts;

typedef struct coord_sampler_kind {
    const char *name, *help;
    fw_status (*create)(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err);
    void      (*destroy)(void **state);
    /** A trial runs, reports (state RUNNING with a loss), or has ended. Called for each change, also for points that another sampler chose.
     *  t and t->x are the caller's: copy. */
    fw_status (*tell)(void *state, const coord_seen *t, fw_error *err);
    /** The point of trial `number`, all parameters set and masked. FW_END: there are no more points (grid). Does not change what later calls return. */
    fw_status (*suggest)(void *state, uint64_t number, double *x, fw_error *err);
    /** What it chose and why, one line; NULL: nothing to tell (auto). */
    const char *(*why)(const void *state);
} coord_sampler_kind;

extern const coord_sampler_kind *const coord_samplers[];       /* NULL-terminated */
const coord_sampler_kind *coord_sampler_find(const char *name);

extern const coord_sampler_kind coord_sampler_auto, coord_sampler_random, coord_sampler_grid, coord_sampler_sobol, coord_sampler_tpe, coord_sampler_gp,
    coord_sampler_cmaes;

#endif
