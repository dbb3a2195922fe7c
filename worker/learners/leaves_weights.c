/* dW and db. With shared work each rank makes those parameters that it will update, of all leaves of the node: a rank's integers then stay with it, instead
 * of a sum for every parameter at every rank. Each product is one chain over a leaf's rows, whatever the panel and whoever makes it. */
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "common/model/gemm.h"
#include "worker/kernels/layer.h"
#include "worker/learners/leaves_state.h"

#define PANEL_FLOATS 3072         /* of dW at a time: they stay in the first-level cache between product and sum, and their sums from leaf to leaf */
#define PANEL_ROWS   12           /* and come in multiples of this, what the products like, */
#define PANEL_MANY   96           /* or, of a layer so narrow that there are as many, of this; */
#define PANEL_WIDTH  256          /* of a wider layer so many columns at a time, for which the deltas of CHUNK_ROWS rows stay in the second-level cache */
#define CHUNK_ROWS   512
#define SLICE_PANELS 32           /* panels whose columns of the input are cut at a time */
#define TIMED_PANEL  13           /* one panel in so many is timed */

void worker_leaves_room(const worker_leaves *l, size_t *panel, size_t *slices)
{
    const fw_dense *net = l->net;
    *panel = PANEL_FLOATS;
    *slices = 0;
    for (size_t i = 0; i < net->n_layers; i++) {
        *panel = FW_MAX(*panel, net->layers[i].out);
        if (net->layers[i].out > PANEL_WIDTH) *slices = SLICE_PANELS * PANEL_ROWS * FW_MAX((size_t)CHUNK_ROWS, l->leaf_rows);
    }
}

/* A rectangle of a layer's dW, rows [row, row_end) and columns [col, col_end), over leaves [leaf, leaf_end) of the node. */
typedef struct part { size_t layer, row, row_end, col, col_end, leaf, leaf_end; } part;

/* Where the columns of the input stand that a panel is made from: its first column in the row `first`. */
typedef struct columns { const float *at; size_t ld, first; } columns;

static bool add_rows(const part *p, size_t out, size_t to, const float *g, worker_sums *sums)
{
    const size_t n = p->row_end - p->row, width = p->col_end - p->col;
    bool finite = true;
    if (width == out) return worker_sums_add(sums, to, g, n * out);
    for (size_t i = 0; i < n; i++) finite = worker_sums_add(sums, to + i * out, g + i * width, width) && finite;
    return finite;
}

/* One panel of one leaf: its product, and into the sums. */
static bool add_panel(worker_leaves *l, const part *p, size_t leaf, const columns *x, worker_sums *sums)
{
    const fw_dense_layer *layer = &l->net->layers[p->layer];
    const size_t first = leaf * l->leaf_rows, out = layer->out, n = p->row_end - p->row, width = p->col_end - p->col, pitch = l->pitch[p->layer];
    const size_t to = layer->w_at + p->row * out + p->col;
    float *place = worker_sums_place(sums, to), *g = place != NULL ? place : l->panel;
    fw_gemm_ta(n, width, l->node.n_rows[leaf], x->at + (first - x->first) * x->ld, x->ld, l->node.delta[p->layer] + first * pitch + p->col, pitch, g, width);
    l->floats += n * width;
    if (l->panels++ % TIMED_PANEL != 0) return add_rows(p, out, to, g, sums);
    fw_mono start = fw_mono_now();
    bool finite = add_rows(p, out, to, g, sums);
    l->add_s += fw_mono_seconds(start, fw_mono_now());
    l->floats_timed += n * width;
    return finite;
}

static bool add_leaves(worker_leaves *l, const part *p, const columns *x, worker_sums *sums)
{
    bool finite = true;
    for (size_t leaf = p->leaf; leaf < p->leaf_end; leaf++)
        if (l->node.n_rows[leaf] > 0) finite = add_panel(l, p, leaf, x, sums) && finite;
    return finite;
}

/* A few columns and any number of rows: panels of them. */
static bool narrow_part(worker_leaves *l, const part *whole, const float *x, size_t ld, worker_sums *sums)
{
    const size_t most = PANEL_FLOATS / (whole->col_end - whole->col), unit = most >= PANEL_MANY ? PANEL_MANY : PANEL_ROWS;
    const size_t rows = FW_MAX(most / unit, (size_t)1) * unit;
    bool finite = true;
    part p = *whole;
    for (; p.row < whole->row_end; p.row = p.row_end) {
        p.row_end = FW_MIN(p.row + rows, whole->row_end);
        finite = add_leaves(l, &p, &(columns){x + p.row, ld, 0}, sums) && finite;
    }
    return finite;
}

/* Columns [from, to) of the rows of the leaves, panel by panel, dense within a panel. */
static void cut_slices(worker_leaves *l, const part *p, const float *x, size_t ld)
{
    const size_t first = p->leaf * l->leaf_rows, rows = (p->leaf_end - p->leaf) * l->leaf_rows;
    for (size_t at = p->row; at < p->row_end; at += PANEL_ROWS) {
        const size_t n = FW_MIN((size_t)PANEL_ROWS, p->row_end - at);
        float *to = l->slices + (at - p->row) * rows;
        for (size_t r = 0; r < rows; r++) memcpy(to + r * n, x + (first + r) * ld + at, n * sizeof *x);
    }
}

/* Columns outside, panels inside: the deltas of those columns are read once from afar. */
static bool sliced_part(worker_leaves *l, const part *whole, worker_sums *sums)
{
    const size_t first = whole->leaf * l->leaf_rows, rows = (whole->leaf_end - whole->leaf) * l->leaf_rows;
    bool finite = true;
    part p = *whole;
    for (p.col = whole->col; p.col < whole->col_end; p.col = p.col_end) {
        p.col_end = FW_MIN((p.col / PANEL_WIDTH + 1) * PANEL_WIDTH, whole->col_end);
        for (p.row = whole->row; p.row < whole->row_end; p.row = p.row_end) {
            p.row_end = FW_MIN(p.row + PANEL_ROWS, whole->row_end);
            finite = add_leaves(l, &p, &(columns){l->slices + (p.row - whole->row) * rows, p.row_end - p.row, first}, sums) && finite;
        }
    }
    return finite;
}

static bool wide_part(worker_leaves *l, const part *whole, const float *x, size_t ld, worker_sums *sums)
{
    bool finite = true;
    part p = *whole;
    for (; p.row < whole->row_end; p.row = p.row_end) {
        p.row_end = FW_MIN(p.row + SLICE_PANELS * PANEL_ROWS, whole->row_end);
        cut_slices(l, &p, x, ld);
        finite = sliced_part(l, &p, sums) && finite;
    }
    return finite;
}

/* A few leaves at a time. Of a single leaf whole rows are made where they are added from, and there is nothing to keep in the caches. */
static bool add_part(worker_leaves *l, part p, worker_sums *sums)
{
    const float *x = p.layer == 0 ? l->node.x : l->node.out[p.layer - 1];
    const size_t ld = p.layer == 0 ? l->ld : l->pitch[p.layer - 1], chunk = FW_MAX(CHUNK_ROWS / l->leaf_rows, (size_t)1);
    const bool wide = p.col_end - p.col > PANEL_WIDTH && p.row_end - p.row > 1 && worker_sums_place(sums, 0) == NULL;
    bool finite = true;
    if (p.row == p.row_end || p.col == p.col_end) return true;
    for (p.leaf = l->from; p.leaf < l->to; p.leaf = p.leaf_end) {
        p.leaf_end = FW_MIN(p.leaf + chunk, l->to);
        finite = (wide ? wide_part(l, &p, x, ld, sums) : narrow_part(l, &p, x, ld, sums)) && finite;
    }
    return finite;
}

/* The parameters [from, to) of a layer's W: what is left of a row, whole rows, the beginning of one. */
static bool add_weights(worker_leaves *l, size_t i, size_t from, size_t to, worker_sums *sums)
{
    const size_t out = l->net->layers[i].out;
    size_t row = from / out;
    const size_t last = to / out, col = from % out;
    if (row == last) return add_part(l, (part){.layer = i, .row = row, .row_end = row + 1, .col = col, .col_end = to % out}, sums);
    bool finite = true;
    if (col > 0) {
        finite = add_part(l, (part){.layer = i, .row = row, .row_end = row + 1, .col = col, .col_end = out}, sums);
        row++;
    }
    finite = add_part(l, (part){.layer = i, .row = row, .row_end = last, .col_end = out}, sums) && finite;
    return add_part(l, (part){.layer = i, .row = last, .row_end = last + 1, .col_end = to % out}, sums) && finite;
}

/* The biases [from, to) of a layer. */
static bool add_biases(worker_leaves *l, size_t i, size_t from, size_t to, worker_sums *sums)
{
    bool finite = true;
    for (size_t leaf = l->from; leaf < l->to; leaf++) {
        if (l->node.n_rows[leaf] == 0) continue;
        worker_layer_column_sums(l->panel, l->node.delta[i] + leaf * l->leaf_rows * l->pitch[i] + from, l->pitch[i], l->node.n_rows[leaf], to - from);
        finite = worker_sums_add(sums, l->net->layers[i].b_at + from, l->panel, to - from) && finite;
    }
    return finite;
}

/* Of [from, to) what is in [begin, end), counted from begin. */
static bool inside(size_t *from, size_t *to, size_t begin, size_t end)
{
    const size_t lo = FW_MAX(*from, begin), hi = FW_MIN(*to, end);
    *from = lo - begin;
    *to = hi - begin;
    return lo < hi;
}

/* Of the ranks whose leaves this one works on. */
static bool any_bad(const worker_leaves *l)
{
    bool bad = false;
    for (size_t r = l->from / l->n_leaves; r * l->n_leaves < l->to; r++) bad = bad || l->node.bad[r] != 0;
    return bad;
}

void worker_leaves_gradient(worker_leaves *l, worker_sums *sums, worker_leaves_result *result, worker_seconds *seconds)
{
    size_t first = 0, n = l->net->n_params;
    const fw_mono start = fw_mono_now();
    if (any_bad(l)) return;                    /* whose loss it is tells it */
    if (l->shared_work) worker_sums_share(sums, &first, &n);
    l->panels = l->floats = l->floats_timed = 0;
    l->add_s = 0.0;
    for (size_t i = l->net->n_layers; i-- > 0;) {
        const fw_dense_layer *layer = &l->net->layers[i];
        size_t from = first, to = first + n;
        bool finite = true;
        if (inside(&from, &to, layer->w_at, layer->w_at + layer->in * layer->out)) finite = add_weights(l, i, from, to, sums);
        from = first, to = first + n;
        if (inside(&from, &to, layer->b_at, layer->b_at + layer->out)) finite = add_biases(l, i, from, to, sums) && finite;
        if (!finite && result->bad_layer < 0) result->bad_layer = (int)i;
    }
    const double all = fw_mono_seconds(start, fw_mono_now()), sum = l->add_s * (double)l->floats / (double)FW_MAX(l->floats_timed, (size_t)1);
    seconds->sum += FW_MIN(sum, all);
    seconds->backward += all - FW_MIN(sum, all);
}
