#include "worker/kernels/product.h"

#include <cblas.h>

void worker_product_init(void) { openblas_set_num_threads(1); }

const char *worker_product_core(void) { return openblas_get_corename(); }
const char *worker_product_library(void) { return openblas_get_config(); }
int worker_product_threads(void) { return openblas_get_num_threads(); }

static void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb,
                    float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, 1.0f, a, (blasint)lda, b, (blasint)ldb, 0.0f, c, (blasint)ldc);
}

void worker_product(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    product(CblasNoTrans, CblasNoTrans, m, n, k, a, lda, b, ldb, c, ldc);
}

void worker_product_ta(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    product(CblasTrans, CblasNoTrans, m, n, k, a, lda, b, ldb, c, ldc);
}

void worker_product_tb(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    product(CblasNoTrans, CblasTrans, m, n, k, a, lda, b, ldb, c, ldc);
}
