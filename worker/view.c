#include "worker/view.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

struct worker_view {
    const fw_model *model;
    fw_dataset *dataset;
    const fw_schema *theirs;
    bool with_target;
    bool *wanted;                  /* theirs->n_columns */
    int *column_of;                /* model's columns -> theirs; -1: not needed */
    int32_t **code_of;             /* model's columns: their code -> the model's; NULL: the same */
    fw_block *raw;
};

static bool same_dict(const fw_dict *a, const fw_dict *b)
{
    if (fw_dict_size(a) != fw_dict_size(b)) return false;
    for (size_t i = 0; i < fw_dict_size(a); i++)
        if (strcmp(fw_dict_text(a, (int32_t)i, NULL), fw_dict_text(b, (int32_t)i, NULL)) != 0) return false;
    return true;
}

static fw_status map_codes(worker_view *v, size_t i, const fw_column *ours, const fw_column *theirs, fw_error *err)
{
    if (ours->type != FW_CATEGORY || same_dict(ours->dict, theirs->dict)) return FW_OK;
    const size_t n = fw_dict_size(theirs->dict);
    FW_TRY(fw_alloc_zeroed((void **)&v->code_of[i], n + 1, sizeof **v->code_of, "codes", err));
    for (size_t c = 0; c < n; c++) {
        size_t len = 0;
        const char *text = fw_dict_text(theirs->dict, (int32_t)c, &len);
        int32_t code = fw_dict_find(ours->dict, text, len);
        if (code < 0 && v->with_target && (int)i == v->model->schema->target)
            return fw_fail(err, FW_ERR_DATA, "target %s: the class \"%s\" was not there in training; the model can't be judged on it (exclude it by data.labels, or train again)",
                           ours->name, text);
        v->code_of[i][c] = code >= 0 ? code : FW_CODE_UNSEEN;
    }
    return FW_OK;
}

static fw_status map_column(worker_view *v, size_t i, fw_error *err)
{
    const fw_column *ours = &v->model->schema->columns[i];
    int at = fw_schema_find(v->theirs, ours->name);
    if (at < 0) return fw_fail(err, FW_ERR_DATA, "column %s, which the model needs, is not in the dataset", ours->name);
    const fw_column *theirs = &v->theirs->columns[at];
    if (theirs->type != ours->type || fw_column_cell_bytes(theirs) != fw_column_cell_bytes(ours))
        return fw_fail(err, FW_ERR_DATA, "column %s: the model was trained on a %s, the dataset holds a %s", ours->name, fw_column_type_name(ours->type),
                       fw_column_type_name(theirs->type));
    v->column_of[i] = at;
    v->wanted[at] = true;
    return map_codes(v, i, ours, theirs, err);
}

fw_status worker_view_create(worker_view **out, const fw_model *m, fw_dataset *d, bool with_target, fw_error *err)
{
    FW_AUTO(worker_view) *v = calloc(1, sizeof *v);
    if (v == NULL) return fw_fail(err, FW_ERR_NOMEM, "view");
    v->model = m;
    v->dataset = d;
    v->theirs = fw_dataset_schema(d);
    v->with_target = with_target;
    const bool *needed = fw_pipeline_wanted(m->pipeline);
    FW_TRY(fw_alloc_zeroed((void **)&v->wanted, v->theirs->n_columns, sizeof *v->wanted, "columns", err));
    FW_TRY(fw_alloc_zeroed((void **)&v->column_of, m->schema->n_columns, sizeof *v->column_of, "columns", err));
    FW_TRY(fw_alloc_zeroed((void **)&v->code_of, m->schema->n_columns, sizeof *v->code_of, "columns", err));
    for (size_t i = 0; i < m->schema->n_columns; i++) {
        v->column_of[i] = -1;
        if (needed[i] || (with_target && (int)i == m->schema->target)) FW_TRY(map_column(v, i, err));
    }
    *out = v;
    v = NULL;
    return FW_OK;
}

void worker_view_destroy(worker_view **view)
{
    worker_view *v = *view;
    if (v == NULL) return;
    for (size_t i = 0; v->code_of != NULL && i < v->model->schema->n_columns; i++) free(v->code_of[i]);
    free(v->code_of);
    free(v->column_of);
    free(v->wanted);
    fw_block_destroy(&v->raw);
    free(v);
    *view = NULL;
}

static void copy_cells(const worker_view *v, size_t i, fw_block *block)
{
    const fw_column *c = &v->model->schema->columns[i];
    const fw_cells *from = &v->raw->cells[v->column_of[i]];
    fw_cells *to = &block->cells[i];
    const size_t n = v->raw->n_rows;
    memcpy(to->missing, from->missing, n);
    switch (c->type) {
    case FW_NUMBER:
        memcpy(to->number, from->number, n * sizeof *to->number);
        break;
    case FW_TIME:
        memcpy(to->time_us, from->time_us, n * sizeof *to->time_us);
        break;
    case FW_IMAGE:
        memcpy(to->pixels, from->pixels, n * fw_column_cell_bytes(c));
        break;
    case FW_CATEGORY:
        for (size_t k = 0; k < n; k++)
            to->code[k] = v->code_of[i] == NULL || from->code[k] < 0 ? from->code[k] : v->code_of[i][from->code[k]];
        break;
    case FW_TEXT:
        break;                                     /* no transform reads text */
    }
}

fw_status worker_view_read(worker_view *v, fw_split split, uint64_t first, size_t n, fw_block *block, fw_error *err)
{
    if (v->raw == NULL || v->raw->capacity < n) {
        fw_block_destroy(&v->raw);
        FW_TRY(fw_block_create(&v->raw, v->theirs, n, err));
    }
    FW_TRY(fw_dataset_read(v->dataset, split, first, n, v->wanted, v->raw, err));
    fw_block_clear(block);
    for (size_t i = 0; i < v->model->schema->n_columns; i++) {
        if (v->column_of[i] >= 0) copy_cells(v, i, block);
        else memset(block->cells[i].missing, 1, n);
    }
    memcpy(block->row, v->raw->row, n * sizeof *block->row);
    block->n_rows = n;
    return FW_OK;
}
