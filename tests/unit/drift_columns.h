/** Columns for tests and benchmarks of drift: a reference of normal numbers on quantile bins, or of categories; windows drawn like it, or shifted. */
#ifndef FW_TESTS_DRIFT_COLUMNS_H
#define FW_TESTS_DRIFT_COLUMNS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/summary.h"

/** Uniform 64-bit words (xorshift64*, Vigna 2016): many of them, quickly. */
typedef struct draws { uint64_t state; } draws;

static inline draws draws_of(uint64_t seed) { return (draws){(seed + 1) * UINT64_C(0x9E3779B97F4A7C15)}; }

static inline double draw_unit(draws *d)
{
    d->state ^= d->state >> 12;
    d->state ^= d->state << 25;
    d->state ^= d->state >> 27;
    return (double)((d->state * UINT64_C(0x2545F4914F6CDD1D)) >> 11) * 0x1p-53;
}

static inline double draw_normal(draws *d) { return sqrt(-2 * log(1 - draw_unit(d))) * cos(6.28318530717958647693 * draw_unit(d)); }

static inline int drift_rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Bins at 31 quantiles of the values, sorted in place; fewer where values repeat. */
static inline fw_status quantile_bins(fw_bins *out, const char *name, double *v, size_t n)
{
    double cut[31], centre[32];
    size_t cuts = 0;
    qsort(v, n, sizeof *v, drift_rising);
    for (size_t i = 1; i < 32; i++) {
        double q = v[i * n / 32 - (i * n % 32 == 0)];
        if (q < v[n - 1] && (cuts == 0 || q > cut[cuts - 1])) cut[cuts++] = q;
    }
    for (size_t i = 0; i <= cuts; i++) centre[i] = i < cuts ? (i > 0 ? 0.5 * (cut[i] + cut[i - 1]) : cut[i]) : cuts > 0 ? cut[cuts - 1] : v[0];
    return fw_bins_of_cuts(out, name, FW_BINS_NUMBER, cut, cuts, centre, NULL);
}

#endif
