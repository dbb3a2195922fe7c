/** Ends bad trials early. Like a sampler a pure function of its options and of what it was told. Rungs are numbers of finished rounds. */
#ifndef COORD_STUDY_PRUNER_H
#define COORD_STUDY_PRUNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct coord_pruner_opts {
    uint64_t trials;               /* of the study */
    uint64_t max_rounds;           /* of a whole trial (max_t) */
    uint64_t min_rounds;           /* before the first verdict (grace_period); at least 1 */
    double   reduction_factor;     /* eta; at least 1.1 */
    uint64_t startup_trials;       /* median, percentile: no verdict before so many trials are complete */
    double   percentile;           /* in (0, 100): the share of trials that is kept; median: 50 */
    uint64_t keep;                 /* one_epoch_top_k: k; 0: trials / reduction_factor, at least 1 */
} coord_pruner_opts;

typedef enum coord_verdict_on { COORD_GO_ON, COORD_PAUSE, COORD_PRUNE } coord_verdict_on;

const char *coord_verdict_on_name(coord_verdict_on v);         /* "go_on", "pause", "prune" */

typedef struct coord_pruner_kind {
    const char *name, *help;
    fw_status (*create)(void **state, const coord_pruner_opts *opts, fw_error *err);
    void      (*destroy)(void **state);
    /** Finished rounds at which this trial, with so many done, is judged next; max_rounds when never before the end. */
    uint64_t  (*milestone)(const void *state, uint64_t trial, uint64_t rounds);
    /** At a milestone below max_rounds. loss: lower is better, NaN counts as the worst. O(log trials). */
    fw_status (*judge)(void *state, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err);
    /** The trial has ended (complete, failed), with its last loss. */
    fw_status (*ended)(void *state, uint64_t trial, uint64_t rounds, double loss, fw_error *err);
    /** A paused trial that goes on now, and takes it off the paused ones; false: none. O(log trials). */
    bool      (*promote)(void *state, uint64_t *trial);
    /** No new trial will come, and none runs: what of the paused ones goes on all the same is promoted from here on (one_epoch_top_k); the rest is pruned. */
    void      (*settle)(void *state);
} coord_pruner_kind;

extern const coord_pruner_kind *const coord_pruners[];         /* NULL-terminated */
const coord_pruner_kind *coord_pruner_find(const char *name);

extern const coord_pruner_kind coord_pruner_none, coord_pruner_asha, coord_pruner_hyperband, coord_pruner_median, coord_pruner_percentile,
    coord_pruner_one_epoch_top_k;

#endif
