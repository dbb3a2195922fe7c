/** Optimizer steps on a run of parameters: element by element, IEEE operations only, so that who owns which run leaves the bits alone.
 *  Sources: Kingma & Ba 2015 (Adam), Loshchilov & Hutter 2019 (AdamW), Sutskever et al. 2013 (momentum, torch's form). */
#ifndef WORKER_KERNELS_UPDATE_H
#define WORKER_KERNELS_UPDATE_H

#include <stddef.h>

typedef struct worker_update {
    float rate;                      /* learning rate of this step */
    float momentum;                  /* sgd */
    float beta1, beta2, epsilon;     /* adam, adamw */
    float correction1, correction2;  /* 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
    float l2;                        /* added to the gradient: l2 * w (and weight_decay of sgd and adam); 0 on biases */
    float decay;                     /* adamw: w -= rate * decay * w; 0 on biases */
    float l1;                        /* proximal: |w| shrinks by rate * l1; 0 on biases */
} worker_update;

/** w, g, m (n); v (n) for adam. g is the mean gradient and is overwritten. |m| below 2^-100 and v below 2^-120 become 0: where gradients stay zero (a pixel
 *  that is always black) they would else fade into denormal numbers, which are a hundred times slower and move no weight. */
void worker_update_sgd(float *w, float *g, float *m, size_t n, const worker_update *u);
void worker_update_adam(float *w, float *g, float *m, float *v, size_t n, const worker_update *u);

#endif
