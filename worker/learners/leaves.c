#include "worker/learners/leaves_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "common/model/elementary.h"
#include "common/model/gemm.h"
#include "worker/kernels/layer.h"
#include "worker/kernels/loss.h"

#define FAR          256          /* rows of so many floats or more, in multiples of this, */
#define FAR_GAP      16           /* are so many floats apart */
#define LOSS_MAX     1e9          /* a row's loss above this is as good as infinite, */
#define LOSS_SUM_MAX 0x1p38       /* and so is one that a whole batch of could not be added up in 64-bit fixed point */

static bool is_hidden(const worker_leaves *l, size_t layer) { return layer + 1 < l->net->n_layers; }

static size_t pitch_of(size_t width) { return width >= FAR && width % FAR == 0 ? width + FAR_GAP : width; }

/* What this rank alone needs. */
static fw_status make_layer(worker_leaves *l, size_t i, size_t rows, fw_error *err)
{
    const fw_dense_layer *layer = &l->net->layers[i];
    const bool hidden = is_hidden(l, i);
    size_t n = 0;
    l->pitch[i] = hidden ? pitch_of(layer->out) : layer->out;
    FW_TRY(fw_size_mul(&n, rows, l->pitch[i], "activations", err));
    if (!hidden) return fw_alloc_zeroed((void **)&l->last, n, sizeof(float), "outputs", err);
    bool keep = layer->activation == FW_GELU || (layer->activation == FW_TANH && l->dropout > 0.0);
    if (keep) FW_TRY(fw_alloc_zeroed((void **)&l->kept[i], n, sizeof(float), "activations", err));
    if (l->dropout > 0.0) FW_TRY(fw_alloc_zeroed((void **)&l->mask[i], n, sizeof(float), "dropout masks", err));
    return FW_OK;
}

static fw_status make_own(worker_leaves *l, fw_error *err)
{
    size_t rows = 0, n = 0, panel = 0, slices = 0;
    FW_TRY(fw_size_mul(&rows, l->leaf_rows, l->n_leaves, "rows of a step", err));
    for (size_t i = 0; i < l->net->n_layers; i++) FW_TRY(make_layer(l, i, rows, err));
    worker_leaves_room(l, &panel, &slices);
    FW_TRY(fw_alloc_zeroed((void **)&l->panel, panel, sizeof(float), "a panel", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->slices, slices + 1, sizeof(float), "slices of the rows of a step", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->row, rows, sizeof *l->row, "row numbers", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->loss, l->leaf_rows, sizeof *l->loss, "losses", err));
    FW_TRY(fw_alloc_zeroed((void **)&l->label, l->leaf_rows, sizeof *l->label, "labels", err));
    return fw_size_mul(&n, rows, (size_t)worker_group_node_size(l->task->group), "rows of a node's step", err);
}

static void *cut(char **at, size_t n, size_t size)
{
    void *here = *at;
    *at += (n * size + FW_ALIGN - 1) / FW_ALIGN * FW_ALIGN;
    return here;
}

/* Where everything stands in the node's memory; returns its size. base NULL: only that. */
static size_t lay_out(worker_leaves *l, char *base)
{
    const size_t ranks = (size_t)worker_group_node_size(l->task->group), rows = l->node_leaves * l->leaf_rows;
    char *at = base;
    l->node.n_rows = cut(&at, l->node_leaves, sizeof *l->node.n_rows);
    l->node.bad = cut(&at, ranks, sizeof *l->node.bad);
    l->node.x = cut(&at, rows * l->ld, sizeof(float));
    for (size_t i = 0; i < l->net->n_layers; i++) {
        if (is_hidden(l, i)) l->node.out[i] = cut(&at, rows * l->pitch[i], sizeof(float));
        l->node.delta[i] = cut(&at, rows * l->pitch[i], sizeof(float));
    }
    return (size_t)(at - base);
}

/* Bytes decide: the sums of all parameters, written and read by other ranks, 8 each way, or what a step's rows leave for the gradients, 4 each. */
static void divide_work(worker_leaves *l)
{
    double row = 0.0;
    for (size_t i = 0; i < l->net->n_layers; i++) row += (double)(l->net->layers[i].in + l->net->layers[i].out);
    l->shared_work = l->n_leaves > 1 && 16.0 * (double)l->net->n_params > 4.0 * row * (double)(l->node_leaves * l->leaf_rows);
    if (l->net->n_layers == 1 && !l->shared_work) l->n_leaves = 1;
    l->node_leaves = l->n_leaves * (size_t)worker_group_node_size(l->task->group);
    l->first_row = l->n_leaves * l->leaf_rows * (size_t)worker_group_node_rank(l->task->group);
    l->from = l->shared_work ? 0 : l->first_row / l->leaf_rows;
    l->to = l->shared_work ? l->node_leaves : l->from + l->n_leaves;
}

fw_status worker_leaves_create(worker_leaves **out, const worker_task *task, const fw_dense *net, size_t leaf_rows, size_t n_leaves, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(task->group);
    worker_leaves *l = calloc(1, sizeof *l);
    fw_status status = l == NULL ? fw_fail(err, FW_ERR_NOMEM, "leaves") : FW_OK;
    if (l != NULL) {
        *l = (worker_leaves){.task = task, .net = net, .leaf_rows = leaf_rows, .n_leaves = n_leaves, .ld = task->train.ld,
                             .node_leaves = n_leaves * (size_t)worker_group_node_size(task->group), .dropout = task->project->model.dropout,
                             .seed = task->project->train.seed,
                             .loss_max = FW_MIN(LOSS_MAX, LOSS_SUM_MAX / (double)task->project->train.global_batch_size)};
        divide_work(l);
        status = make_own(l, err);
    }
    status = reduce->agree(reduce->context, status, err);
    if (status == FW_OK) status = worker_shared_create(&l->memory, task->group, lay_out(l, NULL), "rows of a step", err);
    if (status != FW_OK) {
        worker_leaves_release(&l);
        return status;
    }
    lay_out(l, worker_shared_base(l->memory));
    l->x = l->node.x + l->first_row * l->ld;
    for (size_t i = 0; i < net->n_layers; i++) {
        l->out[i] = is_hidden(l, i) ? l->node.out[i] + l->first_row * l->pitch[i] : l->last;
        l->delta[i] = l->node.delta[i] + l->first_row * l->pitch[i];
    }
    *out = l;
    return FW_OK;
}

void worker_leaves_release(worker_leaves **leaves)
{
    worker_leaves *l = *leaves;
    if (l == NULL) return;
    worker_shared_release(&l->memory);
    for (size_t i = 0; i < FW_DENSE_MAX_LAYERS; i++) {
        free(l->kept[i]);
        free(l->mask[i]);
    }
    free(l->last);
    free(l->panel);
    free(l->slices);
    free(l->row);
    free(l->loss);
    free(l->label);
    free(l);
    *leaves = NULL;
}

size_t worker_leaves_slots(const worker_leaves *l) { return l->n_leaves; }

/* Leaf slot i of this rank among the node's. */
static size_t *slot_rows(const worker_leaves *l, size_t slot) { return l->node.n_rows + l->first_row / l->leaf_rows + slot; }

void worker_leaves_load(worker_leaves *l, size_t slot, const uint64_t *row, size_t n)
{
    const size_t first = slot * l->leaf_rows;
    worker_rows_gather(&l->task->train, row, n, l->x + first * l->ld);
    memcpy(l->row + first, row, n * sizeof *row);
    memset(l->x + (first + n) * l->ld, 0, (l->leaf_rows - n) * l->ld * sizeof(float));
    *slot_rows(l, slot) = n;
}

/* ---- forward ------------------------------------------------------------------------------------------------------------------- */

static void drop_rows(worker_leaves *l, size_t layer, size_t slot, uint32_t epoch)
{
    const size_t width = l->net->layers[layer].out, first = slot * l->leaf_rows, n = *slot_rows(l, slot);
    for (size_t i = 0; i < n; i++) {
        size_t at = (first + i) * l->pitch[layer];
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
        const size_t ld = i == 0 ? l->ld : l->pitch[i - 1];
        fw_gemm(rows, layer->out, layer->in, below, ld, params + layer->w_at, layer->out, params + layer->b_at, l->out[i], l->pitch[i]);
        activate(l, i, rows * l->pitch[i]);
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
    const size_t k = t->n_out, first = slot * l->leaf_rows, n = *slot_rows(l, slot);
    const float *z = l->last + first * k;
    const uint64_t *row = l->row + first;
    float *delta = l->delta[l->net->n_layers - 1] + first * k;
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
        for (size_t i = 0, n = *slot_rows(l, s); i < n; i++) {
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
        if (!all_finite(l->out[i], n_slots * l->leaf_rows * l->pitch[i])) return (int)i;
    return (int)l->net->n_layers - 1;
}

/* ---- backward ------------------------------------------------------------------------------------------------------------------- */

/* delta of the layer below: through W, then dropout, then the activation's slope. */
static void delta_below(worker_leaves *l, size_t i, const float *params, size_t n_slots)
{
    const fw_dense_layer *layer = &l->net->layers[i], *lower = &l->net->layers[i - 1];
    const size_t rows = n_slots * l->leaf_rows, count = rows * l->pitch[i - 1];
    float *d = l->delta[i - 1];
    fw_gemm_tb(rows, layer->in, layer->out, l->delta[i], l->pitch[i], params + layer->w_at, layer->out, d, l->pitch[i - 1]);
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

void worker_leaves_run(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch, worker_leaves_result *result, worker_seconds *seconds)
{
    const fw_mono start = fw_mono_now();
    *result = (worker_leaves_result){.bad_layer = -1};
    for (size_t s = n_slots; s < l->n_leaves; s++) *slot_rows(l, s) = 0;
    if (n_slots > 0) {
        forward(l, params, n_slots, epoch);
        result->bad_loss = !losses(l, n_slots, &result->loss_fixed);
        if (result->bad_loss) result->bad_layer = first_bad_layer(l, n_slots);
    }
    l->node.bad[worker_group_node_rank(l->task->group)] = result->bad_loss;
    const fw_mono middle = fw_mono_now();
    for (size_t i = l->net->n_layers; i-- > 1 && n_slots > 0;) delta_below(l, i, params, n_slots);
    seconds->forward += fw_mono_seconds(start, middle);
    seconds->backward += fw_mono_seconds(middle, fw_mono_now());
}

bool worker_leaves_shared_work(const worker_leaves *l) { return l->shared_work; }

size_t worker_leaves_to_add(const worker_leaves *l)
{
    size_t n = 0;
    for (size_t leaf = l->from; leaf < l->to; leaf++) n += l->node.n_rows[leaf] > 0;
    return n;
}
