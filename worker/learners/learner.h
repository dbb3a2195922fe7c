/** What trains. A learner is advanced step by step by the one loop in worker/train.c, which does rounds, validation, checkpoints and stops
 *  for all of them. A new learner is one file and one line in learners.c. */
#ifndef WORKER_LEARNERS_LEARNER_H
#define WORKER_LEARNERS_LEARNER_H

#include "common/model/checkpoint.h"
#include "common/model/model.h"
#include "worker/task.h"

#define WORKER_MAX_ARRAYS 16

/** Seconds a rank spent. */
typedef struct worker_seconds { double load, forward, backward, sum, optimizer, wait; } worker_seconds;

/** What came of a step, the same at every rank but for the counters that say "this rank's". */
typedef struct worker_step {
    uint32_t flags_raised;         /* in: this rank's wishes (WORKER_FLAG_*) */
    uint32_t flags;                /* out: all ranks' wishes together */
    int64_t  loss_fixed;           /* out: this rank's sum of row losses, as integer multiples of 2^-24 */
    uint64_t rows, own_rows;       /* out: rows of the whole step; of them this rank's */
    double   learning_rate;
    worker_seconds seconds;        /* out: added to */
} worker_step;
#define WORKER_LOSS_UNIT 0x1p-24

typedef struct worker_learner worker_learner;

typedef struct worker_learner_kind {
    const char *name;
    /** Collective. */
    fw_status (*create)(void **state, const worker_task *task, fw_error *err);
    void      (*release)(void **state);                                    /* Collective */
    uint64_t  (*steps)(const void *state);                                 /* a round */
    /** Collective. On a non-finite loss or gradient: FW_ERR_NUMERIC at every rank, with step, rank and layer named; nothing was changed. */
    fw_status (*step)(void *state, uint64_t round, uint64_t step, worker_step *s, fw_error *err);
    /** The state as named arrays, for checkpoints. Floats stand in memory that the node shares; integers are each rank's own. Returns how many. */
    size_t    (*arrays)(void *state, fw_array out[static WORKER_MAX_ARRAYS]);
    /** The first n_model of these arrays are the model itself (what "best" keeps). */
    size_t    n_model;
    /** Local: predictions from features with the present state: (n, n_out) after the link. Scratch is its own. */
    fw_status (*predict)(const void *state, const float *x, size_t ld, size_t n, float *out, fw_error *err);
    /** Local, at rank 0: learner, net and parameters of the model, from arrays as given by `arrays` (present or best). */
    fw_status (*export_model)(const void *state, const void *const *model_arrays, fw_model *m, fw_error *err);
    /** Overrides the learning rate (range test); 0: the schedule's. */
    void      (*set_rate)(void *state, double rate);
} worker_learner_kind;

const worker_learner_kind *worker_learner_find(const char *name);          /* NULL: unknown */

extern const worker_learner_kind worker_learner_linear, worker_learner_mlp;

#endif
