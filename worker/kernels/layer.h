/** What happens to rows between two products: activation, its slope on the way back, dropout, column sums.
 *  Element by element or in row order: bits depend on the values alone. Rows are contiguous: (rows, n), ld == n. */
#ifndef WORKER_KERNELS_LAYER_H
#define WORKER_KERNELS_LAYER_H

#include <stddef.h>
#include <stdint.h>

/** z (count) = max(z, 0); NaN stays. */
void worker_layer_relu(float *z, size_t count);

/** Slopes: d (count) *= f'(...). relu and tanh from the output y; gelu from the input z. */
void worker_layer_slope_relu(float *d, const float *y, size_t count);
void worker_layer_slope_tanh(float *d, const float *y, size_t count);
void worker_layer_slope_gelu(float *d, const float *z, size_t count);

/** Dropout mask of one row: bit = kept. Keyed by (seed, epoch, row, layer, unit): the same on any rank. y (n) becomes y * scale where kept, else 0.
 *  drop in [0, 1); scale = 1 / (1 - drop). The mask itself: mask (n) of 0 or scale, for the way back. */
void worker_layer_dropout(float *y, float *mask, size_t n, double drop, uint64_t seed, uint32_t epoch, uint64_t row, uint32_t layer);
/** d (count) *= mask (count). */
void worker_layer_mask(float *d, const float *mask, size_t count);

/** sum (n) = column sums of d (rows, n; ld >= n), in row order. */
void worker_layer_column_sums(float *sum, const float *d, size_t ld, size_t rows, size_t n);

#endif
