/** Losses of many rows at once and the deltas they begin the way back with. A row's bits depend on that row alone. */
#ifndef WORKER_KERNELS_LOSS_H
#define WORKER_KERNELS_LOSS_H

#include <stddef.h>
#include <stdint.h>

/** Softmax and cross-entropy: from z (rows, k), the last layer's output, and label (rows) in [0, k)
 *  delta (rows, k) = softmax(z) - onehot(label),  loss (rows) = -log softmax(z)[label], at most 85.2 (a probability below 1e-37 counts as that).
 *  Both times weight[label] (k). What is not finite in z makes the row's loss NaN. Cost 5 passes over delta, one exp an element, one log a row. */
void worker_loss_softmax(float *delta, float *loss, const float *z, const int32_t *label, const float *weight, size_t rows, size_t k);

#endif
