#include "coordinator/study/sampler.h"

#include <string.h>

const coord_sampler_kind *const coord_samplers[] = {
    &coord_sampler_auto,
    &coord_sampler_random,
    &coord_sampler_grid,
    &coord_sampler_sobol,
    &coord_sampler_tpe,
    &coord_sampler_gp,
    &coord_sampler_cmaes,
    NULL,
};

const coord_sampler_kind *coord_sampler_find(const char *name)
{
    for (const coord_sampler_kind *const *k = coord_samplers; *k != NULL; k++)
        if (strcmp((*k)->name, name) == 0) return *k;
    return NULL;
}
