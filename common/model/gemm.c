#include "common/model/gemm.h"

#include <math.h>
#include <string.h>

#include "common/model/gemm_kernels.h"

typedef void gemm_function(const fw_gemm_args *g);
typedef struct gemm_kernel { const char *name; gemm_function *run; } gemm_kernel;

static int always(void) { return 1; }

#if defined(__x86_64__)
static int has_avx512(void) { return __builtin_cpu_supports("avx512f") != 0; }
static int has_avx2(void) { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }
#endif

/* Fastest first. */
static const struct { gemm_kernel kernel; int (*supported)(void); } kernels[] = {
#if defined(__x86_64__)
    {{"avx512", fw_gemm_avx512}, has_avx512},
    {{"avx2", fw_gemm_avx2}, has_avx2},
#endif
    {{"portable", fw_gemm_portable}, always},
};
#define N_KERNELS (sizeof kernels / sizeof kernels[0])

static gemm_function *find(const char *name)
{
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (name != NULL && strcmp(kernels[i].kernel.name, name) != 0) continue;
        if (kernels[i].supported()) return kernels[i].kernel.run;
    }
    return NULL;
}

void fw_gemm(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias, float *c, size_t ldc)
{
    const fw_gemm_args g = {m, n, k, a, lda, b, ldb, bias, c, ldc};
    find(NULL)(&g);
}

int fw_gemm_named(const char *kernel, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias,
                  float *c, size_t ldc)
{
    gemm_function *run = find(kernel);
    if (run == NULL) return 0;
    const fw_gemm_args g = {m, n, k, a, lda, b, ldb, bias, c, ldc};
    run(&g);
    return 1;
}

void fw_gemm_reference(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias, float *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            float acc = bias != NULL ? bias[j] : 0.0f;
            for (size_t p = 0; p < k; p++) acc = fmaf(a[i * lda + p], b[p * ldb + j], acc);
            c[i * ldc + j] = acc;
        }
    }
}
