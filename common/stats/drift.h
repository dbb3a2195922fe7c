/** How far two distributions lie apart, from counts at the same places: a reference (often the training rows) and current rows.
 *  Places are bins, categories, or the distinct values themselves: then the figures are those of the raw values.
 *
 *  A share is count / total. A place that is empty on both sides says nothing and is left out everywhere, so figures don't depend on
 *  how many such places are listed. Without a row on either side nothing can be said: the functions return false and write nothing.
 *  Definitions are SciPy's; every figure equals SciPy's to 1e-9. Cost O(n), no memory. */
#ifndef FW_STATS_DRIFT_H
#define FW_STATS_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fw_drift_pair {
    const uint64_t *reference, *current;      /* (n) each; totals below 2^63 */
    const double *point;                      /* (n) ascending and finite: where the places stand. Wasserstein alone needs it */
    size_t n;
} fw_drift_pair;

typedef struct fw_drift_test { double statistic, p; size_t degrees; } fw_drift_test;

/** Population stability index: sum (c - r) ln(c / r). A share is here (count + 1/2) / (total + k/2) with k places that are not empty on both sides:
 *  an empty place has half a row, so one bin that no row of a small window fell into is no infinite drift. Symmetric; 0 for equal shares. */
bool fw_drift_psi(double *out, const fw_drift_pair *p);

/** Jensen-Shannon distance with logarithms to base 2, in [0, 1]: 0 for equal shares, 1 for shares without a common place.
 *  scipy.spatial.distance.jensenshannon(r, c, base=2). Empty places count 0 ln 0 = 0. */
bool fw_drift_js(double *out, const fw_drift_pair *p);

/** Kolmogorov-Smirnov: the largest distance D of the two distribution functions, and P(larger | no drift) by Kolmogorov's limit at
 *  D sqrt(nm / (n + m)) (scipy.stats.kstwobign). On bins D is a lower bound of the D of the values, and p an upper one. */
bool fw_drift_ks(fw_drift_test *out, const fw_drift_pair *p);

/** Homogeneity of the 2 x k table: Pearson's X^2 and the likelihood ratio G, k - 1 degrees of freedom (k: places not empty on both sides), no
 *  correction for continuity. scipy.stats.chi2_contingency(table, correction=False, lambda_="pearson" | "log-likelihood"). */
bool fw_drift_chi_square(fw_drift_test *out, const fw_drift_pair *p);
bool fw_drift_g(fw_drift_test *out, const fw_drift_pair *p);

/** Wasserstein-1: the integral of the distance of the two distribution functions, in units of the points.
 *  scipy.stats.wasserstein_distance(point, point, reference, current). */
bool fw_drift_wasserstein(double *out, const fw_drift_pair *p);

/** Standard deviation of counts at points (of the whole population: divided by the total), by two passes. */
bool fw_drift_spread(double *out, const uint64_t *count, const double *point, size_t n);

#endif
