/** Functions to minimise, each over a space, with a known minimum: what samplers are measured on. None has its minimum in the middle of its space. */
#ifndef TESTS_BENCH_OBJECTIVES_H
#define TESTS_BENCH_OBJECTIVES_H

#include "tests/unit/study_space.h"

typedef struct bench_objective {
    const char *name;
    void   (*space)(study_space *s);
    double (*value)(const double *x);          /* NaN where a parameter is not active */
    double minimum;
} bench_objective;

extern const bench_objective bench_objectives[];       /* ends with a NULL name */
const bench_objective *bench_objective_find(const char *name);

#endif
