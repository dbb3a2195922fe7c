/** Estimates of a model's quality on a window, from its reference: which columns of outputs there are, calibrated once; estimate.h says what is done with them. */
#ifndef FW_STATS_ESTIMATOR_H
#define FW_STATS_ESTIMATOR_H

#include "common/stats/estimate.h"
#include "common/stats/reference.h"

typedef struct fw_estimator fw_estimator;

/** Keeps nothing of the reference. FW_ERR_DATA: no row of it has outputs. */
fw_status fw_estimator_create(fw_estimator **out, const fw_reference *r, fw_error *err);
void      fw_estimator_destroy(fw_estimator **e);

/** count: of all columns of a window, one behind the other, as the reference's summary has them. Nothing is known of a window without rows. */
fw_qualities fw_estimator_window(const fw_estimator *e, const uint64_t *count);

#endif
