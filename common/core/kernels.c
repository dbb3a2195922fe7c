#include "common/core/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NOT_YET (-1)

static const char *const names[FW_N_KERNELS] = {[FW_KERNELS_PORTABLE] = "portable", [FW_KERNELS_AVX2] = "avx2", [FW_KERNELS_AVX512] = "avx512"};
static _Atomic int in_use = NOT_YET;      /* an fw_kernels */

#if defined(__x86_64__)
static fw_kernels fastest(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return FW_KERNELS_PORTABLE;
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    return wide ? FW_KERNELS_AVX512 : FW_KERNELS_AVX2;
}
#else
static fw_kernels fastest(void) { return FW_KERNELS_PORTABLE; }
#endif

bool fw_kernels_find(fw_kernels *out, const char *name)
{
    for (fw_kernels k = FW_KERNELS_PORTABLE; k <= fastest(); k++)
        if (strcmp(names[k], name) == 0) {
            *out = k;
            return true;
        }
    return false;
}

fw_status fw_kernels_choose(fw_error *err)
{
    const char *asked = getenv("FW_KERNELS");
    fw_kernels k = fastest();
    if (asked != NULL && asked[0] != '\0' && !fw_kernels_find(&k, asked))
        return fw_fail(err, FW_ERR_CONFIG, "FW_KERNELS: \"%s\" is not one of avx512, avx2, portable, or not on this CPU, where the fastest is %s; unset it", asked,
                       names[fastest()]);
    atomic_store_explicit(&in_use, (int)k, memory_order_relaxed);
    return FW_OK;
}

fw_kernels fw_kernels_now(void)
{
    const int k = atomic_load_explicit(&in_use, memory_order_relaxed);
    return k != NOT_YET ? (fw_kernels)k : fastest();
}

const char *fw_kernels_name(fw_kernels k) { return names[k]; }
