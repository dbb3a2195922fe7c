/** One trial: a point of the space, and what came of it. */
#ifndef COORD_STUDY_TRIAL_H
#define COORD_STUDY_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

/** Optuna's. WAITING: it has to go on and no group has it: new, paused by the pruner, or its group was lost. */
typedef enum coord_trial_state { COORD_WAITING, COORD_RUNNING, COORD_COMPLETE, COORD_PRUNED, COORD_FAIL } coord_trial_state;

const char *coord_trial_state_name(coord_trial_state s);       /* "COMPLETE" */

typedef struct coord_trial {
    uint64_t number;               /* from 0, in the order of creation */
    coord_trial_state state;
    bool paused;                   /* WAITING until the pruner promotes it */
    uint32_t slot;                 /* where it runs or ran last */
    double *x;                     /* (parameters) the point */
    uint64_t rounds;               /* reported */
    double *at;                    /* (rounds) the objective after each round; NaN: not judged there */
    double *error_at;              /* (rounds) its standard error over folds and seeds; NaN: of one */
    double value;                  /* of a COMPLETE one; of a PRUNED one the last; else NaN */
    double error;                  /* its standard error; NaN */
    uint64_t value_round;          /* finished rounds at `value` */
    char *reason;                  /* of FAIL; NULL */
    char created[32], ended[32];   /* UTC; "" */
} coord_trial;

/** What samplers and pruners see of a trial. Lower is better. */
typedef struct coord_seen {
    uint64_t number;
    const double *x;
    double loss;                   /* after `rounds` rounds: the objective, negated when it is maximised; NaN: nothing yet; +inf: FAIL */
    uint64_t rounds;
    coord_trial_state state;
} coord_seen;

#endif
