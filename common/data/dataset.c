#include "common/data/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"
#include "common/core/size.h"
#include "common/data/dataset_manifest.h"
#include "common/data/h5.h"

#define NO_BLOCK UINT64_MAX

/* One column of the file (the last one stands for /row): its datasets, and the block of it that was read and verified last, so that
 * reading in sequence verifies each block once. */
typedef struct stored {
    char name[80];                     /* for errors */
    hid_t values, offsets;             /* its own; -1: it has none, or it is a line of a table */
    hid_t table;                       /* the dataset's; -1: none */
    size_t line;                       /* in the table */
    hid_t type;                        /* native type of a value */
    size_t cell_bytes;                 /* 0: text */
    uint64_t text_bytes;               /* length of a text column's values */
    uint64_t block;                    /* cached; NO_BLOCK: none */
    char *cells;
    uint8_t *missing_of;
    uint64_t *offset_of;               /* (block_rows + 1) */
    size_t capacity;                   /* bytes of cells */
} stored;

struct fw_dataset {
    char *path;
    hid_t file;
    fw_manifest *m;
    json_t *json;
    stored *columns;                   /* n_columns + 1 */
    hid_t tables[FW_IMAGE + 1];        /* by column type; -1: no column is in it */
    hid_t missing;                     /* a line a column */
    uint64_t n_blocks, *checksums;     /* (n_columns + 1, n_blocks) */
};

/* ---- opening ---- */

static fw_status allocate_cache(fw_dataset *d, stored *c, fw_error *err)
{
    size_t rows = d->m->layout.block_rows;
    if (c->cell_bytes > 0) {
        FW_TRY(fw_size_mul(&c->capacity, rows, c->cell_bytes, c->name, err));
        if ((c->cells = malloc(c->capacity)) == NULL) return fw_fail(err, FW_ERR_NOMEM, "dataset '%s': a block of column '%s'", d->path, c->name);
    }
    c->missing_of = malloc(rows);
    c->offset_of = c->offsets >= 0 ? malloc((rows + 1) * sizeof *c->offset_of) : NULL;
    if (c->missing_of == NULL || (c->offsets >= 0 && c->offset_of == NULL))
        return fw_fail(err, FW_ERR_NOMEM, "dataset '%s': a block of column '%s'", d->path, c->name);
    return FW_OK;
}

static fw_status open_column(fw_dataset *d, size_t i, fw_error *err)
{
    const fw_column *column = &d->m->schema->columns[i];
    stored *c = &d->columns[i];
    uint64_t rows = fw_layout_total(&d->m->layout);
    char name[64];
    snprintf(c->name, sizeof c->name, "%s", column->name);
    c->type = fw_h5_cell_type(column->type);
    c->cell_bytes = fw_column_cell_bytes(column);

    if (d->tables[column->type] >= 0) {
        c->table = d->tables[column->type];
        return allocate_cache(d, c, err);
    }
    hsize_t dims[4] = {rows, column->height, column->width, column->channels}, n = rows + 1;
    if (column->type == FW_TEXT) dims[0] = 0;
    snprintf(name, sizeof name, "columns/%zu/values", i);
    FW_TRY(fw_h5_dataset(&c->values, d->file, name, c->type, column->type == FW_IMAGE ? 4 : 1, dims, err));
    c->text_bytes = dims[0];
    if (column->type == FW_TEXT) {
        snprintf(name, sizeof name, "columns/%zu/offsets", i);
        FW_TRY(fw_h5_dataset(&c->offsets, d->file, name, H5T_NATIVE_UINT64, 1, &n, err));
    }
    return allocate_cache(d, c, err);
}

/* The tables of columns, and which line each column is. */
static fw_status open_tables(fw_dataset *d, fw_error *err)
{
    const fw_schema *s = d->m->schema;
    hsize_t lines[FW_IMAGE + 1] = {0}, rows = fw_layout_total(&d->m->layout);
    for (size_t i = 0; i < s->n_columns; i++) d->columns[i].line = (size_t)lines[s->columns[i].type]++;
    for (fw_column_type t = FW_NUMBER; t <= FW_IMAGE; t++) {
        hsize_t dims[2] = {lines[t], rows};
        if (lines[t] > 0 && fw_layout_table(t) != NULL) FW_TRY(fw_h5_dataset(&d->tables[t], d->file, fw_layout_table(t), fw_h5_cell_type(t), 2, dims, err));
    }
    hsize_t dims[2] = {s->n_columns, rows};
    return fw_h5_dataset(&d->missing, d->file, "missing", H5T_NATIVE_UINT8, 2, dims, err);
}

static fw_status open_row_numbers(fw_dataset *d, fw_error *err)
{
    stored *c = &d->columns[d->m->schema->n_columns];
    hsize_t n = fw_layout_total(&d->m->layout);
    snprintf(c->name, sizeof c->name, "row number");
    c->type = H5T_NATIVE_UINT64;
    c->cell_bytes = sizeof(uint64_t);
    FW_TRY(fw_h5_dataset(&c->values, d->file, "row", c->type, 1, &n, err));
    return allocate_cache(d, c, err);
}

static fw_status open_checksums(fw_dataset *d, fw_error *err)
{
    hsize_t dims[2] = {d->m->schema->n_columns + 1, d->n_blocks};
    hid_t id = -1;
    FW_TRY(fw_h5_dataset(&id, d->file, "checksums", H5T_NATIVE_UINT64, 2, dims, err));
    d->checksums = calloc((size_t)dims[0], (size_t)dims[1] * sizeof *d->checksums);      /* its size is bounded by the file's length */
    fw_status s = d->checksums == NULL ? fw_fail(err, FW_ERR_NOMEM, "checksums of dataset '%s'", d->path)
                                       : fw_h5_read_rows(id, H5T_NATIVE_UINT64, 0, dims[0], d->checksums, err);
    fw_h5_dataset_close(&id);
    return s;
}

static fw_status open_manifest(fw_dataset *d, const fw_envelope *envelope, fw_error *err)
{
    FW_FREE char *text = NULL;
    FW_TRY(fw_h5_read_text(&text, d->file, "manifest", FW_MANIFEST_MAX_BYTES, err));
    if (!fw_digest_equal(fw_hash128(text, strlen(text), 0), envelope->digest))
        return fw_fail(err, FW_ERR_FORMAT, "the manifest is damaged (its digest differs from the one in the file's head)");
    FW_TRY(fw_manifest_read(&d->m, &d->json, text, err));
    d->n_blocks = fw_layout_n_blocks(&d->m->layout);
    return FW_OK;
}

static fw_status open_all(fw_dataset *d, fw_error *err)
{
    fw_envelope envelope;
    FW_TRY(fw_envelope_check(&envelope, d->path, FW_DATASET_KIND, FW_DATASET_VERSION, 0, err));
    FW_TRY(fw_h5_open(&d->file, d->path, err));
    FW_TRY(open_manifest(d, &envelope, err));
    size_t n = d->m->schema->n_columns;
    d->columns = calloc(n + 1, sizeof *d->columns);
    if (d->columns == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu columns", n);
    for (size_t i = 0; i <= n; i++) {
        d->columns[i].values = d->columns[i].table = d->columns[i].offsets = -1;
        d->columns[i].block = NO_BLOCK;
    }
    FW_TRY(open_tables(d, err));
    for (size_t i = 0; i < n; i++) FW_TRY(open_column(d, i, err));
    FW_TRY(open_row_numbers(d, err));
    return open_checksums(d, err);
}

fw_status fw_dataset_open(fw_dataset **out, const char *path, fw_error *err)
{
    FW_AUTO(fw_dataset) *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "dataset '%s'", path);
    d->file = d->missing = -1;
    for (size_t t = 0; t <= FW_IMAGE; t++) d->tables[t] = -1;
    FW_TRY(fw_copy_text(&d->path, path, err));
    fw_status s = open_all(d, err);
    if (s != FW_OK) return fw_wrap(err, s, "dataset '%s'", path);
    *out = d;
    d = NULL;
    return FW_OK;
}

void fw_dataset_destroy(fw_dataset **d)
{
    if (*d == NULL) return;
    for (size_t i = 0; (*d)->columns != NULL && i <= (*d)->m->schema->n_columns; i++) {
        stored *c = &(*d)->columns[i];
        fw_h5_dataset_close(&c->values);
        fw_h5_dataset_close(&c->offsets);
        free(c->cells);
        free(c->missing_of);
        free(c->offset_of);
    }
    for (size_t t = 0; t <= FW_IMAGE; t++) fw_h5_dataset_close(&(*d)->tables[t]);
    fw_h5_dataset_close(&(*d)->missing);
    free((*d)->columns);
    free((*d)->checksums);
    fw_h5_close(&(*d)->file, NULL);
    fw_manifest_destroy(&(*d)->m);
    json_decref((*d)->json);
    free((*d)->path);
    free(*d);
    *d = NULL;
}

const fw_schema *fw_dataset_schema(const fw_dataset *d) { return d->m->schema; }
const fw_column_stats *fw_dataset_stats(const fw_dataset *d) { return d->m->stats; }
const char *fw_dataset_digest(const fw_dataset *d) { return d->m->digest; }
const char *fw_dataset_resolved(const fw_dataset *d) { return d->m->resolved; }
const json_t *fw_dataset_manifest(const fw_dataset *d) { return d->json; }
uint64_t fw_dataset_rows(const fw_dataset *d, fw_split s) { return d->m->layout.rows[s]; }
size_t fw_dataset_block_rows(const fw_dataset *d) { return d->m->layout.block_rows; }

/* ---- one verified block of one column ---- */

static fw_status damaged(const fw_dataset *d, const stored *c, uint64_t block, const char *why, fw_error *err)
{
    return fw_fail(err, FW_ERR_FORMAT, "dataset '%s': column '%s', block %llu: %s; ingest the tables again", d->path, c->name,
                   (unsigned long long)block, why);
}

/* Text: offsets first, then the bytes that they span. *n_bytes: how many. */
static fw_status read_text(fw_dataset *d, stored *c, uint64_t block, fw_layout_block b, size_t *n_bytes, fw_error *err)
{
    FW_TRY(fw_h5_read_rows(c->offsets, H5T_NATIVE_UINT64, b.first, b.n + 1, c->offset_of, err));
    for (size_t i = 0; i < b.n; i++)
        if (c->offset_of[i] > c->offset_of[i + 1]) return damaged(d, c, block, "text offsets do not ascend", err);
    if (c->offset_of[b.n] > c->text_bytes) return damaged(d, c, block, "text offsets reach past the end", err);
    *n_bytes = (size_t)(c->offset_of[b.n] - c->offset_of[0]);
    void *cells = c->cells;
    FW_TRY(fw_grow(&cells, &c->capacity, *n_bytes + 1, 1, c->name, err));
    c->cells = cells;
    return fw_h5_read_rows(c->values, c->type, c->offset_of[0], *n_bytes, c->cells, err);
}

/* What a checksum alone does not promise: values that readers may index with. */
static const char *check_cells(const fw_column *column, const stored *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c->missing_of[i] > 1) return "a missing mark is neither 0 nor 1";
    if (column->type == FW_NUMBER) {
        const double *v = (const double *)(const void *)c->cells;
        for (size_t i = 0; i < n; i++)
            if (!isfinite(v[i])) return "a number is not finite";
    }
    if (column->type == FW_CATEGORY) {
        const int32_t *v = (const int32_t *)(const void *)c->cells;
        int64_t size = (int64_t)fw_dict_size(column->dict);
        for (size_t i = 0; i < n; i++)
            if (c->missing_of[i] ? v[i] != FW_CODE_MISSING : v[i] < 0 || v[i] >= size) return "a category code is not in the dictionary";
    }
    return NULL;
}

static fw_status load(fw_dataset *d, size_t column, uint64_t block, fw_error *err)
{
    stored *c = &d->columns[column];
    if (c->block == block) return FW_OK;
    c->block = NO_BLOCK;
    fw_layout_block b = fw_layout_block_get(&d->m->layout, block);
    size_t n_bytes = b.n * c->cell_bytes;
    const bool marked = column < d->m->schema->n_columns;      /* row numbers are never missing */
    if (c->offsets >= 0) FW_TRY(read_text(d, c, block, b, &n_bytes, err));
    else if (c->table >= 0) FW_TRY(fw_h5_read_line(c->table, c->type, c->line, b.first, b.n, c->cells, err));
    else FW_TRY(fw_h5_read_rows(c->values, c->type, b.first, b.n, c->cells, err));
    if (marked) FW_TRY(fw_h5_read_line(d->missing, H5T_NATIVE_UINT8, column, b.first, b.n, c->missing_of, err));
    uint64_t sum = fw_layout_checksum(c->cells, n_bytes, c->missing_of, marked ? b.n : 0, c->offset_of, c->offsets >= 0 ? b.n + 1 : 0);
    if (sum != d->checksums[column * d->n_blocks + block]) return damaged(d, c, block, "the checksum is wrong, the file is damaged", err);
    if (marked) {
        const char *wrong = check_cells(&d->m->schema->columns[column], c, b.n);
        if (wrong != NULL) return damaged(d, c, block, wrong, err);
    }
    c->block = block;
    return FW_OK;
}

/* ---- reading ---- */

/* Rows [from, from + n) of the cached block -> rows [at, at + n) of cells. */
static fw_status copy_rows(const stored *c, const fw_column *column, size_t from, fw_block *block, size_t index, size_t at, size_t n, fw_error *err)
{
    fw_cells *to = &block->cells[index];
    const char *source = c->cells + from * c->cell_bytes;
    memcpy(to->missing + at, c->missing_of + from, n);
    switch (column->type) {
    case FW_NUMBER: memcpy(to->number + at, source, n * c->cell_bytes); break;
    case FW_CATEGORY: memcpy(to->code + at, source, n * c->cell_bytes); break;
    case FW_TIME: memcpy(to->time_us + at, source, n * c->cell_bytes); break;
    case FW_IMAGE: memcpy(to->pixels + at * c->cell_bytes, source, n * c->cell_bytes); break;
    case FW_TEXT:
        for (size_t i = 0; i < n; i++) {
            uint64_t first = c->offset_of[from + i] - c->offset_of[0];
            size_t len = (size_t)(c->offset_of[from + i + 1] - c->offset_of[from + i]);
            FW_TRY(fw_block_set_text(block, index, at + i, c->cells + first, len, err));
        }
        break;
    }
    return FW_OK;
}

static fw_status leave_missing(const fw_column *column, fw_block *block, size_t index, size_t n, fw_error *err)
{
    fw_cells *to = &block->cells[index];
    memset(to->missing, 1, n);
    switch (column->type) {
    case FW_NUMBER: memset(to->number, 0, n * sizeof *to->number); break;
    case FW_CATEGORY:
        for (size_t i = 0; i < n; i++) to->code[i] = FW_CODE_MISSING;
        break;
    case FW_TIME: memset(to->time_us, 0, n * sizeof *to->time_us); break;
    case FW_IMAGE: memset(to->pixels, 0, n * fw_column_cell_bytes(column)); break;
    case FW_TEXT:
        for (size_t i = 0; i < n; i++) FW_TRY(fw_block_set_text(block, index, i, "", 0, err));
        break;
    }
    return FW_OK;
}

/* Walks the blocks that rows [first, first + n) of a split touch, for one column; the last column is the row numbers. */
static fw_status read_column(fw_dataset *d, size_t index, fw_split s, uint64_t first, size_t n, fw_block *block, fw_error *err)
{
    const fw_layout *l = &d->m->layout;
    for (size_t at = 0; at < n;) {
        size_t from = (size_t)((first + at) % l->block_rows);
        size_t some = FW_MIN(n - at, l->block_rows - from);
        FW_TRY(load(d, index, fw_layout_block_at(l, s, first + at), err));
        if (index == d->m->schema->n_columns) memcpy(block->row + at, d->columns[index].cells + from * sizeof *block->row, some * sizeof *block->row);
        else FW_TRY(copy_rows(&d->columns[index], &d->m->schema->columns[index], from, block, index, at, some, err));
        at += some;
    }
    return FW_OK;
}

fw_status fw_dataset_read(fw_dataset *d, fw_split s, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err)
{
    size_t n_columns = d->m->schema->n_columns;
    uint64_t rows = d->m->layout.rows[s];
    if (first > rows || n > rows - first || n > block->capacity || block->schema->n_columns != n_columns)
        return fw_fail(err, FW_ERR_ARG, "dataset '%s': rows [%llu, +%zu) of the %s split (%llu rows) into a block of %zu", d->path,
                       (unsigned long long)first, n, fw_split_name(s), (unsigned long long)rows, block->capacity);
    fw_block_clear(block);
    for (size_t i = 0; i < n_columns; i++) {
        if (wanted == NULL || wanted[i]) FW_TRY(read_column(d, i, s, first, n, block, err));
        else FW_TRY(leave_missing(&d->m->schema->columns[i], block, i, n, err));
    }
    FW_TRY(read_column(d, n_columns, s, first, n, block, err));
    block->n_rows = n;
    return FW_OK;
}

fw_status fw_dataset_verify_blocks(fw_dataset *d, uint64_t first, uint64_t step, fw_error *err)
{
    for (uint64_t b = first; b < d->n_blocks; b += step)
        for (size_t i = 0; i <= d->m->schema->n_columns; i++) FW_TRY(load(d, i, b, err));
    return FW_OK;
}

fw_status fw_dataset_verify(fw_dataset *d, fw_error *err) { return fw_dataset_verify_blocks(d, 0, 1, err); }
