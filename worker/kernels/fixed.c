#include "worker/kernels/fixed.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "common/core/kernels.h"
#include "worker/kernels/targets.h"

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u & 0x7fffffffu;
}

static uint32_t add_portable(int64_t *sum, const float *g, size_t n, float scale, bool first)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t u = bits_of(g[i]);
        if (u > largest) largest = u;
        double v = (double)g[i] * (double)scale;
        int64_t fixed = v > -0x1p62 && v < 0x1p62 ? (int64_t)rint(v) : 0;       /* out of range: the step is redone */
        sum[i] = first ? fixed : (int64_t)((uint64_t)sum[i] + (uint64_t)fixed);
    }
    return largest;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512dq")))
static uint32_t add_avx512(int64_t *sum, const float *g, size_t n, float scale, bool first)
{
    const __m512 s = _mm512_set1_ps(scale);
    const __m512i sign = _mm512_set1_epi32(0x7fffffff);
    __m512i largest = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512 x = _mm512_loadu_ps(g + i);
        largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_castps_si512(x), sign));
        x = _mm512_mul_ps(x, s);
        __m512i lo = _mm512_cvtps_epi64(_mm512_castps512_ps256(x));
        __m512i hi = _mm512_cvtps_epi64(_mm512_extractf32x8_ps(x, 1));
        if (!first) {
            lo = _mm512_add_epi64(lo, _mm512_loadu_si512(sum + i));
            hi = _mm512_add_epi64(hi, _mm512_loadu_si512(sum + i + 8));
        }
        _mm512_storeu_si512(sum + i, lo);
        _mm512_storeu_si512(sum + i + 8, hi);
    }
    uint32_t rest = add_portable(sum + i, g + i, n - i, scale, first), vector = _mm512_reduce_max_epu32(largest);
    return vector > rest ? vector : rest;
}

/* |v| < 2^51: adding 1.5 * 2^52 leaves the rounded integer in the low bits of the double. */
__attribute__((target("avx2")))
static uint32_t add_avx2(int64_t *sum, const float *g, size_t n, float scale, bool first)
{
    const __m256d s = _mm256_set1_pd((double)scale), magic = _mm256_set1_pd(0x1.8p52);
    const __m128i sign = _mm_set1_epi32(0x7fffffff);
    __m128i largest = _mm_setzero_si128();
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m128 x = _mm_loadu_ps(g + i);
        largest = _mm_max_epu32(largest, _mm_and_si128(_mm_castps_si128(x), sign));
        __m256d v = _mm256_add_pd(_mm256_mul_pd(_mm256_cvtps_pd(x), s), magic);
        __m256i fixed = _mm256_sub_epi64(_mm256_castpd_si256(v), _mm256_castpd_si256(magic));
        if (!first) fixed = _mm256_add_epi64(fixed, _mm256_loadu_si256((const __m256i *)(const void *)(sum + i)));
        _mm256_storeu_si256((__m256i *)(void *)(sum + i), fixed);
    }
    uint32_t lane[4], most = add_portable(sum + i, g + i, n - i, scale, first);
    _mm_storeu_si128((__m128i *)(void *)lane, largest);
    for (int k = 0; k < 4; k++)
        if (lane[k] > most) most = lane[k];
    return most;
}
#endif

typedef uint32_t add_function(int64_t *sum, const float *g, size_t n, float scale, bool first);

static add_function *const add[FW_N_KERNELS] = {
    [FW_KERNELS_PORTABLE] = add_portable,
#if defined(__x86_64__)
    [FW_KERNELS_AVX2] = add_avx2,
    [FW_KERNELS_AVX512] = add_avx512,
#endif
};

uint32_t worker_fixed_add(int64_t *sum, const float *g, size_t n, float scale, bool first) { return add[fw_kernels_now()](sum, g, n, scale, first); }

bool worker_fixed_add_named(const char *kernel, uint32_t *largest, int64_t *sum, const float *g, size_t n, float scale, bool first)
{
    fw_kernels k;
    if (!fw_kernels_find(&k, kernel)) return false;
    *largest = add[k](sum, g, n, scale, first);
    return true;
}

TARGETS static uint32_t largest_of(const float *g, size_t n)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t u = bits_of(g[i]);
        largest = u > largest ? u : largest;
    }
    return largest;
}

uint32_t worker_fixed_largest(const float *g, size_t n)
{
    return largest_of(g, n);
}

TARGETS static void add_integers(int64_t *restrict total, const int64_t *restrict part, size_t n)
{
    for (size_t i = 0; i < n; i++) total[i] = (int64_t)((uint64_t)total[i] + (uint64_t)part[i]);
}

#define PIECE 512                     /* a piece of the total stays in the first-level cache */

/* Adding 1.5 * 2^52 as bits makes a double of an integer below 2^51, adding that many units as a number rounds a double to whole units: both vectorise
 * without AVX-512DQ. Sums of whole units below 2^51 are exact in doubles. */
static inline double of_sum(uint64_t total)
{
    uint64_t shifted = total + 0x4338000000000000u;
    double d;
    memcpy(&d, &shifted, sizeof d);
    return d - 0x1.8p52;
}

static inline double of_leaf(float g, double magic) { return ((double)g + magic) - magic; }

TARGETS static void two_leaves(float *restrict g, const float *restrict a, const float *restrict b, size_t n, double magic, double factor)
{
    for (size_t i = 0; i < n; i++) g[i] = (float)((of_leaf(a[i], magic) + of_leaf(b[i], magic)) * factor);
}

TARGETS static void one_sum(float *restrict g, const int64_t *restrict a, size_t n, double back)
{
    for (size_t i = 0; i < n; i++) g[i] = (float)(of_sum((uint64_t)a[i]) * back);
}

TARGETS static void two_sums(float *restrict g, const int64_t *restrict a, const int64_t *restrict b, size_t n, double back)
{
    for (size_t i = 0; i < n; i++) g[i] = (float)(of_sum((uint64_t)a[i] + (uint64_t)b[i]) * back);
}

TARGETS static void add_sum(double *restrict total, const int64_t *restrict sum, size_t n, double unit)
{
    for (size_t i = 0; i < n; i++) total[i] += of_sum((uint64_t)sum[i]) * unit;
}

TARGETS static void add_leaf(double *restrict total, const float *restrict leaf, size_t n, double magic)
{
    for (size_t i = 0; i < n; i++) total[i] += of_leaf(leaf[i], magic);
}

TARGETS static void to_float(float *restrict g, const double *restrict total, size_t n, double factor)
{
    for (size_t i = 0; i < n; i++) g[i] = (float)(total[i] * factor);
}

static void collect_many(float *g, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, double unit, double factor)
{
    for (size_t done = 0; done < n; done += PIECE) {
        const size_t piece = n - done < PIECE ? n - done : PIECE;
        double total[PIECE] = {0};
        for (size_t p = 0; p < n_parts; p++) {
            if (part[p].sum != NULL) add_sum(total, part[p].sum + at + done, piece, unit);
            else add_leaf(total, part[p].leaf + at + done, piece, unit * 0x1.8p52);
        }
        to_float(g + done, total, piece, factor);
    }
}

void worker_fixed_collect(float *g, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale, double factor)
{
    const double unit = 1.0 / (double)scale;
    if (n_parts == 2 && part[0].sum == NULL && part[1].sum == NULL)
        two_leaves(g, part[0].leaf + at, part[1].leaf + at, n, unit * 0x1.8p52, factor);
    else if (n_parts == 1 && part[0].sum != NULL)
        one_sum(g, part[0].sum + at, n, unit * factor);
    else if (n_parts == 2 && part[0].sum != NULL && part[1].sum != NULL)
        two_sums(g, part[0].sum + at, part[1].sum + at, n, unit * factor);
    else
        collect_many(g, part, n_parts, at, n, unit, factor);
}

/* The integer is what the double's bits are above those of 1.5 * 2^52. */
TARGETS static void add_leaf_integers(int64_t *restrict total, const float *restrict leaf, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++) {
        const double shifted = (double)leaf[i] * scale + 0x1.8p52;
        uint64_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        total[i] = (int64_t)((uint64_t)total[i] + bits - 0x4338000000000000u);
    }
}

void worker_fixed_total(int64_t *total, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale)
{
    for (size_t done = 0; done < n; done += PIECE) {
        const size_t piece = n - done < PIECE ? n - done : PIECE;
        memset(total + done, 0, piece * sizeof *total);
        for (size_t p = 0; p < n_parts; p++) {
            if (part[p].sum != NULL) add_integers(total + done, part[p].sum + at + done, piece);
            else add_leaf_integers(total + done, part[p].leaf + at + done, piece, (double)scale);
        }
    }
}
