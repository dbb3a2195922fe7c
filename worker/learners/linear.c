/** linear: linear regression, binary and multinomial logistic regression, by task. No hidden layer; starts at zero. */
#include "worker/learners/gradient.h"

static double zero(const fw_dense_layer *layer)
{
    (void)layer;
    return 0.0;
}

static fw_status create(void **state, const worker_task *task, fw_error *err)
{
    fw_dense net;
    FW_TRY(fw_dense_make(&net, task->width, NULL, 0, task->n_out, FW_IDENTITY, task->link, err));
    return worker_gradient_create(state, task, "linear", &net, zero, err);
}

const worker_learner_kind worker_learner_linear = {.name = "linear", .create = create, WORKER_GRADIENT_OPERATIONS};
