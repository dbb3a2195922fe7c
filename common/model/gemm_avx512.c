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
#define LOAD_EVERY_FOURTH(p, ld) four_rows(p, 4 * (ld))
#define LOW_PAIRS(a, b) _mm512_unpacklo_ps(a, b)
#define HIGH_PAIRS(a, b) _mm512_unpackhi_ps(a, b)
#define LOW_HALVES(a, b) _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))
#define HIGH_HALVES(a, b) _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))

typedef __m512 vec;
typedef __mmask16 mask;

static inline TARGET __m512 four_rows(const float *p, size_t ld)
{
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + ld), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 2 * ld), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(p + 3 * ld), 3);
}

#include "common/model/gemm_tiles.h"

void fw_gemm_avx512(const fw_gemm_args *g) { run(g); }
#endif
