/** What stands in a dataset file beside its cells: the manifest (JSON) and where blocks lie. Writer (ingest) and reader (dataset.c) share it,
 *  so the format is described once. */
#ifndef FW_DATA_DATASET_MANIFEST_H
#define FW_DATA_DATASET_MANIFEST_H

#include "common/core/hash.h"
#include "common/data/dataset.h"
#include "common/project/project.h"    /* fw_strings */

#define FW_MANIFEST_MAX_BYTES (256u << 20)
#define FW_BLOCK_MAX_ROWS     65536u
#define FW_BLOCK_BYTES        (8u << 20)

/* ---- where blocks lie ---- */

/** Rows of a split stand together, cut into blocks of block_rows; only a split's last block is shorter. */
typedef struct fw_layout { uint64_t rows[FW_N_SPLITS]; size_t block_rows; } fw_layout;
typedef struct fw_layout_block { fw_split split; uint64_t first; size_t n; } fw_layout_block;   /* first: row of the file */

/** A power of two, at most FW_BLOCK_MAX_ROWS, whose rows of row_bytes fit into FW_BLOCK_BYTES (at least 1). */
size_t          fw_layout_block_rows(uint64_t row_bytes);
uint64_t        fw_layout_total(const fw_layout *l);
uint64_t        fw_layout_start(const fw_layout *l, fw_split s);               /* the split's first row in the file */
uint64_t        fw_layout_n_blocks(const fw_layout *l);
uint64_t        fw_layout_block_at(const fw_layout *l, fw_split s, uint64_t position);     /* position within the split */
fw_layout_block fw_layout_block_get(const fw_layout *l, uint64_t block);

/** The dataset of two dimensions in which all columns of a type stand, each a line, in the order of the schema; NULL: each has one of its own. */
const char *fw_layout_table(fw_column_type type);

/** Checksum of one column's block: values (text: its bytes), missing, and for text the n + 1 offsets. n_* may be 0. */
uint64_t fw_layout_checksum(const void *values, size_t n_values, const void *missing, size_t n_missing, const void *offsets, size_t n_offsets);

/* ---- the manifest ---- */

typedef struct fw_source { char *table, *path; uint64_t bytes, rows; char digest[FW_DIGEST_TEXT]; } fw_source;

typedef struct fw_manifest {
    char *project;                     /* its name */
    char project_digest[FW_DIGEST_TEXT];   /* of the part of the project file that shapes a dataset */
    char digest[FW_DIGEST_TEXT];       /* content */
    fw_schema *schema;
    fw_column_stats *stats;            /* schema->n_columns */
    fw_layout layout;
    uint64_t bad, excluded, duplicates;
    uint64_t *class_rows;              /* (classes, FW_N_SPLITS) rows of each label; NULL without classes */
    fw_source *sources;
    size_t n_sources;
    fw_strings warnings;
    char *resolved;                    /* YAML */
} fw_manifest;

fw_status fw_manifest_create(fw_manifest **out, fw_error *err);    /* zeroed */
void      fw_manifest_destroy(fw_manifest **m);

/** malloc'ed text; equal manifests give equal text. FW_ERR_DATA above FW_MANIFEST_MAX_BYTES. */
fw_status fw_manifest_write(char **out, const fw_manifest *m, fw_error *err);
/** Validates every field. *json (may be NULL) gets the tree too, the caller's. FW_ERR_FORMAT, FW_ERR_VERSION. */
fw_status fw_manifest_read(fw_manifest **out, json_t **json, const char *text, fw_error *err);

#endif
