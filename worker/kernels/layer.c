#include "worker/kernels/layer.h"

#include <string.h>

#include "common/core/random.h"
#include "common/model/elementary.h"
#include "worker/kernels/targets.h"

TARGETS static void relu(float *z, size_t count)
{
    for (size_t i = 0; i < count; i++) z[i] = z[i] > 0.0f || z[i] != z[i] ? z[i] : 0.0f;      /* a NaN must not turn into a zero: it is an event */
}

void worker_layer_relu(float *z, size_t count)
{
    relu(z, count);
}

TARGETS static void slope_relu(float *restrict d, const float *restrict y, size_t count)
{
    for (size_t i = 0; i < count; i++) d[i] = y[i] > 0.0f ? d[i] : 0.0f;
}

void worker_layer_slope_relu(float *d, const float *y, size_t count)
{
    slope_relu(d, y, count);
}

TARGETS static void slope_tanh(float *restrict d, const float *restrict y, size_t count)
{
    for (size_t i = 0; i < count; i++) d[i] *= 1.0f - y[i] * y[i];
}

void worker_layer_slope_tanh(float *d, const float *y, size_t count)
{
    slope_tanh(d, y, count);
}

void worker_layer_slope_gelu(float *d, const float *z, size_t count)
{
    float slope[256];
    for (size_t at = 0; at < count; at += 256) {
        size_t n = count - at < 256 ? count - at : 256;
        fw_vec_gelu_slope(slope, z + at, n);
        for (size_t i = 0; i < n; i++) d[at + i] *= slope[i];
    }
}

/* Eight units share one counter: 16 bits each decide. */
void worker_layer_dropout(float *y, float *mask, size_t n, double drop, uint64_t seed, uint32_t epoch, uint64_t row, uint32_t layer)
{
    const uint32_t threshold = (uint32_t)(drop * 65536.0 + 0.5);
    const float scale = (float)(1.0 / (1.0 - drop));
    for (size_t j = 0; j < n; j += 8) {
        fw_philox r = fw_random(seed, FW_RANDOM_DROPOUT, epoch, row, (layer << 24) | (uint32_t)(j / 8));
        size_t units = n - j < 8 ? n - j : 8;
        for (size_t u = 0; u < units; u++) {
            uint32_t sixteen = (r.word[u / 2] >> (16 * (u % 2))) & 0xffffu;
            mask[j + u] = sixteen >= threshold ? scale : 0.0f;
            y[j + u] *= mask[j + u];
        }
    }
}

TARGETS static void apply_mask(float *restrict d, const float *restrict mask, size_t count)
{
    for (size_t i = 0; i < count; i++) d[i] *= mask[i];
}

void worker_layer_mask(float *d, const float *mask, size_t count)
{
    apply_mask(d, mask, count);
}

TARGETS static void column_sums(float *restrict sum, const float *restrict d, size_t ld, size_t rows, size_t n)
{
    memset(sum, 0, n * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n; j++) sum[j] += d[r * ld + j];
}

void worker_layer_column_sums(float *sum, const float *d, size_t ld, size_t rows, size_t n)
{
    column_sums(sum, d, ld, rows, n);
}
