/** What a learner is given: the problem, the frozen transforms, and the rows as features in memory that a node's ranks share. */
#ifndef WORKER_TASK_H
#define WORKER_TASK_H

#include "common/data/dataset.h"
#include "common/features/pipeline.h"
#include "common/model/dense.h"
#include "common/project/project.h"
#include "worker/group.h"

/** The rows of one split as features. */
typedef struct worker_rows {
    worker_shared *memory;
    uint64_t n;
    size_t ld;                     /* floats a row: the width rounded up to 16; what is behind the width is 0 */
    float *x;                      /* (n, ld) */
    int32_t *label;                /* (n) classification */
    double *truth;                 /* (n) regression, in the target's unit */
    uint64_t missing, unseen;      /* counted while transforming */
} worker_rows;

typedef struct worker_task {
    worker_group *group;
    const fw_project *project;
    fw_dataset *dataset;
    fw_pipeline *pipeline;
    fw_task task;
    fw_link link;
    size_t n_classes, n_out, width;
    worker_rows train, validation;
    float *class_weight;           /* (n_classes), mean 1 over the rows of the training split */
    double target_mean, target_scale;
} worker_task;

/** Collective. Opens the dataset, checks that it is of this project, fits the transforms, loads training and validation rows. notes: what was left
 *  out and why, one line each, malloc'ed or NULL. FW_ERR_DATA: target constant in the training split; FW_ERR_CONFIG: other data settings. */
fw_status worker_task_open(worker_task **out, worker_group *g, const fw_project *project, const char *dataset_path, char **notes, fw_error *err);
void      worker_task_close(worker_task **t);           /* Collective */

#endif
