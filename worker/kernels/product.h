/** Matrix products of training, by OpenBLAS: one thread, called with shapes that never depend on ranks, so that the bits of a product
 *  depend on its operands and the core type alone (a slice of rows gives other bits: OpenBLAS is not row-slice invariant). Row-major. */
#ifndef WORKER_KERNELS_PRODUCT_H
#define WORKER_KERNELS_PRODUCT_H

#include <stddef.h>

void        worker_product_init(void);                 /* one thread; once a process */
const char *worker_product_core(void);                 /* "Haswell", "Cooperlake": all ranks must agree */
const char *worker_product_library(void);              /* "OpenBLAS 0.3.21 NO_AFFINITY ..." */
int         worker_product_threads(void);

/** C (m, n) = A (m, k) B (k, n) */
void worker_product(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc);
/** C (m, n) = A' B, A (k, m), B (k, n) */
void worker_product_ta(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc);
/** C (m, n) = A B', A (m, k), B (n, k) */
void worker_product_tb(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, size_t ldb, float *c, size_t ldc);

#endif
