/** OpenBLAS, as far as the program still meets it: one thread, and what it is. Training's own products are those of common/model/gemm.h. */
#ifndef WORKER_KERNELS_PRODUCT_H
#define WORKER_KERNELS_PRODUCT_H

void        worker_product_init(void);                 /* one thread; once a process */
const char *worker_product_core(void);                 /* "Haswell", "Cooperlake" */
const char *worker_product_library(void);              /* "OpenBLAS 0.3.21 NO_AFFINITY ..." */
int         worker_product_threads(void);

#endif
