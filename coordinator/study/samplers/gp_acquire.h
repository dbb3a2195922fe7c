/** Where to look next: the largest log expected improvement of a Gaussian process over the space.
 *
 *  Points are *coded*: a number in the unit interval for what is numeric, the index of the choice for what is categorical; what is not active is 0.5, or -1.
 *  Source  Ament, Daulton, Eriksson, Balandat, Bakshy, Unexpected improvements to expected improvement, NeurIPS 2023. */
#ifndef COORD_STUDY_SAMPLERS_GP_ACQUIRE_H
#define COORD_STUDY_SAMPLERS_GP_ACQUIRE_H

#include "coordinator/study/samplers/gp_model.h"
#include "coordinator/study/space.h"

/** ln(phi(z) + z Phi(z)) for any z, relative error below 1e-12 (of the logarithm's argument); *slope: its derivative. */
double coord_log_improvement(double z, double *slope);

void coord_gp_encode(const coord_space *s, const double *x, double *code);
/** The nearest point of the space, x (n), and its code anew. */
void coord_gp_decode(const coord_space *s, double *code, double *x);

typedef struct coord_gp_search {
    const coord_space *space;
    coord_gp *gp;                  /* factored; more coordinates than the space's stand behind them and are held at `fixed` */
    const double *fixed;           /* (gp->d - space->n) */
    double best;                   /* what is to be improved, in the process's units */
    const double *start; size_t n_starts;      /* (n_starts, space->n) codes of good points, best first: their neighbourhoods are searched */
    const double *taken; size_t n_taken;       /* (n_taken, space->n) codes that are not to be proposed again */
    const size_t *forced; double choice;           /* the index of a categorical parameter that has this choice in whatever is proposed; NULL: none */
    uint64_t seed, number;         /* keys of the draws */
} coord_gp_search;

/** The best point found, to x (space->n). FW_END: every point met is taken. Cost some 600 predictions in one batch, and 150 single ones with gradients. */
fw_status coord_gp_search_run(const coord_gp_search *s, double *x, fw_error *err);

#endif
