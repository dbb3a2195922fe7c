/** Rows of a dataset as features, in memory that somebody else owns and the ranks of a node share. */
#ifndef WORKER_ROWS_H
#define WORKER_ROWS_H

#include "common/data/dataset.h"
#include "common/features/pipeline.h"
#include "worker/group.h"

/** Rows of one split. Where every feature is a byte / 255 they are kept as bytes: reading the rows of a step is what a small net waits for. */
typedef struct worker_rows {
    uint64_t n;
    size_t ld;                     /* floats a row: the width rounded up to 16; what is behind the width is 0 */
    float *x;                      /* (n, ld), or NULL: */
    uint8_t *bytes;                /* (n, pitch) */
    size_t pitch;                  /* the width rounded up to 64; what is behind the width is 0 */
    int32_t *label;                /* (n) classification */
    double *truth;                 /* (n) regression, in the target's unit; the same memory as label */
    uint64_t missing, unseen;      /* counted while transforming */
} worker_rows;

/** Where rows come from: all of a split, or some of it. */
typedef struct worker_source {
    fw_dataset *dataset;
    fw_split split;
    const uint64_t *place;         /* (n) in the split, ascending; NULL: all */
    uint64_t n;
    fw_block *passing;             /* with places: what is read on the way; made at the first reading. To be destroyed by the owner */
} worker_source;

/** Rows [first, first + n) of the source into the block, as fw_dataset_read does. Local. */
fw_status worker_source_read(worker_source *s, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err);

/** Bytes that n rows of such a width take, a multiple of FW_ALIGN. as_bytes: fw_pipeline_is_bytes. FW_ERR_NOMEM: more than there are addresses. */
fw_status worker_rows_size(size_t *bytes, uint64_t n, size_t width, bool as_bytes, fw_error *err);
/** Places features and targets in memory of that size, FW_ALIGN-aligned. Nothing is read or written. */
void      worker_rows_lay_out(worker_rows *r, void *memory, uint64_t n, size_t width, bool as_bytes);
/** Collective: reads, transforms, and writes to memory that the rows were laid out in; each rank of a node its share. name: of the target, for errors.
 *  FW_ERR_DATA: as fw_pipeline_apply; a target is missing. */
fw_status worker_rows_fill(worker_rows *r, worker_group *g, worker_source *source, const fw_pipeline *pipeline, const char *target, fw_error *err);

/** Local: the features of rows row[0 .. n) to x (n, ld). */
void      worker_rows_gather(const worker_rows *r, const uint64_t *row, size_t n, float *x);
/** Local: rows [first, first + n) as features (n, ld): where they stand, or made in scratch (n, ld). */
const float *worker_rows_features(const worker_rows *r, uint64_t first, size_t n, float *scratch);

#endif
