/** A trial on a group: orders go out, rounds come back. Knows neither the study nor other groups.
 *
 *  <study>/trials/<number>/   checkpoint.h5 (and .previous) while the trial may go on; of a part of several checkpoint.<part>.h5;
 *                             model.h5 and progress.jsonl while it is the best */
#ifndef COORD_STUDY_TRIAL_RUN_H
#define COORD_STUDY_TRIAL_RUN_H

#include "coordinator/gang/group.h"
#include "coordinator/study/rounds.h"
#include "coordinator/study/space.h"

/** What all trials of a study have in common; outlives them. */
typedef struct coord_trials {
    const fw_project *project;                 /* the project file, with what is set on the command line */
    const char *given;                         /* the same as text: fw_project_given */
    const char *dataset, *folder;              /* folder: of the study */
    const coord_space *space;
    const char *metric;                        /* the objective */
    uint64_t max_rounds;
    uint32_t folds, seeds;                     /* at least 1 */
    bool shared;                               /* several groups of a host open the same rows */
} coord_trials;

/** Trainings of one trial: one for each fold and seed. */
uint32_t coord_trials_parts(const coord_trials *t);

/** The project file with the values of the point, the rounds of the study at most, and the seed of the part. FW_ERR_CONFIG: the point breaks a rule of the project file. */
fw_status coord_trial_project(fw_project **out, const coord_trials *t, const double *x, uint32_t part, fw_error *err);
/** A file in the trial's folder, or the folder (name NULL); malloc'ed. */
fw_status coord_trial_path(char **out, const coord_trials *t, uint64_t trial, const char *name, fw_error *err);
/** Removes what the trial left, but for model.h5 and progress.jsonl when they are kept. */
fw_status coord_trial_clean(const coord_trials *t, uint64_t trial, bool keep_model, fw_error *err);

typedef struct coord_trial_run {
    const coord_trials *all;
    uint64_t trial;
    uint32_t part;
    fw_project *project;
    char *checkpoint, *previous;
    bool may_go_on;                            /* one of them was there when the trial was opened */
    coord_rounds rounds;
    uint64_t rounds_wanted;                    /* of the whole training */
    uint64_t step;
    bool dirty;                                /* rounds were made since its last checkpoint was ordered */
    bool writing;                              /* and that order has not been answered */
} coord_trial_run;

/** Done once while the ranks are at work, between the first order and its answer. context is the caller's. */
typedef struct coord_meanwhile { void (*call)(void *context); void *context; } coord_meanwhile;

/** The group has the trial in memory afterwards: new, or restored from its newest checkpoint that can be read. */
fw_status coord_trial_run_open(coord_trial_run **out, const coord_trials *t, coord_group *g, uint64_t trial, const double *x, uint32_t part,
                              const coord_meanwhile *meanwhile, fw_error *err);
void      coord_trial_run_destroy(coord_trial_run **r);

/** The order to train the next round leaves; what is to be done meanwhile may be done before the round is taken, which has to be taken all the same. */
fw_status coord_trial_run_send_round(coord_trial_run *r, coord_group *g, fw_error *err);
/** Waits for its end. Errors as of the order: FW_ERR_NUMERIC, FW_ERR_NOMEM: the trial's own; FW_ERR_LOST, FW_ERR_STOPPED. */
fw_status coord_trial_run_take_round(coord_trial_run *r, coord_group *g, fw_error *err);
/** The order to write a checkpoint leaves, where something was trained since the last one. No other order may leave before _written. */
fw_status coord_trial_run_send_checkpoint(coord_trial_run *r, coord_group *g, fw_error *err);
/** What was ordered is on the disk when it returns. Costs nothing when nothing was. */
fw_status coord_trial_run_written(coord_trial_run *r, coord_group *g, fw_error *err);
/** Both. */
fw_status coord_trial_run_checkpoint(coord_trial_run *r, coord_group *g, fw_error *err);
/** model.h5 and progress.jsonl in its folder. */
fw_status coord_trial_run_save(coord_trial_run *r, coord_group *g, fw_error *err);

/** Whether its last round is done, or it has stopped early. */
bool   coord_trial_run_finished(const coord_trial_run *r);
/** The objective after `round` rounds (from 1); NaN: validation gave none. */
double coord_trial_run_value(const coord_trial_run *r, uint64_t round);

#endif
