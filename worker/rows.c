#include "worker/rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "worker/kernels/bytes.h"

#define READ_ROWS 4096
#define LINE      64               /* a row of bytes begins at a multiple of it */
#define MADE_ROWS 64               /* features of so many are made before they are put away as bytes: they stay in the second-level cache */

/* ---- where they come from ----------------------------------------------------------------------------------------------------------- */

/* Rows of the split that stand in a piece of it, run by run. */
static fw_status pick(worker_source *s, uint64_t *at, uint64_t last, uint64_t piece, fw_block *block, fw_error *err)
{
    const uint64_t end = piece + s->passing->n_rows;
    while (*at < last && s->place[*at] < end) {
        const uint64_t from = *at;
        do (*at)++;
        while (*at < last && s->place[*at] < end && s->place[*at] == s->place[*at - 1] + 1);
        FW_TRY(fw_block_append(block, s->passing, (size_t)(s->place[from] - piece), (size_t)(*at - from), err));
    }
    return FW_OK;
}

fw_status worker_source_read(worker_source *s, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err)
{
    if (s->place == NULL) return fw_dataset_read(s->dataset, s->split, first, n, wanted, block, err);
    const uint64_t last = first + n;
    if (s->passing == NULL) FW_TRY(fw_block_create(&s->passing, fw_dataset_schema(s->dataset), READ_ROWS, err));
    fw_block_clear(block);
    for (uint64_t at = first; at < last;) {
        const uint64_t piece = s->place[at], rows = FW_MIN(s->place[last - 1] + 1 - piece, (uint64_t)READ_ROWS);
        worker_tick();
        FW_TRY(fw_dataset_read(s->dataset, s->split, piece, (size_t)rows, wanted, s->passing, err));
        FW_TRY(pick(s, &at, last, piece, block, err));
    }
    return FW_OK;
}

/* ---- where they go ---------------------------------------------------------------------------------------------------------------------- */

static size_t row_floats(size_t width) { return (width + 15) / 16 * 16; }

static size_t row_bytes(size_t width) { return (width + LINE - 1) / LINE * LINE; }

fw_status worker_rows_size(size_t *bytes, uint64_t n, size_t width, bool as_bytes, fw_error *err)
{
    size_t x_bytes = 0, target_bytes = 0, sum = 0;
    FW_TRY(fw_size_mul(&x_bytes, (size_t)n, as_bytes ? row_bytes(width) : row_floats(width) * sizeof(float), "rows in memory", err));
    FW_TRY(fw_size_mul(&target_bytes, (size_t)n + 1, sizeof(double), "targets in memory", err));
    FW_TRY(fw_size_add(&sum, x_bytes, target_bytes, "rows in memory", err));
    FW_TRY(fw_size_add(&sum, sum, FW_ALIGN - 1, "rows in memory", err));
    *bytes = sum / FW_ALIGN * FW_ALIGN;
    return FW_OK;
}

void worker_rows_lay_out(worker_rows *r, void *memory, uint64_t n, size_t width, bool as_bytes)
{
    r->n = n;
    r->ld = row_floats(width);
    r->pitch = row_bytes(width);
    r->x = as_bytes ? NULL : memory;
    r->bytes = as_bytes ? memory : NULL;
    r->truth = (double *)(void *)((char *)memory + (size_t)n * (as_bytes ? r->pitch : r->ld * sizeof *r->x));
    r->label = (int32_t *)(void *)r->truth;
}

/* ---- filling ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status columns_to_read(bool **out, const fw_schema *schema, const fw_pipeline *pipeline, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)out, schema->n_columns, sizeof **out, "columns", err));
    memcpy(*out, fw_pipeline_wanted(pipeline), schema->n_columns * sizeof **out);
    (*out)[schema->target] = true;
    return FW_OK;
}

static fw_status take_targets(worker_rows *rows, const fw_block *block, uint64_t first, const char *name, fw_error *err)
{
    const fw_cells *target = &block->cells[block->schema->target];
    for (size_t i = 0; i < block->n_rows; i++) {
        if (target->missing[i])                    /* ingest leaves such rows out: who wrote this dataset? */
            return fw_fail(err, FW_ERR_DATA, "target %s: row %llu of the tables has none", name, (unsigned long long)block->row[i]);
        if (target->code != NULL) rows->label[first + i] = target->code[i];
        else rows->truth[first + i] = target->number[i];
    }
    return FW_OK;
}

static fw_status fill_floats(worker_rows *rows, uint64_t first, const fw_block *block, const fw_pipeline *pipeline, fw_apply_counts *counts, fw_error *err)
{
    const size_t width = fw_pipeline_width(pipeline);
    for (uint64_t i = first; i < first + block->n_rows; i++) memset(rows->x + i * rows->ld + width, 0, (rows->ld - width) * sizeof *rows->x);
    return fw_pipeline_apply(pipeline, block, 0, block->n_rows, rows->x + first * rows->ld, rows->ld, counts, err);
}

/* By the same transforms: the one path for a row. scratch (MADE_ROWS, ld). */
static fw_status fill_bytes(worker_rows *rows, uint64_t first, const fw_block *block, const fw_pipeline *pipeline, float *scratch, fw_apply_counts *counts,
                            fw_error *err)
{
    const size_t width = fw_pipeline_width(pipeline);
    for (size_t at = 0; at < block->n_rows; at += MADE_ROWS) {
        const size_t n = FW_MIN((size_t)MADE_ROWS, block->n_rows - at);
        FW_TRY(fw_pipeline_apply(pipeline, block, at, n, scratch, rows->ld, counts, err));
        for (size_t i = 0; i < n; i++) {
            uint8_t *to = rows->bytes + (first + at + i) * rows->pitch;
            memset(to + width, 0, rows->pitch - width);
            if (!worker_bytes_of_features(to, scratch + i * rows->ld, width))
                return fw_fail(err, FW_ERR_NUMERIC, "features: row %llu of the tables is not made of bytes / 255", (unsigned long long)block->row[at + i]);
        }
    }
    return FW_OK;
}

/* This rank's blocks of the node's copy. */
static fw_status fill_share(worker_rows *rows, worker_group *g, worker_source *source, const fw_pipeline *pipeline, const char *target,
                            fw_apply_counts *counts, fw_error *err)
{
    const fw_schema *schema = fw_dataset_schema(source->dataset);
    const uint64_t step = READ_ROWS, mine = (uint64_t)worker_group_node_rank(g), all = (uint64_t)worker_group_node_size(g);
    FW_FREE bool *wanted = NULL;
    FW_FREE float *scratch = NULL;
    FW_AUTO(fw_block) *block = NULL;
    if (rows->x == NULL) FW_TRY(fw_alloc_zeroed((void **)&scratch, MADE_ROWS * rows->ld, sizeof *scratch, "features", err));
    FW_TRY(columns_to_read(&wanted, schema, pipeline, err));
    FW_TRY(fw_block_create(&block, schema, READ_ROWS, err));
    FW_TRY(fw_fault("open.rows", err));
    for (uint64_t first = mine * step; first < rows->n; first += all * step) {
        const size_t n = (size_t)FW_MIN(step, rows->n - first);
        worker_tick();
        FW_TRY(worker_source_read(source, first, n, wanted, block, err));
        if (rows->x != NULL) FW_TRY(fill_floats(rows, first, block, pipeline, counts, err));
        else FW_TRY(fill_bytes(rows, first, block, pipeline, scratch, counts, err));
        FW_TRY(take_targets(rows, block, first, target, err));
    }
    return FW_OK;
}

fw_status worker_rows_fill(worker_rows *r, worker_group *g, worker_source *source, const fw_pipeline *pipeline, const char *target, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    const size_t n_inputs = fw_pipeline_n_inputs(pipeline);
    FW_FREE fw_apply_counts *counts = NULL;
    fw_status s = fw_alloc_zeroed((void **)&counts, n_inputs + 1, sizeof *counts, "counts", err);
    if (s == FW_OK) s = fill_share(r, g, source, pipeline, target, counts, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    int64_t total[2] = {0, 0};
    for (size_t i = 0; i < n_inputs; i++) {
        total[0] += (int64_t)counts[i].missing;
        total[1] += (int64_t)counts[i].unseen;
    }
    FW_TRY(reduce->sum_i64(reduce->context, total, 2, err));
    r->missing = (uint64_t)total[0] / (uint64_t)worker_group_nodes(g);
    r->unseen = (uint64_t)total[1] / (uint64_t)worker_group_nodes(g);
    return FW_OK;
}
