/** A stack of dense layers: what `linear` (no hidden layer) and `mlp` train and what prediction runs. Shapes and offsets only; the
 *  parameters are one slab of floats beside it: per layer W (in, out) row-major, then b (out). */
#ifndef FW_MODEL_DENSE_H
#define FW_MODEL_DENSE_H

#include <jansson.h>
#include <stddef.h>

#include "common/core/status.h"

typedef enum fw_activation { FW_IDENTITY, FW_RELU, FW_TANH, FW_GELU } fw_activation;
typedef enum fw_link { FW_LINK_IDENTITY, FW_LINK_SIGMOID, FW_LINK_SOFTMAX } fw_link;    /* regression, binary, many classes */

#define FW_DENSE_MAX_LAYERS 64

typedef struct fw_dense_layer { size_t in, out, w_at, b_at; fw_activation activation; } fw_dense_layer;
typedef struct fw_dense {
    size_t n_layers, n_params, widest;     /* widest: largest in or out */
    fw_link link;
    fw_dense_layer layers[FW_DENSE_MAX_LAYERS];
} fw_dense;

/** FW_ERR_CONFIG: too deep, zero width, or too large. n_out: 1 for identity and sigmoid. The last layer has no activation. */
fw_status fw_dense_make(fw_dense *out, size_t n_in, const size_t *hidden, size_t n_hidden, size_t n_out, fw_activation activation, fw_link link,
                        fw_error *err);

/** The one path of law 3. x (n, ld) -> out (n, n_out) after the link; scratch: fw_dense_scratch(net, n) floats. Every row's bits depend on that row alone. */
size_t fw_dense_scratch(const fw_dense *net, size_t n);
void   fw_dense_predict(const fw_dense *net, const float *params, const float *x, size_t ld, size_t n, float *out, float *scratch);

/** In place, element by element; relu keeps NaN. What training runs between the layers too. */
void fw_activate(fw_activation a, float *x, size_t n);

const char *fw_activation_name(fw_activation a);
const char *fw_link_name(fw_link link);
int         fw_activation_parse(fw_activation *out, const char *name);     /* 0: unknown */
fw_status   fw_dense_to_json(json_t **out, const fw_dense *net, fw_error *err);
fw_status   fw_dense_from_json(fw_dense *out, const json_t *j, fw_error *err);      /* FW_ERR_FORMAT */

#endif
