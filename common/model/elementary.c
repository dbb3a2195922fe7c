#include "common/model/elementary.h"

#include "common/core/kernels.h"
#include "common/model/elementary_kernels.h"

static const fw_elementary_kernels *const kernels[FW_N_KERNELS] = {
    [FW_KERNELS_PORTABLE] = &fw_elementary_portable,
#if defined(__x86_64__)
    [FW_KERNELS_AVX2] = &fw_elementary_avx2,
    [FW_KERNELS_AVX512] = &fw_elementary_avx512,
#endif
};

static const fw_elementary_kernels *now(void) { return kernels[fw_kernels_now()]; }

const fw_elementary_kernels *fw_elementary_find(const char *name)
{
    fw_kernels k;
    return fw_kernels_find(&k, name) ? kernels[k] : NULL;
}

static float one(fw_elementary_function *f, float x)
{
    float y;
    f(&y, &x, 1);
    return y;
}

float fw_expf(float x)        { return one(now()->exp, x); }
float fw_logf(float x)        { return one(now()->log, x); }
float fw_tanhf(float x)       { return one(now()->tanh, x); }
float fw_sigmoidf(float x)    { return one(now()->sigmoid, x); }
float fw_geluf(float x)       { return one(now()->gelu, x); }
float fw_gelu_slopef(float x) { return one(now()->gelu_slope, x); }

void fw_vec_exp(float *y, const float *x, size_t n)        { now()->exp(y, x, n); }
void fw_vec_log(float *y, const float *x, size_t n)        { now()->log(y, x, n); }
void fw_vec_tanh(float *y, const float *x, size_t n)       { now()->tanh(y, x, n); }
void fw_vec_sigmoid(float *y, const float *x, size_t n)    { now()->sigmoid(y, x, n); }
void fw_vec_gelu(float *y, const float *x, size_t n)       { now()->gelu(y, x, n); }
void fw_vec_gelu_slope(float *y, const float *x, size_t n) { now()->gelu_slope(y, x, n); }
void fw_softmax(float *y, const float *x, size_t n)        { now()->softmax(y, x, n); }
