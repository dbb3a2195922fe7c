#include <math.h>

#include "common/model/gemm_kernels.h"

/* A row of C at a time, its columns in strips on the stack: the chain of each element is that of the reference. */
#define STRIP 64

void fw_gemm_portable(const fw_gemm_args *g)
{
    for (size_t j = 0; j < g->n; j += STRIP) {
        const size_t width = g->n - j < STRIP ? g->n - j : STRIP;
        for (size_t i = 0; i < g->m; i++) {
            float acc[STRIP];
            for (size_t l = 0; l < width; l++) acc[l] = g->bias != NULL ? g->bias[j + l] : 0.0f;
            for (size_t p = 0; p < g->k; p++) {
                const float a = g->a[i * g->lda + p];
                const float *b = g->b + p * g->ldb + j;
                for (size_t l = 0; l < width; l++) acc[l] = fmaf(a, b[l], acc[l]);
            }
            for (size_t l = 0; l < width; l++) g->c[i * g->ldc + j + l] = acc[l];
        }
    }
}
