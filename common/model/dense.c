#include "common/model/dense.h"

#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/model/elementary.h"
#include "common/model/gemm.h"

#define MAX_PARAMS ((size_t)1 << 30)       /* 4 GiB of floats: beyond that the sizes in a file are damage or a mistake */
#define MAX_WIDTH  ((size_t)1 << 24)
#define PIECE_ROWS 128                     /* rows that go through all layers together; no bit depends on it */

static const char *const activation_names[] = {[FW_IDENTITY] = "identity", [FW_RELU] = "relu", [FW_TANH] = "tanh", [FW_GELU] = "gelu"};
static const char *const link_names[] = {[FW_LINK_IDENTITY] = "identity", [FW_LINK_SIGMOID] = "sigmoid", [FW_LINK_SOFTMAX] = "softmax"};
#define N_ACTIVATIONS (sizeof activation_names / sizeof activation_names[0])
#define N_LINKS       (sizeof link_names / sizeof link_names[0])

static fw_status add_layer(fw_dense *net, size_t in, size_t out, fw_activation activation, fw_error *err)
{
    if (in == 0 || out == 0 || in > MAX_WIDTH || out > MAX_WIDTH)
        return fw_fail(err, FW_ERR_CONFIG, "network: layer %zu is %zu x %zu; each width must be between 1 and %zu", net->n_layers + 1, in, out, MAX_WIDTH);
    size_t weights = in * out, total;      /* at most 2^48 */
    if (__builtin_add_overflow(net->n_params, weights + out, &total) || total > MAX_PARAMS)
        return fw_fail(err, FW_ERR_CONFIG, "network: more than %zu parameters up to layer %zu (%zu x %zu); use smaller hidden layers or fewer features",
                       MAX_PARAMS, net->n_layers + 1, in, out);
    net->layers[net->n_layers++] =
        (fw_dense_layer){.in = in, .out = out, .w_at = net->n_params, .b_at = net->n_params + weights, .activation = activation};
    net->n_params = total;
    net->widest = FW_MAX(net->widest, FW_MAX(in, out));
    return FW_OK;
}

fw_status fw_dense_make(fw_dense *out, size_t n_in, const size_t *hidden, size_t n_hidden, size_t n_out, fw_activation activation, fw_link link,
                        fw_error *err)
{
    if (n_hidden >= FW_DENSE_MAX_LAYERS)
        return fw_fail(err, FW_ERR_CONFIG, "network: %zu hidden layers; at most %d are possible", n_hidden, FW_DENSE_MAX_LAYERS - 1);
    if (link != FW_LINK_SOFTMAX && n_out != 1)
        return fw_fail(err, FW_ERR_CONFIG, "network: %zu outputs with link %s, which has one", n_out, link_names[link]);
    fw_dense net = {.link = link};
    size_t in = n_in;
    for (size_t i = 0; i < n_hidden; i++) {
        FW_TRY(add_layer(&net, in, hidden[i], activation, err));
        in = hidden[i];
    }
    FW_TRY(add_layer(&net, in, n_out, FW_IDENTITY, err));
    *out = net;
    return FW_OK;
}

void fw_activate(fw_activation a, float *x, size_t n)
{
    switch (a) {
    case FW_IDENTITY: break;
    case FW_RELU:
        for (size_t i = 0; i < n; i++) x[i] = x[i] < 0.0f ? 0.0f : x[i];       /* NaN stays NaN */
        break;
    case FW_TANH: fw_vec_tanh(x, x, n); break;
    case FW_GELU: fw_vec_gelu(x, x, n); break;
    }
}

static void apply_link(fw_link link, float *x, size_t n, size_t n_out)
{
    switch (link) {
    case FW_LINK_IDENTITY: break;
    case FW_LINK_SIGMOID: fw_vec_sigmoid(x, x, n * n_out); break;
    case FW_LINK_SOFTMAX:
        for (size_t i = 0; i < n; i++) fw_softmax(x + i * n_out, x + i * n_out, n_out);
        break;
    }
}

size_t fw_dense_scratch(const fw_dense *net, size_t n)
{
    return 2 * FW_MIN(n, (size_t)PIECE_ROWS) * net->widest;
}

static void predict_piece(const fw_dense *net, const float *params, const float *x, size_t ld, size_t n, float *out, float *scratch)
{
    float *halves[2] = {scratch, scratch + n * net->widest};
    for (size_t l = 0; l < net->n_layers; l++) {
        const fw_dense_layer *layer = &net->layers[l];
        float *y = l + 1 == net->n_layers ? out : halves[l % 2];
        fw_gemm(n, layer->out, layer->in, x, ld, params + layer->w_at, layer->out, params + layer->b_at, y, layer->out);
        fw_activate(layer->activation, y, n * layer->out);
        x = y;
        ld = layer->out;
    }
    apply_link(net->link, out, n, ld);
}

void fw_dense_predict(const fw_dense *net, const float *params, const float *x, size_t ld, size_t n, float *out, float *scratch)
{
    const size_t n_out = net->layers[net->n_layers - 1].out;
    for (size_t first = 0; first < n; first += PIECE_ROWS)
        predict_piece(net, params, x + first * ld, ld, FW_MIN(n - first, (size_t)PIECE_ROWS), out + first * n_out, scratch);
}

const char *fw_activation_name(fw_activation a) { return activation_names[a]; }
const char *fw_link_name(fw_link link) { return link_names[link]; }

int fw_activation_parse(fw_activation *out, const char *name)
{
    for (size_t i = 0; i < N_ACTIVATIONS; i++)
        if (fw_text_equal(activation_names[i], name)) {
            *out = (fw_activation)i;
            return 1;
        }
    return 0;
}

/* {"inputs": 108, "hidden": [64, 32], "outputs": 10, "activation": "relu", "link": "softmax"} */
fw_status fw_dense_to_json(json_t **out, const fw_dense *net, fw_error *err)
{
    const size_t last = net->n_layers - 1;
    json_t *hidden = json_array();
    for (size_t l = 0; l < last; l++)
        if (json_array_append_new(hidden, json_integer((json_int_t)net->layers[l].out)) != 0) {
            json_decref(hidden);
            return fw_fail(err, FW_ERR_NOMEM, "network: JSON of %zu layers", net->n_layers);
        }
    json_t *j = json_pack("{s:I, s:o, s:I, s:s, s:s}", "inputs", (json_int_t)net->layers[0].in, "hidden", hidden, "outputs",
                          (json_int_t)net->layers[last].out, "activation", activation_names[net->layers[0].activation], "link", link_names[net->link]);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "network: JSON of %zu layers", net->n_layers);
    *out = j;
    return FW_OK;
}

static int parse_link(fw_link *out, const char *name)
{
    for (size_t i = 0; i < N_LINKS; i++)
        if (fw_text_equal(link_names[i], name)) {
            *out = (fw_link)i;
            return 1;
        }
    return 0;
}

fw_status fw_dense_from_json(fw_dense *out, const json_t *j, fw_error *err)
{
    json_int_t n_in = 0, n_out = 0;
    const char *activation_text = NULL, *link_text = NULL;
    json_t *list = NULL;
    json_error_t why;
    if (json_unpack_ex((json_t *)j, &why, JSON_STRICT, "{s:I, s:o, s:I, s:s, s:s}", "inputs", &n_in, "hidden", &list, "outputs", &n_out, "activation",
                       &activation_text, "link", &link_text) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "network: %s", why.text);
    fw_activation activation;
    fw_link link;
    if (!fw_activation_parse(&activation, activation_text)) return fw_fail(err, FW_ERR_FORMAT, "network: unknown activation \"%s\"", activation_text);
    if (!parse_link(&link, link_text)) return fw_fail(err, FW_ERR_FORMAT, "network: unknown link \"%s\"", link_text);
    size_t hidden[FW_DENSE_MAX_LAYERS], n_hidden = json_array_size(list);
    if (!json_is_array(list) || n_hidden >= FW_DENSE_MAX_LAYERS)
        return fw_fail(err, FW_ERR_FORMAT, "network: hidden is not a list of fewer than %d widths", FW_DENSE_MAX_LAYERS);
    if (n_in < 0 || n_out < 0) return fw_fail(err, FW_ERR_FORMAT, "network: a negative width");
    for (size_t i = 0; i < n_hidden; i++) {
        const json_t *width = json_array_get(list, i);
        if (!json_is_integer(width) || json_integer_value(width) < 0) return fw_fail(err, FW_ERR_FORMAT, "network: hidden width %zu is no count", i + 1);
        hidden[i] = (size_t)json_integer_value(width);
    }
    if (fw_dense_make(out, (size_t)n_in, hidden, n_hidden, (size_t)n_out, activation, link, err) != FW_OK) {
        if (err != NULL) err->status = FW_ERR_FORMAT;
        return FW_ERR_FORMAT;
    }
    return FW_OK;
}
