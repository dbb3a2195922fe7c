/** Special functions that tests of hypotheses need, with the same bits on every CPU (built on dmath.h alone). Relative error below 1e-12. */
#ifndef FW_STATS_SPECIAL_H
#define FW_STATS_SPECIAL_H

/** ln Gamma(x) for x > 0. NaN for x <= 0 or NaN; inf for inf. */
double fw_log_gamma(double x);

/** Q(a, x) = Gamma(a, x) / Gamma(a), the share of the gamma distribution of shape a above x; a > 0, x >= 0, else NaN. Below 1e-307: 0.
 *  Cost O(sqrt(a)) near x = a, less elsewhere.  Source  DLMF 8.7.1 (series), 8.9.2 (continued fraction, by Lentz's rule). */
double fw_gamma_above(double a, double x);

/** Share of the chi-square distribution with `degrees` degrees of freedom above x. No degrees: all of it stands at 0. */
double fw_chi_square_above(double degrees, double x);

/** Kolmogorov's limit: P(sqrt(n) D_n > x) for large n, 2 sum_k (-1)^(k-1) exp(-2 k^2 x^2). x <= 0: 1. */
double fw_kolmogorov_above(double x);

#endif
