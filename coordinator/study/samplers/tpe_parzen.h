/** A density over points of the space: a mixture of one kernel for each of some trials and a flat prior.
 *
 *  A trial's kernel is a product over parameters, each relative to the flat density of the unit interval:
 *    continuum   a normal cut at 0 and 1
 *    cells       (stepped, whole) the share of that normal in each cell
 *    categorical more weight on the trial's choice than on the others
 *  Where a parameter was not active in the trial its factor is 1: the prior.
 *  Source  Bergstra et al., "Algorithms for hyper-parameter optimization", NIPS 2011; Watanabe, "Tree-structured Parzen estimator", arXiv 2304.11127. */
#ifndef COORD_STUDY_SAMPLERS_TPE_PARZEN_H
#define COORD_STUDY_SAMPLERS_TPE_PARZEN_H

#include "coordinator/study/space.h"

typedef struct coord_parzen coord_parzen;

/** How a value is kept: a continuum's place in the unit interval, the index of a cell or a choice; NaN: not active. */
float     coord_parzen_code(const coord_param *p, double value);

/** A stream of numbers for one trial. */
typedef struct coord_draws { uint64_t seed, number; uint32_t place; } coord_draws;
double    coord_draws_unit(coord_draws *d);

/** For at most max_kernels trials. */
fw_status coord_parzen_create(coord_parzen **out, const coord_space *space, size_t max_kernels, fw_error *err);
void      coord_parzen_destroy(coord_parzen **p);

/** A new mixture over these parameters (n_params, ascending). */
void      coord_parzen_begin(coord_parzen *p, const size_t *params, size_t n_params);
/** One more kernel, of a trial with these codes (parameters of the space). */
void      coord_parzen_add(coord_parzen *p, const float *code, double weight);
typedef struct coord_parzen_opts {
    double prior;                  /* weight of the flat kernel */
    double flat;                   /* > 0: a kernel's width follows the spread of the kernels, as if so many more were spread over all the interval;
                                    * INFINITY: the width of an even spread */
    bool   neighbours;             /* of a single parameter: a kernel reaches to the farther of its two neighbours instead. Cells count as a continuum */
} coord_parzen_opts;

/** Widths and norms, once all kernels are there. */
void      coord_parzen_finish(coord_parzen *p, const coord_parzen_opts *opts);

/** Draws values of the mixture's parameters into x, where the parameters before them stand; NaN where not active. */
void      coord_parzen_draw(coord_parzen *p, coord_draws *d, double *x);
/** Logarithm of the density at x, of its active parameters. Cost: kernels x parameters. */
double    coord_parzen_log(coord_parzen *p, const double *x);

#endif
