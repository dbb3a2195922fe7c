#include "common/stats/tally.h"

#include <math.h>
#include <string.h>

#define LANES 4             /* neighbours count apart from each other: an increment does not wait for the one before */

/* Of negative numbers the other bits are turned: the larger they are, the smaller is the number. */
static int64_t order_of(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits ^ (bits >> 63 & INT64_MAX);
}

static int32_t key_of(double v) { return (int32_t)((uint32_t)(order_of(v) >> 32) - FW_TALLY_STEP); }

void fw_tally_cuts_set(fw_tally_cuts *c, const double *cut, size_t n)
{
    const size_t n_keys = sizeof c->key / sizeof *c->key;
    c->n_cuts = n;
    for (size_t i = 0; i < FW_TALLY_BINS; i++) c->cut[i] = i < n ? cut[i] : (double)INFINITY;
    for (size_t i = 0; i < n_keys; i++) c->key[i] = key_of(i < n ? cut[i] : (double)INFINITY);
    for (size_t i = 0; i < FW_TALLY_BINS; i++) c->low[i] = (uint32_t)order_of(c->cut[i]);
}

/* Five steps of halving, none of which is a branch: the cuts before `at` are below v. */
static inline size_t place(const fw_tally_cuts *c, double v)
{
    size_t at = 0;
#pragma GCC unroll 5
    for (size_t step = FW_TALLY_BINS / 2; step > 0; step /= 2) at += step * (c->cut[at + step - 1] < v);
    return isfinite(v) ? at : (size_t)FW_TALLY_UNSEEN;
}

void fw_tally_portable(const fw_tally_cuts *c, const double *v, const uint8_t *missing, size_t n, uint32_t count[static FW_TALLY_PLACES])
{
    uint32_t lane[LANES][FW_TALLY_PLACES] = {{0}};
    for (size_t i = 0; i < n; i++) lane[i % LANES][missing != NULL && missing[i] ? (size_t)FW_TALLY_MISSING : place(c, v[i])]++;
    for (size_t l = 0; l < LANES; l++)
        for (size_t k = 0; k < FW_TALLY_PLACES; k++) count[k] += lane[l][k];
}

fw_tally_kernel *fw_tally_of(fw_kernels k)
{
#if defined(__x86_64__)
    if (k == FW_KERNELS_AVX512) return __builtin_cpu_supports("avx512vpopcntdq") ? fw_tally_avx512_vectors : fw_tally_avx512;
#endif
    (void)k;
    return fw_tally_portable;
}
