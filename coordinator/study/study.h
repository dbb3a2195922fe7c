/** A search as a deterministic machine: asks and reports go in, decisions come out, and each is in the journal before it is acted on. No clock, no thread
 *  (the caller has a mutex around it), no MPI.
 *
 *  A *slot* is a place where one trial runs at a time: a group of ranks, or in lockstep a virtual one. A *job* is a stretch of a trial on one slot, from the
 *  rounds it has to a milestone, where the pruner judges it, or to its end.
 *
 *  life of a trial:  ask (new) -> report ... -> COMPLETE | PRUNED | FAIL
 *                                   | pause, lost -> WAITING -> ask (goes on) -> ...
 *
 *  **Lockstep.** Slots have a virtual clock that counts rounds. An ask, the report at which a job is judged, a completion and a failure are made only when
 *  the slot's turn is next by (clock, slot), so the decisions are those of a cluster whose rounds all take one second, however fast or unlucky the real ranks
 *  are. Reports before the end of a job, those that come again and losses are made at any time. The job of a slot whose group was lost stays with the slot:
 *  its next ask gives it again, at any time. Every slot must be served all the time; what one has to tell may have to wait for another. */
#ifndef COORD_STUDY_STUDY_H
#define COORD_STUDY_STUDY_H

#include "coordinator/study/pruner.h"
#include "coordinator/study/sampler.h"

typedef enum coord_study_how { COORD_STUDY_NEW, COORD_STUDY_RESUME, COORD_STUDY_FORCE } coord_study_how;

typedef struct coord_study_opts {
    const char *dir;               /* studies/<name>; made when it is not there. The journal is <dir>/journal */
    const fw_project *project;     /* with tune.*; outlives the study */
    const char *dataset_digest;
    uint32_t slots;                /* trials at a time */
    bool lockstep;
    coord_study_how how;           /* NEW: a study that is there is refused; FORCE: it is removed */
} coord_study_opts;

typedef struct coord_study coord_study;

/** Opens the journal and feeds it to a fresh machine. Trials that ran are WAITING again and go on first. While it stands nobody else writes to it.
 *  FW_ERR_CONFIG: the space is wrong, a study is there (NEW) or none is (RESUME), somebody else works on it, or it is of another project: what differs is said.
 *  FW_ERR_FORMAT: the journal is damaged (where is said), or its decisions are not the ones that this program makes. A torn last line is taken off. */
fw_status coord_study_open(coord_study **out, const coord_study_opts *opts, fw_error *err);
void      coord_study_close(coord_study **s);

/** A journal without its project, for reading alone; `slots` and so on are as they were. Nothing is locked or changed. */
fw_status coord_study_read(coord_study **out, const char *dir, fw_error *err);

typedef enum coord_answer_kind { COORD_JOB, COORD_WAIT, COORD_DONE } coord_answer_kind;

typedef struct coord_job {
    uint64_t trial;
    const double *x;               /* lives as long as the study */
    uint64_t from, to;             /* finished rounds at its start; where it is judged or ends */
    uint64_t max_rounds;           /* of a whole trial */
    bool resumed;                  /* rounds were reported before: go on from a checkpoint, where there is one */
} coord_job;

/** What slot does now. COORD_WAIT: something that runs elsewhere has to be told first; ask again when anything was told. COORD_DONE: nothing is left,
 *  also after coord_study_stop. Journal: decided and on the disk. Cost: that of a suggestion, plus O(log trials). */
fw_status coord_study_ask(coord_study *s, uint32_t slot, coord_answer_kind *kind, coord_job *job, fw_error *err);

/** In lockstep out of turn: FW_ERR_INTERNAL, and after coord_study_stop FW_ERR_STOPPED, upon which the job is to be given back by coord_study_lost: it is
 *  told again after a resume. This holds for the calls below too.
 *  The objective after `rounds` finished rounds of the job's trial, in order; error: standard error or NaN. Rounds that were reported before a loss are
 *  checked: FW_ERR_INTERNAL when they differ (the same bits were promised). *verdict: GO_ON below the job's end; at it what the pruner says, the job is
 *  over on PAUSE and PRUNE; at GO_ON before max_rounds job->to is the next milestone. At max_rounds GO_ON: the trial is to be completed. */
fw_status coord_study_report(coord_study *s, coord_job *job, uint64_t rounds, double value, double error, coord_verdict_on *verdict, fw_error *err);

/** The trial has reached its end (max_rounds, or early stopping): value is the objective of the model that is kept. */
fw_status coord_study_complete(coord_study *s, const coord_job *job, double value, double error, uint64_t value_round, fw_error *err);
/** Whether such a value would be the best so far; ties go to the lower number. */
bool      coord_study_would_be_best(const coord_study *s, uint64_t trial, double value);
/** It can't go on, for a reason of its own. FW_ERR_CONFIG: too many have failed (tune.max_failed_trials); the study has ended. */
fw_status coord_study_fail(coord_study *s, const coord_job *job, const char *reason, fw_error *err);
/** Its group was lost or stopped: WAITING, and first in line. */
fw_status coord_study_lost(coord_study *s, const coord_job *job, fw_error *err);

/** No new job is given from here on (signal, timeout), and no turn is waited for. Not in the journal: a resumed study goes on. */
void      coord_study_stop(coord_study *s);
/** More trials than the journal's settings said (--trials on resume). Journal. */
fw_status coord_study_extend(coord_study *s, uint64_t trials, fw_error *err);

/** hold: the lines of what is decided wait in memory for coord_study_write, so that an order can leave first; else each is with the kernel when its call
 *  returns. What a killed process had not written was not decided: it is decided again, the same. So write before the next answer of the ranks is
 *  waited for, before anything is removed, and before waiting for anybody. FW_ERR_IO: nothing more is begun. */
void      coord_study_hold(coord_study *s, bool hold);
fw_status coord_study_write(coord_study *s, fw_error *err);

/** In lockstep the slot whose ask or report is next, of those that are not waiting; -1: any (no lockstep, or stopped), or none. */
int64_t   coord_study_turn(const coord_study *s);

/** Feeds the journal in dir to a fresh machine without touching it. FW_OK: every decision is the same, *decisions of them. FW_ERR_FORMAT: where not, by
 *  line and byte, and how. */
fw_status coord_study_replay(const char *dir, uint64_t *decisions, fw_error *err);

/* ---- what it holds --------------------------------------------------------------------------------------------------------------------------- */

const coord_space *coord_study_space(const coord_study *s);
size_t             coord_study_n_trials(const coord_study *s);
const coord_trial *coord_study_trial(const coord_study *s, uint64_t number);
const coord_trial *coord_study_best(const coord_study *s);              /* NULL: none is complete */
uint64_t           coord_study_count(const coord_study *s, coord_trial_state state);
uint32_t           coord_study_slots(const coord_study *s);             /* in lockstep those that it began with */
uint64_t           coord_study_budget(const coord_study *s);            /* trials */
uint64_t           coord_study_max_rounds(const coord_study *s);
const char        *coord_study_metric(const coord_study *s);
bool               coord_study_maximizes(const coord_study *s);
const char        *coord_study_sampler_line(const coord_study *s);      /* "tpe", and for auto why */
const char        *coord_study_pruner(const coord_study *s);
const char        *coord_study_dir(const coord_study *s);

/** What happened when on which slot, oldest first: for the timeline. Times are of the journal, in seconds since its first line. */
typedef struct coord_stretch { uint32_t slot; uint64_t trial, from, to; double begin_s, end_s; coord_trial_state end; } coord_stretch;
size_t coord_study_stretches(const coord_study *s, const coord_stretch **out);

#endif
