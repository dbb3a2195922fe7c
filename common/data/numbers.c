#include "common/data/numbers.h"

#include <string.h>

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

SSE static inline bool read_one(double *out, fw_field f)
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
    double x = (double)(int64_t)value / divisor[place];
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits |= (uint64_t)sign << 63;
    memcpy(out, &bits, sizeof bits);
    return true;
}

SSE static size_t read_all(double *out, const fw_field *fields, size_t stride, size_t n)
{
    size_t i = 0;
    while (i < n && read_one(&out[i], fields[i * stride])) i++;
    return i;
}

size_t fw_numbers_read(double *out, const fw_field *fields, size_t stride, size_t n)
{
    return __builtin_cpu_supports("sse4.1") ? read_all(out, fields, stride, n) : 0;
}

#else

size_t fw_numbers_read(double *out, const fw_field *fields, size_t stride, size_t n)
{
    (void)out, (void)fields, (void)stride, (void)n;
    return 0;
}

#endif
