/** A dataset seen through a model: its columns by name, its category codes as the model's codes. For the dataset that the model was trained on
 *  everything is as it is; for another one names decide. */
#ifndef WORKER_VIEW_H
#define WORKER_VIEW_H

#include "common/data/dataset.h"
#include "common/model/model.h"

typedef struct worker_view worker_view;

/** FW_ERR_DATA: a column the model needs is missing or of another type. with_target: the target is needed too (labels that the model does not know: FW_ERR_DATA). */
fw_status worker_view_create(worker_view **out, const fw_model *m, fw_dataset *d, bool with_target, fw_error *err);
void      worker_view_destroy(worker_view **v);

/** Rows of a split as a block over the model's schema (cleared first; capacity >= n). Unknown categories become FW_CODE_UNSEEN. */
fw_status worker_view_read(worker_view *v, fw_split split, uint64_t first, size_t n, fw_block *block, fw_error *err);

#endif
