/** Gradients of worker/learners/leaves.c against central differences in double of a forward pass written here: every parameter of small nets of one to
 *  three layers, with each activation, link and dropout; leaves dealt to the ranks, the last one short.
 *
 *  Tolerance: a gradient is a sum over 37 rows of terms of size <= 4, each the end of a chain of some 40 float operations: 37 * 4 * 40 * 2^-24 = 3.5e-4 if
 *  all errors had one sign; they do not, 1e-4 is allowed. The difference quotient errs by less than 1e-8. A forgotten factor or slope is seen at 1e-2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "tests/ranks/checks.h"
#include "worker/kernels/layer.h"
#include "worker/learners/leaves.h"

enum { ROWS = 37, WIDTH = 6, LD = 16, LEAF = 16, LEAVES = 3, CLASSES = 4, EPOCH = 3, MOST_PARAMS = 400, MOST_WIDTH = 16 };
enum { WIDE = 300, WIDE_PARAMS = WIDTH * WIDE + WIDE + WIDE * WIDE + WIDE + WIDE * CLASSES + CLASSES };
#define SEED 77

typedef struct net_case {
    const char *name, *model;
    size_t hidden[2], n_hidden;
    fw_activation activation;
    fw_link link;
    double dropout;
    bool weighted;
} net_case;

static const net_case cases[] = {
    {"softmax", "{learner: linear}", {0}, 0, FW_IDENTITY, FW_LINK_SOFTMAX, 0.0, false},
    {"softmax, weighted", "{learner: linear}", {0}, 0, FW_IDENTITY, FW_LINK_SOFTMAX, 0.0, true},
    {"sigmoid", "{learner: linear}", {0}, 0, FW_IDENTITY, FW_LINK_SIGMOID, 0.0, true},
    {"identity", "{learner: linear}", {0}, 0, FW_IDENTITY, FW_LINK_IDENTITY, 0.0, false},
    {"relu, softmax", "{learner: mlp}", {7}, 1, FW_RELU, FW_LINK_SOFTMAX, 0.0, false},
    {"tanh, sigmoid", "{learner: mlp}", {7}, 1, FW_TANH, FW_LINK_SIGMOID, 0.0, false},
    {"gelu, identity", "{learner: mlp}", {7}, 1, FW_GELU, FW_LINK_IDENTITY, 0.0, false},
    {"relu twice, identity", "{learner: mlp}", {9, 5}, 2, FW_RELU, FW_LINK_IDENTITY, 0.0, false},
    {"tanh twice, softmax, weighted", "{learner: mlp}", {9, 5}, 2, FW_TANH, FW_LINK_SOFTMAX, 0.0, true},
    {"gelu twice, sigmoid", "{learner: mlp}", {9, 5}, 2, FW_GELU, FW_LINK_SIGMOID, 0.0, true},
    {"relu, dropout, softmax", "{learner: mlp, dropout: 0.3}", {9, 5}, 2, FW_RELU, FW_LINK_SOFTMAX, 0.3, false},
    {"tanh, dropout, identity", "{learner: mlp, dropout: 0.3}", {9, 5}, 2, FW_TANH, FW_LINK_IDENTITY, 0.3, false},
    {"gelu, dropout, sigmoid", "{learner: mlp, dropout: 0.5}", {9, 5}, 2, FW_GELU, FW_LINK_SIGMOID, 0.5, false},
};

/* ---- a task made by hand ------------------------------------------------------------------------------------------------------------------- */

static float x[ROWS * LD], params[WIDE_PARAMS], class_weight[CLASSES];
static int32_t label[ROWS];
static double truth[ROWS];

static double draw(uint64_t row, uint32_t place) { return 2.0 * fw_random_unit(fw_random(21, FW_RANDOM_TEST, 0, row, place)) - 1.0; }

static void fill(worker_task *t, const fw_project *p, worker_group *g, const net_case *c, const fw_dense *net)
{
    memset(x, 0, sizeof x);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < WIDTH; j++) x[i * LD + j] = (float)(1.5 * draw(i, (uint32_t)j));
        label[i] = (int32_t)(fw_random(22, FW_RANDOM_TEST, 0, i, 0).word[0] % (c->link == FW_LINK_SIGMOID ? 2u : (uint32_t)CLASSES));
        truth[i] = 100.0 + 30.0 * draw(i, 1000);
    }
    for (size_t i = 0; i < net->n_params; i++) params[i] = (float)(0.8 * draw(5000 + i, 0));
    for (size_t k = 0; k < CLASSES; k++) class_weight[k] = c->weighted ? 0.5f + 0.5f * (float)k : 1.0f;
    *t = (worker_task){.group = g, .project = p, .task = c->link == FW_LINK_IDENTITY ? FW_TASK_REGRESSION : FW_TASK_CLASSIFICATION, .link = c->link,
                       .n_classes = c->link == FW_LINK_SOFTMAX ? CLASSES : 2, .n_out = c->link == FW_LINK_SOFTMAX ? CLASSES : 1, .width = WIDTH,
                       .train = {.n = ROWS, .ld = LD, .x = x, .label = label, .truth = truth}, .class_weight = class_weight,
                       .target_mean = 95.0, .target_scale = 20.0};
}

/* ---- the reference ---------------------------------------------------------------------------------------------------------------------------- */

static double activate(fw_activation a, double z)
{
    switch (a) {
    case FW_RELU: return z > 0.0 ? z : 0.0;
    case FW_TANH: return tanh(z);
    case FW_GELU: return 0.5 * z * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (z + 0.044715 * z * z * z)));
    case FW_IDENTITY: return z;
    }
    return NAN;
}

static double loss_of(const worker_task *t, const double *z, size_t row)
{
    if (t->link == FW_LINK_IDENTITY) {
        const double d = z[0] - (t->train.truth[row] - t->target_mean) / t->target_scale;
        return d * d;
    }
    const double weight = (double)t->class_weight[t->train.label[row]];
    if (t->link == FW_LINK_SIGMOID) return weight * (log1p(exp(z[0])) - (t->train.label[row] == 1 ? z[0] : 0.0));
    double sum = 0.0;
    for (size_t k = 0; k < t->n_out; k++) sum += exp(z[k]);
    return weight * (log(sum) - z[t->train.label[row]]);
}

/* The mask as the engine draws it for this row; test_layer holds that it depends on its key alone. */
static void mask_of(float *mask, const net_case *c, size_t width, size_t row, size_t layer)
{
    float ones[MOST_WIDTH];
    for (size_t j = 0; j < width; j++) ones[j] = mask[j] = 1.0f;
    if (c->dropout > 0.0) worker_layer_dropout(ones, mask, width, c->dropout, SEED, EPOCH, row, (uint32_t)layer);
}

static double row_loss(const worker_task *t, const net_case *c, const fw_dense *net, const double *w, size_t row)
{
    double a[MOST_WIDTH], z[MOST_WIDTH];
    for (size_t j = 0; j < WIDTH; j++) a[j] = (double)x[row * LD + j];
    for (size_t i = 0; i < net->n_layers; i++) {
        const fw_dense_layer *l = &net->layers[i];
        const bool last = i + 1 == net->n_layers;
        float mask[MOST_WIDTH];
        mask_of(mask, c, l->out, row, i);
        for (size_t k = 0; k < l->out; k++) {
            z[k] = w[l->b_at + k];
            for (size_t j = 0; j < l->in; j++) z[k] += a[j] * w[l->w_at + j * l->out + k];
        }
        for (size_t k = 0; k < l->out; k++) a[k] = last ? z[k] : activate(c->activation, z[k]) * (double)mask[k];
    }
    return loss_of(t, a, row);
}

static double total_loss(const worker_task *t, const net_case *c, const fw_dense *net, const double *w)
{
    double sum = 0.0;
    for (size_t i = 0; i < ROWS; i++) sum += row_loss(t, c, net, w, i);
    return sum;
}

/* ---- the engine --------------------------------------------------------------------------------------------------------------------------------- */

typedef struct outcome { float g[WIDE_PARAMS]; bool shared_work; double loss; } outcome;

/* The leaves that fall to a rank, from the front or from the back. */
static size_t own_leaves(int own[static LEAVES], worker_group *g, bool backwards)
{
    size_t n = 0;
    for (int k = 0; k < LEAVES; k++) {
        const int leaf = backwards ? LEAVES - 1 - k : k;
        if ((leaf + backwards) % worker_group_size(g) == worker_group_rank(g)) own[n++] = leaf;
    }
    return n;
}

static void load(worker_leaves *l, const int *leaf, size_t n_leaves)
{
    for (size_t slot = 0; slot < n_leaves; slot++) {
        uint64_t row[LEAF];
        size_t n = 0;
        for (size_t i = (size_t)leaf[slot] * LEAF; i < ROWS && n < LEAF; i++) row[n++] = i;
        worker_leaves_load(l, slot, row, n);
    }
}

/* Leaf by leaf from the rows to the sums, as nets of one layer are. */
static void stream(worker_leaves_result *r, worker_leaves *l, worker_sums *s, const int *leaf, size_t n_leaves)
{
    worker_seconds seconds = {0};
    *r = (worker_leaves_result){.bad_layer = -1};
    for (size_t k = 0; k < n_leaves; k++) {
        worker_leaves_result one;
        load(l, &leaf[k], 1);
        worker_leaves_run(l, params, 1, EPOCH, &one, &seconds);
        worker_leaves_gradient(l, s, &one, &seconds);
        r->loss_fixed += one.loss_fixed;
        if (one.bad_loss) r->bad_loss = true;
        if (r->bad_layer < 0) r->bad_layer = one.bad_layer;
    }
}

static void run(outcome *out, const worker_task *t, const fw_dense *net, bool backwards)
{
    worker_leaves *l = NULL;
    worker_sums *s = NULL;
    worker_leaves_result r;
    worker_seconds seconds = {0};
    fw_error err = {0};
    uint32_t flags = 0;
    bool redo = true;
    const fw_reduce *reduce = worker_group_reduce(t->group);
    CHECK(worker_leaves_create(&l, t, net, LEAF, LEAVES, &err) == FW_OK && worker_sums_create(&s, t->group, net->n_params, LEAVES, &err) == FW_OK,
          "%s", err.text);
    if (l == NULL || s == NULL) abort();
    int leaf[LEAVES];
    const size_t n_leaves = own_leaves(leaf, t->group, backwards);
    const bool one_slot = worker_leaves_slots(l) == 1;
    CHECK(one_slot == (net->n_layers == 1), "%zu slots for %zu layers", worker_leaves_slots(l), net->n_layers);
    if (!one_slot) {
        load(l, leaf, n_leaves);
        worker_leaves_run(l, params, n_leaves, EPOCH, &r, &seconds);
        worker_group_meet(t->group, NULL);
    }
    for (int tries = 0; redo && tries < 4; tries++) {
        worker_sums_begin(s, 1.0, one_slot ? n_leaves : worker_leaves_to_add(l));
        if (one_slot) stream(&r, l, s, leaf, n_leaves);
        else worker_leaves_gradient(l, s, &r, &seconds);
        CHECK(!r.bad_loss && r.bad_layer == -1, "something is not finite");
        CHECK(worker_sums_meet(s, &flags, &redo, NULL, &err) == FW_OK, "%s", err.text);
    }
    CHECK(!redo && flags == 0, "redo %d, flags %u", redo, flags);
    worker_sums_take(s, out->g, 0, net->n_params);
    worker_sums_done(s, NULL);
    out->shared_work = worker_leaves_shared_work(l);
    int64_t loss = r.loss_fixed;
    CHECK(reduce->sum_i64(reduce->context, &loss, 1, NULL) == FW_OK, "sum");
    out->loss = (double)loss * WORKER_LOSS_UNIT;
    worker_sums_release(&s);
    worker_leaves_release(&l);
}

static void check_case(worker_group *g, const net_case *c)
{
    static outcome there, back;
    char yaml[400];
    fw_project *p = NULL;
    fw_dense net;
    fw_error err = {0};
    worker_task t;
    double w[MOST_PARAMS];
    snprintf(yaml, sizeof yaml, "project: p\nproblem: {task: %s, target: y}\ndata: {tables: {a: a.csv}}\nmodel: %s\ntrain: {seed: %d}\n",
             c->link == FW_LINK_IDENTITY ? "regression" : "classification", c->model, SEED);
    CHECK(fw_project_parse(&p, yaml, "p.yaml", ".", &err) == FW_OK, "%s", err.text);
    CHECK(fw_dense_make(&net, WIDTH, c->hidden, c->n_hidden, c->link == FW_LINK_SOFTMAX ? CLASSES : 1, c->activation, c->link, &err) == FW_OK, "%s",
          err.text);
    if (p == NULL || net.n_params > MOST_PARAMS) abort();
    fill(&t, p, g, c, &net);
    for (size_t i = 0; i < net.n_params; i++) w[i] = (double)params[i];
    run(&there, &t, &net, false);
    run(&back, &t, &net, true);
    CHECK(memcmp(there.g, back.g, net.n_params * sizeof(float)) == 0 && there.loss == back.loss, "%s: other bits when the leaves are dealt otherwise",
          c->name);
    CHECK(fabs(there.loss - total_loss(&t, c, &net, w)) < 1e-4, "%s: loss %.9g, not %.9g", c->name, there.loss, total_loss(&t, c, &net, w));
    const double h = 1e-5, factor = c->link == FW_LINK_IDENTITY ? 0.5 : 1.0;           /* regression descends half of the square */
    for (size_t i = 0; i < net.n_params; i++) {
        double up[MOST_PARAMS], down[MOST_PARAMS];
        memcpy(up, w, sizeof up);
        memcpy(down, w, sizeof down);
        up[i] += h;
        down[i] -= h;
        const double slope = factor * (total_loss(&t, c, &net, up) - total_loss(&t, c, &net, down)) / (2.0 * h);
        CHECK(fabs((double)there.g[i] - slope) < 1e-4, "%s: parameter %zu: gradient %.9g, difference quotient %.9g", c->name, i, (double)there.g[i],
              slope);
    }
    fw_project_destroy(&p);
}

/* Plain backpropagation of a row through relu layers, in double: added to g. */
static void add_row_gradient(double *g, const worker_task *t, const fw_dense *net, size_t row)
{
    static double a[3][WIDE], d[3][WIDE];          /* a: a layer's input */
    for (size_t j = 0; j < WIDTH; j++) a[0][j] = (double)x[row * LD + j];
    double sum = 0.0;
    for (size_t i = 0; i < 3; i++) {
        const fw_dense_layer *l = &net->layers[i];
        for (size_t k = 0; k < l->out; k++) {
            double z = (double)params[l->b_at + k];
            for (size_t j = 0; j < l->in; j++) z += a[i][j] * (double)params[l->w_at + j * l->out + k];
            if (i < 2) a[i + 1][k] = z > 0.0 ? z : 0.0;
            else sum += d[2][k] = exp(z);
        }
    }
    for (size_t k = 0; k < CLASSES; k++) d[2][k] = d[2][k] / sum - (t->train.label[row] == (int32_t)k ? 1.0 : 0.0);
    for (size_t i = 3; i-- > 0;) {
        const fw_dense_layer *l = &net->layers[i];
        for (size_t k = 0; k < l->out; k++) g[l->b_at + k] += d[i][k];
        for (size_t j = 0; j < l->in; j++) {
            double back = 0.0;
            for (size_t k = 0; k < l->out; k++) {
                g[l->w_at + j * l->out + k] += a[i][j] * d[i][k];
                back += d[i][k] * (double)params[l->w_at + j * l->out + k];
            }
            if (i > 0) d[i - 1][j] = a[i][j] > 0.0 ? back : 0.0;
        }
    }
}

/* A net large for its rows: a rank that has several leaves' room makes its own parameters' gradients from everybody's leaves, panels of them cut from wide
 * layers, its share beginning and ending within rows of W. Weights a tenth of the others' keep the numbers near 1. */
static void check_wide(worker_group *g)
{
    static outcome there, back;
    static double expected[WIDE_PARAMS];
    const net_case c = {"wide", "{learner: mlp}", {WIDE, WIDE}, 2, FW_RELU, FW_LINK_SOFTMAX, 0.0, false};
    fw_project *p = NULL;
    fw_dense net;
    worker_task t;
    CHECK(fw_project_parse(&p, "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: a.csv}}\nmodel: {learner: mlp}\n", "p.yaml", ".",
                           NULL) == FW_OK,
          "parse");
    CHECK(fw_dense_make(&net, WIDTH, c.hidden, c.n_hidden, CLASSES, c.activation, c.link, NULL) == FW_OK && net.n_params == WIDE_PARAMS, "net");
    if (p == NULL) abort();
    fill(&t, p, g, &c, &net);
    for (size_t i = 0; i < net.n_params; i++) params[i] *= 0.1f;
    memset(expected, 0, sizeof expected);
    for (size_t row = 0; row < ROWS; row++) add_row_gradient(expected, &t, &net, row);
    run(&there, &t, &net, false);
    run(&back, &t, &net, true);
    CHECK(there.shared_work, "a net of %zu parameters for %d rows is not shared out", net.n_params, ROWS);
    CHECK(memcmp(there.g, back.g, sizeof there.g) == 0 && there.loss == back.loss, "wide: other bits when the leaves are dealt otherwise");
    for (size_t i = 0; i < net.n_params; i++)
        CHECK(fabs((double)there.g[i] - expected[i]) < 1e-4, "wide: parameter %zu: gradient %.9g, plain backpropagation %.9g", i, (double)there.g[i], expected[i]);
    fw_project_destroy(&p);
}

/* A weight or an input that is not finite, or a loss beyond all reason: it is told, with the layer where it begins. */
static void check_divergence(worker_group *g)
{
    const net_case *c = &cases[7];
    fw_project *p = NULL;
    fw_dense net;
    worker_task t;
    worker_leaves *l = NULL;
    worker_sums *s = NULL;
    CHECK(fw_project_parse(&p, "project: p\nproblem: {task: regression, target: y}\ndata: {tables: {a: a.csv}}\nmodel: {learner: mlp}\n", "p.yaml",
                           ".", NULL) == FW_OK,
          "parse");
    CHECK(fw_dense_make(&net, WIDTH, c->hidden, c->n_hidden, 1, c->activation, c->link, NULL) == FW_OK, "net");
    if (p == NULL) abort();
    static const struct { float value; size_t layer; } bad[] = {{NAN, 0}, {NAN, 1}, {INFINITY, 2}, {1e30f, 2}};
    for (size_t k = 0; k < 4; k++) {
        worker_leaves_result r;
        worker_seconds seconds = {0};
        uint32_t flags = 0;
        bool redo = true;
        fill(&t, p, g, c, &net);
        params[net.layers[bad[k].layer].b_at] = bad[k].value;
        CHECK(worker_leaves_create(&l, &t, &net, LEAF, LEAVES, NULL) == FW_OK && worker_sums_create(&s, g, net.n_params, LEAVES, NULL) == FW_OK,
              "create");
        if (l == NULL || s == NULL) abort();
        int leaf[LEAVES];
        const size_t slots = own_leaves(leaf, g, false);
        load(l, leaf, slots);
        worker_leaves_run(l, params, slots, EPOCH, &r, &seconds);
        worker_group_meet(g, NULL);
        worker_sums_begin(s, 1.0, worker_leaves_to_add(l));
        worker_leaves_gradient(l, s, &r, &seconds);
        if (slots > 0)
            CHECK(r.bad_loss && r.bad_layer == (int)bad[k].layer, "%g in layer %zu: bad loss %d, layer %d", (double)bad[k].value, bad[k].layer,
                  r.bad_loss, r.bad_layer);
        else CHECK(!r.bad_loss && r.bad_layer == -1, "a rank without rows saw something");
        CHECK(worker_sums_meet(s, &flags, &redo, NULL, NULL) == FW_OK, "meet");
        if (!redo) worker_sums_done(s, NULL);
        worker_sums_release(&s);
        worker_leaves_release(&l);
    }
    fw_project_destroy(&p);
}

int main(int argc, char **argv)
{
    worker_group *g = NULL;
    if (!checks_start(&g, &argc, &argv)) return 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_case(g, &cases[i]);
    check_wide(g);
    check_divergence(g);
    return checks_end(g);
}
