/** How large the mean of a known function over unknown shares can be, given a sample's counts: what makes a comparison with a finite reference fair. */
#ifndef FW_STATS_BOUND_H
#define FW_STATS_BOUND_H

#include <stddef.h>
#include <stdint.h>

/** An upper bound U of m = sum_b p_b f_b: over the drawing of the count (n), P(m > U) <= e^-strength. f must not depend on the count.
 *  Proof    Rows x_i drawn by p: E prod_i (1 + l (m - f(x_i))) = 1, so by Markov S(m) = sum_b count_b ln(1 + l (m - f_b)) < strength but for that chance; S
 *           rises with m: U is where it gets there. One more row at max f is added, which only makes U larger, and so it holds too where the places are cut
 *           at ranks of the sample itself: then p ~ Dirichlet(count, one place + 1) = G_b / sum G, and P(m > u) <= E exp(l sum G_b (u' - f_b)) is the same product.
 *           Cuts that were moved to the ends of ties are neither case; bench_drift counts false alarms there too.
 *  l        five values fixed beforehand, each with a fifth of the chance; the least U. No row at all: max f. Cost 5 x about 6 x n logarithms. */
double fw_mean_bound(const double *f, const uint64_t *count, size_t n, double strength);

/** The same for every f at once, whatever it depends on: the largest m over all p with R KL(count / R || p) <= radius, R rows.
 *  By weak duality sum_b count_b ln(1 + l (m - f_b)) <= radius for every l: q_b = p_b (1 + l (m - f_b)) are shares, and sum count_b ln(q_b / p_b) <= R KL. */
double fw_mean_bound_within(const double *f, const uint64_t *count, size_t n, double radius);

/** The radius with P(R KL(count / R || p) > radius) <= e^-strength for n places: c - d ln(e c / d) = strength, d = n - 1.
 *  Where the places are cut at ranks of the sample itself, so that p ~ Dirichlet(count), the tail is lighter (half the degrees of freedom).
 *  Source  R. Agrawal, Finite-sample concentration of the multinomial in relative entropy, IEEE Trans. Inf. Theory 66 (2020) 6297. */
double fw_divergence_radius(size_t n, double strength);

/** The same for a share of n rows of which `hits` are hits, exactly: the largest share of which so few hits, or fewer, come with a chance of e^-strength. No row: 1.
 *  More than 1e8 rows count as 1e8 of that share, which only makes it larger. Cost 60 x some sqrt(n) products, at most 5 ms.  Source  C. Clopper, E. Pearson, Biometrika 26 (1934) 404. */
double fw_share_bound(uint64_t hits, uint64_t n, double strength);

/** How many standard errors a mean may lie off, for large samples: P(T > t) = e^-strength for Student's t with so many degrees of freedom (INFINITY: the normal law),
 *  to 1 % for 9 degrees or more and strengths from ln 2 to 5.  Source  M. Abramowitz, I. Stegun (1964), 26.7.5. */
double fw_student_bound(double strength, double degrees);

#endif
