/** Predictions of a model for one split of a dataset, each row once, in row order at rank 0; by the same path as `score` (law 3). */
#ifndef WORKER_EVALUATE_H
#define WORKER_EVALUATE_H

#include "common/data/dataset.h"
#include "common/model/model.h"
#include "worker/group.h"

/** At rank 0, part by part in row order: n rows, p (n, n_out) or value (n), label (n) or truth (n), row (n). */
typedef struct worker_part { size_t n; const float *p; const double *value, *truth; const int32_t *label; const uint64_t *row; } worker_part;
typedef fw_status (*worker_part_take)(void *context, const worker_part *part, fw_error *err);

/** Collective. FW_ERR_DATA: the dataset does not fit the model, or a label is unknown to it. */
fw_status worker_evaluate(worker_group *g, const fw_model *m, const char *dataset, fw_split split, worker_part_take take, void *context,
                          fw_apply_counts *total, fw_error *err);

#endif
