/** One table of vector functions per instruction set, all with the same bits. Private to this folder and its tests. */
#ifndef FW_MODEL_ELEMENTARY_KERNELS_H
#define FW_MODEL_ELEMENTARY_KERNELS_H

#include "common/model/elementary.h"

typedef void fw_elementary_function(float *y, const float *x, size_t n);      /* y[i] = f(x[i]); in place allowed */

typedef struct fw_elementary_kernels {
    const char *name;
    fw_elementary_function *exp, *log, *tanh, *sigmoid, *gelu, *gelu_slope, *softmax;
} fw_elementary_kernels;

extern const fw_elementary_kernels fw_elementary_portable;
#if defined(__x86_64__)
extern const fw_elementary_kernels fw_elementary_avx2, fw_elementary_avx512;
#endif

/** For tests, by name. NULL: not on this CPU. */
const fw_elementary_kernels *fw_elementary_find(const char *name);

#endif
