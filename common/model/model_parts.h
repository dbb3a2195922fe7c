/** What the files of the model share with each other and nobody else. */
#ifndef FW_MODEL_MODEL_PARTS_H
#define FW_MODEL_MODEL_PARTS_H

#include "common/model/h5_image.h"
#include "common/model/model.h"

#define FW_MODEL_KIND "model"
#define FW_MODEL_NAME_BYTES 64          /* "weights/63/W", "samples/999999/missing" */

/** The parts agree with each other: task, link, classes, widths of transforms and network; and the weights are finite. The status is the caller's. */
fw_status fw_model_check_parts(const fw_model *m, fw_status when_wrong, fw_error *err);
fw_status fw_model_check_weights(const fw_model *m, fw_status when_wrong, fw_error *err);

/** What the model gives for its own sample rows, into expected (n_rows, n_out): for regression the network's output before mean and scale. */
fw_status fw_model_sample_outputs(const fw_model *m, float *expected, fw_error *err);

#endif
