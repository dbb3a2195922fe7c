/** Making a model's reference (common/stats/reference.h): from the training rows' raw cells, and from the model's predictions for rows that it was not trained on.
 *  The same bits on any number of ranks: cut points come from the first rows of the split, which is shuffled; counts are integers, over all of it. */
#ifndef WORKER_REFERENCE_H
#define WORKER_REFERENCE_H

#include "common/model/model.h"
#include "worker/task.h"

#define WORKER_REFERENCE_SAMPLE (UINT64_C(1) << 17)      /* rows from which cut points are taken, at most; */
#define WORKER_REFERENCE_CELLS  (UINT64_C(1) << 23)      /* so many numbers in them, with at least WORKER_REFERENCE_LEAST rows */
#define WORKER_REFERENCE_LEAST  (UINT64_C(1) << 13)
#define WORKER_REFERENCE_ROWS   (UINT64_C(1) << 17)      /* rows predicted, at most; with so many outputs and multiplications in all, */
#define WORKER_REFERENCE_OUT    (UINT64_C(1) << 24)
#define WORKER_REFERENCE_WORK   (UINT64_C(1) << 36)
#define WORKER_REFERENCE_FEWEST (UINT64_C(1) << 11)      /* but so many rows, if their outputs allow */

/** The features of the training rows: numbers and categories that the transforms read; neither private columns nor pictures. */
struct worker_features { fw_summary *summary; size_t left_out; };
typedef struct worker_features worker_features;
void      worker_features_destroy(worker_features **f);

/** Collective. One pass over the training rows, and one over the first of them. Kept by the task: t->features. FW_ERR_IO, FW_ERR_FORMAT: as fw_dataset_read. */
fw_status worker_reference_features(worker_task *t, fw_error *err);

/** Local, at rank 0: the whole, with what m predicts for validation rows (test rows when there are none, then training rows). Needs t->features. */
fw_status worker_reference_make(fw_reference **out, const worker_task *t, const fw_model *m, fw_error *err);

#endif
