#include "worker/kernels/product.h"

#include <cblas.h>

void worker_product_init(void) { openblas_set_num_threads(1); }

const char *worker_product_core(void) { return openblas_get_corename(); }
const char *worker_product_library(void) { return openblas_get_config(); }
int worker_product_threads(void) { return openblas_get_num_threads(); }
