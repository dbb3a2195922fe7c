/** Rows packed column by column: how they wait in the store (one piece a chunk) and in the buckets (one piece a chunk and block), and how they cross ranks.
 *
 *    ingest_packed | form u8 (n_columns) | row u32 (n) from base on | place u16 (n), in a bucket | columns ...
 *    a column:  missing u8 (n), if marked | cells (n), or for text: text_at u64 (n + 1), bytes
 *  Numbers that are short decimals in a whole chunk wait as such (common/data/decimal.h), in half of the memory. Each part begins at a multiple of 8.
 *  Pieces are read back by the program that wrote them; lengths are checked all the same. */
#ifndef WORKER_INGEST_PACKED_H
#define WORKER_INGEST_PACKED_H

#include "common/data/block.h"

#define INGEST_NO_BUCKET UINT32_MAX

typedef struct ingest_packed { uint64_t len, base; uint32_t n, bucket; } ingest_packed;      /* len: of everything */

/** One column of some rows, wherever they stand. text_at (n + 1) are places in text. */
typedef struct ingest_cells {
    const uint8_t *missing;            /* NULL: no value is missing */
    const void *cells;
    bool decimals;                     /* cells are decimals, u32 */
    const uint64_t *text_at;
    const char *text;
} ingest_cells;

/** Rows to be packed from, and pieces as they are read. */
typedef struct ingest_rows {
    const fw_schema *schema;
    size_t n_columns, n;               /* the first n_columns of the schema are packed */
    const uint32_t *row;
    ingest_cells *columns;             /* (n_columns) the owner's */
} ingest_rows;

/** A piece to be made of rows index[0 .. n) (NULL: all of them). */
typedef struct ingest_part { uint32_t bucket; size_t n, len; const uint32_t *index; char *to; } ingest_part;

size_t ingest_part_bytes(const ingest_rows *from, uint32_t bucket, const uint32_t *index, size_t n);
/** Packs some parts together, column after column, so that a column is read while it is in the cache. base: the number of the row that is called 0;
 *  place: by row of from; not read without a bucket. to of each part holds its len bytes, aligned to 8. */
void   ingest_pack(const ingest_rows *from, const ingest_part *parts, size_t n_parts, uint64_t base, const uint16_t *place);

/** Walks through a piece: first row numbers and places, then the columns in order. NULL or false: the piece is damaged. */
typedef struct ingest_walk {
    const char *bytes;
    size_t n, len, at, column;
    uint64_t base;
    uint32_t bucket;
    const uint8_t *form;
    const uint32_t *row;
    const uint16_t *place;             /* NULL without a bucket */
} ingest_walk;
bool ingest_walk_start(ingest_walk *w, const void *bytes, size_t len, size_t n_columns);
bool ingest_walk_next(ingest_cells *out, ingest_walk *w, const fw_column *column);
/** A whole piece, as rows. */
bool ingest_unpack(ingest_rows *rows, const void *bytes, size_t len);

#endif
