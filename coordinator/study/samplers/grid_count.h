/** The points of a space without a continuum, each once: how many, and the one at a place. Points that differ in inactive parameters alone are one. */
#ifndef COORD_STUDY_SAMPLERS_GRID_COUNT_H
#define COORD_STUDY_SAMPLERS_GRID_COUNT_H

#include "coordinator/study/space.h"

typedef struct coord_grid coord_grid;

/** FW_ERR_CONFIG: a parameter is a continuum (which, and what to do), or there are more than 2^53 points. */
fw_status coord_grid_create(coord_grid **out, const coord_space *space, fw_error *err);
void      coord_grid_destroy(coord_grid **g);

uint64_t  coord_grid_points(const coord_grid *g);
/** The point at `place` (below the number of points) into x, masked. */
void      coord_grid_at(const coord_grid *g, uint64_t place, double *x);

#endif
