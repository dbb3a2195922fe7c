/** The kernels behind fw_gemm; each gives the bits of fw_gemm_reference. Private to this folder. */
#ifndef FW_MODEL_GEMM_KERNELS_H
#define FW_MODEL_GEMM_KERNELS_H

#include "common/model/gemm.h"

void fw_gemm_portable(const fw_gemm_args *g);
#if defined(__x86_64__)
void fw_gemm_avx2(const fw_gemm_args *g);
void fw_gemm_avx512(const fw_gemm_args *g);
#endif

#endif
