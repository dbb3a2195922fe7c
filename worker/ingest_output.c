#include "worker/ingest_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/data/h5.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "cells are written as they stand in memory, and the file is little endian"
#endif

void ingest_output_destroy(ingest_output **o)
{
    if (*o == NULL) return;
    ingest_streams_destroy(&(*o)->streams);
    free((*o)->values);
    free(*o);
    *o = NULL;
}

/* ---- the empty file: rank 0 ---- */

/* A dataset with space for its cells, and where that begins. */
static fw_status make(uint64_t *place, hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, fw_error *err)
{
    hid_t dataset = -1;
    FW_TRY(fw_h5_make(&dataset, file, name, type, rank, dims, err));
    fw_status s = fw_h5_place(place, dataset, name, err);
    fw_h5_dataset_close(&dataset);
    return s;
}

/* All columns of a type that is stored together; each is a line. */
static fw_status make_together(ingest_output *o, const ingest *g, hid_t file, fw_column_type type, fw_error *err)
{
    uint64_t place = 0;
    size_t cell = 0;
    hsize_t dims[2] = {0, fw_layout_total(&g->layout)};
    for (size_t i = 0; i < g->n_stored; i++) dims[0] += g->schema->columns[i].type == type;
    if (dims[0] == 0) return FW_OK;
    FW_TRY(make(&place, file, fw_layout_table(type), fw_h5_cell_type(type), 2, dims, err));
    for (size_t i = 0; i < g->n_stored; i++) {
        if (g->schema->columns[i].type != type) continue;
        cell = fw_column_cell_bytes(&g->schema->columns[i]);
        o->values[i] = place;
        place += dims[1] * cell;
    }
    return FW_OK;
}

/* A column of pictures or texts. */
static fw_status make_alone(ingest_output *o, const ingest *g, hid_t file, size_t i, fw_error *err)
{
    const fw_column *c = &g->schema->columns[i];
    if (fw_layout_table(c->type) != NULL) return FW_OK;
    bool text = c->type == FW_TEXT;
    hsize_t rows = fw_layout_total(&g->layout), offsets = rows + 1;
    hsize_t dims[4] = {text ? g->stats[i].text_bytes : rows, c->height, c->width, c->channels};
    char name[64];
    snprintf(name, sizeof name, "columns/%zu", i);
    FW_TRY(fw_h5_group(file, name, err));
    snprintf(name, sizeof name, "columns/%zu/values", i);
    FW_TRY(make(&o->values[i], file, name, fw_h5_cell_type(c->type), text ? 1 : 4, dims, err));
    snprintf(name, sizeof name, "columns/%zu/offsets", i);
    return text ? make(&o->offsets[i], file, name, H5T_NATIVE_UINT64, 1, &offsets, err) : FW_OK;
}

static fw_status make_datasets(ingest_output *o, const ingest *g, hid_t file, fw_error *err)
{
    hsize_t rows = fw_layout_total(&g->layout), marks[2] = {g->n_stored, rows}, sums[2] = {g->n_stored + 1, fw_layout_n_blocks(&g->layout)};
    FW_TRY(fw_h5_group(file, "columns", err));
    for (fw_column_type t = FW_NUMBER; t <= FW_IMAGE; t++)
        if (fw_layout_table(t) != NULL) FW_TRY(make_together(o, g, file, t, err));
    for (size_t i = 0; i < g->n_stored; i++) FW_TRY(make_alone(o, g, file, i, err));
    FW_TRY(make(&o->missing[0], file, "missing", H5T_NATIVE_UINT8, 2, marks, err));
    for (size_t i = 1; i < g->n_stored; i++) o->missing[i] = o->missing[0] + i * rows;
    FW_TRY(make(&o->row, file, "row", H5T_NATIVE_UINT64, 1, &rows, err));
    return make(&o->checksums, file, "checksums", H5T_NATIVE_UINT64, 2, sums, err);
}

/* The space for the cells. The manifest comes behind them, when all is known. */
static fw_status make_file(ingest_output *o, const ingest *g, fw_error *err)
{
    if (g->reduce->rank != 0) return FW_OK;
    hid_t file = -1;
    FW_TRY(fw_h5_create(&file, g->temp, MPI_COMM_NULL, err));
    fw_status s = make_datasets(o, g, file, err), closed = fw_h5_close(&file, s == FW_OK ? err : NULL);
    return s != FW_OK ? s : closed;
}

/* ---- on all ranks ---- */

static fw_status allocate(ingest_output **out, const ingest *g, fw_error *err)
{
    ingest_output *o = calloc(1, sizeof *o);
    size_t n = g->n_stored;
    if (o == NULL || (o->values = calloc(3 * n + 2, sizeof *o->values)) == NULL) {
        free(o);
        return fw_fail(err, FW_ERR_NOMEM, "%zu columns", n);
    }
    o->n_stored = n;
    o->missing = o->values + n;
    o->offsets = o->missing + n;
    *out = o;
    return FW_OK;
}

/* Rank 0's places, at every rank. */
static fw_status share_places(ingest_output *o, const ingest *g, fw_error *err)
{
    size_t n = 3 * g->n_stored + 2;
    FW_FREE char *bytes = NULL;
    FW_FREE size_t *offset = calloc((size_t)g->reduce->size + 1, sizeof *offset);
    FW_TRY(ingest_agree(g, offset == NULL ? fw_fail(err, FW_ERR_NOMEM, "places") : FW_OK, err));
    o->values[n - 2] = o->row;
    o->values[n - 1] = o->checksums;
    FW_TRY(g->reduce->gather_all(g->reduce->context, o->values, g->reduce->rank == 0 ? n * sizeof *o->values : 0, &bytes, offset, err));
    memcpy(o->values, bytes, n * sizeof *o->values);
    o->row = o->values[n - 2];
    o->checksums = o->values[n - 1];
    return FW_OK;
}

static size_t n_written(const ingest *g)
{
    size_t n = g->n_stored + 1;
    for (size_t i = 0; i < g->n_stored; i++) n += (size_t)(g->stats[i].missing > 0) + (size_t)(g->schema->columns[i].type == FW_TEXT);
    return n;
}

fw_status ingest_output_create(ingest_output **out, const ingest *g, fw_error *err)
{
    FW_AUTO(ingest_output) *o = NULL;
    FW_TRY(ingest_agree(g, allocate(&o, g, err), err));
    FW_TRY(ingest_agree(g, make_file(o, g, err), err));
    FW_TRY(share_places(o, g, err));
    FW_TRY(ingest_agree(g, ingest_streams_create(&o->streams, g->temp, 3 * g->n_stored + 1, n_written(g), err), err));
    *out = o;
    o = NULL;
    return FW_OK;
}
