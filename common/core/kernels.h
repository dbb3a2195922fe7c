/** Which of the own vector kernels this process runs: the fastest that its CPU has, or those that FW_KERNELS names ("avx512", "avx2", "portable"; for
 *  tests). All give the same bits: it is a matter of speed alone, and ranks on different CPUs may differ.
 *  Functions compiled for several CPUs from one source (targets.h) are chosen by the loader, whatever FW_KERNELS says. */
#ifndef FW_CORE_KERNELS_H
#define FW_CORE_KERNELS_H

#include <stdbool.h>

#include "common/core/status.h"

/** avx512: AVX-512F, BW and DQ. avx2: with FMA. */
typedef enum fw_kernels { FW_KERNELS_PORTABLE, FW_KERNELS_AVX2, FW_KERNELS_AVX512, FW_N_KERNELS } fw_kernels;

/** Takes those that FW_KERNELS names, if it is set. Once, before threads start. FW_ERR_CONFIG: no such kernels, or not on this CPU. */
fw_status fw_kernels_choose(fw_error *err);

fw_kernels  fw_kernels_now(void);                                     /* those that run; without fw_kernels_choose the fastest. Thread-safe */
bool        fw_kernels_find(fw_kernels *out, const char *name);       /* false: no such kernels, or not on this CPU */
const char *fw_kernels_name(fw_kernels k);

#endif
