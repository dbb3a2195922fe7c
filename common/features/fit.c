/* Fitting: stage after stage until no transform wants to know more. */
#include <stdlib.h>

#include "common/core/size.h"
#include "common/features/transforms.h"

#define DEFAULT_BLOCK_ROWS 4096u

typedef struct fitting {
    fw_pipeline *p;
    const fw_rows *rows;
    const fw_reduce *reduce;
    fw_block *block;
    uint64_t first, end;               /* this rank's rows */
} fitting;

static fw_status ask(fitting *f, fw_stage **stage, fw_error *err)
{
    FW_AUTO(fw_stage) *s = NULL;
    FW_TRY(fw_stage_create(&s, err));
    for (size_t i = 0; i < f->p->n_inputs; i++) {
        const fw_input *in = &f->p->inputs[i];
        FW_TRY(in->kind->want(in->self, &f->p->schema->columns[in->column], s, err));
    }
    if (!fw_stage_empty(s)) FW_TRY(fw_stage_begin(s, err));
    *stage = s;
    s = NULL;
    return FW_OK;
}

static fw_status observe_rows(fitting *f, fw_stage *stage, fw_error *err)
{
    for (uint64_t at = f->first; at < f->end; at += f->block->capacity) {
        size_t n = (size_t)FW_MIN((uint64_t)f->block->capacity, f->end - at);
        FW_TRY(f->rows->read(f->rows->context, at, n, f->p->wanted, f->block, err));
        if (f->block->n_rows != n) return fw_fail(err, FW_ERR_INTERNAL, "features: %zu rows read instead of %zu", f->block->n_rows, n);
        for (size_t i = 0; i < f->p->n_inputs; i++) {
            const fw_input *in = &f->p->inputs[i];
            const fw_column *column = &f->p->schema->columns[in->column];
            fw_status s = in->kind->observe(in->self, column, &f->block->cells[in->column], n, stage, err);
            if (s < 0) return fw_wrap(err, s, "column %s, training rows %llu to %llu", column->name, (unsigned long long)at, (unsigned long long)(at + n - 1));
        }
    }
    return FW_OK;
}

static fw_status answer(fitting *f, const fw_stage *stage, fw_error *err)
{
    for (size_t i = 0; i < f->p->n_inputs; i++) {
        const fw_input *in = &f->p->inputs[i];
        FW_TRY(in->kind->answer(in->self, &f->p->schema->columns[in->column], stage, f->rows->n_rows, err));
    }
    return FW_OK;
}

/* Collective: every rank goes through the same calls; what can fail on one rank alone is agreed upon before the next of them. */
static fw_status run_stages(fitting *f, fw_error *err)
{
    const fw_reduce *r = f->reduce;
    for (;;) {
        FW_AUTO(fw_stage) *stage = NULL;
        FW_TRY(r->agree(r->context, ask(f, &stage, err), err));
        if (fw_stage_empty(stage)) return FW_OK;
        do {
            FW_TRY(r->agree(r->context, observe_rows(f, stage, err), err));
            FW_TRY(fw_stage_end_pass(stage, r, err));
        } while (fw_stage_pending(stage));
        FW_TRY(r->agree(r->context, answer(f, stage, err), err));
    }
}

static fw_status same_columns(const fw_schema *a, const fw_schema *b, fw_error *err)
{
    bool same = a->n_columns == b->n_columns;
    for (size_t i = 0; same && i < a->n_columns; i++)
        same = a->columns[i].type == b->columns[i].type && fw_text_equal(a->columns[i].name, b->columns[i].name);
    return same ? FW_OK : fw_fail(err, FW_ERR_ARG, "features: the rows are of another schema than the plan");
}

static fw_status prepare(fitting *f, const fw_schema *schema, fw_error *err)
{
    if (f->p->width > 0) return fw_fail(err, FW_ERR_ARG, "features: fitted already");
    FW_TRY(same_columns(f->p->schema, schema, err));
    if (f->rows->n_rows == 0) return fw_fail(err, FW_ERR_DATA, "features: the training split has no rows; check data.split");
    return fw_block_create(&f->block, schema, f->rows->block_rows > 0 ? f->rows->block_rows : DEFAULT_BLOCK_ROWS, err);
}

fw_status fw_pipeline_fit(fw_pipeline *p, const fw_schema *schema, const fw_rows *rows, const fw_reduce *reduce, fw_error *err)
{
    const unsigned __int128 n = rows->n_rows;
    const unsigned rank = (unsigned)reduce->rank, size = (unsigned)reduce->size;
    fitting f = {.p = p, .rows = rows, .reduce = reduce, .first = (uint64_t)(n * rank / size), .end = (uint64_t)(n * (rank + 1) / size)};
    fw_status status = reduce->agree(reduce->context, prepare(&f, schema, err), err);
    if (status >= 0) status = run_stages(&f, err);
    fw_block_destroy(&f.block);
    FW_TRY(status);
    return reduce->agree(reduce->context, fw_pipeline_number_features(p, err), err);
}
