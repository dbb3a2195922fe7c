#include "common/stats/exact_sum.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

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
