/** The training split cut into folds: one is validated on, the others are trained on. A row's fold follows from the rows of the split alone: those of
 *  a class (regression: all) are put in the order of a hash of (data.split.seed, number in the source), class behind class, and dealt out in turn. So the
 *  folds of a class, and the folds altogether, differ by one row at most, whatever the ranks and the order of the file. */
#ifndef WORKER_FOLD_H
#define WORKER_FOLD_H

#include "common/data/dataset.h"
#include "common/project/project.h"
#include "common/stats/reduce.h"

typedef struct worker_fold {
    uint64_t *train, *validation;      /* places of rows in the training split, ascending; (n_train), (n_validation) */
    uint64_t n_train, n_validation;
} worker_fold;

/** Collective; each rank reads its share of the targets. fold < folds. FW_ERR_DATA: a side would be empty. Cost: 24 bytes a row on each rank for the
 *  time of the call, 8 after it. */
fw_status worker_fold_create(worker_fold **out, fw_dataset *d, const fw_project *p, uint32_t folds, uint32_t fold, const fw_reduce *reduce, fw_error *err);
void      worker_fold_destroy(worker_fold **f);

#endif
