#include <string.h>

#include "common/model/gemm_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8u
#define MAX_ROWS 6u                /* 12 accumulators of 16 registers */
#define MAX_TILE_ROWS 6
#define MAX_TILE_VECTORS 8
#define ZERO() _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define SPLAT(x) _mm256_set1_ps(x)
#define MASK(n) lanes_below((int)(n))
#define LOAD_MASK(p, k) _mm256_maskload_ps(p, k)
#define STORE_MASK(p, k, v) _mm256_maskstore_ps(p, k, v)
#define LOAD_EVERY_FOURTH(p, ld) _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps((p) + 4 * (ld)), 1)
#define LOW_PAIRS(a, b) _mm256_unpacklo_ps(a, b)
#define HIGH_PAIRS(a, b) _mm256_unpackhi_ps(a, b)
#define LOW_HALVES(a, b) _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))
#define HIGH_HALVES(a, b) _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))

typedef __m256 vec;
typedef __m256i mask;

static inline TARGET __m256i lanes_below(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#include "common/model/gemm_tiles.h"

void fw_gemm_avx2(const fw_gemm_args *g) { run(g); }
#endif
