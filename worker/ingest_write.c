#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"
#include "common/core/fault.h"
#include "common/core/size.h"
#include "worker/ingest_parts.h"

/* The file while it is written; all datasets are open on all ranks. */
typedef struct writer {
    ingest *g;
    hid_t file, row, checksums;
    hid_t *values, *missing, *offsets;     /* n_stored; offsets -1 unless text */
    size_t *offset, fixed_bytes;
    uint64_t n_blocks;
    int64_t *checksum;                     /* (n_stored + 1, blocks) this rank's; summed at the end */
    char *bytes;                           /* the rows of one block, from all ranks' buckets */
    size_t len, capacity;
    const char **at;                       /* (block_rows) row by its place in the block */
    char *cells;                           /* one column of the block */
    size_t cells_capacity;
    uint8_t *marks;                        /* (block_rows) missing */
    uint64_t *text_at;                     /* (block_rows + 1) */
} writer;

static void writer_clear(writer *w)
{
    for (size_t i = 0; w->values != NULL && i < w->g->n_stored; i++) {
        fw_h5_dataset_close(&w->values[i]);
        fw_h5_dataset_close(&w->missing[i]);
        fw_h5_dataset_close(&w->offsets[i]);
    }
    fw_h5_dataset_close(&w->row);
    fw_h5_dataset_close(&w->checksums);
    fw_h5_close(&w->file, NULL);
    free(w->values);
    free(w->missing);
    free(w->offsets);
    free(w->offset);
    free(w->checksum);
    free(w->bytes);
    free(w->at);
    free(w->cells);
    free(w->marks);
    free(w->text_at);
}

/* ---- the empty file ---- */

static fw_status allocate(writer *w, fw_error *err)
{
    size_t n = w->g->n_stored, rows = w->g->layout.block_rows;
    w->n_blocks = fw_layout_n_blocks(&w->g->layout);
    w->missing = malloc((n + 1) * sizeof *w->missing);
    w->offsets = malloc((n + 1) * sizeof *w->offsets);
    w->checksum = calloc((n + 1) * w->n_blocks, sizeof *w->checksum);
    w->at = calloc(rows, sizeof *w->at);
    w->marks = malloc(rows);
    w->text_at = malloc((rows + 1) * sizeof *w->text_at);
    hid_t *values = malloc((n + 1) * sizeof *values);
    if (values == NULL || w->missing == NULL || w->offsets == NULL || w->checksum == NULL || w->at == NULL || w->marks == NULL ||
        w->text_at == NULL) {
        free(values);
        return fw_fail(err, FW_ERR_NOMEM, "a block of %zu rows", rows);
    }
    for (size_t i = 0; i < n; i++) values[i] = w->missing[i] = w->offsets[i] = -1;
    w->values = values;
    return ingest_row_offsets(&w->offset, &w->fixed_bytes, w->g, err);
}

static hid_t native_type(fw_column_type t)
{
    switch (t) {
    case FW_NUMBER: return H5T_NATIVE_DOUBLE;
    case FW_CATEGORY: return H5T_NATIVE_INT32;
    case FW_TIME: return H5T_NATIVE_INT64;
    case FW_TEXT: case FW_IMAGE: break;
    }
    return H5T_NATIVE_UINT8;
}

/* Values, missing marks and offsets of a column, in this order. A visitor makes them (rank 0), another opens them. */
typedef fw_status visit(hid_t *dataset, hid_t at, const char *name, hid_t type, int rank, hsize_t *dims, fw_error *err);

static fw_status visit_column(writer *w, visit *each, hid_t file, size_t i, hid_t ids[static 3], fw_error *err)
{
    const fw_column *c = &w->g->schema->columns[i];
    hsize_t rows = fw_layout_total(&w->g->layout), offsets = rows + 1;
    hsize_t dims[4] = {c->type == FW_TEXT ? w->g->stats[i].text_bytes : rows, c->height, c->width, c->channels};
    char name[64];
    snprintf(name, sizeof name, "columns/%zu/values", i);
    FW_TRY(each(&ids[0], file, name, native_type(c->type), c->type == FW_IMAGE ? 4 : 1, dims, err));
    snprintf(name, sizeof name, "columns/%zu/missing", i);
    FW_TRY(each(&ids[1], file, name, H5T_NATIVE_UINT8, 1, &rows, err));
    if (c->type != FW_TEXT) return FW_OK;
    snprintf(name, sizeof name, "columns/%zu/offsets", i);
    return each(&ids[2], file, name, H5T_NATIVE_UINT64, 1, &offsets, err);
}

static fw_status make_and_leave(hid_t *dataset, hid_t at, const char *name, hid_t type, int rank, hsize_t *dims, fw_error *err)
{
    FW_TRY(fw_h5_make(dataset, at, name, type, rank, dims, err));
    fw_h5_dataset_close(dataset);
    return FW_OK;
}

static fw_status make_datasets(writer *w, hid_t file, fw_error *err)
{
    ingest *g = w->g;
    hid_t ids[3] = {-1, -1, -1};
    hsize_t rows = fw_layout_total(&g->layout), sums[2] = {g->n_stored + 1, w->n_blocks};
    FW_TRY(fw_h5_write_text(file, "manifest", g->manifest_text, err));
    FW_TRY(fw_h5_group(file, "columns", err));
    for (size_t i = 0; i < g->n_stored; i++) {
        char name[64];
        snprintf(name, sizeof name, "columns/%zu", i);
        FW_TRY(fw_h5_group(file, name, err));
        FW_TRY(visit_column(w, make_and_leave, file, i, ids, err));
    }
    FW_TRY(make_and_leave(ids, file, "row", H5T_NATIVE_UINT64, 1, &rows, err));
    return make_and_leave(ids, file, "checksums", H5T_NATIVE_UINT64, 2, sums, err);
}

/* Local, rank 0: all that is not cells, and the space for the cells. What follows changes nothing but cells, so a write that fails there leaves
 * the library nothing to stumble over. */
static fw_status make_file(writer *w, fw_error *err)
{
    if (w->g->reduce->rank != 0) return FW_OK;
    hid_t file = -1;
    FW_TRY(fw_h5_create(&file, w->g->temp, MPI_COMM_NULL, err));
    fw_status s = make_datasets(w, file, err), closed = fw_h5_close(&file, s == FW_OK ? err : NULL);
    return s != FW_OK ? s : closed;
}

/* Collective. */
static fw_status open_file(writer *w, fw_error *err)
{
    ingest *g = w->g;
    hsize_t rows = fw_layout_total(&g->layout), sums[2] = {g->n_stored + 1, w->n_blocks};
    FW_TRY(ingest_agree(g, fw_h5_open_write(&w->file, g->temp, g->reduce->size > 1 ? g->comm : MPI_COMM_NULL, err), err));
    for (size_t i = 0; i < g->n_stored; i++) {
        hid_t ids[3] = {-1, -1, -1};
        fw_status s = visit_column(w, fw_h5_dataset, w->file, i, ids, err);
        w->values[i] = ids[0];
        w->missing[i] = ids[1];
        w->offsets[i] = ids[2];
        FW_TRY(s);
    }
    FW_TRY(fw_h5_dataset(&w->row, w->file, "row", H5T_NATIVE_UINT64, 1, &rows, err));
    return fw_h5_dataset(&w->checksums, w->file, "checksums", H5T_NATIVE_UINT64, 2, sums, err);
}

/* ---- one block ---- */

static fw_status load_block(writer *w, uint64_t block, fw_layout_block b, fw_error *err)
{
    const ingest *g = w->g;
    w->len = 0;
    for (int r = 0; r < g->reduce->size; r++) {
        FW_FREE char *path = NULL;
        FW_TRY(ingest_temp_name(&path, g, "blocks", r, err));
        FW_TRY(worker_buckets_load(&w->bytes, &w->len, &w->capacity, path, (size_t)w->n_blocks, (size_t)block, err));
    }
    memset(w->at, 0, b.n * sizeof *w->at);
    size_t rows = 0;
    for (size_t at = 0; at + w->fixed_bytes <= w->len; rows++) {
        ingest_row head;
        memcpy(&head, w->bytes + at, sizeof head);
        if (head.place >= b.n || w->at[head.place] != NULL || head.len < w->fixed_bytes || head.len > w->len - at)
            return fw_fail(err, FW_ERR_IO, "a temporary file of '%s' was changed by something else", g->temp);
        w->at[head.place] = w->bytes + at;
        at += head.len;
    }
    if (rows != b.n) return fw_fail(err, FW_ERR_IO, "block %llu of '%s' has %zu of its %zu rows", (unsigned long long)block, g->temp, rows, b.n);
    return FW_OK;
}

/* Where the text of a column lies within a row. */
static size_t text_place(const writer *w, const char *row, size_t column)
{
    size_t at = w->fixed_bytes;
    for (size_t i = 0; i < column; i++)
        if (w->g->schema->columns[i].type == FW_TEXT) {
            uint32_t n;
            memcpy(&n, row + w->offset[i], sizeof n);
            at += n;
        }
    return at;
}

static fw_status write_texts(writer *w, size_t column, uint64_t block, fw_layout_block b, fw_error *err)
{
    const ingest *g = w->g;
    w->text_at[0] = (uint64_t)g->text_bytes[g->stats[column].text_slot * w->n_blocks + block];
    size_t len = 0;
    for (size_t i = 0; i < b.n; i++) {
        uint32_t n;
        memcpy(&n, w->at[i] + w->offset[column], sizeof n);
        FW_TRY(fw_grow((void **)&w->cells, &w->cells_capacity, len + n + 1, 1, "texts of a block", err));
        memcpy(w->cells + len, w->at[i] + text_place(w, w->at[i], column), n);
        len += n;
        w->text_at[i + 1] = w->text_at[0] + len;
    }
    w->checksum[column * w->n_blocks + block] = (int64_t)fw_layout_checksum(w->cells, len, w->marks, b.n, w->text_at, b.n + 1);
    bool last = b.first + b.n == fw_layout_total(&g->layout);
    FW_TRY(fw_h5_write_rows(w->values[column], H5T_NATIVE_UINT8, w->text_at[0], len, w->cells, err));
    return fw_h5_write_rows(w->offsets[column], H5T_NATIVE_UINT64, b.first, b.n + last, w->text_at, err);
}

static fw_status write_cells(writer *w, size_t column, uint64_t block, fw_layout_block b, fw_error *err)
{
    const fw_column *c = &w->g->schema->columns[column];
    size_t cell = fw_column_cell_bytes(c);
    FW_TRY(fw_grow((void **)&w->cells, &w->cells_capacity, b.n * cell, 1, "cells of a block", err));
    for (size_t i = 0; i < b.n; i++) memcpy(w->cells + i * cell, w->at[i] + w->offset[column], cell);
    w->checksum[column * w->n_blocks + block] = (int64_t)fw_layout_checksum(w->cells, b.n * cell, w->marks, b.n, NULL, 0);
    return fw_h5_write_rows(w->values[column], native_type(c->type), b.first, b.n, w->cells, err);
}

static fw_status write_row_numbers(writer *w, uint64_t block, fw_layout_block b, fw_error *err)
{
    uint64_t *row = w->text_at;
    for (size_t i = 0; i < b.n; i++) {
        ingest_row head;
        memcpy(&head, w->at[i], sizeof head);
        row[i] = head.row;
    }
    w->checksum[w->g->n_stored * w->n_blocks + block] = (int64_t)fw_layout_checksum(row, b.n * sizeof *row, NULL, 0, NULL, 0);
    return fw_h5_write_rows(w->row, H5T_NATIVE_UINT64, b.first, b.n, row, err);
}

static fw_status write_block(writer *w, uint64_t block, fw_error *err)
{
    fw_layout_block b = fw_layout_block_get(&w->g->layout, block);
    FW_TRY(fw_fault("ingest.write_block", err));
    FW_TRY(load_block(w, block, b, err));
    for (size_t i = 0; i < w->g->n_stored; i++) {
        for (size_t r = 0; r < b.n; r++) w->marks[r] = (uint8_t)w->at[r][sizeof(ingest_row) + i];
        if (w->g->schema->columns[i].type == FW_TEXT) FW_TRY(write_texts(w, i, block, b, err));
        else FW_TRY(write_cells(w, i, block, b, err));
        FW_TRY(fw_h5_write_rows(w->missing[i], H5T_NATIVE_UINT8, b.first, b.n, w->marks, err));
    }
    return write_row_numbers(w, block, b, err);
}

/* Writes are independent: a rank without blocks, or one that failed, holds nobody up until the ranks agree. */
static fw_status write_blocks(writer *w, fw_error *err)
{
    const fw_reduce *r = w->g->reduce;
    fw_status s = FW_OK;
    for (uint64_t b = (uint64_t)r->rank; s == FW_OK && b < w->n_blocks; b += (uint64_t)r->size) s = write_block(w, b, err);
    FW_TRY(ingest_agree(w->g, s, err));
    size_t sums = w->g->n_stored + 1;
    FW_TRY(r->sum_i64(r->context, w->checksum, sums * w->n_blocks, err));
    s = r->rank == 0 ? fw_h5_write_rows(w->checksums, H5T_NATIVE_UINT64, 0, sums, w->checksum, err) : FW_OK;
    return ingest_agree(w->g, s, err);
}

/* ---- the end ---- */

static fw_status close_all(writer *w, fw_error *err)
{
    for (size_t i = 0; i < w->g->n_stored; i++) {
        fw_h5_dataset_close(&w->values[i]);
        fw_h5_dataset_close(&w->missing[i]);
        fw_h5_dataset_close(&w->offsets[i]);
    }
    fw_h5_dataset_close(&w->row);
    fw_h5_dataset_close(&w->checksums);
    return fw_h5_close(&w->file, err);
}

static fw_status seal(const ingest *g, fw_error *err)
{
    if (g->reduce->rank != 0) return FW_OK;
    fw_digest digest = fw_hash128(g->manifest_text, strlen(g->manifest_text), 0);
    return fw_envelope_seal(g->temp, FW_DATASET_KIND, FW_DATASET_VERSION, &digest, err);
}

/* HDF5 does not tell of every failed write: what stands in the file is read back, each rank its share. */
static fw_status read_back(const ingest *g, fw_error *err)
{
    FW_AUTO(fw_dataset) *d = NULL;
    FW_TRY(fw_dataset_open(&d, g->temp, err));
    return fw_dataset_verify_blocks(d, (uint64_t)g->reduce->rank, (uint64_t)g->reduce->size, err);
}

static fw_status write_file(writer *w, fw_error *err)
{
    FW_TRY(ingest_agree(w->g, allocate(w, err), err));
    FW_TRY(ingest_agree(w->g, make_file(w, err), err));
    FW_TRY(ingest_agree(w->g, open_file(w, err), err));
    FW_TRY(write_blocks(w, err));
    return ingest_agree(w->g, close_all(w, err), err);
}

fw_status ingest_write(ingest *g, fw_error *err)
{
    __attribute__((cleanup(writer_clear))) writer w = {.g = g, .file = -1, .row = -1, .checksums = -1};
    FW_TRY(write_file(&w, err));
    FW_TRY(ingest_agree(g, seal(g, err), err));
    fw_status s = read_back(g, err);
    if (s == FW_ERR_FORMAT) s = fw_wrap(err, FW_ERR_IO, "what was written does not read back (is the disk full?)");
    FW_TRY(ingest_agree(g, s, err));
    FW_TRY(ingest_agree(g, fw_fault("ingest.before_rename", err), err));
    return ingest_agree(g, g->reduce->rank == 0 ? fw_atomic_file_commit(g->file, err) : FW_OK, err);
}
