/** Canonical-order matrix product: the bits of a row do not depend on the rows around it (law 3), nor on the CPU.
 *  C[i][j] = fold over k = 0..K-1 of fma(A[i][k], B[k][j], acc), acc starting at bias[j] (or +0). One chain per output element; vectorised
 *  over columns only. Kernels: AVX-512, AVX2+FMA, portable (fmaf), chosen at run time; all give the same bits (a test holds that). */
#ifndef FW_MODEL_GEMM_H
#define FW_MODEL_GEMM_H

#include <stddef.h>

/** C (m, n; ldc) = A (m, k; lda) * B (k, n; ldb) + bias (n, or NULL). Row-major. Nothing overlaps. Cost 2mnk flops. Local, thread-safe, no allocation. */
void fw_gemm(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias, float *c, size_t ldc);

/** For tests: the plain reference, and by kernel name ("avx512", "avx2", "portable"); 0: not on this CPU. */
void fw_gemm_reference(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias, float *c, size_t ldc);
int  fw_gemm_named(const char *kernel, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, const float *bias,
                   float *c, size_t ldc);

#endif
