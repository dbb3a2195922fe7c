/** mlp: any number of hidden layers, relu, tanh or gelu, dropout. Starts by He et al. 2015 (relu, gelu) or Glorot & Bengio 2010 (tanh, output). */
#include <math.h>

#include "worker/learners/gradient.h"

static double he_or_glorot(const fw_dense_layer *layer)
{
    if (layer->activation == FW_RELU || layer->activation == FW_GELU) return sqrt(6.0 / (double)layer->in);
    return sqrt(6.0 / (double)(layer->in + layer->out));
}

static fw_status create(void **state, const worker_task *task, fw_error *err)
{
    const fw_project *p = task->project;
    fw_dense net;
    fw_activation activation;
    if (!fw_activation_parse(&activation, p->model.activation))
        return fw_fail(err, FW_ERR_CONFIG, "model.activation: \"%s\" is not known", p->model.activation);
    FW_TRY(fw_dense_make(&net, task->width, p->model.hidden.v, p->model.hidden.n, task->n_out, activation, task->link, err));
    return worker_gradient_create(state, task, "mlp", &net, he_or_glorot, err);
}

const worker_learner_kind worker_learner_mlp = {.name = "mlp", .create = create, WORKER_GRADIENT_OPERATIONS};
