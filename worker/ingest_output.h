/** The dataset while it is written: rank 0 makes the file with HDF5, with space for all cells; then every rank writes its cells where they belong, past
 *  HDF5, with every code checked. */
#ifndef WORKER_INGEST_OUTPUT_H
#define WORKER_INGEST_OUTPUT_H

#include "worker/ingest_parts.h"

/** Places in the file, in bytes from its beginning. values of a column, missing marks, offsets (texts). */
typedef struct ingest_output {
    const char *path;                  /* the ingest's */
    int fd;
    uint64_t row, checksums;
    uint64_t *values, *missing, *offsets;      /* (n_stored) parts of one array */
    uint64_t unflushed;                /* bytes since the kernel was last asked to begin writing */
} ingest_output;

/** Collective. g->manifest_text is stored too. FW_ERR_IO: no room on the disk. */
fw_status ingest_output_create(ingest_output **out, const ingest *g, fw_error *err);
void      ingest_output_destroy(ingest_output **o);

/** Local. */
fw_status ingest_output_write(ingest_output *o, uint64_t at, const void *bytes, size_t len, fw_error *err);
/** Local: what this rank wrote is on the disk. */
fw_status ingest_output_finish(ingest_output *o, fw_error *err);

#endif
