/** From tune.space of a project to a space: order, conditions on keys that are not searched. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/space_try.h"

/** Where each parameter of the file goes. */
typedef struct arrangement {
    const fw_project *p;
    size_t order[COORD_MAX_PARAMS], n;         /* parents first, else as in the file */
    size_t place[COORD_MAX_PARAMS];            /* by parameter of the file: its index in the space; OUT: it has none */
} arrangement;
#define OUT SIZE_MAX

/** The parameter that searches this key; OUT: none. */
static size_t searched(const fw_project *p, const char *key)
{
    for (size_t i = 0; i < p->tune.space.n; i++)
        if (strcmp(p->tune.space.v[i].key, key) == 0) return i;
    return OUT;
}

static bool has(const fw_strings *values, const char *value)
{
    for (size_t i = 0; i < values->n; i++)
        if (strcmp(values->v[i], value) == 0) return true;
    return false;
}

/** 1: all that it depends on is placed; 0: not yet. */
static bool is_ready(const arrangement *plan, const bool *done, size_t i)
{
    const fw_space_param *param = &plan->p->tune.space.v[i];
    for (size_t k = 0; k < param->n_when; k++) {
        const size_t parent = searched(plan->p, param->when[k].key);
        if (parent != OUT && !done[parent]) return false;
    }
    return true;
}

/** Whether it can ever be active: what it depends on is in, and keys that are not searched have one of the values. */
static fw_status stays(bool *out, const arrangement *plan, const fw_space_param *param, fw_error *err)
{
    *out = true;
    for (size_t k = 0; k < param->n_when && *out; k++) {
        const size_t parent = searched(plan->p, param->when[k].key);
        if (parent != OUT) {
            *out = plan->place[parent] != OUT;
            continue;
        }
        FW_FREE char *value = NULL;
        FW_TRY(fw_project_value(&value, plan->p, param->when[k].key, err));
        *out = has(&param->when[k].values, value);
    }
    return FW_OK;
}

static fw_status make_plan(arrangement *plan, fw_error *err)
{
    bool done[COORD_MAX_PARAMS] = {false};
    const size_t n = plan->p->tune.space.n;
    for (size_t count = 0; count < n; count++) {
        size_t i = 0;
        while (i < n && (done[i] || !is_ready(plan, done, i))) i++;
        if (i == n) return fw_fail(err, FW_ERR_INTERNAL, "tune.space: conditions run in a circle");
        bool in = false;
        FW_TRY(stays(&in, plan, &plan->p->tune.space.v[i], err));
        done[i] = true;
        plan->place[i] = in ? plan->n : OUT;
        if (in) plan->order[plan->n++] = i;
    }
    return FW_OK;
}

static fw_status copy_choices(coord_param *out, const fw_space_param *from, fw_error *err)
{
    if (from->choices.n == 0) return FW_OK;
    FW_TRY(fw_alloc_zeroed((void **)&out->choice, from->choices.n, sizeof *out->choice, "choices", err));
    for (size_t i = 0; i < from->choices.n; i++) {
        FW_TRY(fw_copy_text(&out->choice[i], from->choices.v[i], err));
        out->n_choices = i + 1;
    }
    return FW_OK;
}

static fw_status add_condition(coord_param *out, const arrangement *plan, const fw_space_when *when, fw_error *err)
{
    const size_t parent = searched(plan->p, when->key);
    if (parent == OUT) return FW_OK;                           /* holds: see stays() */
    const fw_strings *choices = &plan->p->tune.space.v[parent].choices;
    coord_condition *c = &out->condition[out->n_conditions];
    FW_TRY(fw_alloc_zeroed((void **)&c->choice, choices->n, sizeof *c->choice, "conditions", err));
    out->n_conditions++;
    c->parent = plan->place[parent];
    for (size_t i = 0; i < choices->n; i++) c->choice[i] = has(&when->values, choices->v[i]);
    return FW_OK;
}

static fw_status make_param(coord_param *out, const arrangement *plan, const fw_space_param *from, fw_error *err)
{
    out->kind = from->choices.n > 0 ? COORD_PARAM_CATEGORICAL : from->whole ? COORD_PARAM_INT : COORD_PARAM_FLOAT;
    out->low = from->low;
    out->high = from->high;
    out->step = from->step;
    out->log = from->log;
    FW_TRY(fw_copy_text(&out->name, from->key, err));
    FW_TRY(copy_choices(out, from, err));
    if (from->n_when > 0) FW_TRY(fw_alloc_zeroed((void **)&out->condition, from->n_when, sizeof *out->condition, "conditions", err));
    for (size_t k = 0; k < from->n_when; k++) FW_TRY(add_condition(out, plan, &from->when[k], err));
    return FW_OK;
}

fw_status coord_space_create(coord_space **out, const fw_project *p, fw_error *err)
{
    if (p->tune.space.n == 0) {
        FW_FREE char *place = fw_project_place(p, "tune");
        return fw_fail(err, FW_ERR_CONFIG, "%s: tune.space: is missing: name what is searched, e.g. train.learning_rate: {low: 1.0e-4, high: 0.1, log: true}",
                       place != NULL ? place : "");
    }
    arrangement plan = {.p = p};
    FW_TRY(make_plan(&plan, err));
    FW_FREE char *place = fw_project_place(p, "tune.space");
    if (plan.n == 0) return fw_fail(err, FW_ERR_CONFIG, "%s: tune.space: nothing is left: no `when` holds, since the keys that they name are not searched", place != NULL ? place : "");
    FW_AUTO(coord_space) *s = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "space", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->param, plan.n, sizeof *s->param, "space", err));
    for (s->n = 0; s->n < plan.n;) {
        coord_param *made = &s->param[s->n++];
        FW_TRY(make_param(made, &plan, &p->tune.space.v[plan.order[s->n - 1]], err));
    }
    FW_TRY(coord_space_try(s, p, plan.order, err));
    *out = s;
    s = NULL;
    return FW_OK;
}
