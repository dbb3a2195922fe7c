/** dataset.h5: what ingest writes and training reads.
 *
 *  user block (512 bytes, common/core/envelope.h): magic, kind "dataset", format version, file length, digest of the manifest
 *  /manifest            JSON: project digest, schema, dictionaries, splits, statistics, provenance, content digest, rows per block
 *  /numbers             (number columns, rows) f64; likewise /codes i32 of categories, /times i64: a line a column, in the schema's order
 *  /missing             (columns, rows) u8
 *  /columns/<i>/values  pictures: (rows, h, w, c) u8; texts: their bytes, u8, and /offsets (rows + 1) u64
 *  /row                 (rows) u64: the row's number in the sources
 *  /checksums           (columns + 1, blocks) u64: XXH3 of a block's values, missing (and offsets) of one column; the last line: of /row
 *  Rows are grouped by split (train, validation, test) and shuffled within; a block never crosses a split's end. Contiguous layout,
 *  libver latest. Reading is Local, independent of MPI; every block read is verified. */
#ifndef FW_DATA_DATASET_H
#define FW_DATA_DATASET_H

#include "common/data/block.h"

#define FW_DATASET_KIND    "dataset"
#define FW_DATASET_VERSION 2

typedef enum fw_split { FW_TRAIN, FW_VALIDATION, FW_TEST, FW_N_SPLITS } fw_split;
const char *fw_split_name(fw_split s);
bool        fw_split_parse(fw_split *out, const char *name);

typedef struct fw_column_stats {       /* over the whole dataset */
    uint64_t missing, distinct;        /* distinct values present; above 16,384 an estimate (about 1 %) unless it is a category */
    double min, max, mean, stddev;     /* number (of those present); stddev with the count as divisor; 0 without values */
    bool constant;                     /* the same cell in every row, or no value at all */
} fw_column_stats;

typedef struct fw_dataset fw_dataset;

fw_status fw_dataset_open(fw_dataset **out, const char *path, fw_error *err);
void      fw_dataset_destroy(fw_dataset **d);
const fw_schema       *fw_dataset_schema(const fw_dataset *d);
const fw_column_stats *fw_dataset_stats(const fw_dataset *d);               /* n_columns */
const char            *fw_dataset_digest(const fw_dataset *d);              /* 32 hex digits: content, not layout */
const char            *fw_dataset_resolved(const fw_dataset *d);            /* the part of the project file that shaped it, as YAML */
const json_t          *fw_dataset_manifest(const fw_dataset *d);
uint64_t               fw_dataset_rows(const fw_dataset *d, fw_split s);
size_t                 fw_dataset_block_rows(const fw_dataset *d);          /* rows a checksummed block */

/** Rows [first, first + n) of a split into the block (cleared first, capacity >= n). wanted (n_columns) selects columns, NULL: all; the
 *  cells of others are left as missing. FW_ERR_FORMAT names the column and block whose checksum is wrong. */
fw_status fw_dataset_read(fw_dataset *d, fw_split s, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err);

/** Reads and checks everything. */
fw_status fw_dataset_verify(fw_dataset *d, fw_error *err);
/** Reads and checks blocks first, first + step, ...: the share of one of `step` ranks. */
fw_status fw_dataset_verify_blocks(fw_dataset *d, uint64_t first, uint64_t step, fw_error *err);

#endif
