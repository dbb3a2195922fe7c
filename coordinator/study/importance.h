/** How much each parameter matters to the value: permutation importance on a forest of regression trees. */
#ifndef COORD_STUDY_IMPORTANCE_H
#define COORD_STUDY_IMPORTANCE_H

#include <stddef.h>

#include "common/core/status.h"

#define COORD_IMPORTANCE_TREES    64
#define COORD_IMPORTANCE_LEAST    8        /* trials, below which nothing is said */
#define COORD_IMPORTANCE_MOST     2000     /* of more the last ones are taken */

/** u (n, d): the points on the unit interval, NaN where a parameter is not active; y (n): values, all finite. share (d): how much worse the forest
 *  predicts what its trees have not seen (out of bag) when the parameter's values are permuted, as parts of 1; all NaN when there is too little to
 *  tell: fewer than COORD_IMPORTANCE_LEAST trials, or no parameter helps. y is ranked first, so that one value that diverged does not decide.
 *  The same for the same trials, always. Cost: O(trees n log n d depth); 0.1 s for 1,000 trials of 10 parameters.
 *  Source: Breiman, Random Forests, 2001, section 10. */
fw_status coord_importance(double *share, const double *u, const double *y, size_t n, size_t d, fw_error *err);

#endif
