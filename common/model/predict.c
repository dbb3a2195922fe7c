#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "common/model/model_parts.h"

#define PIECE_ROWS 256                     /* rows whose features stand in memory together; no bit depends on it */
#define LD_STEP    (FW_ALIGN / sizeof(float))

/* Scratch of one call: features (rows, ld), the network's output (rows, net_out) and what the layers need. */
typedef struct workspace { float *slab, *x, *raw, *scratch; size_t ld, rows; } workspace;

static void workspace_destroy(workspace *w) { free(w->slab); }

static fw_status workspace_make(workspace *w, const fw_model *m, size_t n, int with_features, fw_error *err)
{
    const size_t width = m->net.layers[0].in, net_out = m->net.layers[m->net.n_layers - 1].out;
    w->rows = FW_MIN(n, (size_t)PIECE_ROWS);
    w->ld = (width + LD_STEP - 1) / LD_STEP * LD_STEP;
    const size_t features = with_features ? w->rows * w->ld : 0, raw = (w->rows * net_out + LD_STEP - 1) / LD_STEP * LD_STEP;
    FW_TRY(fw_alloc_zeroed((void **)&w->slab, features + raw + fw_dense_scratch(&m->net, w->rows), sizeof(float), "prediction", err));
    w->x = w->slab;
    w->raw = w->slab + features;
    w->scratch = w->raw + raw;
    return FW_OK;
}

/* The network's output to what the caller wants; `first` is for the text of an error. */
static fw_status finish(const fw_model *m, const float *raw, size_t first, size_t n, float *out, double *out64, fw_error *err)
{
    const size_t net_out = m->net.layers[m->net.n_layers - 1].out;
    for (size_t i = 0; i < n * net_out; i++)
        if (!isfinite(raw[i])) return fw_fail(err, FW_ERR_NUMERIC, "model: the prediction for row %zu is not finite", first + i / net_out);
    for (size_t i = 0; i < n * net_out && out != NULL; i++) {
        if (m->net.link == FW_LINK_SIGMOID) {
            out[2 * i] = 1.0f - raw[i];
            out[2 * i + 1] = raw[i];
        } else {
            out[i] = raw[i];
        }
    }
    for (size_t i = 0; i < n && m->task == FW_TASK_REGRESSION && out64 != NULL; i++) {
        out64[i] = m->target_mean + m->target_scale * (double)raw[i];
        if (!isfinite(out64[i])) return fw_fail(err, FW_ERR_NUMERIC, "model: the prediction for row %zu is not finite", first + i);
    }
    return FW_OK;
}

/* Rows [at, at + n) of the call, from features x. */
static fw_status predict_piece(const fw_model *m, const workspace *w, const float *x, size_t ld, size_t at, size_t n, float *out, double *out64,
                               fw_error *err)
{
    fw_dense_predict(&m->net, m->params, x, ld, n, w->raw, w->scratch);
    return finish(m, w->raw, at, n, out != NULL ? out + at * fw_model_n_out(m) : NULL, out64 != NULL ? out64 + at : NULL, err);
}

fw_status fw_model_predict_features(const fw_model *m, const float *x, size_t ld, size_t n, float *out, double *out64, fw_error *err)
{
    __attribute__((cleanup(workspace_destroy))) workspace w = {0};
    FW_TRY(workspace_make(&w, m, n, 0, err));
    for (size_t at = 0; at < n; at += PIECE_ROWS)
        FW_TRY(predict_piece(m, &w, x + at * ld, ld, at, FW_MIN(n - at, (size_t)PIECE_ROWS), out, out64, err));
    return FW_OK;
}

fw_status fw_model_predict(const fw_model *m, const fw_block *block, size_t first, size_t n, float *out, double *out64,
                           fw_apply_counts *counts, fw_error *err)
{
    if (first > block->n_rows || n > block->n_rows - first)
        return fw_fail(err, FW_ERR_ARG, "model: rows [%zu, %zu + %zu) of a block of %zu", first, first, n, block->n_rows);
    __attribute__((cleanup(workspace_destroy))) workspace w = {0};
    FW_TRY(workspace_make(&w, m, n, 1, err));
    for (size_t at = 0; at < n; at += PIECE_ROWS) {
        const size_t rows = FW_MIN(n - at, (size_t)PIECE_ROWS);
        FW_TRY(fw_pipeline_apply(m->pipeline, block, first + at, rows, w.x, w.ld, counts, err));
        FW_TRY(predict_piece(m, &w, w.x, w.ld, at, rows, out, out64, err));
    }
    return FW_OK;
}

fw_status fw_model_sample_outputs(const fw_model *m, float *expected, fw_error *err)
{
    return fw_model_predict(m, m->samples, 0, m->samples->n_rows, expected, NULL, NULL, err);
}
