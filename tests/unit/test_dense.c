/* Dense stacks: offsets, prediction against double precision and against itself in other batches, bounds, JSON. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/model/dense.h"

static const struct { size_t n_in, hidden[3], n_hidden, n_out; fw_activation activation; fw_link link;
} nets[] = {
    {7, {0}, 0, 1, FW_IDENTITY, FW_LINK_IDENTITY},      {108, {64, 32}, 2, 1, FW_RELU, FW_LINK_SIGMOID},
    {50, {33, 17, 5}, 3, 10, FW_TANH, FW_LINK_SOFTMAX}, {300, {128}, 1, 37, FW_GELU, FW_LINK_SOFTMAX},
    {12, {0}, 0, 3, FW_RELU, FW_LINK_SOFTMAX},
};
#define N_NETS (sizeof nets / sizeof nets[0])
#define ROWS 300u

static fw_dense make(size_t i)
{
    fw_dense net;
    fw_error err;
    assert_int_equal(fw_dense_make(&net, nets[i].n_in, nets[i].hidden, nets[i].n_hidden, nets[i].n_out, nets[i].activation, nets[i].link, &err), FW_OK);
    return net;
}

static void assert_layer_equal(const fw_dense_layer *a, const fw_dense_layer *b)
{
    assert_true(a->in == b->in && a->out == b->out && a->w_at == b->w_at && a->b_at == b->b_at && a->activation == b->activation);
}

static float *random_floats(size_t n, double scale)
{
    static uint64_t state = 7;
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(scale * ((double)(state >> 40) / 8388608.0 - 1.0));
    }
    return x;
}

static double activate(fw_activation a, double x)
{
    switch (a) {
    case FW_RELU: return x > 0 ? x : 0;
    case FW_TANH: return tanh(x);
    case FW_GELU: return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case FW_IDENTITY: break;
    }
    return x;
}

static void predict_in_double(const fw_dense *net, const float *params, const float *x, double *y)
{
    double now[512], next[512];
    for (size_t i = 0; i < net->layers[0].in; i++) now[i] = (double)x[i];
    for (size_t l = 0; l < net->n_layers; l++) {
        const fw_dense_layer *layer = &net->layers[l];
        for (size_t j = 0; j < layer->out; j++) {
            double sum = (double)params[layer->b_at + j];
            for (size_t i = 0; i < layer->in; i++) sum += now[i] * (double)params[layer->w_at + i * layer->out + j];
            next[j] = activate(layer->activation, sum);
        }
        memcpy(now, next, layer->out * sizeof *now);
    }
    const size_t n = net->layers[net->n_layers - 1].out;
    double sum = 0;
    for (size_t j = 0; j < n; j++) sum += exp(now[j]);
    for (size_t j = 0; j < n; j++)
        y[j] = net->link == FW_LINK_SOFTMAX ? exp(now[j]) / sum : net->link == FW_LINK_SIGMOID ? 1 / (1 + exp(-now[j])) : now[j];
}

/* Tolerance: a few hundred float roundings of sums of size about 1, each 6e-8, and links and activations with slopes of at most about 1. */
static void predicts_what_double_precision_predicts(void **context)
{
    (void)context;
    for (size_t t = 0; t < N_NETS; t++) {
        const fw_dense net = make(t);
        const size_t n_in = nets[t].n_in, n_out = nets[t].n_out;
        float *params = random_floats(net.n_params, 0.15), *x = random_floats(ROWS * n_in, 1.0);
        float *out = malloc(ROWS * n_out * sizeof *out), *scratch = malloc(fw_dense_scratch(&net, ROWS) * sizeof *scratch);
        fw_dense_predict(&net, params, x, n_in, ROWS, out, scratch);
        for (size_t i = 0; i < ROWS; i++) {
            double y[64];
            predict_in_double(&net, params, x + i * n_in, y);
            for (size_t j = 0; j < n_out; j++) assert_true(fabs((double)out[i * n_out + j] - y[j]) < 1e-5);
        }
        free(params); free(x); free(out); free(scratch);
    }
}

static void a_rows_bits_depend_on_that_row_alone(void **context)
{
    (void)context;
    for (size_t t = 0; t < N_NETS; t++) {
        const fw_dense net = make(t);
        const size_t ld = nets[t].n_in + 5, n_out = nets[t].n_out;
        float *params = random_floats(net.n_params, 0.3), *x = random_floats(ROWS * ld, 1.0);
        float *out = malloc(ROWS * n_out * sizeof *out), *again = malloc(ROWS * n_out * sizeof *again);
        float *scratch = malloc(fw_dense_scratch(&net, ROWS) * sizeof *scratch);
        fw_dense_predict(&net, params, x, ld, ROWS, out, scratch);
        static const size_t steps[] = {1, 2, 7, 64, 129};
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            for (size_t first = 0; first < ROWS; first += steps[s]) {
                const size_t n = ROWS - first < steps[s] ? ROWS - first : steps[s];
                float *own = malloc(fw_dense_scratch(&net, n) * sizeof *own);             /* exactly what is promised to be enough */
                fw_dense_predict(&net, params, x + first * ld, ld, n, again + first * n_out, own);
                free(own);
            }
            assert_memory_equal(out, again, ROWS * n_out * sizeof *out);
        }
        free(params); free(x); free(out); free(again); free(scratch);
    }
}

static void parameters_are_one_slab_without_gaps(void **context)
{
    (void)context;
    const fw_dense net = make(1);
    const fw_dense_layer expected[] = {{108, 64, 0, 6912, FW_RELU}, {64, 32, 6976, 9024, FW_RELU}, {32, 1, 9056, 9088, FW_IDENTITY}};
    assert_int_equal(net.n_layers, 3);
    for (size_t l = 0; l < 3; l++) assert_layer_equal(&net.layers[l], &expected[l]);
    assert_int_equal(net.n_params, 9089);
    assert_int_equal(net.widest, 108);
}

static void impossible_shapes_are_refused(void **context)
{
    (void)context;
    static const size_t some[70] = {8, 0, 8};
    size_t deep[FW_DENSE_MAX_LAYERS];
    for (size_t i = 0; i < FW_DENSE_MAX_LAYERS; i++) deep[i] = 2;
    const struct { size_t n_in; const size_t *hidden; size_t n_hidden, n_out; fw_link link; } cases[] = {
        {0, NULL, 0, 1, FW_LINK_IDENTITY},        {4, some, 3, 2, FW_LINK_SOFTMAX},             {4, deep, FW_DENSE_MAX_LAYERS, 2, FW_LINK_SOFTMAX},
        {4, NULL, 0, 2, FW_LINK_SIGMOID},         {4, NULL, 0, 0, FW_LINK_SOFTMAX},             {SIZE_MAX, NULL, 0, 2, FW_LINK_SOFTMAX},
        {1u << 20, (const size_t[]){1u << 20}, 1, 2, FW_LINK_SOFTMAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fw_dense net = {.n_layers = 99};
        fw_error err = {0};
        assert_int_equal(fw_dense_make(&net, cases[i].n_in, cases[i].hidden, cases[i].n_hidden, cases[i].n_out, FW_RELU, cases[i].link, &err),
                         FW_ERR_CONFIG);
        assert_int_equal(net.n_layers, 99);
        assert_true(strlen(err.text) > 20);
    }
}

static void json_round_trip_is_exact_and_damage_is_refused(void **context)
{
    (void)context;
    for (size_t t = 0; t < N_NETS; t++) {
        const fw_dense net = make(t);
        fw_dense again;
        json_t *j = NULL;
        memset(&again, 0, sizeof again);
        assert_int_equal(fw_dense_to_json(&j, &net, NULL), FW_OK);
        assert_int_equal(fw_dense_from_json(&again, j, NULL), FW_OK);
        assert_int_equal(again.n_params, net.n_params);
        assert_int_equal(again.link, net.link);
        assert_int_equal(again.n_layers, net.n_layers);
        for (size_t l = 0; l < net.n_layers; l++) assert_layer_equal(&again.layers[l], &net.layers[l]);
        json_decref(j);
    }
    static const char *const damaged[] = {
        "[]", "{}", "{\"inputs\": 3, \"hidden\": [], \"outputs\": 1, \"activation\": \"relu\"}",
        "{\"inputs\": 3, \"hidden\": [], \"outputs\": 1, \"activation\": \"relux\", \"link\": \"sigmoid\"}",
        "{\"inputs\": 3, \"hidden\": [], \"outputs\": 1, \"activation\": \"relu\", \"link\": \"sig\"}",
        "{\"inputs\": -3, \"hidden\": [], \"outputs\": 1, \"activation\": \"relu\", \"link\": \"sigmoid\"}",
        "{\"inputs\": 3, \"hidden\": [-1], \"outputs\": 1, \"activation\": \"relu\", \"link\": \"sigmoid\"}",
        "{\"inputs\": 3, \"hidden\": [1.5], \"outputs\": 1, \"activation\": \"relu\", \"link\": \"sigmoid\"}",
        "{\"inputs\": 3, \"hidden\": 4, \"outputs\": 1, \"activation\": \"relu\", \"link\": \"sigmoid\"}",
        "{\"inputs\": 3, \"hidden\": [], \"outputs\": 2, \"activation\": \"relu\", \"link\": \"sigmoid\"}",
        "{\"inputs\": 3, \"hidden\": [], \"outputs\": 1, \"activation\": \"relu\", \"link\": \"sigmoid\", \"more\": 1}",
        "{\"inputs\": 9000000000000000000, \"hidden\": [], \"outputs\": 1, \"activation\": \"relu\", \"link\": \"sigmoid\"}",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        json_t *j = json_loads(damaged[i], 0, NULL);
        fw_dense net;
        fw_error err = {0};
        assert_non_null(j);
        assert_int_equal(fw_dense_from_json(&net, j, &err), FW_ERR_FORMAT);
        assert_int_equal(err.status, FW_ERR_FORMAT);
        json_decref(j);
    }
}

static void relu_keeps_nan(void **context)
{
    (void)context;
    float x[] = {NAN, -1.0f, 2.0f};
    fw_activate(FW_RELU, x, 3);
    assert_true(isnan(x[0]) && x[1] == 0.0f && x[2] == 2.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predicts_what_double_precision_predicts), cmocka_unit_test(a_rows_bits_depend_on_that_row_alone),
        cmocka_unit_test(parameters_are_one_slab_without_gaps),    cmocka_unit_test(impossible_shapes_are_refused),
        cmocka_unit_test(json_round_trip_is_exact_and_damage_is_refused), cmocka_unit_test(relu_keeps_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
