#include "common/stats/exact_sum.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/targets.h"

#define LIMB_BITS   32
#define LOW_MASK    0xffffffffu
#define MAX_PENDING (1u << 29)      /* (2^29 + 1) additions of less than 2^32 stay below 2^62 */
#define LAST        (FW_EXACT_LIMBS - 1)

fw_status fw_exact_sum_add(fw_exact_sum *s, double x, fw_error *err)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    unsigned exponent = (unsigned)(bits >> 52) & 0x7ffu;
    uint64_t m = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 0x7ffu) return fw_fail(err, FW_ERR_NUMERIC, "sum: a value is not finite");
    if (exponent > 0) m |= UINT64_C(1) << 52;
    else exponent = 1;                              /* subnormal: same unit as the smallest normal numbers */

    unsigned place = exponent - 1, i = place / LIMB_BITS;
    unsigned __int128 wide = (unsigned __int128)m << (place % LIMB_BITS);
    int64_t low = (int64_t)((uint64_t)wide & LOW_MASK);
    int64_t mid = (int64_t)((uint64_t)(wide >> 32) & LOW_MASK);
    int64_t high = (int64_t)(uint64_t)(wide >> 64);
    if (bits >> 63) {
        s->limb[i] -= low;
        s->limb[i + 1] -= mid;
        s->limb[i + 2] -= high;
    } else {
        s->limb[i] += low;
        s->limb[i + 1] += mid;
        s->limb[i + 2] += high;
    }
    if (++s->pending >= MAX_PENDING) fw_exact_sum_normalize(s);
    return FW_OK;
}

/* ---- many values ----
 *
 * A thousand values are cut into three layers of bits: with M = 1.5 * 2^E, (x + M) - M is x rounded to a multiple of u = 2^(E - 52), without error, and so
 * is what remains. All |x| are below 2^e and E = e + 11, so 1,024 multiples of u add up to less than 2^53 u: every order of adding them is exact.
 * The next layer begins 41 bits lower. A layer's sum then goes into the accumulator as one double.
 * Source  Rump, Ogita, Oishi, SIAM J. Sci. Comput. 31 (2008), sec. 3 (extraction); Demmel, Nguyen, ARITH 2013. */

enum { TOGETHER = 1024, LANES = 8, LAYERS = 3, LAYER_BITS = 41, EXPONENT_MAX = 1011, EXPONENT_MIN = -850 };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8)));
typedef int64_t words __attribute__((vector_size(LANES * sizeof(int64_t)), aligned(8)));

/* The largest |x|, as bits: above those of every finite number if one is not finite. n: a multiple of LANES. */
FW_TARGETS static int64_t largest_bits(const double *x, size_t n)
{
    words most = {0};
    for (size_t i = 0; i < n; i += LANES) {
        words bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= INT64_MAX;
        words larger = bits > most;
        most = (bits & larger) | (most & ~larger);
    }
    int64_t all = 0;
    for (int i = 0; i < LANES; i++) all = most[i] > all ? most[i] : all;
    return all;
}

/* Sums of the layers of n values; false: bits remain below the last one. */
FW_TARGETS static bool sum_layers(double sum[static LAYERS], const double *x, size_t n, const double m[static LAYERS])
{
    lanes s0 = {0}, s1 = {0}, s2 = {0};
    words rest = {0};
    const lanes m0 = m[0] - (lanes){0}, m1 = m[1] - (lanes){0}, m2 = m[2] - (lanes){0};
    for (size_t i = 0; i < n; i += LANES) {
        lanes v, q;
        memcpy(&v, x + i, sizeof v);
        q = (v + m0) - m0;
        s0 += q;
        v -= q;
        q = (v + m1) - m1;
        s1 += q;
        v -= q;
        q = (v + m2) - m2;
        s2 += q;
        v -= q;
        rest |= v != 0.0;
    }
    int64_t left = 0;
    memset(sum, 0, LAYERS * sizeof *sum);
    for (int i = 0; i < LANES; i++) {
        sum[0] += s0[i];
        sum[1] += s1[i];
        sum[2] += s2[i];
        left |= rest[i];
    }
    return left == 0;
}

/* At most TOGETHER finite values, a multiple of LANES of them. false: not done, their exponents span too much. */
static bool add_together(fw_exact_sum *s, const double *x, size_t n, int64_t bits)
{
    double largest, m[LAYERS], sum[LAYERS];
    int e;
    memcpy(&largest, &bits, sizeof largest);
    if (bits == 0) return true;
    frexp(largest, &e);
    if (e > EXPONENT_MAX || e < EXPONENT_MIN) return false;      /* M would overflow, or the last u be below the smallest double */
    for (int i = 0; i < LAYERS; i++) m[i] = ldexp(1.5, e + 11 - LAYER_BITS * i);
    if (!sum_layers(sum, x, n, m)) return false;
    for (int i = 0; i < LAYERS; i++) fw_exact_sum_add(s, sum[i], NULL);
    return true;
}

static bool all_finite(const double *x, size_t n)
{
    size_t i = n - n % LANES;
    const double infinite = INFINITY;
    int64_t limit;
    memcpy(&limit, &infinite, sizeof limit);
    if (largest_bits(x, i) >= limit) return false;
    for (; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

fw_status fw_exact_sum_add_all(fw_exact_sum *s, const double *x, size_t n, fw_error *err)
{
    if (!all_finite(x, n)) return fw_fail(err, FW_ERR_NUMERIC, "sum: a value is not finite");
    for (size_t i = 0, some; i < n; i += some) {
        some = FW_MIN(n - i, (size_t)TOGETHER);
        if (some >= LANES) some -= some % LANES;
        if (some >= LANES && add_together(s, x + i, some, largest_bits(x + i, some))) continue;
        for (size_t k = 0; k < some; k++) FW_TRY(fw_exact_sum_add(s, x[i + k], err));
    }
    return FW_OK;
}

void fw_exact_sum_normalize(fw_exact_sum *s)
{
    int64_t carry = 0;
    for (size_t i = 0; i < LAST; i++) {
        int64_t v = s->limb[i] + carry;
        carry = v >> LIMB_BITS;                     /* arithmetic shift: rounds down, so the rest is never negative */
        s->limb[i] = (int64_t)((uint64_t)v & LOW_MASK);
    }
    s->limb[LAST] += carry;
    s->pending = 0;
}

void fw_exact_sum_merge(fw_exact_sum *into, const fw_exact_sum *from)
{
    fw_exact_sum other = *from;
    fw_exact_sum_normalize(&other);
    fw_exact_sum_normalize(into);
    for (size_t i = 0; i < FW_EXACT_LIMBS; i++) into->limb[i] += other.limb[i];
    fw_exact_sum_normalize(into);
}

/* The bit of weight 2^(place - 1074) of a normalized, non-negative sum. */
static unsigned bit_at(const fw_exact_sum *s, int place)
{
    return (unsigned)(s->limb[place / LIMB_BITS] >> (place % LIMB_BITS)) & 1u;
}

static bool any_bit_below(const fw_exact_sum *s, int place)
{
    for (int i = 0; i < place / LIMB_BITS; i++)
        if (s->limb[i] != 0) return true;
    return (s->limb[place / LIMB_BITS] & ((INT64_C(1) << (place % LIMB_BITS)) - 1)) != 0;
}

double fw_exact_sum_value(const fw_exact_sum *sum)
{
    fw_exact_sum s = *sum;
    fw_exact_sum_normalize(&s);
    bool negative = s.limb[LAST] < 0;
    if (negative) {
        for (size_t i = 0; i < FW_EXACT_LIMBS; i++) s.limb[i] = -s.limb[i];
        fw_exact_sum_normalize(&s);
    }
    int top = LAST;
    while (top > 0 && s.limb[top] == 0) top--;
    if (s.limb[top] == 0) return 0.0;
    if (top == LAST) return negative ? -INFINITY : INFINITY;

    int highest = top * LIMB_BITS + 63 - __builtin_clzll((unsigned long long)s.limb[top]);
    int lowest = highest > 52 ? highest - 52 : 0;   /* the last bit that the double keeps */
    uint64_t m = 0;
    for (int place = highest; place >= lowest; place--) m = m << 1 | bit_at(&s, place);
    if (lowest > 0 && bit_at(&s, lowest - 1) && ((m & 1u) || any_bit_below(&s, lowest - 1))) m++;
    double v = ldexp((double)m, lowest - 1074);     /* exact: m has at most 53 bits, or is 2^53 */
    return negative ? -v : v;
}

fw_status fw_exact_sum_reduce(fw_exact_sum *s, size_t n, const fw_reduce *reduce, fw_error *err)
{
    void *memory = NULL;
    size_t limbs = 0;
    fw_status mine = fw_size_mul(&limbs, n, FW_EXACT_LIMBS, "exact sums", err);
    if (mine == FW_OK) mine = fw_alloc_zeroed(&memory, limbs, sizeof(int64_t), "exact sums", err);
    FW_FREE int64_t *all = memory;
    FW_TRY(reduce->agree(reduce->context, mine, err));

    for (size_t i = 0; i < n; i++) {
        fw_exact_sum_normalize(&s[i]);
        memcpy(all + i * FW_EXACT_LIMBS, s[i].limb, sizeof s[i].limb);
    }
    FW_TRY(reduce->sum_i64(reduce->context, all, limbs, err));
    for (size_t i = 0; i < n; i++) {
        memcpy(s[i].limb, all + i * FW_EXACT_LIMBS, sizeof s[i].limb);
        fw_exact_sum_normalize(&s[i]);
    }
    return FW_OK;
}
