/** predictions.h5, what `score` writes with --format hdf5, row by row in input order. Read by anybody with an HDF5 library:
 *  /row (n) u64 number in the input; /id (n) text, when there is an id column; classification: /prediction (n) i32 code, /classes (k) text,
 *  /probabilities (n, k) f32; regression: /prediction (n) f64. Attributes of the root: model (its digest), name. Memory: one chunk. */
#ifndef FW_MODEL_PREDICTIONS_FILE_H
#define FW_MODEL_PREDICTIONS_FILE_H

#include "common/model/model.h"

typedef struct fw_predictions_file fw_predictions_file;

/** Writes under a temporary name beside path. destroy without commit leaves nothing. */
fw_status fw_predictions_file_create(fw_predictions_file **out, const char *path, const fw_model *m, bool has_id, fw_error *err);
void      fw_predictions_file_destroy(fw_predictions_file **f);
/** n rows: row (n); id (n texts, or NULL); p (n, n_out) or value (n). */
fw_status fw_predictions_file_append(fw_predictions_file *f, size_t n, const uint64_t *row, const char *const *id, const float *p, const double *value,
                                     fw_error *err);
fw_status fw_predictions_file_commit(fw_predictions_file *f, fw_error *err);

#endif
