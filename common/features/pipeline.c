#include "common/features/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/features/transforms.h"

fw_status fw_pipeline_create(fw_pipeline **out, const fw_schema *schema, fw_error *err)
{
    FW_AUTO(fw_pipeline) *p = calloc(1, sizeof *p);
    if (p == NULL || (p->inputs = calloc(schema->n_columns + 1, sizeof *p->inputs)) == NULL ||
        (p->wanted = calloc(schema->n_columns + 1, sizeof *p->wanted)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "features: %zu columns", schema->n_columns);
    FW_TRY(fw_schema_copy(&p->schema, schema, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

void fw_pipeline_destroy(fw_pipeline **p)
{
    if (*p == NULL) return;
    for (size_t i = 0; i < (*p)->n_inputs; i++) (*p)->inputs[i].kind->destroy((*p)->inputs[i].self);
    fw_schema_destroy(&(*p)->schema);
    free((*p)->inputs);
    free((*p)->wanted);
    free(*p);
    *p = NULL;
}

fw_status fw_pipeline_number_features(fw_pipeline *p, fw_error *err)
{
    size_t width = 0;
    for (size_t i = 0; i < p->n_inputs; i++) {
        fw_input *in = &p->inputs[i];
        in->first = width;
        in->width = in->kind->width(in->self);
        FW_TRY(fw_size_add(&width, width, in->width, "features", err));
    }
    if (width == 0) return fw_fail(err, FW_ERR_DATA, "features: no feature is left after fitting");
    p->width = width;
    return FW_OK;
}

size_t fw_pipeline_width(const fw_pipeline *p)
{
    return p->width;
}

bool fw_pipeline_is_bytes(const fw_pipeline *p)
{
    for (size_t i = 0; i < p->n_inputs; i++)
        if (p->inputs[i].kind->bytes == NULL || !p->inputs[i].kind->bytes(p->inputs[i].self)) return false;
    return p->n_inputs > 0;
}

const bool *fw_pipeline_wanted(const fw_pipeline *p)
{
    return p->wanted;
}

size_t fw_pipeline_n_inputs(const fw_pipeline *p)
{
    return p->n_inputs;
}

const char *fw_pipeline_input_name(const fw_pipeline *p, size_t i)
{
    return p->schema->columns[p->inputs[i].column].name;
}

fw_status fw_pipeline_feature_name(fw_text *out, const fw_pipeline *p, size_t feature)
{
    for (size_t i = 0; i < p->n_inputs; i++) {
        const fw_input *in = &p->inputs[i];
        if (feature < in->first || feature - in->first >= in->width) continue;
        in->kind->feature_name(out, in->self, &p->schema->columns[in->column], feature - in->first);
        return fw_text_check(out, NULL);
    }
    return FW_ERR_ARG;
}

static fw_status column_fits(const fw_column *planned, const fw_column *given, fw_error *err)
{
    bool fits = planned->type == given->type && planned->height == given->height && planned->width == given->width && planned->channels == given->channels;
    if (fits && planned->type == FW_CATEGORY) fits = given->dict != NULL && fw_dict_size(given->dict) == fw_dict_size(planned->dict);
    return fits ? FW_OK : fw_fail(err, FW_ERR_DATA, "column %s: type, size or dictionary is not the one of the training data", planned->name);
}

static fw_status block_fits(const fw_pipeline *p, const fw_block *block, size_t first, size_t n, size_t ld, fw_error *err)
{
    if (p->width == 0) return fw_fail(err, FW_ERR_ARG, "features: not fitted yet");
    if (first > block->n_rows || n > block->n_rows - first || ld < p->width)
        return fw_fail(err, FW_ERR_ARG, "features: rows %zu to %zu of %zu into lines of %zu numbers, %zu needed", first, first + n, block->n_rows, ld, p->width);
    if (block->schema->n_columns < p->schema->n_columns)          /* more may stand behind: a row's id */
        return fw_fail(err, FW_ERR_DATA, "features: %zu columns, the training data had %zu", block->schema->n_columns, p->schema->n_columns);
    for (size_t i = 0; i < p->n_inputs; i++) {
        size_t c = p->inputs[i].column;
        FW_TRY(column_fits(&p->schema->columns[c], &block->schema->columns[c], err));
    }
    return FW_OK;
}

fw_status fw_pipeline_apply(const fw_pipeline *p, const fw_block *block, size_t first, size_t n, float *x, size_t ld,
                            fw_apply_counts *counts, fw_error *err)
{
    FW_TRY(block_fits(p, block, first, n, ld, err));
    fw_apply_counts unused = {0};
    for (size_t at = 0; at < n; at += FW_APPLY_ROWS)
        for (size_t i = 0; i < p->n_inputs; i++) {
            const fw_input *in = &p->inputs[i];
            fw_apply_rows rows = {
                .column = &p->schema->columns[in->column],
                .cells = &block->cells[in->column],
                .row = block->row,
                .first = first + at,
                .n = FW_MIN((size_t)FW_APPLY_ROWS, n - at),
                .ld = ld,
                .x = x + at * ld + in->first,
                .counts = counts != NULL ? &counts[i] : &unused,
            };
            FW_TRY(in->kind->apply(in->self, &rows, err));
        }
    return FW_OK;
}
