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

static const gemm_kernel *find(const char *name)
{
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (name != NULL && strcmp(kernels[i].kernel.name, name) != 0) continue;
        if (kernels[i].supported()) return &kernels[i].kernel;
    }
    return NULL;
}

void fw_gemm(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias, float *c, size_t ldc)
{
    const fw_gemm_args g = {FW_GEMM_AB, m, n, k, a, lda, b, ldb, bias, c, ldc};
    find(NULL)->run(&g);
}

void fw_gemm_ta(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    const fw_gemm_args g = {FW_GEMM_ATB, m, n, k, a, lda, b, ldb, NULL, c, ldc};
    find(NULL)->run(&g);
}

void fw_gemm_tb(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    const fw_gemm_args g = {FW_GEMM_ABT, m, n, k, a, lda, b, ldb, NULL, c, ldc};
    find(NULL)->run(&g);
}

const char *fw_gemm_kernel(void) { return find(NULL)->name; }

int fw_gemm_named(const char *kernel, const fw_gemm_args *g)
{
    const gemm_kernel *k = find(kernel);
    if (k == NULL) return 0;
    k->run(g);
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
