/** What train.c, train_checkpoint.c, train_restore.c and train_save.c share. */
#ifndef WORKER_TRAIN_STATE_H
#define WORKER_TRAIN_STATE_H

#include "common/core/clock.h"
#include "worker/checkpoint_writer.h"
#include "worker/snapshot.h"
#include "worker/train.h"

/** An exact sum of row losses: high * 2^32 + low multiples of WORKER_LOSS_UNIT, 0 <= low < 2^32. */
typedef struct worker_loss_sum { int64_t high, low; } worker_loss_sum;

/** A training at the step boundary of a checkpoint, beside the state itself in the snapshot: what the writing thread reads. Rank 0's, and the thread's
 *  alone while it writes. */
typedef struct worker_written {
    worker_position position;
    worker_loss_sum loss;
    double last_rate;
    bool has_best;
    size_t best;                                 /* which of the two copies of the best weights */
    fw_digest best_digest;
    uint64_t best_round, best_step;
    worker_round *history;                       /* grows with the training's */
    size_t n_history, history_capacity;
    worker_seal seal;
    bool sealed;                                 /* the state was hashed too, not only copied */
} worker_written;

struct worker_train {
    worker_task *task;
    const worker_learner_kind *kind;
    void *learner;
    char *checkpoint, *previous_checkpoint;      /* paths; NULL: none */
    double checkpoint_every_s;
    uint64_t checkpoint_every_rounds;
    char project_digest[FW_DIGEST_TEXT];         /* rank 0: of what shapes the model */
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
    void *best[2][WORKER_MAX_ARRAYS];            /* rank 0: copies of the model arrays; the second for when the first is being written */
    size_t best_now;
    fw_digest best_digest;                       /* rank 0 */
    bool has_best;
    uint64_t best_round, best_step;              /* where they were marked */
    fw_mono last_checkpoint, last_said;          /* last_checkpoint: on the disk since then */
    double last_rate;
    worker_snapshot *snapshot;
    worker_seal seal;                            /* of the state as it stands, */
    bool sealed;                                 /* when no step has changed it since */
    worker_checkpoint_writer *writer;            /* rank 0, when checkpoints are written */
    worker_written written;
    bool writing, checkpoint_due;                /* the same at every rank: one is being written; one has to follow */
};

fw_status worker_train_add_history(worker_train *t, const worker_round *round, fw_error *err);
/** Adds an integer; puts the parts of sums that were added up part by part in order. */
void   worker_loss_add(worker_loss_sum *sum, int64_t fixed);
double worker_loss_value(const worker_loss_sum *sum);
/** Collective: the sum of all ranks' sums. */
fw_status worker_loss_merge(worker_loss_sum *sum, const fw_reduce *reduce, fw_error *err);

/** Collective: memory for the copy, the thread that writes it. */
fw_status worker_train_prepare_checkpoints(worker_train *t, fw_error *err);
/** Local: whether this rank (0) has to say at the next step boundary that a checkpoint has ended or is to begin. */
bool      worker_train_wants_checkpoint(const worker_train *t);
/** Collective, at a step boundary: tells of a checkpoint that has ended, its failure too, and begins one that is due when none is being written. */
fw_status worker_train_meet_checkpoint(worker_train *t, fw_error *err);
/** Local: the checkpoint at hand is waited for, so that what an error says about the last one is true. */
void      worker_train_end_writing(worker_train *t);

/** Collective: hashes the state, or copies it where checkpoints are written (and hashes it when no seal and no other node vouch for it). FW_ERR_LOST: the copies of nodes or ranks differ, or the state has
 *  changed though no step was made. */
fw_status worker_train_seal(worker_train *t, bool copy, fw_error *err);

/** Local, at rank 0: the best weights, copy `which`. FW_ERR_LOST: they are no longer those that were marked. */
fw_digest worker_best_digest(const worker_train *t, size_t which);
fw_status worker_best_check(const worker_train *t, size_t which, fw_digest marked, fw_error *err);

/** For tests: turns over a bit of the array, or of this node's copy of the weights, when FW_FAULTS names the point with `fail`. */
void worker_array_flip(const char *point, const fw_array *a);
void worker_train_flip(worker_train *t, const char *point);

#endif
