#include "common/stats/tally.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512dq")))
#define LANES 8
#define GROUP 64            /* numbers whose places are found before they are counted */
#define NOT_FINITE 0x99      /* of vfpclasspd: both NaNs, both infinities */

/* The five levels of the tree, each in registers: a step is a permutation, not a load. */
typedef struct levels { __m512d one, two, three, four, five_low, five_high; } levels;

static inline TARGET levels load_levels(const fw_tally_cuts *c)
{
    return (levels){_mm512_set1_pd(c->tree[1]), _mm512_maskz_loadu_pd(0x03, c->tree + 2), _mm512_maskz_loadu_pd(0x0f, c->tree + 4),
                    _mm512_loadu_pd(c->tree + 8), _mm512_loadu_pd(c->tree + 16), _mm512_loadu_pd(c->tree + 24)};
}

static inline TARGET __m512i step(__m512i place, __m512d cut, __m512d v)
{
    const __m512i doubled = _mm512_add_epi64(place, place);
    return _mm512_mask_add_epi64(doubled, _mm512_cmp_pd_mask(cut, v, _CMP_LT_OQ), doubled, _mm512_set1_epi64(1));
}

/* Where numbers are missing, or are none. */
static inline TARGET __m512i mark(__m512i p, __mmask8 none, uint64_t missing)
{
    const __m512i gone = _mm512_cvtepu8_epi64(_mm_cvtsi64_si128((long long)missing));
    p = _mm512_mask_mov_epi64(p, none, _mm512_set1_epi64(FW_TALLY_UNSEEN));
    return _mm512_mask_mov_epi64(p, _mm512_test_epi64_mask(gone, gone), _mm512_set1_epi64(FW_TALLY_MISSING));
}

/* Places of eight numbers, a byte each. */
static inline TARGET __m128i places(const levels *l, __m512d v, uint64_t missing)
{
    const __mmask8 none = _mm512_fpclass_pd_mask(v, NOT_FINITE);
    __m512i p = _mm512_maskz_set1_epi64(_mm512_cmp_pd_mask(l->one, v, _CMP_LT_OQ), 1);
    p = step(p, _mm512_permutexvar_pd(p, l->two), v);
    p = step(p, _mm512_permutexvar_pd(p, l->three), v);
    p = step(p, _mm512_permutexvar_pd(p, l->four), v);
    p = step(p, _mm512_permutex2var_pd(l->five_low, p, l->five_high), v);
    if (__builtin_expect((none | missing) != 0, 0)) p = mark(p, none, missing);
    return _mm512_cvtepi64_epi8(p);
}

/* Places of a group first, then its counts: neither waits for the other. */
TARGET void fw_tally_avx512(const fw_tally_cuts *c, const double *v, const uint8_t *missing, size_t n, uint32_t count[static FW_TALLY_PLACES])
{
    uint32_t lane[LANES][FW_TALLY_PLACES] = {{0}};
    const levels l = load_levels(c);
    size_t i = 0;
    for (; i + GROUP <= n; i += GROUP) {
        uint8_t place[GROUP];
        for (size_t k = 0; k < GROUP; k += LANES) {
            uint64_t gone = 0;
            if (missing != NULL) memcpy(&gone, missing + i + k, sizeof gone);
            _mm_storel_epi64((__m128i *)(void *)(place + k), places(&l, _mm512_loadu_pd(v + i + k), gone));
        }
        for (size_t k = 0; k < GROUP; k += LANES) {
            lane[0][place[k]]++, lane[1][place[k + 1]]++, lane[2][place[k + 2]]++, lane[3][place[k + 3]]++;
            lane[4][place[k + 4]]++, lane[5][place[k + 5]]++, lane[6][place[k + 6]]++, lane[7][place[k + 7]]++;
        }
    }
    for (size_t k = 0; k < FW_TALLY_PLACES; k++)
        for (size_t j = 0; j < LANES; j++) count[k] += lane[j][k];
    fw_tally_portable(c, v + i, missing != NULL ? missing + i : NULL, n - i, count);
}
#endif
