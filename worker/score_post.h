/** Where the messages of scoring go: the bus, a recording (common/bus/recording.h), or both. For rank 0. */
#ifndef WORKER_SCORE_POST_H
#define WORKER_SCORE_POST_H

#include "worker/score.h"

typedef struct worker_post worker_post;

/** Waits for as many readers as the options say. */
fw_status worker_post_open(worker_post **out, const worker_score_opts *opts, fw_error *err);
void      worker_post_destroy(worker_post **p);        /* without commit no recording is left */
/** A bus whose queue is full drops it, and counts it; a recording that can't be written is an error. */
fw_status worker_post_put(worker_post *p, const char *topic, const void *bytes, size_t len, fw_error *err);
/** All is said: puts the recording under its name. */
fw_status worker_post_commit(worker_post *p, fw_error *err);
/** Ends on the bus, when the readers that are there have all of it or the time is over; the rest is in the spool. Counts go to the result. */
void      worker_post_finish(worker_post *p, worker_score_result *result);

#endif
