/** A thread of one rank that writes while the rank goes on training: one job at a time, told when it ended. It knows no MPI and catches no signals.
 *  Everything but the job itself is for one owner, the thread that created it. What the job reads is the job's alone from begin until its end was
 *  taken. */
#ifndef WORKER_CHECKPOINT_WRITER_H
#define WORKER_CHECKPOINT_WRITER_H

#include "common/core/status.h"

/** Seconds after which a write counts as stuck; FW_CHECKPOINT_SECONDS in the environment overrides it. */
#define WORKER_CHECKPOINT_S 600.0

typedef struct worker_checkpoint_writer worker_checkpoint_writer;
typedef fw_status (*worker_checkpoint_job)(void *context, fw_error *err);      /* runs in the thread */

/** FW_ERR_NOMEM: the thread did not start. */
fw_status worker_checkpoint_writer_create(worker_checkpoint_writer **out, worker_checkpoint_job job, void *context, fw_error *err);
/** Waits for a job that runs. When it is stuck, its memory can't be had back: the process says so and ends with 1. */
void      worker_checkpoint_writer_destroy(worker_checkpoint_writer **w);

typedef enum worker_write_state { WORKER_WRITE_NONE, WORKER_WRITE_RUNS, WORKER_WRITE_ENDED, WORKER_WRITE_STUCK } worker_write_state;
worker_write_state worker_checkpoint_writer_state(const worker_checkpoint_writer *w);      /* does not wait */

void      worker_checkpoint_writer_begin(worker_checkpoint_writer *w);        /* state: NONE */
/** Until the job has ended or is stuck, or so many seconds are over. */
void      worker_checkpoint_writer_wait(worker_checkpoint_writer *w, double at_most_s);
/** ENDED: what came of the job; the state is NONE again. STUCK: FW_ERR_TIMEOUT. */
fw_status worker_checkpoint_writer_take(worker_checkpoint_writer *w, fw_error *err);

#endif
