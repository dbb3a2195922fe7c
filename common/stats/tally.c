#include "common/stats/tally.h"

#include <math.h>

#define LANES 4             /* neighbours count apart from each other: an increment does not wait for the one before */

static void set_node(fw_tally_cuts *c, size_t node, size_t low, size_t high)
{
    const size_t middle = (low + high) / 2;
    c->tree[node] = c->cut[middle];
    if (low == middle) return;
    set_node(c, 2 * node, low, middle - 1);
    set_node(c, 2 * node + 1, middle + 1, high);
}

void fw_tally_cuts_set(fw_tally_cuts *c, const double *cut, size_t n)
{
    for (size_t i = 0; i < FW_TALLY_CUTS; i++) c->cut[i] = i < n ? cut[i] : (double)INFINITY;
    c->tree[0] = 0;
    set_node(c, 1, 0, FW_TALLY_CUTS - 1);
}

/* Five steps down the tree, none of which is a branch: a leaf's number is 32 + its bin. */
static inline size_t place(const fw_tally_cuts *c, double v)
{
    size_t node = 1;
#pragma GCC unroll 5
    for (int step = 0; step < 5; step++) node = 2 * node + (c->tree[node] < v);
    return isfinite(v) ? node - 32 : FW_TALLY_UNSEEN;
}

void fw_tally_portable(const fw_tally_cuts *c, const double *v, const uint8_t *missing, size_t n, uint32_t count[static FW_TALLY_PLACES])
{
    uint32_t lane[LANES][FW_TALLY_PLACES] = {{0}};
    for (size_t i = 0; i < n; i++) lane[i % LANES][missing != NULL && missing[i] ? (size_t)FW_TALLY_MISSING : place(c, v[i])]++;
    for (size_t k = 0; k < FW_TALLY_PLACES; k++)
        for (size_t l = 0; l < LANES; l++) count[k] += lane[l][k];
}

fw_tally_kernel *fw_tally_of(fw_kernels k)
{
#if defined(__x86_64__)
    if (k == FW_KERNELS_AVX512) return fw_tally_avx512;
#endif
    (void)k;
    return fw_tally_portable;
}
