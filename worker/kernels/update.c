#include "worker/kernels/update.h"

#include <math.h>

#include "worker/kernels/targets.h"

#define FADED_M 0x1p-100f         /* smaller means of gradients, */
#define FADED_V 0x1p-120f         /* and of their squares, count as zero, before products with them become denormal */

/* A NaN stays one. */
static inline float unless_faded(float x, float limit) { return fabsf(x) < limit ? 0.0f : x; }

TARGETS static void shrink(float *w, size_t n, float by)
{
    for (size_t i = 0; i < n; i++) {
        float size = fabsf(w[i]) - by;
        w[i] = size > 0.0f || size != size ? copysignf(size, w[i]) : 0.0f;      /* a NaN must not turn into a zero: it is an event */
    }
}

TARGETS static void add_l2(float *restrict g, const float *restrict w, size_t n, float l2)
{
    for (size_t i = 0; i < n; i++) g[i] = g[i] + l2 * w[i];
}

TARGETS static void sgd(float *restrict w, const float *restrict g, float *restrict m, size_t n, float rate, float momentum)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = unless_faded(momentum * m[i] + g[i], FADED_M);
        w[i] = w[i] - rate * m[i];
    }
}

TARGETS static void adam(float *restrict w, const float *restrict g, float *restrict m, float *restrict v, size_t n, const worker_update *restrict u)
{
    const float b1 = u->beta1, b2 = u->beta2, c1 = 1.0f - u->beta1, c2 = 1.0f - u->beta2, epsilon = u->epsilon;
    const float step = u->rate * u->correction1, root = u->correction2, keep = 1.0f - u->rate * u->decay;
    for (size_t i = 0; i < n; i++) {
        m[i] = unless_faded(b1 * m[i] + c1 * g[i], FADED_M);
        v[i] = unless_faded(b2 * v[i] + c2 * (g[i] * g[i]), FADED_V);
        w[i] = keep * w[i] - step * m[i] / (sqrtf(v[i]) * root + epsilon);
    }
}

void worker_update_sgd(float *w, float *g, float *m, size_t n, const worker_update *u)
{
    if (u->l2 != 0.0f) add_l2(g, w, n, u->l2);
    sgd(w, g, m, n, u->rate, u->momentum);
    if (u->l1 != 0.0f) shrink(w, n, u->rate * u->l1);
}

void worker_update_adam(float *w, float *g, float *m, float *v, size_t n, const worker_update *u)
{
    if (u->l2 != 0.0f) add_l2(g, w, n, u->l2);
    adam(w, g, m, v, n, u);
    if (u->l1 != 0.0f) shrink(w, n, u->rate * u->l1);
}
