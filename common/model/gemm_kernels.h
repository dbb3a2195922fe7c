/** The kernels behind fw_gemm; each gives the bits of fw_gemm_reference. Private to this folder. */
#ifndef FW_MODEL_GEMM_KERNELS_H
#define FW_MODEL_GEMM_KERNELS_H

#include "common/model/gemm.h"

/** Rows and columns of one product: A (m, k; lda), B (k, n; ldb), bias (n) or NULL, C (m, n; ldc). */
typedef struct fw_gemm_args {
    size_t m, n, k;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    const float *bias;
    float *c;
    size_t ldc;
} fw_gemm_args;

void fw_gemm_portable(const fw_gemm_args *g);
#if defined(__x86_64__)
void fw_gemm_avx2(const fw_gemm_args *g);
void fw_gemm_avx512(const fw_gemm_args *g);
#endif

#endif
