/** The loop around every learner: rounds, validation, checkpoint, stop. Written once. It obeys: how many rounds and what is best is decided
 *  by the coordinator. */
#ifndef WORKER_TRAIN_H
#define WORKER_TRAIN_H

#include "worker/learners/learner.h"

typedef struct worker_position { uint64_t round, step_in_round, step, rows; } worker_position;    /* finished rounds; steps and rows of the whole run so far */

#define WORKER_MAX_VALIDATION 4
typedef struct worker_round {
    worker_position position;
    double train_loss, learning_rate, rows_per_s;
    char validation_name[WORKER_MAX_VALIDATION][32];
    double validation[WORKER_MAX_VALIDATION];
    size_t n_validation;
    worker_seconds seconds;        /* the largest over ranks, part by part */
    int slowest_rank;              /* most seconds of its own work */
    worker_seconds *by_rank;       /* of the round just done, at rank 0 (size of the group); valid until the next advance */
} worker_round;

typedef struct worker_train_opts {
    const char *checkpoint;        /* path; NULL: none are written */
    double checkpoint_every_s;     /* 0: not by time */
    uint64_t checkpoint_every_rounds;   /* 0: not by rounds */
} worker_train_opts;

/** Told at rank 0 while it runs: "step" (fraction of the round done, loss so far, rows/s), "checkpoint" (path; it is on the disk, `at` is where the
 *  training stood that it holds), "note". */
typedef void (*worker_train_say)(void *context, const char *kind, const char *text, const worker_position *at, double fraction, double loss, double rows_per_s);

typedef struct worker_train worker_train;

/** Collective. */
fw_status worker_train_create(worker_train **out, worker_task *task, const worker_train_opts *opts, fw_error *err);
void      worker_train_release(worker_train **t);
void      worker_train_listen(worker_train *t, worker_train_say say, void *context);

/** Collective: goes on from a checkpoint. FW_ERR_FORMAT: damaged; FW_ERR_CONFIG: of other settings; FW_ERR_DATA: of another dataset;
 *  FW_ERR_VERSION: of another format. */
fw_status worker_train_restore(worker_train *t, const char *path, fw_error *err);

/** Collective: to the end of the next round. mark_best: the weights as they are now are the best so far.
 *  FW_ERR_STOPPED: a signal asked for it; a checkpoint was written. FW_ERR_NUMERIC: diverged; FW_ERR_LOST: silent corruption, by whom is said; the
 *  last checkpoint stands. A checkpoint that could not be written fails a later step, or the next order. */
fw_status worker_train_advance(worker_train *t, bool mark_best, worker_round *out, fw_error *err);

/** Collective: until the checkpoint that is being written, and the one that had to wait for it, are on the disk. A thread of rank 0 uses HDF5 until then:
 *  to be called before anything else does. FW_ERR_TIMEOUT: the file system does not answer. Else the error of the write. */
fw_status worker_train_settle(worker_train *t, fw_error *err);

/** Collective: writes a checkpoint of the training as it stands; when it returns, it is on the disk. FW_ERR_ARG: the training has none. */
fw_status worker_train_checkpoint(worker_train *t, fw_error *err);

/** Collective: writes model.h5 at rank 0. best: the weights marked best, if any were. metrics (n): of validation, into the model. */
fw_status worker_train_save(worker_train *t, const char *path, bool best, const fw_named_value *metrics, size_t n, char digest[static FW_DIGEST_TEXT], fw_error *err);

/** Collective: raises the rate from low to high over `steps` steps from the present state (which is worthless afterwards); loss[i] smoothed.
 *  Returns how many steps went well in *done. FW_ERR_STOPPED: a signal. */
fw_status worker_train_find_rate(worker_train *t, double low, double high, size_t steps, double *rate, double *loss, size_t *done, fw_error *err);

worker_position     worker_train_position(const worker_train *t);
const worker_round *worker_train_history(const worker_train *t, size_t *n);
bool                worker_train_has_best(const worker_train *t);

#endif
