#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "common/data/decimal.h"
#include "worker/ingest_digest.h"
#include "worker/ingest_output.h"

/* The blocks on their way into the file: one at a time, and of it one column at a time. */
typedef struct writer {
    ingest *g;
    ingest_output *file;
    ingest_digest *digest;
    size_t n_blocks;
    int64_t *checksum;                     /* (n_stored + 1, blocks) this rank's; summed at the end */
    char *bytes;                           /* pieces of one block that were in files */
    size_t len, capacity;
    ingest_walk *pieces;                   /* all pieces of one block */
    size_t n_pieces, piece_capacity;
    char *cells;                           /* one column of the block */
    size_t cells_capacity;
    uint8_t *marks;                        /* (block_rows) missing */
    uint64_t *wide;                        /* (block_rows + 1) row numbers; places of texts */
    const char **text;                     /* (block_rows) */
    double *numbers;                       /* (block_rows) decimals of a piece */
} writer;

static void writer_clear(writer *w)
{
    ingest_output_destroy(&w->file);
    ingest_digest_destroy(&w->digest);
    free(w->numbers);
    free(w->checksum);
    free(w->bytes);
    free(w->pieces);
    free(w->cells);
    free(w->marks);
    free(w->wide);
    free(w->text);
}

static fw_status allocate(writer *w, fw_error *err)
{
    size_t rows = w->g->layout.block_rows;
    w->n_blocks = (size_t)fw_layout_n_blocks(&w->g->layout);
    w->checksum = calloc((w->g->n_stored + 1) * w->n_blocks, sizeof *w->checksum);
    w->marks = malloc(rows);
    w->wide = malloc((rows + 1) * sizeof *w->wide);
    w->text = calloc(rows, sizeof *w->text);
    w->numbers = malloc(rows * sizeof *w->numbers);
    if (w->numbers == NULL || w->checksum == NULL || w->marks == NULL || w->wide == NULL || w->text == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "a block of %zu rows", rows);
    return ingest_digest_create(&w->digest, w->g, err);
}

/* ---- the pieces of a block ---- */

static fw_status damaged(const writer *w, fw_error *err)
{
    return fw_fail(err, FW_ERR_IO, "a temporary file of '%s' was changed by something else", w->g->temp);
}

static fw_status add_piece(writer *w, const void *bytes, size_t len, size_t *piece_bytes, fw_error *err)
{
    FW_TRY(fw_grow((void **)&w->pieces, &w->piece_capacity, w->n_pieces + 1, sizeof *w->pieces, "pieces of a block", err));
    ingest_walk *p = &w->pieces[w->n_pieces++];
    if (!ingest_walk_start(p, bytes, len, w->g->n_stored) || p->place == NULL) return damaged(w, err);
    *piece_bytes = p->len;
    return FW_OK;
}

/* Every place of the block is taken once. */
static fw_status check_places(writer *w, uint64_t block, size_t n, fw_error *err)
{
    size_t rows = 0;
    memset(w->marks, 0, n);
    for (size_t k = 0; k < w->n_pieces; k++) {
        const ingest_walk *p = &w->pieces[k];
        for (size_t i = 0; i < p->n; i++) {
            if (p->place[i] >= n || w->marks[p->place[i]]) return damaged(w, err);
            w->marks[p->place[i]] = 1;
        }
        rows += p->n;
    }
    if (rows == n) return FW_OK;
    return fw_fail(err, FW_ERR_IO, "block %llu of '%s' has %zu of its %zu rows", (unsigned long long)block, w->g->temp, rows, n);
}

/* block: of the file; the rank's buckets are counted from its first. */
static fw_status load_block(writer *w, uint64_t block, size_t n, fw_error *err)
{
    const ingest *g = w->g;
    const size_t bucket = (size_t)block - worker_run_first(w->n_blocks, g->reduce->rank, g->reduce->size);
    size_t len;
    w->len = w->n_pieces = 0;
    FW_TRY(worker_buckets_load(&w->bytes, &w->len, &w->capacity, g->blocks, bucket, err));
    for (size_t at = 0; at < w->len; at += len) FW_TRY(add_piece(w, w->bytes + at, w->len - at, &len, err));
    for (const worker_piece *p = NULL; (p = worker_buckets_next(g->blocks, bucket, p)) != NULL;) {
        const void *bytes = worker_piece_bytes(p, &len);
        FW_TRY(add_piece(w, bytes, len, &len, err));
    }
    return check_places(w, block, n, err);
}

/* ---- one column of a block ---- */

static void scatter(char *to, const char *from, size_t cell, const uint16_t *place, size_t n)
{
    switch (cell) {
    case 1:
        for (size_t i = 0; i < n; i++) to[place[i]] = from[i];
        break;
    case 4:
        for (size_t i = 0; i < n; i++) memcpy(to + 4 * (size_t)place[i], from + 4 * i, 4);
        break;
    case 8:
        for (size_t i = 0; i < n; i++) memcpy(to + 8 * (size_t)place[i], from + 8 * i, 8);
        break;
    default:
        for (size_t i = 0; i < n; i++) memcpy(to + place[i] * cell, from + i * cell, cell);
    }
}

/* The cells of a piece to their places; decimals become the doubles that they are. */
static void scatter_cells(writer *w, char *to, const ingest_cells *from, size_t cell, const ingest_walk *p)
{
    const void *cells = from->cells;
    if (from->decimals) {
        fw_decimals_read(w->numbers, from->cells, p->n);
        cells = w->numbers;
    }
    scatter(to, cells, cell, p->place, p->n);
}

/* to: room for the cells of a column that is no text. */
static fw_status collect_cells(writer *w, char *to, size_t column, size_t n, fw_error *err)
{
    const fw_column *c = &w->g->schema->columns[column];
    size_t cell = fw_column_cell_bytes(c);
    memset(w->marks, 0, n);
    for (size_t k = 0; k < w->n_pieces; k++) {
        ingest_walk *p = &w->pieces[k];
        ingest_cells from;
        if (!ingest_walk_next(&from, p, c)) return damaged(w, err);
        if (from.missing != NULL) scatter((char *)w->marks, (const char *)from.missing, 1, p->place, p->n);
        if (c->type != FW_TEXT) {
            scatter_cells(w, to, &from, cell, p);
            continue;
        }
        for (size_t i = 0; i < p->n; i++) {
            w->text[p->place[i]] = from.text + from.text_at[i];
            w->wide[p->place[i]] = from.text_at[i + 1] - from.text_at[i];
        }
    }
    return FW_OK;
}

/* From lengths to places: wide becomes (n + 1) offsets from `start` on, and the bytes stand in cells. */
static fw_status join_texts(writer *w, uint64_t start, size_t n, fw_error *err)
{
    size_t len = 0;
    uint64_t at = start;
    for (size_t i = 0; i < n; i++) len += (size_t)w->wide[i];
    FW_TRY(fw_grow((void **)&w->cells, &w->cells_capacity, len + 1, 1, "texts of a block", err));
    for (size_t i = 0; i < n; i++) {
        uint64_t here = w->wide[i];
        memcpy(w->cells + (at - start), w->text[i], (size_t)here);
        w->wide[i] = at;
        at += here;
    }
    w->wide[n] = at;
    return FW_OK;
}

static fw_status digest_column(writer *w, ingest_placed *placed, fw_error *err)
{
    placed->marks = w->g->stats[placed->column].missing > 0 ? w->marks : NULL;
    return ingest_digest_column(w->digest, placed, err);
}

static void keep_checksum(writer *w, size_t column, uint64_t block, uint64_t sum) { w->checksum[column * w->n_blocks + block] = (int64_t)sum; }

static fw_status write_texts(writer *w, size_t column, uint64_t block, fw_layout_block b, fw_error *err)
{
    const ingest *g = w->g;
    const ingest_output *o = w->file;
    uint64_t at = (uint64_t)g->text_bytes[g->stats[column].text_slot * w->n_blocks + block];
    bool last = b.first + b.n == fw_layout_total(&g->layout);
    FW_TRY(collect_cells(w, NULL, column, b.n, err));
    FW_TRY(digest_column(w, &(ingest_placed){.column = column, .n = b.n, .text = w->text, .text_len = w->wide}, err));
    FW_TRY(join_texts(w, at, b.n, err));
    size_t len = (size_t)(w->wide[b.n] - at);
    keep_checksum(w, column, block, fw_layout_checksum(w->cells, len, w->marks, b.n, w->wide, b.n + 1));
    FW_TRY(ingest_streams_put(o->streams, column, o->values[column] + at, w->cells, len, err));
    return ingest_streams_put(o->streams, ingest_output_offsets(o, column), o->offsets[column] + b.first * sizeof *w->wide, w->wide,
                              (b.n + last) * sizeof *w->wide, err);
}

/* Put together where they are written from, if a buffer takes so many. */
static fw_status write_cells(writer *w, size_t column, uint64_t block, fw_layout_block b, fw_error *err)
{
    const ingest_output *o = w->file;
    size_t cell = fw_column_cell_bytes(&w->g->schema->columns[column]), len = b.n * cell;
    uint64_t at = o->values[column] + b.first * cell;
    void *room = NULL;
    FW_TRY(ingest_streams_room(o->streams, column, at, len, &room, err));
    if (room == NULL) FW_TRY(fw_grow((void **)&w->cells, &w->cells_capacity, len + 1, 1, "cells of a block", err));
    char *to = room != NULL ? room : w->cells;
    FW_TRY(collect_cells(w, to, column, b.n, err));
    FW_TRY(digest_column(w, &(ingest_placed){.column = column, .n = b.n, .cells = to}, err));
    keep_checksum(w, column, block, fw_layout_checksum(to, len, w->marks, b.n, NULL, 0));
    return room != NULL ? FW_OK : ingest_streams_put(o->streams, column, at, to, len, err);
}

static fw_status write_column(writer *w, size_t column, uint64_t block, fw_layout_block b, fw_error *err)
{
    const ingest_output *o = w->file;
    bool text = w->g->schema->columns[column].type == FW_TEXT;
    worker_tick();
    FW_TRY(text ? write_texts(w, column, block, b, err) : write_cells(w, column, block, b, err));
    if (w->g->stats[column].missing == 0) return FW_OK;
    return ingest_streams_put(o->streams, ingest_output_marks(o, column), o->missing[column] + b.first, w->marks, b.n, err);
}

static void collect_row_numbers(writer *w)
{
    for (size_t k = 0; k < w->n_pieces; k++) {
        const ingest_walk *p = &w->pieces[k];
        for (size_t i = 0; i < p->n; i++) w->wide[p->place[i]] = p->base + p->row[i];
    }
}

static fw_status write_row_numbers(writer *w, uint64_t block, fw_layout_block b, fw_error *err)
{
    const ingest_output *o = w->file;
    collect_row_numbers(w);
    FW_TRY(ingest_digest_end(w->digest, w->wide, b.split, b.n, err));
    w->checksum[w->g->n_stored * w->n_blocks + block] = (int64_t)fw_layout_checksum(w->wide, b.n * sizeof *w->wide, NULL, 0, NULL, 0);
    return ingest_streams_put(o->streams, ingest_output_rows(o), o->row + b.first * sizeof *w->wide, w->wide, b.n * sizeof *w->wide, err);
}

static fw_status write_block(writer *w, uint64_t block, fw_error *err)
{
    fw_layout_block b = fw_layout_block_get(&w->g->layout, block);
    FW_TRY(fw_fault("ingest.write_block", err));
    FW_TRY(load_block(w, block, b.n, err));
    ingest_digest_begin(w->digest);
    for (size_t i = 0; i < w->g->n_stored; i++) FW_TRY(write_column(w, i, block, b, err));
    return write_row_numbers(w, block, b, err);
}

/* Writes are independent: a rank without blocks, or one that failed, holds nobody up until the ranks agree. */
static fw_status write_blocks(writer *w, fw_error *err)
{
    const fw_reduce *r = w->g->reduce;
    fw_status s = FW_OK;
    const ingest_output *o = w->file;
    const size_t behind = worker_run_first(w->n_blocks, r->rank + 1, r->size);
    for (size_t b = worker_run_first(w->n_blocks, r->rank, r->size); s == FW_OK && b < behind; b++) s = write_block(w, b, err);
    FW_TRY(ingest_agree(w->g, s, err));
    size_t sums = (w->g->n_stored + 1) * w->n_blocks;
    FW_TRY(r->sum_i64(r->context, w->checksum, sums, err));
    s = r->rank == 0 ? ingest_streams_put(o->streams, ingest_output_rows(o), o->checksums, w->checksum, sums * sizeof *w->checksum, err) : FW_OK;
    if (s == FW_OK) s = ingest_streams_finish(o->streams, err);
    return ingest_agree(w->g, s, err);
}

fw_status ingest_write(ingest *g, fw_error *err)
{
    __attribute__((cleanup(writer_clear))) writer w = {.g = g};
    FW_TRY(ingest_agree(g, allocate(&w, err), err));
    FW_TRY(ingest_output_create(&w.file, g, err));
    FW_TRY(write_blocks(&w, err));
    FW_TRY(ingest_digest_finish(w.digest, err));
    worker_buckets_destroy(&g->blocks);
    worker_memory_destroy(&g->memory);
    return FW_OK;
}
