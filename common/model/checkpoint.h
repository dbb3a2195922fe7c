/** checkpoint.h5: global arrays and a position, never anything about ranks. Serial HDF5, written by one rank, verified after writing.
 *
 *  user block (envelope, digest of the rest); /manifest JSON (position, history, names and shapes, what it belongs to); /arrays/<name> f32 or f64 or i64 */
#ifndef FW_MODEL_CHECKPOINT_H
#define FW_MODEL_CHECKPOINT_H

#include <jansson.h>

#include "common/core/status.h"

#define FW_CHECKPOINT_VERSION 2       /* 1 came from products in another order: it is refused */

typedef enum fw_array_type { FW_F32, FW_F64, FW_I64 } fw_array_type;
typedef struct fw_array { const char *name; fw_array_type type; size_t n; void *data; } fw_array;

/** The manifest is the caller's JSON object. Keeps the file that stood at path as previous_path (when it is whole; may be NULL). Atomic;
 *  re-opened and held against memory before the previous generation is given up: on any error the last good checkpoint stands where it stood.
 *  FW_ERR_ARG: names twice, empty, or with '/'. Fault points: checkpoint.before_write, .before_seal, .before_verify, .before_rename, .after_rename. */
fw_status fw_checkpoint_write(const char *path, const char *previous_path, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err);

typedef struct fw_checkpoint fw_checkpoint;
fw_status     fw_checkpoint_open(fw_checkpoint **out, const char *path, fw_error *err);    /* everything checked and in memory; FW_ERR_VERSION */
void          fw_checkpoint_destroy(fw_checkpoint **c);
const json_t *fw_checkpoint_manifest(const fw_checkpoint *c);
size_t          fw_checkpoint_n_arrays(const fw_checkpoint *c);
const fw_array *fw_checkpoint_arrays(const fw_checkpoint *c);          /* in the order they were written in */
const char     *fw_array_type_name(fw_array_type t);                   /* "f32" */
/** FW_ERR_FORMAT when there is no such array of that type and length. */
fw_status     fw_checkpoint_array(const void **data, const fw_checkpoint *c, const char *name, fw_array_type type, size_t n, fw_error *err);

#endif
