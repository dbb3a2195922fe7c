#include "worker/kernels/loss.h"

#include "common/model/elementary.h"
#include "worker/kernels/targets.h"

#define LEAST 1e-37f                  /* of a probability whose logarithm is taken */

TARGETS static void subtract_top(float *restrict y, const float *restrict z, size_t rows, size_t k)
{
    for (size_t r = 0; r < rows; r++, y += k, z += k) {
        float top = z[0];
        for (size_t j = 1; j < k; j++) top = z[j] > top ? z[j] : top;
        for (size_t j = 0; j < k; j++) y[j] = z[j] - top;
    }
}

/* A sum in the order of the classes. */
TARGETS static void divide_by_sum(float *y, size_t rows, size_t k)
{
    for (size_t r = 0; r < rows; r++, y += k) {
        float sum = 0.0f;
        for (size_t j = 0; j < k; j++) sum += y[j];
        const float inverse = 1.0f / sum;
        for (size_t j = 0; j < k; j++) y[j] *= inverse;
    }
}

/* The label's probability aside, for the logarithm of all of them at once; the delta from the others. */
static void take_label(float *delta, float *loss, const int32_t *label, const float *weight, size_t rows, size_t k)
{
    for (size_t r = 0; r < rows; r++, delta += k) {
        const float p = delta[label[r]], w = weight[label[r]];
        loss[r] = p > LEAST || p != p ? p : LEAST;
        delta[label[r]] -= 1.0f;
        if (w != 1.0f)
            for (size_t j = 0; j < k; j++) delta[j] *= w;
    }
}

void worker_loss_softmax(float *delta, float *loss, const float *z, const int32_t *label, const float *weight, size_t rows, size_t k)
{
    subtract_top(delta, z, rows, k);
    fw_vec_exp(delta, delta, rows * k);
    divide_by_sum(delta, rows, k);
    take_label(delta, loss, label, weight, rows, k);
    fw_vec_log(loss, loss, rows);
    for (size_t r = 0; r < rows; r++) loss[r] = -loss[r] * weight[label[r]];
}
