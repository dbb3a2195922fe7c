#include "common/stats/tally.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET   __attribute__((target("avx512f,avx512dq,avx512bw,popcnt")))
#define COUNTING __attribute__((target("avx512f,avx512dq,avx512bw,popcnt,avx512vpopcntdq")))
#define PART     16             /* numbers whose places are found together, */
#define GROUP    64             /* whose bits are a word, */
#define GROUPS   16             /* and that are counted together */
#define BITS     5              /* of a bin's number */
#define INFINITE 0x7fe00000     /* the key of +infinity, and of a place behind the cuts */

/* The keys of the cuts in registers: a step looks one up for each number. From key i on: at<i>. */
typedef struct keys { __m512i half, quarter[2], at3[2], at1[2], at0[2]; } keys;

/* The bins of a thousand numbers, bit by bit, the highest first: a number is a bit in each of the planes. */
typedef struct planes { _Alignas(64) uint16_t bit[BITS][GROUPS * GROUP / PART]; _Alignas(64) uint64_t counts[GROUPS]; } planes;      /* counts: it is in a bin */

/* ---- places --------------------------------------------------------------------------------------------------------------------------------- */

static inline TARGET keys load_keys(const fw_tally_cuts *c)
{
    const int32_t *k = c->key;
    return (keys){.half = _mm512_set1_epi32(k[15]),
                  .quarter = {_mm512_set1_epi32(k[7]), _mm512_set1_epi32(k[23])},
                  .at3 = {_mm512_loadu_si512(k + 3), _mm512_loadu_si512(k + 19)},
                  .at1 = {_mm512_loadu_si512(k + 1), _mm512_loadu_si512(k + 17)},
                  .at0 = {_mm512_loadu_si512(k), _mm512_loadu_si512(k + 16)}};
}

/* The keys of a part: of numbers below 0 the other bits are turned, x ^ (sign & INT32_MAX). */
static inline TARGET __m512i keys_of(__m512d low, __m512d high)
{
    const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const __m512i upper = _mm512_permutex2var_epi32(_mm512_castpd_si512(low), odd, _mm512_castpd_si512(high));
    const __m512i key = _mm512_ternarylogic_epi32(upper, _mm512_srai_epi32(upper, 31), _mm512_set1_epi32(INT32_MAX), 0x78);
    return _mm512_sub_epi32(key, _mm512_set1_epi32(FW_TALLY_STEP));
}

static inline TARGET __m512i key_at(const __m512i key[static 2], __m512i p) { return _mm512_permutex2var_epi32(key[0], p, key[1]); }

/* The cuts before p are below the number. When the one that is looked at is so too, all before p + step are. */
static inline TARGET __m512i go(uint16_t *bit, __m512i p, __m512i cut, __m512i key, int step)
{
    const __mmask16 above = _mm512_cmplt_epi32_mask(cut, key);
    *bit = above;
    return _mm512_mask_or_epi32(p, above, p, _mm512_set1_epi32(step));
}

/* How many cuts have keys below the numbers', and its bits. */
static inline TARGET __m512i find(planes *out, size_t at, const keys *k, __m512i key)
{
    const __mmask16 upper = _mm512_cmplt_epi32_mask(k->half, key);
    out->bit[0][at] = upper;
    __m512i p = _mm512_maskz_set1_epi32(upper, 16);
    p = go(&out->bit[1][at], p, _mm512_mask_blend_epi32(upper, k->quarter[0], k->quarter[1]), key, 8);
    p = go(&out->bit[2][at], p, key_at(k->at3, p), key, 4);
    p = go(&out->bit[3][at], p, key_at(k->at1, p), key, 2);
    return go(&out->bit[4][at], p, key_at(k->at0, p), key, 1);
}

/* Whether numbers that share their keys with cuts are above them; where many are the same, they are equal. */
static inline TARGET bool above_cuts(const fw_tally_cuts *c, __mmask16 shared, __m512i p, __m512i key, __m512d low, __m512d high)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i lower = _mm512_permutex2var_epi32(_mm512_castpd_si512(low), even, _mm512_castpd_si512(high));
    const __m512i cut = _mm512_permutex2var_epi32(_mm512_loadu_si512(c->low), p, _mm512_loadu_si512(c->low + PART));
    const __m512i sign = _mm512_srai_epi32(_mm512_add_epi32(key, _mm512_set1_epi32(FW_TALLY_STEP)), 31);
    return _mm512_mask_cmpgt_epu32_mask(shared, _mm512_xor_si512(lower, sign), cut) != 0;
}

/* Of such numbers: cut by cut. */
static inline TARGET __m256i pass_cuts(const fw_tally_cuts *c, __m256i p, __m512d v)
{
    for (;;) {
        const __mmask8 above = _mm512_cmp_pd_mask(_mm512_i32gather_pd(p, c->cut, sizeof *c->cut), v, _CMP_LT_OQ);
        if (above == 0) return p;
        p = _mm256_add_epi32(p, _mm512_castsi512_si256(_mm512_maskz_set1_epi32(above, 1)));
    }
}

static TARGET void settle(planes *out, size_t at, const fw_tally_cuts *c, __m512i p, __m512d low, __m512d high)
{
    const __m256i first = pass_cuts(c, _mm512_castsi512_si256(p), low), second = pass_cuts(c, _mm512_extracti64x4_epi64(p, 1), high);
    const __m512i settled = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
    for (int b = 0; b < BITS; b++) out->bit[b][at] = _mm512_test_epi32_mask(settled, _mm512_set1_epi32(1 << (BITS - 1 - b)));
}

/* False: some of a group's numbers are not finite. */
static inline TARGET bool find_group(planes *out, size_t group, const fw_tally_cuts *c, const keys *k, const double *v)
{
    __mmask16 infinite = 0;
    for (size_t part = 0; part < GROUP / PART; part++) {
        const __m512d low = _mm512_loadu_pd(v + PART * part), high = _mm512_loadu_pd(v + PART * part + PART / 2);
        const __m512i key = keys_of(low, high);
        const size_t at = group * (GROUP / PART) + part;
        const __m512i p = find(out, at, k, key);
        const __mmask16 met = _mm512_cmple_epi32_mask(key_at(k->at0, p), key);      /* the cut's key, or what is not finite */
        if (__builtin_expect(met == 0, 1)) continue;
        infinite |= _mm512_cmpge_epi32_mask(key, _mm512_set1_epi32(INFINITE));
        if (above_cuts(c, met, p, key, low, high)) settle(out, at, c, p, low, high);
    }
    return infinite == 0;
}

static inline TARGET uint64_t find_missing(const uint8_t *missing)
{
    const __m512i m = _mm512_loadu_si512(missing);
    return _mm512_test_epi8_mask(m, m);
}

/* Those that are in no bin are counted here. */
static inline TARGET void take_group(planes *out, size_t group, const fw_tally_cuts *c, const keys *k, const double *v, const uint8_t *missing, uint32_t *count)
{
    const uint64_t gone = missing != NULL ? find_missing(missing) : 0;
    const bool finite = find_group(out, group, c, k, v);
    out->counts[group] = finite ? ~gone : 0;
    if (finite) count[FW_TALLY_MISSING] += (uint32_t)__builtin_popcountll(gone);
    else fw_tally_portable(c, v, missing, GROUP, count);
}

/* The last ones, which are less than a group: as one whose others are missing. */
typedef struct rest { double v[GROUP]; uint8_t missing[GROUP]; } rest;

static void fill_rest(rest *r, const double *v, const uint8_t *missing, size_t n)
{
    memset(r, 0, sizeof *r);
    memcpy(r->v, v, n * sizeof *v);
    if (missing != NULL) memcpy(r->missing, missing, n);
    memset(r->missing + n, 1, GROUP - n);
}

/* ---- counts --------------------------------------------------------------------------------------------------------------------------------- */

typedef void counter(const planes *p, size_t bins, uint32_t *count);

/* The numbers in a bin are those whose bits are the bin's: the planes, or what is not in them, have them in common. Word by word. */
static TARGET void count_words(const planes *p, size_t bins, uint32_t *count)
{
    for (size_t g = 0; g < GROUPS; g++) {
        uint64_t w[BITS];
        for (int b = 0; b < BITS; b++) memcpy(&w[b], p->bit[b] + g * (GROUP / PART), sizeof w[b]);
#pragma GCC unroll 32
        for (size_t bin = 0; bin < FW_TALLY_BINS; bin++) {
            const uint64_t in = p->counts[g] & (bin & 16 ? w[0] : ~w[0]) & (bin & 8 ? w[1] : ~w[1]) & (bin & 4 ? w[2] : ~w[2]) & (bin & 2 ? w[3] : ~w[3]) &
                                (bin & 1 ? w[4] : ~w[4]);
            if (bin < bins) count[bin] += (uint32_t)__builtin_popcountll(in);
        }
    }
}

static inline COUNTING __m512i common(__m512i of, __m512i plane, size_t bit) { return bit != 0 ? _mm512_and_si512(of, plane) : _mm512_andnot_si512(plane, of); }

/* Adds the sums of four vectors, which are below 2^32, to four counts. */
static inline COUNTING void add_sums(uint32_t *count, const __m512i v[static 4])
{
    const __m512i a = _mm512_or_si512(v[0], _mm512_slli_epi64(v[1], 32)), b = _mm512_or_si512(v[2], _mm512_slli_epi64(v[3], 32));
    const __m512i both = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(both), _mm512_extracti64x4_epi64(both, 1));
    const __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    _mm_storeu_si128((__m128i *)(void *)count, _mm_add_epi32(_mm_loadu_si128((const __m128i *)(const void *)count), sums));
}

/* What count_words counts, eight words at a time, by CPUs that count bits in vectors. */
static COUNTING void count_vectors(const planes *p, size_t bins, uint32_t *count)
{
    enum { VECTORS = GROUPS / 8 };
    __m512i w[BITS][VECTORS];
    for (size_t h = 0; h < VECTORS; h++)
        for (int b = 0; b < BITS; b++) w[b][h] = _mm512_load_si512(p->bit[b] + h * 8 * (GROUP / PART));
#pragma GCC unroll 8
    for (size_t first = 0; first < FW_TALLY_BINS; first += 4) {
        __m512i sum[4];
        if (first >= bins) break;
#pragma GCC unroll 4
        for (size_t h = 0; h < VECTORS; h++) {
            const __m512i in = common(common(common(_mm512_load_si512(p->counts + 8 * h), w[0][h], first & 16), w[1][h], first & 8), w[2][h], first & 4);
#pragma GCC unroll 4
            for (size_t i = 0; i < 4; i++) {
                const __m512i n = _mm512_popcnt_epi64(common(common(in, w[3][h], i & 2), w[4][h], i & 1));
                sum[i] = h == 0 ? n : _mm512_add_epi64(sum[i], n);
            }
        }
        add_sums(count + first, sum);
    }
}

static inline TARGET void tally(const fw_tally_cuts *c, const double *v, const uint8_t *missing, size_t n, uint32_t *count, counter *count_planes)
{
    planes p;
    rest last;
    const keys k = load_keys(c);
    memset(p.counts, 0, sizeof p.counts);      /* what is in no group is in no bin */
    for (size_t i = 0, groups = 0; i < n; i += GROUP) {
        const double *from = v + i;
        const uint8_t *gone = missing != NULL ? missing + i : NULL;
        if (n - i < GROUP) {
            fill_rest(&last, from, gone, n - i);
            from = last.v;
            gone = last.missing;
            count[FW_TALLY_MISSING] -= (uint32_t)(GROUP - (n - i));
        }
        take_group(&p, groups++, c, &k, from, gone, count);
        if (groups < GROUPS && n - i > GROUP) continue;
        count_planes(&p, c->n_cuts + 1, count);
        memset(p.counts, 0, sizeof p.counts);
        groups = 0;
    }
}

TARGET void fw_tally_avx512(const fw_tally_cuts *c, const double *v, const uint8_t *missing, size_t n, uint32_t count[static FW_TALLY_PLACES])
{
    tally(c, v, missing, n, count, count_words);
}

TARGET void fw_tally_avx512_vectors(const fw_tally_cuts *c, const double *v, const uint8_t *missing, size_t n, uint32_t count[static FW_TALLY_PLACES])
{
    tally(c, v, missing, n, count, count_vectors);
}
#endif
