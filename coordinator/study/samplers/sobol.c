/** Points that fill the space evenly: the trial's number is the index in a scrambled Sobol sequence, a dimension for each parameter. Learns nothing. */
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/sampler.h"
#include "coordinator/study/samplers/sobol_points.h"

typedef struct sobol_sampler {
    const coord_space *space;
    coord_sobol *points;
} sobol_sampler;

static void destroy(void **state)
{
    sobol_sampler *s = *state;
    if (s == NULL) return;
    coord_sobol_destroy(&s->points);
    free(s);
    *state = NULL;
}

static fw_status create(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    void *made = NULL;
    FW_TRY(fw_alloc_zeroed(&made, 1, sizeof(sobol_sampler), "sampler sobol", err));
    sobol_sampler *s = made;
    s->space = space;
    const fw_status status = coord_sobol_create(&s->points, space->n, &opts->seed, err);
    if (status < 0) destroy(&made);
    else *state = made;
    return status;
}

static fw_status tell(void *state, const coord_seen *t, fw_error *err)
{
    (void)state, (void)t, (void)err;
    return FW_OK;
}

static fw_status suggest(void *state, uint64_t number, double *x, fw_error *err)
{
    const sobol_sampler *s = state;
    (void)err;
    coord_sobol_at(s->points, number, x);
    for (size_t i = 0; i < s->space->n; i++) x[i] = coord_param_from_unit(&s->space->param[i], x[i]);
    coord_space_mask(s->space, x);
    return FW_OK;
}

static const char *why(const void *state)
{
    (void)state;
    return NULL;
}

const coord_sampler_kind coord_sampler_sobol = {
    .name = "sobol", .help = "fills the space evenly (scrambled Sobol sequence); learns nothing", .create = create, .destroy = destroy, .tell = tell,
    .suggest = suggest, .why = why,
};
