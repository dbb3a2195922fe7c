#include <stdint.h>

#include "common/model/elementary_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define LANES 16
#define KERNELS fw_elementary_avx512
#define NAME "avx512"
#define FMA(a, b, c) ((vec)_mm512_fmadd_ps(a, b, c))

typedef float vec __attribute__((vector_size(LANES * 4)));

#include "common/model/elementary_body.h"
#endif
