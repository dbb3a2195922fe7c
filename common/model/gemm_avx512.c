#include <string.h>

#include "common/model/gemm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define LANES 16u
#define MAX_ROWS 12u               /* 24 accumulators of 32 registers */
#define MAX_TILE_ROWS 12
#define MAX_TILE_VECTORS 8
#define ZERO() _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define SPLAT(x) _mm512_set1_ps(x)
#define MASK(n) ((mask)((1u << (n)) - 1u))
#define LOAD_MASK(p, k) _mm512_maskz_loadu_ps(k, p)
#define STORE_MASK(p, k, v) _mm512_mask_storeu_ps(p, k, v)

typedef __m512 vec;
typedef __mmask16 mask;

#include "common/model/gemm_tiles.h"

void fw_gemm_avx512(const fw_gemm_args *g) { run(g); }
#endif
