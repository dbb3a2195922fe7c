#include <stdint.h>

#include "common/model/elementary_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define KERNELS fw_elementary_avx2
#define NAME "avx2"
#define FMA(a, b, c) ((vec)_mm256_fmadd_ps(a, b, c))

typedef float vec __attribute__((vector_size(LANES * 4)));

#include "common/model/elementary_body.h"
#endif
