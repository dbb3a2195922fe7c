/** What was told of the trials, the best first: what TPE makes its models from. A trial is told as often as it changes; the last one counts.
 *
 *  rank      a COMPLETE trial by its loss, before one that was judged after fewer rounds: more rounds first, then the loss. A loss of NaN after some
 *            rounds is the worst of its kind; ties go to the lower number.
 *  unranked  runs or waits without a loss (a parallel ask: it counts as a bad one, so that the next point is elsewhere), or failed. */
#ifndef COORD_STUDY_SAMPLERS_TPE_HISTORY_H
#define COORD_STUDY_SAMPLERS_TPE_HISTORY_H

#include "coordinator/study/space.h"
#include "coordinator/study/trial.h"

typedef struct coord_history {
    const coord_space *space;
    uint64_t seed;
    size_t    n;                   /* numbers below it may be known */
    float    *code;                /* (n, parameters) of each trial's point: tpe_parzen.h */
    uint64_t *hash;                /* (n) of its point; 0: nothing known of this number */
    struct coord_history_rank { double loss; uint64_t rounds; uint32_t kind; } *rank;   /* (n) */
    uint32_t *best;                /* (n_ranked) numbers, best first */
    size_t    n_ranked;
    uint32_t *shuffled;            /* (n_known) numbers in an order that the seed fixes: its first ones are a fair sample */
    size_t    n_known;
    size_t    capacity;
} coord_history;

fw_status coord_history_create(coord_history **out, const coord_space *space, uint64_t seed, fw_error *err);
void      coord_history_destroy(coord_history **h);

/** FW_ERR_ARG: a number beyond 2^32 - 2. Cost: O(log n) comparisons and a move of at most 4n bytes. */
fw_status coord_history_tell(coord_history *h, const coord_seen *t, fw_error *err);

/** Whether a trial is known at just this point. */
bool      coord_history_has(const coord_history *h, const double *x);

#endif
