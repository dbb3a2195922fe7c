#include "common/model/gemm.h"

#include <math.h>

#include "common/core/kernels.h"
#include "common/model/gemm_kernels.h"

typedef void gemm_function(const fw_gemm_args *g);

static gemm_function *const kernels[FW_N_KERNELS] = {
    [FW_KERNELS_PORTABLE] = fw_gemm_portable,
#if defined(__x86_64__)
    [FW_KERNELS_AVX2] = fw_gemm_avx2,
    [FW_KERNELS_AVX512] = fw_gemm_avx512,
#endif
};

void fw_gemm(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias, float *c, size_t ldc)
{
    const fw_gemm_args g = {FW_GEMM_AB, m, n, k, a, lda, b, ldb, bias, c, ldc};
    kernels[fw_kernels_now()](&g);
}

void fw_gemm_ta(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    const fw_gemm_args g = {FW_GEMM_ATB, m, n, k, a, lda, b, ldb, NULL, c, ldc};
    kernels[fw_kernels_now()](&g);
}

void fw_gemm_tb(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    const fw_gemm_args g = {FW_GEMM_ABT, m, n, k, a, lda, b, ldb, NULL, c, ldc};
    kernels[fw_kernels_now()](&g);
}

int fw_gemm_named(const char *kernel, const fw_gemm_args *g)
{
    fw_kernels k;
    if (!fw_kernels_find(&k, kernel)) return 0;
    kernels[k](g);
    return 1;
}

void fw_gemm_reference(const fw_gemm_args *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            float acc = g->bias != NULL ? g->bias[j] : 0.0f;
            for (size_t p = 0; p < g->k; p++) {
                const float a = g->form == FW_GEMM_ATB ? g->a[p * g->lda + i] : g->a[i * g->lda + p];
                const float b = g->form == FW_GEMM_ABT ? g->b[j * g->ldb + p] : g->b[p * g->ldb + j];
                acc = fmaf(a, b, acc);
            }
            g->c[i * g->ldc + j] = acc;
        }
    }
}
