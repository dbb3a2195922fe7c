/** Asynchronous successive halving: rungs at rounds that grow by eta. A trial that comes to a rung goes on when it is among the best 1/eta of all that
 *  came there, and waits there until it is.   Source  Li et al., A System for Massively Parallel Hyperparameter Tuning (MLSys 2020), algorithm 2. */
#ifndef COORD_STUDY_PRUNERS_LADDER_H
#define COORD_STUDY_PRUNERS_LADDER_H

#include "coordinator/study/pruner.h"
#include "coordinator/study/pruners/ranking.h"

typedef struct coord_rung {
    uint64_t rounds;
    coord_cut all;                     /* that came here; the best floor(n / eta) of them may go on */
    coord_heap waiting;                /* of these, paused; the best on top */
} coord_rung;

typedef struct coord_ladder {
    double eta;
    uint64_t max_rounds;
    coord_rung *rung; size_t n;        /* rounds ascending, below max_rounds */
    uint64_t last;                     /* the trial that settle lets go to the end; NOBODY */
    bool completed;                    /* some trial has come to its end */
} coord_ladder;
#define COORD_NOBODY UINT64_MAX

/** Rungs at first, first eta, first eta^2, ... below opts->max_rounds, in whole rounds; none when first is not below it. */
fw_status coord_ladder_init(coord_ladder *l, const coord_pruner_opts *opts, double first, fw_error *err);
void      coord_ladder_release(coord_ladder *l);

uint64_t  coord_ladder_milestone(const coord_ladder *l, uint64_t rounds);
/** A loss that is not finite is pruned, and counts as one that came. FW_ERR_ARG: rounds is no rung. */
fw_status coord_ladder_judge(coord_ladder *l, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err);
/** The highest rung at which one that waits may go on; NULL: none. */
coord_rung *coord_ladder_ready(coord_ladder *l);
/** Nobody comes any more. Of several ladders together: when no trial has come to its end, the best that waits at the highest rung goes on to it
 *  (promoted next), so that a study ends with a model; the others leave. */
void        coord_ladder_settle(coord_ladder *l, size_t n);

#endif
