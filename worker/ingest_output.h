/** The dataset while it is written: rank 0 makes the file with HDF5, with space for all cells; then every rank writes its cells where they belong, past
 *  HDF5 (ingest_streams), with every code checked. The space reads as zeros: marks of columns that have no missing value are never written. */
#ifndef WORKER_INGEST_OUTPUT_H
#define WORKER_INGEST_OUTPUT_H

#include "worker/ingest_parts.h"
#include "worker/ingest_streams.h"

/** Places in the file, in bytes from its beginning. values of a column, missing marks, offsets (texts). */
typedef struct ingest_output {
    uint64_t row, checksums;
    uint64_t *values, *missing, *offsets;      /* (n_stored) parts of one array */
    size_t n_stored;
    ingest_streams *streams;           /* column i: i, its marks: n_stored + i, its offsets: 2 n_stored + i */
} ingest_output;

static inline size_t ingest_output_marks(const ingest_output *o, size_t column) { return o->n_stored + column; }
static inline size_t ingest_output_offsets(const ingest_output *o, size_t column) { return 2 * o->n_stored + column; }
static inline size_t ingest_output_rows(const ingest_output *o) { return 3 * o->n_stored; }      /* row numbers; at the end the checksums */

/** Collective. FW_ERR_IO: no room on the disk. */
fw_status ingest_output_create(ingest_output **out, const ingest *g, fw_error *err);
void      ingest_output_destroy(ingest_output **o);

#endif
