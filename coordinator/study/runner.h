/** Runs a study: groups take its jobs, train, and tell what came of them, each by a thread of its own. Decides nothing: the study does. Without lockstep a
 *  group has a slot; in lockstep groups serve as many slots as the study has, and what came back waits for its slot's turn. */
#ifndef COORD_STUDY_RUNNER_H
#define COORD_STUDY_RUNNER_H

#include "common/core/clock.h"
#include "coordinator/study/source.h"
#include "coordinator/study/study.h"
#include "coordinator/study/trial_run.h"

/** Of this process alone. */
typedef struct coord_runner_counts {
    uint64_t rounds;                   /* trained and reported */
    double busy;                       /* share of the groups' time in which they had a job */
    double seconds;
    uint32_t groups;                   /* that are not given up or joined to others */
} coord_runner_counts;

typedef enum coord_runner_event_kind { COORD_RUNNER_BEGIN, COORD_RUNNER_ROUND, COORD_RUNNER_VERDICT, COORD_RUNNER_END } coord_runner_event_kind;

/** BEGIN: a job; ROUND: the objective after a round; VERDICT: at a rung; END: of a trial, with its state. */
typedef struct coord_runner_event {
    coord_runner_event_kind kind;
    const coord_trial *trial;
    uint32_t slot;
    uint64_t rounds;
    double value;
    coord_verdict_on verdict;
} coord_runner_event;

typedef struct coord_runner_opts {
    coord_study *study;
    const coord_source *source;
    const coord_trials *trials;
    uint32_t slots;
    bool lockstep, elastic;            /* elastic: ranks of groups that have nothing left to do join the others; needs source->grow */
    double timeout_s;                  /* no job is begun afterwards, and what runs is saved at the end of its round; 0: none */
    /** When nothing is left to do, also after the timeout: once, by one of the groups. May be NULL. */
    fw_status (*finish)(void *context, coord_group *g, fw_error *err);
    void (*tell)(void *context, const coord_runner_event *e, const coord_runner_counts *c);      /* under the lock: be quick. May be NULL */
    void *context;
} coord_runner_opts;

/** Until nothing is left, or it has to end. FW_ERR_STOPPED: a signal or the timeout; what ran is saved. FW_ERR_LOST: every group is given up. FW_ERR_CONFIG:
 *  too many trials failed. Other: of the journal, of a file. Signals are for the caller's thread: they are blocked in those that it makes. */
fw_status coord_runner_run(const coord_runner_opts *opts, fw_error *err);

#endif
