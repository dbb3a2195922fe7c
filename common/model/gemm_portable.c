#include <math.h>

#include "common/model/gemm_kernels.h"

/* A row of C at a time, its columns in strips on the stack: the chain of each element is that of the reference. */
#define STRIP 64

static void row_of_strip(const fw_gemm_args *g, size_t i, size_t j, size_t width)
{
    const size_t a_row = g->form == FW_GEMM_ATB ? 1 : g->lda, a_step = g->form == FW_GEMM_ATB ? g->lda : 1;
    float acc[STRIP];
    for (size_t l = 0; l < width; l++) acc[l] = g->bias != NULL ? g->bias[j + l] : 0.0f;
    for (size_t p = 0; p < g->k; p++) {
        const float a = g->a[i * a_row + p * a_step];
        if (g->form == FW_GEMM_ABT)
            for (size_t l = 0; l < width; l++) acc[l] = fmaf(a, g->b[(j + l) * g->ldb + p], acc[l]);
        else
            for (size_t l = 0; l < width; l++) acc[l] = fmaf(a, g->b[p * g->ldb + j + l], acc[l]);
    }
    for (size_t l = 0; l < width; l++) g->c[i * g->ldc + j + l] = acc[l];
}

void fw_gemm_portable(const fw_gemm_args *g)
{
    for (size_t j = 0; j < g->n; j += STRIP)
        for (size_t i = 0; i < g->m; i++) row_of_strip(g, i, j, g->n - j < STRIP ? g->n - j : STRIP);
}
