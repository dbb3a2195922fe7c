#include "common/data/numbers.h"

#include <string.h>

#include "common/data/decimal.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { WIDTH = 16, NO_POINT = 16 };
#define X 0x80                     /* a shuffle puts 0 here */

/* Row len: bytes 0 .. len - 1 go to the right end, zeros before them. A window of one line. */
static const uint8_t to_the_right[2 * WIDTH] = {X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* Row p: byte p is taken out, and what is before it moves up. */
static const uint8_t without_point[NO_POINT + 1][WIDTH] = {
    {X, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {X, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {X, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {X, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {X, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {X, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {X, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {X, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15},
    {X, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15}, {X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15},
    {X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15},  {X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15},
    {X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15},  {X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15},
    {X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15},  {X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
};

/* What the digits are divided by, by the place of the point. */
static const double divisor[NO_POINT + 1] = {1e15, 1e14, 1e13, 1e12, 1e11, 1e10, 1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1e0, 1e0};

static const uint8_t decimals[NO_POINT + 1] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0};

#define SSE __attribute__((target("sse4.1")))

SSE static inline __m128i load(const void *bytes)
{
    return _mm_loadu_si128((const __m128i *)bytes);
}

/* 16 digits, the first one counting most: by pairs, fours, eights. */
SSE static inline uint64_t value_of(__m128i digits)
{
    __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(1 << 8 | 10));
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (both & UINT32_MAX) * 100000000 + (both >> 32);
}

SSE static inline bool read_one(double *out, uint32_t *decimal, fw_field f)
{
    if (f.len == 0) return false;
    size_t sign = *f.s == '-', len = f.len - sign;
    if (len - 1 >= WIDTH) return false;                    /* none, or too many */
    __m128i d = _mm_sub_epi8(load(f.s + sign), _mm_set1_epi8('0'));
    d = _mm_shuffle_epi8(d, load(to_the_right + len));
    unsigned digits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8(9)), d));
    unsigned points = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(d, _mm_set1_epi8('.' - '0')));
    if ((digits ^ points) != 0xffff || (points & (points - 1)) != 0 || (points != 0 && len == 1)) return false;
    unsigned place = (unsigned)__builtin_ctz(points | 1u << NO_POINT);
    uint64_t value = value_of(_mm_shuffle_epi8(d, load(without_point[place])));
    if (value > UINT64_C(1) << 53) return false;
    if (decimal != NULL) *decimal = fw_decimal_make(value, decimals[place], sign != 0);
    double x = (double)(int64_t)value / divisor[place];
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits |= (uint64_t)sign << 63;
    memcpy(out, &bits, sizeof bits);
    return true;
}

/* ---- eight at a time ----
 *
 * Four fields lie in a vector of 64 bytes, each in 16 of them that end where it ends: what stands before it is masked out, so that digits need no
 * moving but for the point. The even fields are in one vector, the odd ones in another: their values together are in order. */

#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

enum { FOUR = 4, EIGHT = 8 };

/* signs, places: a byte for each of the eight, the bytes of the other four 0; gathered in registers, for bytes that were just stored are slow to load. */
typedef struct four { __m512i digits; uint64_t points, signs, places; } four;

WIDE static inline __m512i together(const void *a, const void *b, const void *c, const void *d)
{
    __m512i v = _mm512_castsi128_si512(load(a));
    v = _mm512_inserti32x4(v, load(b), 1);
    v = _mm512_inserti32x4(v, load(c), 2);
    return _mm512_inserti32x4(v, load(d), 3);
}

/* Which of 16 bytes are a field of len. */
static inline uint64_t last_bytes(size_t len) { return (0xffffu << (WIDTH - len)) & 0xffffu; }

/* Fields f[0], f[2 stride], ... without their signs. false: one is not plain. */
WIDE static inline bool read_four(four *out, const fw_field *f, size_t stride)
{
    const char *end[FOUR];
    uint64_t in = 0, signs = 0;
    for (int k = 0; k < FOUR; k++) {
        const fw_field *here = &f[2 * stride * (size_t)k];
        if (here->len == 0) return false;
        const size_t minus = *here->s == '-', len = here->len - minus;
        if (len - 1 >= WIDTH) return false;
        signs |= (uint64_t)minus << (16 * k);
        end[k] = here->s + here->len - WIDTH;
        in |= last_bytes(len) << (WIDTH * k);
    }
    const __m512i d = _mm512_maskz_sub_epi8(in, together(end[0], end[1], end[2], end[3]), _mm512_set1_epi8('0'));
    const uint64_t digits = _mm512_cmple_epu8_mask(d, _mm512_set1_epi8(9)), points = _mm512_cmpeq_epi8_mask(d, _mm512_set1_epi8('.' - '0'));
    *out = (four){.digits = d, .points = points, .signs = signs};
    return (digits ^ points) == ~UINT64_C(0);
}

/* Values in the low halves of the four lanes; places: of the points. false: a second point. */
WIDE static inline bool value_four(__m512i *out, four *v)
{
    const uint8_t *table[FOUR];
    for (int k = 0; k < FOUR; k++) {
        const uint32_t points = (uint32_t)(v->points >> (WIDTH * k)) & 0xffff;
        if ((points & (points - 1)) != 0) return false;
        const unsigned place = (unsigned)__builtin_ctz(points | 1u << NO_POINT);
        v->places |= (uint64_t)place << (16 * k);
        table[k] = without_point[place];
    }
    const __m512i d = _mm512_shuffle_epi8(v->digits, together(table[0], table[1], table[2], table[3]));
    const __m512i pairs = _mm512_maddubs_epi16(d, _mm512_set1_epi16(1 << 8 | 10)), fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(1 << 16 | 100));
    const __m512i eights = _mm512_madd_epi16(_mm512_packus_epi32(fours, fours), _mm512_set1_epi32(1 << 16 | 10000));
    *out = _mm512_add_epi64(_mm512_mul_epu32(eights, _mm512_set1_epi64(100000000)), _mm512_srli_epi64(eights, 32));
    return true;
}

/* A point alone is no number; without the sign its length is 1. */
static inline bool lone_point(const fw_field *f, size_t stride)
{
    bool alone = false;
    for (size_t k = 0; k < EIGHT; k++) alone |= f[k * stride].len <= 2 && f[k * stride].s[f[k * stride].len - 1] == '.';
    return alone;
}

WIDE static inline __m512i bytes_to_words(uint64_t bytes) { return _mm512_cvtepu8_epi64(_mm_cvtsi64_si128((long long)bytes)); }

WIDE static inline bool read_eight(double *out, uint32_t *decimal, const fw_field *fields, size_t stride)
{
    four even, odd;
    __m512i low, high;
    if (!read_four(&even, fields, stride) || !read_four(&odd, fields + stride, stride)) return false;
    if (!value_four(&low, &even) || !value_four(&high, &odd)) return false;
    if ((even.points | odd.points) != 0 && lone_point(fields, stride)) return false;
    const __m512i value = _mm512_unpacklo_epi64(low, high);
    if (_mm512_cmpgt_epu64_mask(value, _mm512_set1_epi64(INT64_C(1) << 53)) != 0) return false;
    const __m512i places = bytes_to_words(even.places | odd.places << 8);
    const __m512i signs = bytes_to_words(even.signs | odd.signs << 8);
    const __m512i below = _mm512_maskz_sub_epi64(_mm512_cmplt_epu64_mask(places, _mm512_set1_epi64(NO_POINT)), _mm512_set1_epi64(15), places);
    const __m512d power = _mm512_permutex2var_pd(_mm512_loadu_pd(divisor), _mm512_sub_epi64(_mm512_set1_epi64(15), below), _mm512_loadu_pd(divisor + 8));
    const __m512d x = _mm512_div_pd(_mm512_cvtepi64_pd(value), power);
    _mm512_storeu_pd(out, _mm512_or_pd(x, _mm512_castsi512_pd(_mm512_slli_epi64(signs, 63))));
    if (decimal == NULL) return true;
    const __mmask8 fits = _mm512_cmplt_epu64_mask(value, _mm512_set1_epi64(INT64_C(1) << FW_DECIMAL_DIGIT_BITS)) &
                          _mm512_cmple_epu64_mask(below, _mm512_set1_epi64(FW_DECIMAL_MOST));
    const __m512i packed = _mm512_or_si512(value, _mm512_or_si512(_mm512_slli_epi64(below, FW_DECIMAL_DIGIT_BITS), _mm512_slli_epi64(signs, 31)));
    const __m512i whole = _mm512_mask_blend_epi64(fits, _mm512_set1_epi64(FW_DECIMAL_NONE), packed);
    _mm256_storeu_si256((__m256i *)(void *)decimal, _mm512_cvtepi64_epi32(whole));
    return true;
}

WIDE static size_t read_eights(double *out, uint32_t *decimal, const fw_field *fields, size_t stride, size_t n)
{
    size_t i = 0;
    while (n - i >= EIGHT && read_eight(out + i, decimal != NULL ? decimal + i : NULL, fields + i * stride, stride)) i += EIGHT;
    return i;
}

SSE static size_t read_all(double *out, uint32_t *decimal, const fw_field *fields, size_t stride, size_t n)
{
    size_t i = 0;
    while (i < n && read_one(&out[i], decimal != NULL ? &decimal[i] : NULL, fields[i * stride])) i++;
    return i;
}

static bool has_wide(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

size_t fw_numbers_read(double *out, uint32_t *decimal, const fw_field *fields, size_t stride, size_t n)
{
    if (!__builtin_cpu_supports("sse4.1")) return 0;
    size_t i = 0, before;
    do {                                   /* one that is not plain, or few: one by one, up to the next eight */
        before = i;
        if (has_wide()) i += read_eights(out + i, decimal != NULL ? decimal + i : NULL, fields + i * stride, stride, n - i);
        i += read_all(out + i, decimal != NULL ? decimal + i : NULL, fields + i * stride, stride, n - i < EIGHT ? n - i : EIGHT);
    } while (i < n && i - before >= EIGHT);
    return i;
}

#else

size_t fw_numbers_read(double *out, uint32_t *decimal, const fw_field *fields, size_t stride, size_t n)
{
    (void)out, (void)decimal, (void)fields, (void)stride, (void)n;
    return 0;
}

#endif
