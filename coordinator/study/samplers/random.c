/** Every parameter by itself, uniform in the unit interval: in the value, in its logarithm, or over its choices. Learns nothing. */
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/sampler.h"
#include "coordinator/study/samplers/draws.h"

typedef struct random_sampler {
    const coord_space *space;
    uint64_t seed;
} random_sampler;

static fw_status create(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    random_sampler *s = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "sampler random", err));
    *s = (random_sampler){.space = space, .seed = opts->seed};
    *state = s;
    return FW_OK;
}

static void destroy(void **state)
{
    free(*state);
    *state = NULL;
}

static fw_status tell(void *state, const coord_seen *t, fw_error *err)
{
    (void)state, (void)t, (void)err;
    return FW_OK;
}

static fw_status suggest(void *state, uint64_t number, double *x, fw_error *err)
{
    const random_sampler *s = state;
    (void)err;
    for (size_t i = 0; i < s->space->n; i++)
        x[i] = coord_param_from_unit(&s->space->param[i], fw_random_unit(fw_random(s->seed, FW_RANDOM_SAMPLER, COORD_DRAWS_RANDOM, number, (uint32_t)i)));
    coord_space_mask(s->space, x);
    return FW_OK;
}

static const char *why(const void *state)
{
    (void)state;
    return NULL;
}

const coord_sampler_kind coord_sampler_random = {
    .name = "random", .help = "uniform in the space; learns nothing", .create = create, .destroy = destroy, .tell = tell, .suggest = suggest, .why = why,
};
