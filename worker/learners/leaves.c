#include "worker/learners/leaves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "common/model/elementary.h"
#include "common/model/gemm.h"
#include "worker/kernels/layer.h"
#include "worker/kernels/loss.h"

#define PANEL_FLOATS 8192         /* of dW at a time: they stay in the cache between product and sum, and their sums from leaf to leaf */
#define PANEL_ROWS   12           /* and come in multiples of this, what the products like */
#define TIMED_PANEL  13           /* one panel in so many is timed */
#define LOSS_MAX     1e9          /* a row's loss above this is as good as infinite, */
#define LOSS_SUM_MAX 0x1p38       /* and so is one that a whole batch of could not be added up in 64-bit fixed point */

struct worker_leaves {
    const worker_task *task;
    const fw_dense *net;
    size_t leaf_rows, n_leaves, ld;
    double dropout, loss_max;
    uint64_t seed;
    float *x;                                  /* (n_leaves * leaf_rows, ld) */
    float *out[FW_DENSE_MAX_LAYERS];           /* (n_leaves * leaf_rows, out) after activation and dropout */
    float *kept[FW_DENSE_MAX_LAYERS];          /* gelu: before it; tanh with dropout: after it; else NULL */
    float *mask[FW_DENSE_MAX_LAYERS];          /* of dropout; NULL without */
    float *delta, *delta_below;                /* (n_leaves * leaf_rows, widest) */
    float *panel;                              /* (panel_rows of a layer, out) of dW */
    uint64_t *row;                             /* (n_leaves * leaf_rows) row of the training split */
    size_t *n_rows;                            /* (n_leaves) */
    float *loss;                               /* (leaf_rows) of the rows of a leaf, */
    int32_t *label;                            /* (leaf_rows) and their labels */
    size_t panels, floats, floats_timed;       /* of this step: panels of dW, floats that were added, those of them under the clock */
    double add_s;                              /* what these took */
};

static bool is_hidden(const worker_leaves *l, size_t layer) { return layer + 1 < l->net->n_layers; }

static fw_status make_layer(worker_leaves *l, size_t i, size_t rows, fw_error *err)
{
    const fw_dense_layer *layer = &l->net->layers[i];
    size_t n = 0;
    FW_TRY(fw_size_mul(&n, rows, layer->out, "activations", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->out[i], n, sizeof(float), "activations", err));
    if (!is_hidden(l, i)) return FW_OK;
    bool keep = layer->activation == FW_GELU || (layer->activation == FW_TANH && l->dropout > 0.0);
    if (keep) FW_TRY(fw_alloc_zeroed((void **)&l->kept[i], n, sizeof(float), "activations", err));
    if (l->dropout > 0.0) FW_TRY(fw_alloc_zeroed((void **)&l->mask[i], n, sizeof(float), "dropout masks", err));
    return FW_OK;
}

fw_status worker_leaves_create(worker_leaves **out, const worker_task *task, const fw_dense *net, size_t leaf_rows, size_t n_leaves, fw_error *err)
{
    FW_AUTO(worker_leaves) *l = calloc(1, sizeof *l);
    if (l == NULL) return fw_fail(err, FW_ERR_NOMEM, "leaves");
    *l = (worker_leaves){.task = task, .net = net, .leaf_rows = leaf_rows, .n_leaves = n_leaves, .ld = task->train.ld,
                         .dropout = task->project->model.dropout, .seed = task->project->train.seed,
                         .loss_max = FW_MIN(LOSS_MAX, LOSS_SUM_MAX / (double)task->project->train.global_batch_size)};
    size_t rows = 0, n = 0, widest_out = 1;
    FW_TRY(fw_size_mul(&rows, leaf_rows, n_leaves, "rows of a step", err));
    FW_TRY(fw_size_mul(&n, rows, l->ld, "rows of a step", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->x, n, sizeof(float), "rows of a step", err));
    for (size_t i = 0; i < net->n_layers; i++) {
        FW_TRY(make_layer(l, i, rows, err));
        widest_out = FW_MAX(widest_out, net->layers[i].out);
    }
    FW_TRY(fw_size_mul(&n, rows, widest_out, "deltas", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->delta, n, sizeof(float), "deltas", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->delta_below, n, sizeof(float), "deltas", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->panel, FW_MAX((size_t)PANEL_FLOATS, PANEL_ROWS * widest_out), sizeof(float), "a panel", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->row, rows, sizeof *l->row, "row numbers", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->n_rows, n_leaves, sizeof *l->n_rows, "leaf sizes", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->loss, leaf_rows, sizeof *l->loss, "losses", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->label, leaf_rows, sizeof *l->label, "labels", err));
    *out = l;
    l = NULL;
    return FW_OK;
}

void worker_leaves_destroy(worker_leaves **leaves)
{
    worker_leaves *l = *leaves;
    if (l == NULL) return;
    for (size_t i = 0; i < FW_DENSE_MAX_LAYERS; i++) {
        free(l->out[i]);
        free(l->kept[i]);
        free(l->mask[i]);
    }
    free(l->x);
    free(l->delta);
    free(l->delta_below);
    free(l->panel);
    free(l->row);
    free(l->n_rows);
    free(l->loss);
    free(l->label);
    free(l);
    *leaves = NULL;
}

void worker_leaves_load(worker_leaves *l, size_t slot, const uint64_t *row, size_t n)
{
    const size_t first = slot * l->leaf_rows;
    for (size_t i = 0; i < n; i++) {
        memcpy(l->x + (first + i) * l->ld, l->task->train.x + row[i] * l->ld, l->ld * sizeof(float));
        l->row[first + i] = row[i];
    }
    memset(l->x + (first + n) * l->ld, 0, (l->leaf_rows - n) * l->ld * sizeof(float));
    l->n_rows[slot] = n;
}

/* ---- forward ------------------------------------------------------------------------------------------------------------------- */

static void drop_rows(worker_leaves *l, size_t layer, size_t slot, uint32_t epoch)
{
    const size_t width = l->net->layers[layer].out, first = slot * l->leaf_rows;
    for (size_t i = 0; i < l->n_rows[slot]; i++) {
        size_t at = (first + i) * width;
        worker_layer_dropout(l->out[layer] + at, l->mask[layer] + at, width, l->dropout, l->seed, epoch, l->row[first + i], (uint32_t)layer);
    }
}

static void activate(worker_leaves *l, size_t i, size_t count)
{
    float *z = l->out[i];
    switch (l->net->layers[i].activation) {
    case FW_RELU:
        worker_layer_relu(z, count);
        break;
    case FW_TANH:
        fw_vec_tanh(z, z, count);
        if (l->kept[i] != NULL) memcpy(l->kept[i], z, count * sizeof *z);
        break;
    case FW_GELU:
        memcpy(l->kept[i], z, count * sizeof *z);
        fw_vec_gelu(z, z, count);
        break;
    case FW_IDENTITY:
        break;
    }
}

/* All rows at once: what is in a row's product depends on that row alone. */
static void forward(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch)
{
    const size_t rows = n_slots * l->leaf_rows;
    for (size_t i = 0; i < l->net->n_layers; i++) {
        const fw_dense_layer *layer = &l->net->layers[i];
        const float *below = i == 0 ? l->x : l->out[i - 1];
        const size_t ld = i == 0 ? l->ld : layer->in;
        fw_gemm(rows, layer->out, layer->in, below, ld, params + layer->w_at, layer->out, params + layer->b_at, l->out[i], layer->out);
        activate(l, i, rows * layer->out);
        for (size_t s = 0; l->mask[i] != NULL && s < n_slots; s++) drop_rows(l, i, s, epoch);
    }
}

/* ---- loss: delta (rows, n_out) of the last layer's input --------------------------------------------------------------------------- */

static float sigmoid_row(float *delta, float z, int32_t label, float weight)
{
    float y = (float)label, size = z < 0.0f ? -z : z;
    float loss = (z > 0.0f ? z : 0.0f) - z * y + fw_logf(1.0f + fw_expf(-size));
    delta[0] = (fw_sigmoidf(z) - y) * weight;
    return loss * weight;
}

static float square_row(float *delta, float z, double truth, const worker_task *task)
{
    float d = z - (float)((truth - task->target_mean) / task->target_scale);
    delta[0] = d;
    return d * d;
}

/* Loss (leaf_rows) and delta of the rows of a slot. */
static void slot_losses(worker_leaves *l, size_t slot)
{
    const worker_task *t = l->task;
    const size_t k = t->n_out, first = slot * l->leaf_rows, n = l->n_rows[slot];
    const float *z = l->out[l->net->n_layers - 1] + first * k;
    const uint64_t *row = l->row + first;
    float *delta = l->delta + first * k;
    switch (t->link) {
    case FW_LINK_SOFTMAX:
        for (size_t i = 0; i < n; i++) l->label[i] = t->train.label[row[i]];
        worker_loss_softmax(delta, l->loss, z, l->label, t->class_weight, n, k);
        break;
    case FW_LINK_SIGMOID:
        for (size_t i = 0; i < n; i++) l->loss[i] = sigmoid_row(delta + i, z[i], t->train.label[row[i]], t->class_weight[t->train.label[row[i]]]);
        break;
    case FW_LINK_IDENTITY:
        for (size_t i = 0; i < n; i++) l->loss[i] = square_row(delta + i, z[i], t->train.truth[row[i]], t);
        break;
    }
    memset(delta + n * k, 0, (l->leaf_rows - n) * k * sizeof(float));
}

/* False when a loss is not finite. */
static bool losses(worker_leaves *l, size_t n_slots, int64_t *loss_fixed)
{
    bool good = true;
    for (size_t s = 0; s < n_slots; s++) {
        slot_losses(l, s);
        for (size_t i = 0; i < l->n_rows[s]; i++) {
            const double loss = (double)l->loss[i];
            if (loss < l->loss_max) *loss_fixed += (int64_t)rint(loss / WORKER_LOSS_UNIT);
            else good = false;                      /* also NaN */
        }
    }
    return good;
}

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

/* Only after something went wrong: where it began. */
static int first_bad_layer(const worker_leaves *l, size_t n_slots)
{
    for (size_t i = 0; i < l->net->n_layers; i++)
        if (!all_finite(l->out[i], n_slots * l->leaf_rows * l->net->layers[i].out)) return (int)i;
    return (int)l->net->n_layers - 1;
}

/* ---- backward ------------------------------------------------------------------------------------------------------------------- */

/* One panel of one leaf: its product, and into the sums. Each product is one chain over the leaf's rows, whatever the panel. */
static bool add_panel(worker_leaves *l, const fw_dense_layer *layer, const float *below, size_t ld, size_t at, size_t n, size_t slot, worker_sums *sums)
{
    const size_t first = slot * l->leaf_rows, floats = n * layer->out, to = layer->w_at + at * layer->out;
    float *place = worker_sums_place(sums, to), *panel = place != NULL ? place : l->panel;
    fw_gemm_ta(n, layer->out, l->n_rows[slot], below + first * ld + at, ld, l->delta + first * layer->out, layer->out, panel, layer->out);
    l->floats += floats;
    if (l->panels++ % TIMED_PANEL != 0) return worker_sums_add(sums, to, panel, floats);
    fw_mono start = fw_mono_now();
    bool finite = worker_sums_add(sums, to, panel, floats);
    l->add_s += fw_mono_seconds(start, fw_mono_now());
    l->floats_timed += floats;
    return finite;
}

/* dW and db of all leaves: panels of W outside, leaves inside, so that a panel's integers stay in the cache. */
static bool weight_gradient(worker_leaves *l, size_t i, size_t n_slots, worker_sums *sums)
{
    const fw_dense_layer *layer = &l->net->layers[i];
    const float *below = i == 0 ? l->x : l->out[i - 1];
    const size_t ld = i == 0 ? l->ld : layer->in, rows = FW_MAX(PANEL_FLOATS / layer->out / PANEL_ROWS, (size_t)1) * PANEL_ROWS;
    bool finite = true;
    for (size_t at = 0; at < layer->in; at += rows)
        for (size_t s = 0; s < n_slots; s++) finite = add_panel(l, layer, below, ld, at, FW_MIN(rows, layer->in - at), s, sums) && finite;
    for (size_t s = 0; s < n_slots; s++) {
        worker_layer_column_sums(l->panel, l->delta + s * l->leaf_rows * layer->out, l->n_rows[s], layer->out);
        finite = worker_sums_add(sums, layer->b_at, l->panel, layer->out) && finite;
    }
    return finite;
}

/* delta of the layer below: through W, then dropout, then the activation's slope. */
static void delta_below(worker_leaves *l, size_t i, const float *params, size_t n_slots)
{
    const fw_dense_layer *layer = &l->net->layers[i], *lower = &l->net->layers[i - 1];
    const size_t rows = n_slots * l->leaf_rows, count = rows * lower->out;
    float *d = l->delta_below;
    fw_gemm_tb(rows, layer->in, layer->out, l->delta, layer->out, params + layer->w_at, layer->out, d, layer->in);
    if (l->mask[i - 1] != NULL) worker_layer_mask(d, l->mask[i - 1], count);
    switch (lower->activation) {
    case FW_RELU:
        worker_layer_slope_relu(d, l->out[i - 1], count);
        break;
    case FW_TANH:
        worker_layer_slope_tanh(d, l->kept[i - 1] != NULL ? l->kept[i - 1] : l->out[i - 1], count);
        break;
    case FW_GELU:
        worker_layer_slope_gelu(d, l->kept[i - 1], count);
        break;
    case FW_IDENTITY:
        break;
    }
}

static void backward(worker_leaves *l, const float *params, size_t n_slots, worker_sums *sums, worker_leaves_result *result)
{
    l->panels = l->floats = l->floats_timed = 0;
    l->add_s = 0.0;
    for (size_t i = l->net->n_layers; i-- > 0;) {
        bool finite = weight_gradient(l, i, n_slots, sums);
        if (!finite && result->bad_layer < 0) result->bad_layer = (int)i;
        if (i > 0) delta_below(l, i, params, n_slots);
        float *swap = l->delta;
        l->delta = l->delta_below;
        l->delta_below = swap;
    }
}

void worker_leaves_run(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch, worker_sums *sums, worker_leaves_result *result,
                       worker_seconds *seconds)
{
    *result = (worker_leaves_result){.bad_layer = -1};
    if (n_slots == 0) return;
    fw_mono start = fw_mono_now();
    forward(l, params, n_slots, epoch);
    if (!losses(l, n_slots, &result->loss_fixed)) {
        result->bad_loss = true;
        result->bad_layer = first_bad_layer(l, n_slots);
    }
    fw_mono middle = fw_mono_now();
    backward(l, params, n_slots, sums, result);
    const double all = fw_mono_seconds(middle, fw_mono_now()), sum = l->add_s * (double)l->floats / (double)FW_MAX(l->floats_timed, (size_t)1);
    seconds->forward += fw_mono_seconds(start, middle);
    seconds->sum += FW_MIN(sum, all);
    seconds->backward += all - FW_MIN(sum, all);
}
