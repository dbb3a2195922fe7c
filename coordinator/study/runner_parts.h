/** What the files of the runner share, and nobody else. */
#ifndef COORD_STUDY_RUNNER_PARTS_H
#define COORD_STUDY_RUNNER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "coordinator/study/runner.h"

/** What came of a job, until it is the slot's turn to tell it. */
typedef enum runner_outcome_kind { OUT_ROUND, OUT_COMPLETE, OUT_FAIL } runner_outcome_kind;
typedef struct runner_outcome {
    runner_outcome_kind kind;
    uint64_t rounds;
    double value, error;
    char reason[sizeof ((fw_error *)0)->text];
} runner_outcome;

/** FREE: has to ask. READY: a job, and no group at it. TAKEN: a group is at it. OUT: what came of it is to be told. */
typedef enum runner_slot_state { SLOT_IS_FREE, SLOT_IS_READY, SLOT_IS_TAKEN, SLOT_IS_OUT } runner_slot_state;
typedef struct runner_slot {
    runner_slot_state state;
    coord_job job;
    runner_outcome out;
} runner_slot;

typedef struct runner_group {
    struct runner *r;
    uint32_t number;
    pthread_t thread;
    bool begun;                        /* its thread */
    coord_group *line;                 /* NULL: not started, or lost */
    coord_trial_run *held;             /* what the ranks have in memory; its trial is read by others under the lock */
    coord_trial_run *before;           /* what they held before: given back to the memory while they are at work */
    uint64_t reported;                 /* rounds of `held` that the study knows */
    uint64_t asked;                    /* version at which the study had nothing for it; 0: never */
    uint64_t steps;                    /* all that it made */
    double busy_s;
    fw_mono job_since, idle_since;
    bool busy, gone;
} runner_group;

typedef struct runner {
    const coord_runner_opts *o;
    pthread_mutex_t mutex;             /* guards the study and all below */
    pthread_cond_t changed;
    runner_slot *slot;
    runner_group *group;
    uint64_t *trash; size_t n_trash, trash_capacity;       /* trials whose files are to be removed */
    uint64_t version;                  /* grows with whatever is told */
    uint64_t rounds;
    uint32_t active;                   /* groups that have not left, are not given up, and did not join others */
    uint32_t given_up, spare_ranks;
    fw_mono started, deadline;
    bool over, timed_out;
    atomic_bool stopping;              /* written under the lock, read also without it */
    fw_status status;                  /* the first failure, and its text */
    fw_error error;
} runner;

/* ---- runner_turns.c: under the lock ------------------------------------------------------------------------------------------------------- */

/** Tells what is to be told and asks what may be asked without a group, as far as it goes. A failure ends the run. */
void runner_pump(runner *r);
/** A job for this group, or NULL: there is none now. */
runner_slot *runner_take(runner *r, runner_group *g);
/** A round below the end of the job. */
fw_status runner_report(runner *r, runner_slot *slot, uint64_t round, double value, double error, fw_error *err);
/** What was decided is with the kernel. */
void runner_write(runner *r);
/** A signal, or the timeout. */
void runner_look_for_stop(runner *r);
/** Whether there is anything to look for; without the lock, which others hold while they think. */
bool runner_has_to_look(const runner *r);
void runner_fail(runner *r, fw_status s, const fw_error *err);
void runner_event(runner *r, coord_runner_event_kind kind, const runner_slot *slot, uint64_t rounds, double value, coord_verdict_on verdict);

/* ---- runner_job.c: without the lock --------------------------------------------------------------------------------------------------------- */

/** Trains until something is to be told, which then stands in the slot. FW_END: the group has ended, and is to be started with more ranks. FW_ERR_STOPPED: what was trained is saved, the slot is READY again. Else of the
 *  group: FW_ERR_LOST, or what ends the run. */
fw_status runner_job(runner_group *g, runner_slot *slot, fw_error *err);
/** What the ranks have in memory is on the disk, where it is still wanted, and given up. */
fw_status runner_release(runner_group *g, fw_error *err);
void      runner_forget(runner_group *g);

#endif
