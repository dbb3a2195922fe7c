/** What a model of losses is fitted to: losses put on a scale where the good ones keep their distances and the bad ones don't matter much. */
#ifndef COORD_STUDY_SAMPLERS_WARP_H
#define COORD_STUDY_SAMPLERS_WARP_H

#include <stddef.h>

#include "common/core/status.h"

/** Losses y (n, finite; n may be 0) in place.
 *  Half-rank: what is above the median goes to where a normal distribution, whose lower half has the spread of the better half, has its rank. So a loss that
 *  explodes is a bad one and no more. Then mean 0 and standard deviation 1; losses that are all equal become 0.
 *  Source  Song et al., The Vizier Gaussian process bandit algorithm, 2024, sec. 3.2. Cost n log n. */
fw_status coord_warp_losses(double *y, size_t n, fw_error *err);

/** z with fw_normal_below(z) = p, |error| < 1e-9; p in (0, 1). */
double coord_normal_quantile(double p);

#endif
