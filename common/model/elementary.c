#include "common/model/elementary.h"

#include <string.h>

#include "common/model/elementary_kernels.h"

const fw_elementary_kernels *fw_elementary_find(const char *name)
{
#if defined(__x86_64__)
    if ((name == NULL || strcmp(name, "avx512") == 0) && __builtin_cpu_supports("avx512f")) return &fw_elementary_avx512;
    if ((name == NULL || strcmp(name, "avx2") == 0) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &fw_elementary_avx2;
#endif
    return name == NULL || strcmp(name, "portable") == 0 ? &fw_elementary_portable : NULL;
}

static float one(fw_elementary_function *f, float x)
{
    float y;
    f(&y, &x, 1);
    return y;
}

float fw_expf(float x)        { return one(fw_elementary_find(NULL)->exp, x); }
float fw_logf(float x)        { return one(fw_elementary_find(NULL)->log, x); }
float fw_tanhf(float x)       { return one(fw_elementary_find(NULL)->tanh, x); }
float fw_sigmoidf(float x)    { return one(fw_elementary_find(NULL)->sigmoid, x); }
float fw_geluf(float x)       { return one(fw_elementary_find(NULL)->gelu, x); }
float fw_gelu_slopef(float x) { return one(fw_elementary_find(NULL)->gelu_slope, x); }

void fw_vec_exp(float *y, const float *x, size_t n)        { fw_elementary_find(NULL)->exp(y, x, n); }
void fw_vec_log(float *y, const float *x, size_t n)        { fw_elementary_find(NULL)->log(y, x, n); }
void fw_vec_tanh(float *y, const float *x, size_t n)       { fw_elementary_find(NULL)->tanh(y, x, n); }
void fw_vec_sigmoid(float *y, const float *x, size_t n)    { fw_elementary_find(NULL)->sigmoid(y, x, n); }
void fw_vec_gelu(float *y, const float *x, size_t n)       { fw_elementary_find(NULL)->gelu(y, x, n); }
void fw_vec_gelu_slope(float *y, const float *x, size_t n) { fw_elementary_find(NULL)->gelu_slope(y, x, n); }
void fw_softmax(float *y, const float *x, size_t n)        { fw_elementary_find(NULL)->softmax(y, x, n); }
