/** Canonical-order matrix products: the bits of an element depend on its row of A and its column of B alone (law 3), not on the rows and columns
 *  around it, nor on the CPU. C[i][j] = fold over k = 0..K-1 of fma(A[i][k], B[k][j], acc), acc starting at bias[j] (or +0). One chain per output
 *  element; vectorised over columns only. Kernels: AVX-512, AVX2+FMA, portable (fmaf), chosen at run time (common/core/kernels.h); all give the same bits (a test holds
 *  that). Row-major. Nothing overlaps. Cost 2mnk flops. Local, thread-safe, no allocation. */
#ifndef FW_MODEL_GEMM_H
#define FW_MODEL_GEMM_H

#include <stddef.h>

/** C (m, n; ldc) = A (m, k; lda) * B (k, n; ldb) + bias (n, or NULL). */
void fw_gemm(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias, float *c, size_t ldc);
/** C (m, n; ldc) = A' * B, A (k, m; lda), B (k, n; ldb). */
void fw_gemm_ta(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc);
/** C (m, n; ldc) = A * B', A (m, k; lda), B (n, k; ldb). */
void fw_gemm_tb(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc);

/** One product of any of the three forms. */
typedef enum fw_gemm_form { FW_GEMM_AB, FW_GEMM_ATB, FW_GEMM_ABT } fw_gemm_form;
typedef struct fw_gemm_args {
    fw_gemm_form form;
    size_t m, n, k;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    const float *bias;             /* (n) or NULL */
    float *c;
    size_t ldc;
} fw_gemm_args;

/** For tests: the plain reference, and by kernel name ("avx512", "avx2", "portable"); 0: not on this CPU. */
void fw_gemm_reference(const fw_gemm_args *g);
int  fw_gemm_named(const char *kernel, const fw_gemm_args *g);

#endif
