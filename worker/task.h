/** What a learner is given: the problem, the frozen transforms, and the rows as features. */
#ifndef WORKER_TASK_H
#define WORKER_TASK_H

#include "common/model/dense.h"
#include "common/project/project.h"
#include "worker/rows.h"

/** Which rows. */
typedef struct worker_task_opts {
    const char *dataset;           /* path */
    uint32_t folds, fold;          /* 0, 0: training and validation split as they are; else the sides of a fold (fold.h) of the training split */
    bool shared;                   /* other groups on this host open the same: one copy for all (rows_file.h), where the group is on one node and there is room */
} worker_task_opts;

typedef struct worker_task {
    worker_group *group;
    const fw_project *project;
    fw_dataset *dataset;
    fw_pipeline *pipeline;
    fw_task task;
    fw_link link;
    size_t n_classes, n_out, width;
    uint32_t folds, fold;          /* as it was opened */
    worker_shared *memory;         /* of the rows, or: */
    struct worker_rows_file *file;
    worker_rows train, validation;
    uint64_t *class_count;         /* (n_classes) rows to train on */
    float *class_weight;           /* (n_classes), mean 1 over the rows to train on */
    double target_mean, target_scale;
    struct worker_task_key *key;   /* what its rows follow from */
    struct worker_features *features;   /* of the rows to train on, as counts; NULL: nobody has asked (reference.h) */
} worker_task;

/** Collective. Opens the dataset, checks that it is of this project, fits the transforms on the rows to train on alone, loads them and those to
 *  validate. project: outlives the task, or is replaced. notes: what was left out and why, one line each, malloc'ed or NULL. FW_ERR_DATA: target constant in
 *  the training rows, or too few for the folds; FW_ERR_CONFIG: other data settings. */
fw_status worker_task_open(worker_task **out, worker_group *g, const fw_project *project, const worker_task_opts *opts, char **notes, fw_error *err);
void      worker_task_close(worker_task **t);           /* Collective */

/** Collective. When the rows and transforms of such a task are those at hand (same file, folds, and sections problem, data and features), it goes on with
 *  the new project: *kept, nothing is read. Bits are those of a fresh one. On an error the task is to be closed: FW_ERR_CONFIG, the class weights. */
fw_status worker_task_renew(worker_task *t, const fw_project *project, const worker_task_opts *opts, bool *kept, fw_error *err);

#endif
