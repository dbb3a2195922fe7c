#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "common/stats/bins.h"
#include "common/stats/exact_sum.h"

enum { BINS = FW_BINS_CUTS + 1 };

/* At most `most` distinct ones; returns how many there are, most + 1 when there are more. */
static size_t distinct(double *out, size_t most, const double *v, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && !(v[i] > v[i - 1])) continue;
        if (found == most) return most + 1;
        out[found++] = v[i];
    }
    return found;
}

static void push(double *cut, size_t *n, double v, double below)
{
    if (isfinite(v) && v < below && (*n == 0 || v > cut[*n - 1])) cut[(*n)++] = v;
}

static size_t choose_cuts(double cut[static BINS], const double *v, size_t n)
{
    size_t n_cuts = 0, found = distinct(cut, BINS, v, n);
    if (found == 0) return 0;
    if (found == 1) {                                      /* constant: below it, it, above it */
        push(cut, &n_cuts, nextafter(v[0], -(double)INFINITY), INFINITY);
        push(cut, &n_cuts, v[0], INFINITY);
        return n_cuts;
    }
    if (found <= BINS) return found - 1;
    for (uint64_t k = 1; k < BINS; k++) push(cut, &n_cuts, v[(n * k + BINS - 1) / BINS - 1], v[n - 1]);      /* k / 32 of the values are not above it */
    return n_cuts;
}

/* The mean of v[*at], ... up to the cut; of none: the cut itself, or what is nearest. */
static fw_status mean_to(double *mean, size_t *at, const double *v, size_t n, double cut, double when_empty, fw_error *err)
{
    fw_exact_sum sum = {0};
    const size_t first = *at;
    while (*at < n && v[*at] <= cut) (*at)++;
    *mean = when_empty;
    if (*at == first) return FW_OK;
    FW_TRY(fw_exact_sum_add_all(&sum, v + first, *at - first, err));
    *mean = fw_exact_sum_value(&sum) / (double)(*at - first);
    if (!isfinite(*mean)) *mean = v[first];                /* the sum is beyond the largest double */
    return FW_OK;
}

fw_status fw_bins_of_values(fw_bins *out, const char *name, fw_bins_kind kind, const double *v, size_t n, fw_error *err)
{
    double cut[BINS], centre[BINS] = {0};
    const size_t n_cuts = choose_cuts(cut, v, n);
    size_t at = 0;
    for (size_t i = 0; i <= n_cuts && n > 0; i++) {
        const double nearest = i < n_cuts ? cut[i] : v[n - 1];
        FW_TRY(mean_to(&centre[i], &at, v, n, i < n_cuts ? cut[i] : (double)INFINITY, nearest, err));
    }
    return fw_bins_of_cuts(out, name, kind, cut, n_cuts, centre, err);
}
