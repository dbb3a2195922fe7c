/** A Gaussian process with Matern's kernel of order 5/2, a length for each coordinate, and a constant mean. Inputs lie in the unit cube; a coordinate that
 *  is a choice is at distance 0 or 1 (Hamming). It holds one set of data; fitted by the maximum of the posterior of its hyperparameters.
 *
 *    K_ij = s2 (1 + a + a^2/3) e^-a + [i = j] noise,   a = sqrt(5 sum_k t_k^2 / l_k^2),   t_k = x_ki - x_kj, or [x_ki != x_kj] of a choice
 *    theta (d + 3) = ln l_1 ... ln l_d, ln s2, ln noise, mean
 *
 *  Prior   lengths are alike: their mean logarithm m ~ N(length + ln d / 2, length_sd), as distances grow with the dimension (Hvarfner, Hellsten, Nardi, ICML
 *          2024), and ln l_k ~ N(m, spread); ln noise ~ N(noise, noise_sd); ln s2, mean ~ N(0, 1). So few points fit one length, and more tell which
 *          coordinates matter. Losses are standardised.
 *  Source  Rasmussen, Williams, Gaussian Processes for Machine Learning (2006), eq. 2.25, 2.26, 5.8, 5.9. */
#ifndef COORD_STUDY_SAMPLERS_GP_MODEL_H
#define COORD_STUDY_SAMPLERS_GP_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/status.h"

#define COORD_GP_MAX_DIMENSIONS 104
#define COORD_GP_MAX_POINTS     400

typedef struct coord_gp_prior { double length, length_sd, spread, noise, noise_sd; } coord_gp_prior;

typedef struct coord_gp {
    size_t n, d, capacity;         /* the owner sets n <= capacity, then x and y */
    coord_gp_prior prior;          /* the owner's to set */
    const bool *choice;            /* (d) the owner's */
    double *x;                     /* (d, n): a coordinate's values stand together */
    double *y;                     /* (n) */
    double *theta;                 /* (d + 3) of the factor below */
    double *r, *alpha;             /* (n, n) K^-1 = R R^T; (n) K^-1 (y - mean) */
    double *kernel, *slope, *row;  /* (n, n), (n, n), (8 n + 8): scratch */
} coord_gp;

fw_status coord_gp_create(coord_gp **out, size_t d, const bool *choice, size_t capacity, fw_error *err);
void      coord_gp_destroy(coord_gp **gp);

/** The start of a fit where nothing is known. */
void   coord_gp_prior_mode(const coord_gp *gp, double *theta);
/** -ln p(y | theta) - ln p(theta), its gradient to g (d + 3). inf where K is not positive definite. Cost n^3 + n^2 d. */
double coord_gp_loss(coord_gp *gp, const double *theta, double *g);
/** Improves theta by at most so many evaluations of the loss, which is returned. */
double coord_gp_fit(coord_gp *gp, double *theta, int evaluations);
/** Makes the posterior for theta ready. The noise is raised until K is positive definite. */
void   coord_gp_factor(coord_gp *gp, const double *theta);

typedef struct coord_gp_at { double mean, sd; } coord_gp_at;   /* of the function, without noise */

/** The posterior at x (d); with dmean, dsd (d) not NULL their gradients (0 for choices). Cost n^2 + n d. */
coord_gp_at coord_gp_predict(coord_gp *gp, const double *x, double *dmean, double *dsd);
/** The posterior at m points, x (d, m), to mean and sd (m); scratch (n + 2, m). Cost n^2 m. */
void        coord_gp_predict_many(coord_gp *gp, const double *x, size_t m, double *mean, double *sd, double *scratch);

#endif
