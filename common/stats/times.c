#include "common/stats/times.h"

#include <math.h>

#define FIRST_NS    UINT64_C(1000)
#define SCALE_BITS  24

/* 2^(k/8) in units of 2^-24, rounded. */
static const uint64_t STEP[FW_TIMES_OCTAVE] = {16777216, 18295684, 19951585, 21757357, 23726566, 25874004, 28215802, 30769550};

int64_t fw_times_edge_ns(size_t i)
{
    return (int64_t)((FIRST_NS << i / FW_TIMES_OCTAVE) * STEP[i % FW_TIMES_OCTAVE] >> SCALE_BITS);
}

/* How many edges are not above it. */
static size_t bin_of(int64_t ns)
{
    size_t low = 0, high = FW_TIMES_N - 1;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (fw_times_edge_ns(middle) <= ns) low = middle + 1;
        else high = middle;
    }
    return low;
}

void fw_times_add(fw_times *t, int64_t ns, uint64_t n) { t->count[bin_of(ns)] += n; }

void fw_times_merge(fw_times *t, const uint64_t *count)
{
    for (size_t i = 0; i < FW_TIMES_N; i++) t->count[i] += count[i];
}

uint64_t fw_times_total(const uint64_t *count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < FW_TIMES_N; i++)
        if (__builtin_add_overflow(sum, count[i], &sum)) return UINT64_MAX;
    return sum;
}

double fw_times_quantile(const fw_times *t, unsigned percent)
{
    const uint64_t n = fw_times_total(t->count), rank = n / 100 * percent + (n % 100 * percent + 99) / 100;      /* of n in order, from 1 */
    uint64_t before = 0;
    if (n == 0) return NAN;
    for (size_t i = 0; i < FW_TIMES_N - 1; i++)
        if ((before += t->count[i]) >= rank) return (double)fw_times_edge_ns(i) / 1e9;
    return (double)fw_times_edge_ns(FW_TIMES_N - 2) / 1e9;
}
