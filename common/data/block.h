/** A block of raw rows, column by column, before any transform. The unit in which rows are read, transformed and scored. */
#ifndef FW_DATA_BLOCK_H
#define FW_DATA_BLOCK_H

#include "common/data/schema.h"

#define FW_CODE_MISSING (-1)
#define FW_CODE_UNSEEN  (-2)      /* a category that the dictionary does not hold (only in tables that are scored) */

/** Cells of one column; the array that fits the type is set, `missing` always (0 or 1 per row).
 *  Where missing[i] is 1: number 0, time 0, code FW_CODE_MISSING, text "", pixels 0. A number is always finite. */
typedef struct fw_cells {
    double *number;
    uint32_t *decimal;             /* of a block that keeps them: number as a decimal (decimal.h), or FW_DECIMAL_NONE; else NULL */
    int32_t *code;
    int64_t *time_us;              /* microseconds since 1970-01-01 UTC */
    uint8_t *pixels;               /* (capacity, cell_bytes) */
    uint64_t *text_at;             /* (capacity + 1) offsets into text_bytes */
    char *text_bytes;
    size_t text_capacity;
    uint8_t *missing;
} fw_cells;

typedef struct fw_block {
    const fw_schema *schema;       /* not owned; outlives the block */
    size_t n_rows, capacity;
    bool decimals;
    fw_cells *cells;               /* schema->n_columns */
    uint64_t *row;                 /* the row's number in its source, counted from 0 over all tables */
} fw_block;

fw_status fw_block_create(fw_block **out, const fw_schema *schema, size_t capacity, fw_error *err);
void      fw_block_destroy(fw_block **b);
/** From here on numbers are kept as decimals too, as far as a table gives them. Before there are rows. */
fw_status fw_block_keep_decimals(fw_block *b, fw_error *err);
void      fw_block_clear(fw_block *b);                                            /* n_rows = 0 */
/** Room for at least `capacity` rows; the rows that are there stay. Pointers into the block change. */
fw_status fw_block_reserve(fw_block *b, size_t capacity, fw_error *err);
/** Every row in ascending order, a missing one as "": a row's text begins where the one before ends. */
fw_status fw_block_set_text(fw_block *b, size_t column, size_t row, const char *s, size_t len, fw_error *err);
/** The missing value of the column's type into one cell (text: the rows before it must be set). */
fw_status fw_block_set_missing(fw_block *b, size_t column, size_t row, fw_error *err);
/** Appends rows [first, first + n) of from (same columns by index) to into, whose capacity must hold them. */
fw_status fw_block_append(fw_block *into, const fw_block *from, size_t first, size_t n, fw_error *err);

#endif
