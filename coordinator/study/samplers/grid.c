/** Every point of a space without a continuum, each once, in an order that the seed fixes: a study that ends early has seen all parts of the space. */
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/sampler.h"
#include "coordinator/study/samplers/draws.h"
#include "coordinator/study/samplers/grid_count.h"

typedef struct grid_sampler {
    coord_grid *grid;
    fw_permutation order;
} grid_sampler;

static void destroy(void **state)
{
    grid_sampler *s = *state;
    if (s == NULL) return;
    coord_grid_destroy(&s->grid);
    free(s);
    *state = NULL;
}

static fw_status create(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    void *made = NULL;
    FW_TRY(fw_alloc_zeroed(&made, 1, sizeof(grid_sampler), "sampler grid", err));
    grid_sampler *s = made;
    const fw_status status = coord_grid_create(&s->grid, space, err);
    if (status < 0) {
        destroy(&made);
        return status;
    }
    s->order = fw_permutation_make(opts->seed, FW_RANDOM_SAMPLER, COORD_DRAWS_GRID, coord_grid_points(s->grid));
    *state = made;
    return FW_OK;
}

static fw_status tell(void *state, const coord_seen *t, fw_error *err)
{
    (void)state, (void)t, (void)err;
    return FW_OK;
}

static fw_status suggest(void *state, uint64_t number, double *x, fw_error *err)
{
    const grid_sampler *s = state;
    (void)err;
    if (number >= coord_grid_points(s->grid)) return FW_END;
    coord_grid_at(s->grid, fw_permutation_at(&s->order, number), x);
    return FW_OK;
}

static const char *why(const void *state)
{
    (void)state;
    return NULL;
}

const coord_sampler_kind coord_sampler_grid = {
    .name = "grid", .help = "every point of a space without a continuum, each once, in a shuffled order", .create = create, .destroy = destroy, .tell = tell,
    .suggest = suggest, .why = why,
};
