/** Tables from outside: CSV and TSV (RFC 4180, plain, .gz, .zst) and IDX pictures, read in chunks that ranks share out.
 *  A new kind of source is one file (csv.c, idx.c) and one line in the table of sources in table.c.
 *
 *  A table is cut into chunks of whole records at fixed byte offsets of the (uncompressed) input: which rank reads a chunk does not
 *  change what is in it. Chunk i belongs to rank i mod size. Compressed inputs are unpacked by every rank, which keeps its chunks. */
#ifndef FW_DATA_TABLE_H
#define FW_DATA_TABLE_H

#include "common/data/block.h"
#include "common/project/project.h"
#include "common/stats/reduce.h"

#define FW_TABLE_CHUNK_BYTES (1u << 20)
#define FW_FIELD_MAX_BYTES   (1u << 20)   /* a longer field makes a bad row */
#define FW_RECORD_MAX_BYTES  (16u << 20)  /* a record that reaches farther beyond its chunk ends the reading: FW_ERR_DATA */
#define FW_BAD_ROWS_LISTED   10

typedef struct fw_table fw_table;

/** Where a table was wrong; counted always, the first ones listed. */
typedef struct fw_bad_row { char *where; char *why; } fw_bad_row;      /* "calls.csv:17" (physical line), "3 fields, expected 5" */

/** Opens, reads the header (or takes the column names given) and finds the state at every cut. Collective: every rank opens, and all get the
 *  same status. reduce is copied; its context must outlive the table. Errors name file and line. FW_ERR_DATA: empty file, header only, NUL byte
 *  or no UTF-8 in the header, a name twice, an unclosed quote, damaged packed data; FW_ERR_CONFIG: missing file, or spec and file differ;
 *  FW_ERR_IO: not readable. */
fw_status fw_table_open(fw_table **out, const fw_table_spec *spec, const char *base_dir, const fw_reduce *reduce, fw_error *err);
void      fw_table_destroy(fw_table **t);

size_t      fw_table_n_columns(const fw_table *t);
const char *fw_table_column_name(const fw_table *t, size_t i);
const char *fw_table_path(const fw_table *t);
/** The shape of the pictures in a column: height, width, channels. false: the column holds texts. */
bool        fw_table_image_shape(uint32_t shape[static 3], const fw_table *t, size_t column);

/** Types of the columns from the first 10,000 records: image for IDX pictures, number if every present value is one, time (RFC 3339 /
 *  ISO 8601 date or date-time) likewise, category if few distinct values (<= 1000 and <= half of the rows + 20), else text; the label of
 *  pictures is a category. Bad rows are passed over, texts that mean infinity or NaN count as numbers (reading refuses them). Local, and the same
 *  on all ranks: each reads the same records. Where fw_table_read stands does not change. `types` (n_columns). */
fw_status fw_table_infer(fw_column_type *types, fw_table *t, const char *const *missing, size_t n_missing, fw_error *err);

/** How the fields become cells. schema: the columns wanted; column_of[i] (schema->n_columns): index in the table, -1: not in it (all missing).
 *  missing: texts that mean "no value" (after trimming). codes == FW_TABLE_GROW: category dictionaries of the schema grow (ingest);
 *  FW_TABLE_FIXED: a text that is not in them becomes FW_CODE_UNSEEN (score). */
typedef enum fw_table_codes { FW_TABLE_GROW, FW_TABLE_FIXED } fw_table_codes;
typedef struct fw_table_reading {
    fw_schema *schema;
    const int *column_of;
    const char *const *missing;
    size_t n_missing;
    fw_table_codes codes;
    bool skip_bad_rows;            /* else the first bad row ends it with FW_ERR_DATA */
} fw_table_reading;

/** Local: this rank's next chunk, as rows in file order; the block grows as needed. *chunk: its index. record[i] in block->row is the record's
 *  number within its chunk (bad rows are counted too, so numbers never shift); *n_records: records in the chunk, bad ones included.
 *  FW_END after the last one. Errors carry "file:line" (line counted in the whole file) and column name. */
fw_status fw_table_read(fw_table *t, const fw_table_reading *how, fw_block *block, uint64_t *chunk, uint64_t *n_records, fw_error *err);

/** Local: the number of chunks (known after fw_table_open; compressed inputs: counted by fw_table_open too, which unpacks them once). */
uint64_t fw_table_n_chunks(const fw_table *t);
/** Back to this rank's first chunk; bad rows are counted from 0 again. */
fw_status fw_table_rewind(fw_table *t, fw_error *err);

uint64_t          fw_table_n_bad(const fw_table *t);                       /* this rank's, so far */
const fw_bad_row *fw_table_bad(const fw_table *t, size_t *n_listed);
/** Digest and size of the source's stored bytes (IDX: pictures, then labels), for provenance: XXH3-128 of the digests of the leaves, each the XXH3-128
 *  of 256 KiB (input.h). Collective: the ranks share the leaves out, and take those that opening has read. */
fw_status fw_table_digest(char out[static 33], uint64_t *bytes, fw_table *t, fw_error *err);

/** Other chunks than FW_TABLE_CHUNK_BYTES for tables opened from now on, so that tests reach every cut in small files; 0: the normal ones. */
void fw_table_chunk_bytes_for_tests(size_t bytes);

#endif
