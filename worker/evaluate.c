#include "worker/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "worker/view.h"

#define PART_ROWS  4096                       /* rows a rank does between two gatherings, */
#define PART_BYTES ((size_t)8 << 20)          /* fewer when their predictions would be more than this: a part goes to the coordinator in one message */

/* What a rank sends for its rows of a part: count, then the arrays one behind the other; what the task does not have is NULL. */
typedef struct bundle {
    const fw_model *m;
    size_t n_out, part_rows;
    char *bytes;
    uint64_t *n, *row;
    double *value, *truth;
    float *p;
    int32_t *label;
} bundle;

static size_t bundle_bytes(size_t rows, size_t n_out, bool regression)
{
    return sizeof(uint64_t) + rows * (sizeof(uint64_t) + (regression ? 2 * sizeof(double) : n_out * sizeof(float) + sizeof(int32_t)));
}

/* Places the arrays of `rows` rows inside bytes. */
static void bundle_lay(bundle *b, char *bytes, size_t rows)
{
    char *at = bytes + sizeof(uint64_t);
    b->n = (uint64_t *)(void *)bytes;
    b->row = (uint64_t *)(void *)at;
    at += rows * sizeof(uint64_t);
    if (b->m->task == FW_TASK_REGRESSION) {
        b->value = (double *)(void *)at;
        b->truth = b->value + rows;
    } else {
        b->p = (float *)(void *)at;
        b->label = (int32_t *)(void *)(b->p + rows * b->n_out);
    }
}

static fw_status take_labels(const bundle *b, const fw_block *block, fw_error *err)
{
    const fw_cells *target = &block->cells[b->m->schema->target];
    for (size_t i = 0; i < block->n_rows; i++) {
        if (target->missing[i])
            return fw_fail(err, FW_ERR_DATA, "row %llu: the target is missing", (unsigned long long)block->row[i]);
        if (b->m->task == FW_TASK_REGRESSION) b->truth[i] = target->number[i];
        else b->label[i] = target->code[i];
    }
    memcpy(b->row, block->row, block->n_rows * sizeof *b->row);
    return FW_OK;
}

static fw_status predict_rows(bundle *b, worker_view *view, fw_split split, uint64_t first, size_t n, fw_block *block, fw_apply_counts *counts, fw_error *err)
{
    *b->n = 0;
    if (n == 0) return FW_OK;
    FW_TRY(worker_view_read(view, split, first, n, block, err));
    FW_TRY(take_labels(b, block, err));
    FW_TRY(fw_model_predict(b->m, block, 0, n, b->p, b->value, counts, err));
    *b->n = n;
    return FW_OK;
}

static fw_status hand_out(const fw_model *m, size_t n_out, char *all, const size_t *offset, int size, worker_part_take take, void *context, fw_error *err)
{
    for (int r = 0; r < size; r++) {
        bundle b = {.m = m, .n_out = n_out};
        uint64_t n = 0;
        memcpy(&n, all + offset[r], sizeof n);
        bundle_lay(&b, all + offset[r], (size_t)n);
        worker_part part = {(size_t)n, b.p, b.value, b.truth, b.label, b.row};
        if (n > 0) FW_TRY(take(context, &part, err));
    }
    return FW_OK;
}

/* Rows of a part go to the ranks in turn: [at + r * part_rows, ...), so that gathering in rank order is row order. */
static fw_status one_part(worker_group *g, bundle *b, worker_view *view, fw_split split, uint64_t at, uint64_t rows, fw_block *block, fw_apply_counts *counts,
                          worker_part_take take, void *context, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    const uint64_t first = FW_MIN(at + (uint64_t)worker_group_rank(g) * b->part_rows, rows);
    const size_t n = (size_t)FW_MIN((uint64_t)b->part_rows, rows - first);
    const bool regression = b->m->task == FW_TASK_REGRESSION;
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = NULL;
    fw_status s = fw_alloc_zeroed((void **)&offset, (size_t)worker_group_size(g) + 1, sizeof *offset, "offsets", err);
    bundle_lay(b, b->bytes, n);
    if (s == FW_OK) s = fw_fault("evaluate.part", err);
    if (s == FW_OK) s = predict_rows(b, view, split, first, n, block, counts, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(worker_group_gather(g, b->bytes, (bundle_bytes(n, b->n_out, regression) + 7) / 8 * 8, &all, offset, err));
    if (worker_group_rank(g) == 0) s = hand_out(b->m, b->n_out, all, offset, worker_group_size(g), take, context, err);
    return reduce->agree(reduce->context, s, err);
}

static fw_status all_parts(worker_group *g, const fw_model *m, worker_view *view, fw_split split, uint64_t rows, worker_part_take take, void *context,
                           fw_apply_counts *counts, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    FW_AUTO(fw_block) *block = NULL;
    FW_FREE char *bytes = NULL;
    bundle b = {.m = m, .n_out = fw_model_n_out(m)};
    b.part_rows = FW_MAX(FW_MIN((size_t)PART_ROWS, PART_BYTES / (FW_MAX(b.n_out, (size_t)1) * sizeof(float))), (size_t)1);
    fw_status s = fw_block_create(&block, m->schema, b.part_rows, err);
    if (s == FW_OK) s = fw_alloc_zeroed((void **)&bytes, bundle_bytes(b.part_rows, b.n_out, m->task == FW_TASK_REGRESSION) + 8, 1, "predictions", err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    b.bytes = bytes;
    for (uint64_t at = 0; at < rows; at += (uint64_t)worker_group_size(g) * b.part_rows)
        FW_TRY(one_part(g, &b, view, split, at, rows, block, counts, take, context, err));
    return FW_OK;
}

fw_status worker_evaluate(worker_group *g, const fw_model *m, const char *dataset, fw_split split, worker_part_take take, void *context,
                          fw_apply_counts *total, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    FW_AUTO(fw_dataset) *d = NULL;
    FW_AUTO(worker_view) *view = NULL;
    FW_FREE fw_apply_counts *counts = NULL;
    const size_t n_inputs = fw_pipeline_n_inputs(m->pipeline);
    fw_status s = fw_dataset_open(&d, dataset, err);
    if (s == FW_OK) s = worker_view_create(&view, m, d, true, err);
    if (s == FW_OK && fw_dataset_rows(d, split) == 0)
        s = fw_fail(err, FW_ERR_DATA, "%s: the %s split is empty; give data.split.%s a share", dataset, fw_split_name(split), fw_split_name(split));
    if (s == FW_OK) s = fw_alloc_zeroed((void **)&counts, n_inputs + 1, sizeof *counts, "counts", err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(all_parts(g, m, view, split, fw_dataset_rows(d, split), take, context, counts, err));
    int64_t sum[2] = {0, 0};
    for (size_t i = 0; i < n_inputs; i++) {
        sum[0] += (int64_t)counts[i].missing;
        sum[1] += (int64_t)counts[i].unseen;
    }
    FW_TRY(reduce->sum_i64(reduce->context, sum, 2, err));
    *total = (fw_apply_counts){(uint64_t)sum[0], (uint64_t)sum[1]};
    return FW_OK;
}
