/** What a sampler was told, by trial, and how it becomes the data of a Gaussian process. */
#ifndef COORD_STUDY_SAMPLERS_GP_HISTORY_H
#define COORD_STUDY_SAMPLERS_GP_HISTORY_H

#include "coordinator/study/sampler.h"
#include "coordinator/study/samplers/gp_model.h"

#define COORD_GP_MEMBERS 240       /* of the process: of more trials the best and the newest */
#define COORD_GP_PENDING 100       /* running trials that are looked at */

typedef struct coord_gp_told { double loss; uint64_t rounds; coord_trial_state state; bool told; } coord_gp_told;
typedef struct coord_gp_known { size_t trial; uint64_t rounds; double loss; } coord_gp_known;      /* after so many rounds */

typedef struct coord_gp_history {
    const coord_space *space;
    uint64_t rounds;               /* of a whole trial */
    bool fidelity;                 /* trials of fewer rounds take part: their share of the rounds is one more coordinate */
    coord_gp_told *trial; double *x; size_t n; /* by number; x (n, space->n) */
    coord_gp_known *earlier; size_t n_earlier;      /* with fidelity: what trials that have gone on since had at rungs below half of it */
    size_t trial_capacity, x_capacity, earlier_capacity;
    uint64_t observed, finite;     /* losses that were told of trials that have ended, or with fidelity of a rung; the finite ones of them */
    coord_gp_known member[COORD_GP_MEMBERS]; size_t n_members, n_trials;     /* the first n_trials are of a trial each, as it stands; then earlier ones */
    size_t pending[COORD_GP_PENDING], n_pending;   /* the newest that run; who is paused may never go on */
} coord_gp_history;

void      coord_gp_history_clear(coord_gp_history *h);                   /* frees */
/** *news: it has ended, or with fidelity has a loss of more rounds, and had not before. */
fw_status coord_gp_history_tell(coord_gp_history *h, const coord_seen *t, bool *news, fw_error *err);
/** Chooses members and pending trials. Cost n log n. */
fw_status coord_gp_history_choose(coord_gp_history *h, fw_error *err);
/** The members' points and warped losses; room for `more` points behind them. A trial that failed has the worst loss. */
fw_status coord_gp_history_load(const coord_gp_history *h, coord_gp *gp, size_t more, fw_error *err);
/** The code of a trial as a whole one (gp->d). */
void      coord_gp_history_code(const coord_gp_history *h, size_t trial, double *code);

#endif
