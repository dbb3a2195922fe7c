/** What is computed of the rows of a block while they are written: a hash of each row, column by column, from which the content digest and the count of
 *  equal rows come, and the distinct values of each column. All of it depends on the cells and their rows alone.
 *
 *      cell   number, time: XXH3-64 of its 8 bytes; category, text: of the text; picture: of the pixels; a missing one: a constant
 *      row    h = 0, then for each column in the order of the schema, the id last:   h = fw_hash64_mix(h, cell)
 *      equal  rows whose h before the id is the same
 *      digest XXH3-128 of (h, row number, split), summed over the rows modulo 2^128; then XXH3-128 of that and of what the columns are */
#ifndef WORKER_INGEST_DIGEST_H
#define WORKER_INGEST_DIGEST_H

#include "worker/ingest_parts.h"

/** One column of a block in the order of the file, n rows. */
typedef struct ingest_placed {
    size_t column, n;
    const void *cells;                 /* at any address; NULL for texts */
    const uint8_t *marks;              /* 1: missing; NULL: no value is */
    const char *const *text;           /* for texts: (n) each */
    const uint64_t *text_len;
} ingest_placed;

typedef struct ingest_digest ingest_digest;
/** Local. For blocks of at most block_rows rows. */
fw_status ingest_digest_create(ingest_digest **out, ingest *g, fw_error *err);
void      ingest_digest_destroy(ingest_digest **d);

/** Local: a block begins, its columns come in the order of the schema, and it ends; row (n): the rows' numbers. */
void      ingest_digest_begin(ingest_digest *d);
fw_status ingest_digest_column(ingest_digest *d, const ingest_placed *column, fw_error *err);
fw_status ingest_digest_end(ingest_digest *d, const uint64_t *row, fw_split split, size_t n, fw_error *err);

/** Collective: the content digest and the duplicates of all ranks' blocks, into g. */
fw_status ingest_digest_finish(ingest_digest *d, fw_error *err);

#endif
