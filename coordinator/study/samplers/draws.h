/** Which stream of numbers a sampler draws from: fw_random(seed, FW_RANDOM_SAMPLER, stream, trial's number, place). One line a sampler, so that none
 *  draws the numbers of another; `place` counts the draws of one trial. */
#ifndef COORD_STUDY_SAMPLERS_DRAWS_H
#define COORD_STUDY_SAMPLERS_DRAWS_H

#include "common/core/random.h"

enum { COORD_DRAWS_RANDOM = 1, COORD_DRAWS_GRID, COORD_DRAWS_SOBOL, COORD_DRAWS_TPE, COORD_DRAWS_GP, COORD_DRAWS_CMAES };

#endif
