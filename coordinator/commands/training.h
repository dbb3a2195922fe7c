/** A training as the coordinator sees it: what it asked the group for, what came back, what that means for the next order. The steps of a training in
 *  their order; who calls them decides where the ranks come from (train.c: this job's; supervise.c: a gang that is started again when it is lost). */
#ifndef COORD_COMMANDS_TRAINING_H
#define COORD_COMMANDS_TRAINING_H

#include "common/core/clock.h"
#include "coordinator/commands/access.h"
#include "coordinator/commands/progress.h"
#include "coordinator/commands/run.h"
#include "coordinator/gang/group.h"
#include "coordinator/gang/keeper.h"
#include "coordinator/study/rounds.h"

typedef struct coord_training {
    const char *file;                  /* the project file, and what is set on the command line: */
    const char *const *overrides; size_t n_overrides;
    coord_access access;               /* to the bus, as the options say; the project completes it */
    bool profile;                      /* where the time went is printed at the end */
    bool quiet;                        /* no summary is printed */
    coord_group *group;
    fw_project *project;
    char *dataset;
    fw_answer *opened;
    coord_run *run;
    coord_progress_line *line;
    coord_keeper *keeper;              /* of the gang; NULL: the ranks are this job's */
    coord_rounds rounds;               /* all so far; a resumed run begins with its history */
    fw_position at;                    /* where the training stands */
    const char *metric;                /* that decides and is shown: early stopping's, or log_loss, or rmse */
    bool stepped;                      /* the first step is done, start-up has ended */
    bool restarted;                    /* after a loss, and no step was made since */
    bool told_end;                     /* the event `stop` was written */
    fw_mono started;
} coord_training;

/** Project and dataset are there and fit. */
fw_status coord_training_open_project(coord_training *t, fw_error *err);
/** The ranks open the dataset. */
fw_status coord_training_open_group(coord_training *t, fw_error *err);
/** The folder (NULL: a new one in runs/), locked and begun; what to go on from: resume is "auto" (or NULL), "never", or a path. */
fw_status coord_training_open_run(coord_training *t, const char *dataset_digest, const char *output, const char *resume, fw_error *err);
/** A new learner, or one that goes on from run->resume_from with its history. */
fw_status coord_training_create_learner(coord_training *t, fw_error *err);
/** With group and run folder open: a new learner or a restored one, the rounds, the model, the report, `done`.
 *  FW_ERR_STOPPED: a signal; a checkpoint was written. */
fw_status coord_training_run(coord_training *t, fw_error *err);

/** metrics.json and report.html of the model in the run folder, and the summary. */
fw_status coord_training_report(coord_training *t, fw_error *err);

/** One line in progress.jsonl, one message on the bus. r: the round that ended, or NULL. */
fw_status coord_training_event(coord_training *t, const char *name, const fw_round_result *r, fw_error *err);
/** When it ends before its end. What stopped it is more important than an event that can't be written. */
void      coord_training_stop_event(coord_training *t);

/** What came from ranks that were lost. */
void      coord_training_forget(coord_training *t);
void      coord_training_release(coord_training *t);

#endif
