/** Chooses among the others by what is known before the first trial: the number of trials, the parameters, how many run at a time. A study may be told of two:
 *  one for the first trials, another for those that a Gaussian process is too dear for. Each trial's number says whose it is. */
#include <stdio.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/sampler.h"

#define GP_TRIALS     500          /* the longest study that the process follows to its end */
#define GP_FIRST      250          /* of a longer or endless one */
#define GP_PARAMETERS 40
#define GP_PARALLEL   100          /* running trials that it looks at */

typedef struct auto_sampler {
    const coord_sampler_kind *kind[2];             /* [1] NULL: the first does all */
    void *state[2];
    uint64_t change;               /* first trial of the second */
    char why[200];
} auto_sampler;

/** Fills kind, change and why. */
static void choose(auto_sampler *s, const coord_space *space, const coord_sampler_opts *o)
{
    double points = coord_space_points(space);
    bool choices = coord_space_conditional(space);
    for (size_t i = 0; i < space->n; i++) choices = choices || space->param[i].kind == COORD_PARAM_CATEGORICAL;
    if (points > 0 && o->trials > 0 && points <= (double)o->trials) {
        s->kind[0] = &coord_sampler_grid;
        snprintf(s->why, sizeof s->why, "grid: the space has %.0f points, and there are %llu trials", points, (unsigned long long)o->trials);
    } else if (space->n > GP_PARAMETERS || o->parallel > GP_PARALLEL) {
        s->kind[0] = &coord_sampler_tpe;
        snprintf(s->why, sizeof s->why, "tpe: %zu parameters, %u trials at a time; gp is for up to %d and %d", space->n, o->parallel, GP_PARAMETERS, GP_PARALLEL);
    } else if (o->trials > 0 && o->trials <= GP_TRIALS) {
        s->kind[0] = &coord_sampler_gp;
        snprintf(s->why, sizeof s->why, "gp: %llu trials of %zu parameters", (unsigned long long)o->trials, space->n);
    } else {
        s->kind[0] = &coord_sampler_gp;
        s->kind[1] = choices || o->pruned ? &coord_sampler_tpe : &coord_sampler_cmaes;
        s->change = GP_FIRST;
        snprintf(s->why, sizeof s->why, "gp for the first %d trials, then %s: %s", GP_FIRST, s->kind[1]->name, choices ? "some parameters are choices or conditional" : o->pruned ? "trials are pruned" : "all parameters are numeric");
    }
}

static void destroy(void **state)
{
    auto_sampler *s = *state;
    if (s == NULL) return;
    for (size_t i = 0; i < 2; i++)
        if (s->state[i] != NULL) s->kind[i]->destroy(&s->state[i]);
    free(s);
    *state = NULL;
}

static fw_status create(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    auto_sampler *s = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "sampler auto", err));
    choose(s, space, opts);
    *state = s;
    fw_status status = s->kind[0]->create(&s->state[0], space, opts, err);
    if (status >= 0 && s->kind[1] != NULL) {
        coord_sampler_opts later = *opts;          /* the trials before are what it starts from */
        later.startup_trials = GP_FIRST;
        status = s->kind[1]->create(&s->state[1], space, &later, err);
    }
    if (status < 0) destroy(state);
    return status;
}

static bool is_second(const auto_sampler *s, uint64_t number)
{
    return s->kind[1] != NULL && number >= s->change;
}

static fw_status tell(void *state, const coord_seen *t, fw_error *err)
{
    auto_sampler *s = state;
    if (!is_second(s, t->number)) FW_TRY(s->kind[0]->tell(s->state[0], t, err));
    return s->kind[1] != NULL ? s->kind[1]->tell(s->state[1], t, err) : FW_OK;
}

static fw_status suggest(void *state, uint64_t number, double *x, fw_error *err)
{
    auto_sampler *s = state;
    size_t whose = is_second(s, number);
    return s->kind[whose]->suggest(s->state[whose], number, x, err);
}

static const char *why(const void *state)
{
    return ((const auto_sampler *)state)->why;
}

const coord_sampler_kind coord_sampler_auto = {
    .name = "auto", .help = "chooses one of the others by trials, parameters and groups, and says which", .create = create, .destroy = destroy, .tell = tell, .suggest = suggest, .why = why,
};
