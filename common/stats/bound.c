#include "common/stats/bound.h"

#include <math.h>
#include <stdbool.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/stats/special.h"

#define ROWS_MOST 1e8     /* of a share; counts can come from elsewhere, and be any */
#define STEEPEST 0.9      /* the largest l x (max f - min f): 1 + l (m - f) stays above 0.1 */

typedef struct extent { double low, high, mean, variance, rows; } extent;

static extent extent_of(const double *f, const uint64_t *count, size_t n)
{
    extent e = {.low = INFINITY, .high = -INFINITY};
    for (size_t b = 0; b < n; b++) {
        e.low = FW_MIN(e.low, f[b]);
        e.high = FW_MAX(e.high, f[b]);
        e.rows += (double)count[b];
        e.mean += (double)count[b] * f[b];
    }
    if (e.rows == 0) return e;
    e.mean /= e.rows;
    for (size_t b = 0; b < n; b++) e.variance += (double)count[b] / e.rows * (f[b] - e.mean) * (f[b] - e.mean);
    return e;
}

/** S(u) and its slope; one_more: a row at the largest f besides. */
static double sum_at(double *slope, double u, const double *f, const uint64_t *count, size_t n, double l, const double *one_more)
{
    double sum = 0, rise = 0;
    for (size_t b = 0; b < n; b++) {
        if (count[b] == 0) continue;
        double x = 1 + l * (u - f[b]);
        sum += (double)count[b] * fw_log_double(x);
        rise += (double)count[b] / x;
    }
    if (one_more != NULL) {
        double x = 1 + l * (u - *one_more);
        sum += fw_log_double(x);
        rise += 1 / x;
    }
    *slope = l * rise;
    return sum;
}

/** S is concave and rises: Newton's steps from the left stay on the left of the place looked for, and the last one is taken with some more. */
static double solve(const extent *e, const double *f, const uint64_t *count, size_t n, double l, bool one_more, double target)
{
    const double range = e->high - e->low, *more = one_more ? &e->high : NULL;
    double u = e->mean, step = range;
    for (int i = 0; i < 60 && step > 1e-13 * range; i++) {
        double slope = 0, sum = sum_at(&slope, u, f, count, n, l, more);
        step = (target - sum) / slope;
        u += step;
        if (u >= e->high) return e->high;
    }
    return FW_MIN(e->high, u + 1e-12 * range);
}

double fw_mean_bound(const double *f, const uint64_t *count, size_t n, double strength)
{
    static const double width[] = {0.5, 0.2, 0.07, 0.02, 0.007};      /* of f, as shares of its range, for which each l is best */
    const size_t n_widths = sizeof width / sizeof *width;
    extent e = extent_of(f, count, n);
    double range = e.high - e.low, target = strength + fw_log_double((double)n_widths), least = e.high;
    if (e.rows == 0 || range <= 0) return e.high;
    for (size_t i = 0; i < n_widths; i++) {
        double l = FW_MIN(STEEPEST, sqrt(2 * target / e.rows) / width[i]) / range;
        least = FW_MIN(least, solve(&e, f, count, n, l, true, target));
    }
    return least;
}

double fw_mean_bound_within(const double *f, const uint64_t *count, size_t n, double radius)
{
    extent e = extent_of(f, count, n);
    double range = e.high - e.low;
    if (e.rows == 0 || range <= 0) return e.high;
    double best = sqrt(2 * radius / (e.rows * e.variance)), l = e.variance > 0 && best * range < STEEPEST ? best : STEEPEST / range;
    return solve(&e, f, count, n, l, false, radius);
}

/** Newton's steps on a convex function from the right of its root. */
double fw_divergence_radius(size_t n, double strength)
{
    if (n < 2) return 0;
    double d = (double)(n - 1), c = 3 * (d + strength) + 1;
    for (int i = 0; i < 60; i++) {
        double off = c - d - d * fw_log_double(c / d) - strength, step = off / (1 - d / c);
        c -= step;
        if (step < 1e-12 * c) break;
    }
    return c;
}

/** ln P(X <= hits) of n rows with a share u > hits / n: from the largest term, at hits, downward. */
static double log_at_most(double hits, double n, double u)
{
    const double odds = (1 - u) / u;
    double sum = 1, term = 1;
    for (double k = hits; k > 0 && term > 1e-17 * sum; k--) {
        term *= odds * k / (n - k + 1);
        sum += term;
    }
    return fw_log_gamma(n + 1) - fw_log_gamma(hits + 1) - fw_log_gamma(n - hits + 1) + (hits > 0 ? hits * fw_log_double(u) : 0) + (n - hits) * fw_log_double(1 - u) + fw_log_double(sum);
}

double fw_share_bound(uint64_t hits, uint64_t n, double strength)
{
    if (hits >= n) return 1;
    const double rows = FW_MIN((double)n, ROWS_MOST), k = ceil((double)hits * (rows / (double)n));
    if (!(k < rows)) return 1;
    double low = k / rows, high = 1;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        if (!(middle < 1) || log_at_most(k, rows, middle) <= -strength) high = middle;
        else low = middle;
    }
    return high;
}

/** The normal law's, by bisection, then the expansion in 1 / degrees. */
double fw_student_bound(double strength, double degrees)
{
    double low = 0, high = 40;
    const double chance = fw_exp_double(-strength);
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        if (fw_normal_below(-middle) > chance) low = middle;
        else high = middle;
    }
    const double z = high, zz = z * z;
    return z + z * ((zz + 1) / (4 * degrees) + ((5 * zz + 16) * zz + 3) / (96 * degrees * degrees));
}
