/** What train.c and train_checkpoint.c share. */
#ifndef WORKER_TRAIN_STATE_H
#define WORKER_TRAIN_STATE_H

#include "common/core/clock.h"
#include "worker/train.h"

/** An exact sum of row losses: high * 2^32 + low multiples of WORKER_LOSS_UNIT, 0 <= low < 2^32. */
typedef struct worker_loss_sum { int64_t high, low; } worker_loss_sum;

struct worker_train {
    worker_task *task;
    const worker_learner_kind *kind;
    void *learner;
    char *checkpoint, *previous_checkpoint;      /* paths; NULL: none */
    double checkpoint_every_s;
    uint64_t checkpoint_every_rounds;
    const char *blas_core;
    worker_train_say say;
    void *say_context;
    worker_position position;
    worker_loss_sum loss;                        /* of this round, this rank's (after a checkpoint or restore: all of it at rank 0) */
    double own_loss;                             /* of this round, of the rows that this rank did since it began or went on with it: */
    uint64_t own_rows;                           /* a hint for people while the round runs */
    uint64_t clock_rows;                         /* rows of this round that this process trained, */
    double clock_s;                              /* and the seconds that took: rows per second */
    worker_seconds seconds;
    worker_seconds *by_rank;
    worker_round *history;
    size_t n_history, history_capacity;
    void *best[WORKER_MAX_ARRAYS];               /* rank 0: copies of the model arrays; NULL: nothing marked yet */
    bool has_best;
    uint64_t best_round, best_step;              /* where they were marked */
    fw_mono last_checkpoint, last_said;
    double last_rate;
};

fw_status worker_train_add_history(worker_train *t, const worker_round *round, fw_error *err);
/** Adds an integer; puts the parts of sums that were added up part by part in order. */
void   worker_loss_add(worker_loss_sum *sum, int64_t fixed);
double worker_loss_value(const worker_loss_sum *sum);
/** Collective: the sum of all ranks' sums. */
fw_status worker_loss_merge(worker_loss_sum *sum, const fw_reduce *reduce, fw_error *err);

/** Collective. */
fw_status worker_train_write_checkpoint(worker_train *t, fw_error *err);

#endif
