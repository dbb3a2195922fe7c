/** Minimises a smooth function in a box: L-BFGS on the coordinates that are not held at a bound, projected back into the box, with Armijo's rule.
 *  Deterministic. Source  Nocedal, Wright, Numerical Optimization (2006), algorithm 7.4; Bertsekas, SIAM J. Control Optim. 20 (1982) 221. */
#ifndef COORD_STUDY_SAMPLERS_LBFGS_H
#define COORD_STUDY_SAMPLERS_LBFGS_H

#include <stddef.h>

#define COORD_LBFGS_MAX 128        /* coordinates */

/** Value at x (n), gradient to g (n). Not finite: the step is made shorter. */
typedef double coord_smooth(void *context, const double *x, double *g);

typedef struct coord_lbfgs_opts {
    size_t n;                      /* at most COORD_LBFGS_MAX */
    const double *low, *high;      /* (n) */
    int max_evaluations;
    double tolerance;              /* ends when a step gains less than so much, or the projected gradient is below it */
} coord_lbfgs_opts;

/** x: the start, in the box; then the best found. Returns its value; not finite when the start's is not. */
double coord_lbfgs(double *x, coord_smooth *f, void *context, const coord_lbfgs_opts *opts);

#endif
