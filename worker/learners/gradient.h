/** Mini-batch gradient training of a stack of dense layers: what `linear` and `mlp` share. One step: the ranks take the leaves of the global
 *  batch, run forward and backward layer by layer, add the gradients exactly, and each updates its share of the parameters, which a node holds once. */
#ifndef WORKER_LEARNERS_GRADIENT_H
#define WORKER_LEARNERS_GRADIENT_H

#include "worker/learners/learner.h"

/** Initial weights of a layer: uniform in [-bound, bound], biases 0. */
typedef double (*worker_init_bound)(const fw_dense_layer *layer);

fw_status worker_gradient_create(void **state, const worker_task *task, const char *learner, const fw_dense *net, worker_init_bound bound, fw_error *err);
void      worker_gradient_release(void **state);
uint64_t  worker_gradient_steps(const void *state);
fw_status worker_gradient_step(void *state, uint64_t round, uint64_t step, worker_step *s, fw_error *err);
size_t    worker_gradient_arrays(void *state, fw_array out[static WORKER_MAX_ARRAYS]);
fw_status worker_gradient_predict(const void *state, const float *x, size_t ld, size_t n, float *out, fw_error *err);
fw_status worker_gradient_export(const void *state, const void *const *model_arrays, fw_model *m, fw_error *err);
void      worker_gradient_set_rate(void *state, double rate);

/** The rest of a worker_learner_kind, behind its name and create. */
#define WORKER_GRADIENT_OPERATIONS                                                                                        \
    .release = worker_gradient_release, .steps = worker_gradient_steps, .step = worker_gradient_step,                     \
    .arrays = worker_gradient_arrays, .n_model = 1, .predict = worker_gradient_predict,                                   \
    .export_model = worker_gradient_export, .set_rate = worker_gradient_set_rate

#endif
