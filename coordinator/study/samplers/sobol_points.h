/** Points that fill the unit cube evenly: Sobol's sequence with the direction numbers of Joe and Kuo, scrambled or as it is, with random access.
 *  Scrambled: each dimension's digits are multiplied by a random lower triangular matrix and shifted (Matousek 1998), which keeps the evenness. */
#ifndef COORD_STUDY_SAMPLERS_SOBOL_POINTS_H
#define COORD_STUDY_SAMPLERS_SOBOL_POINTS_H

#include <stddef.h>

#include "common/core/status.h"
#include "coordinator/study/space.h"

typedef struct coord_sobol coord_sobol;

/** dimensions: 1 to COORD_MAX_PARAMS, else FW_ERR_ARG. scramble: the key, or NULL for the sequence as it is. */
fw_status coord_sobol_create(coord_sobol **out, size_t dimensions, const uint64_t *scramble, fw_error *err);
void      coord_sobol_destroy(coord_sobol **s);

/** Point `index` into u (dimensions), each in (0, 1). The sequence begins anew after 2^32 points. Cost: 16 operations a dimension on average. */
void      coord_sobol_at(const coord_sobol *s, uint64_t index, double *u);

/** Of one dimension: degree and inner coefficients of its primitive polynomial over GF(2), and the first direction numbers m_1 .. m_degree. */
typedef struct coord_sobol_direction { uint8_t degree, coefficients; uint16_t m[9]; } coord_sobol_direction;

/** Of dimensions 1, 2, ... (dimension 0 needs none). */
extern const coord_sobol_direction coord_sobol_directions[COORD_MAX_PARAMS - 1];

#endif
