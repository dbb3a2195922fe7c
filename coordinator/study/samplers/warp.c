#include "coordinator/study/samplers/warp.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"

/* Newton's steps on ln Phi, which is concave, in the lower half. */
double coord_normal_quantile(double p)
{
    double lower = fmin(p, 1 - p), z = -1;
    for (int i = 0; i < 60; i++) {
        double below = fw_normal_below(z), density = fw_exp_double(-0.5 * z * z - 0.91893853320467274178);
        double step = (fw_log_double(lower) - fw_log_double(below)) * below / density;
        z = fmin(z + step, 0.5);
        if (fabs(step) < 1e-12) break;
    }
    return p <= 0.5 ? z : -z;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** First place whose loss is not below (or, after, above) v. */
static size_t place(const double *sorted, size_t n, double v, bool after)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sorted[middle] < v || (after && sorted[middle] == v)) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* In units of the better half's reach below the median, so that no square leaves the range of numbers; halves, so that no difference does. */
static void half_rank(double *y, const double *sorted, size_t n)
{
    double median = sorted[(n - 1) / 2], squares = 0;
    size_t below = place(sorted, n, median, false), above = place(sorted, n, median, true);
    double unit = below > 0 ? 0.5 * median - 0.5 * sorted[0] : above < n ? 0.5 * sorted[above] - 0.5 * median : 1;
    for (size_t i = 0; i < below; i++) squares += (0.5 * sorted[i] - 0.5 * median) / unit * ((0.5 * sorted[i] - 0.5 * median) / unit);
    double spread = below > 0 ? sqrt(squares / (double)below) : 1;
    for (size_t i = 0; i < n; i++) {
        double rank = 0.5 * (double)(place(sorted, n, y[i], false) + place(sorted, n, y[i], true)) / (double)n;      /* of equal ones the middle */
        y[i] = y[i] > median ? spread * fmax(0, coord_normal_quantile(rank)) : (0.5 * y[i] - 0.5 * median) / unit;
    }
}

static void standardise(double *y, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) mean += (y[i] - mean) / (double)(i + 1);
    for (size_t i = 0; i < n; i++) squares += (y[i] - mean) * (y[i] - mean);
    double sd = sqrt(squares / (double)n);
    for (size_t i = 0; i < n; i++) y[i] = sd > 0 ? (y[i] - mean) / sd : 0;
}

fw_status coord_warp_losses(double *y, size_t n, fw_error *err)
{
    if (n == 0) return FW_OK;
    FW_FREE double *sorted = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&sorted, n, sizeof *sorted, "losses", err));
    memcpy(sorted, y, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    half_rank(y, sorted, n);
    standardise(y, n);
    return FW_OK;
}
