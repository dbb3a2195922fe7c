#include "coordinator/study/samplers/grid_count.h"

#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"

/* Parameters that conditions tie together are a family; families are independent, so the points are the product of theirs. Within one the choices of
 * each parent are counted one by one. */
struct coord_grid {
    const coord_space *space;
    size_t *family;                /* (n) the first parameter of its family */
    bool   *parent;                /* (n) a condition names it */
    double *count;                 /* (n) points of the family that begins here; else 1 */
    double *x;                     /* (n) scratch of the counting */
    uint64_t points;
};

static void find_families(coord_grid *g)
{
    const coord_space *s = g->space;
    for (size_t i = 0; i < s->n; i++) {
        g->family[i] = i;
        for (size_t c = 0; c < s->param[i].n_conditions; c++) {
            const size_t parent = s->param[i].condition[c].parent, a = g->family[parent], b = g->family[i];
            g->parent[parent] = true;
            for (size_t k = 0; k <= i; k++)
                if (g->family[k] == FW_MAX(a, b)) g->family[k] = FW_MIN(a, b);
        }
    }
}

static size_t next_of(const coord_grid *g, size_t i)
{
    size_t k = i + 1;
    while (k < g->space->n && g->family[k] != g->family[i]) k++;
    return k;
}

/* Points of the rest of a family from parameter i on; x holds its parameters before i. */
static double count_from(const coord_grid *g, size_t i, double *x)
{
    if (i == g->space->n) return 1;
    const coord_param *p = &g->space->param[i];
    const size_t next = next_of(g, i);
    if (!coord_space_active(g->space, x, i)) {
        x[i] = NAN;
        return count_from(g, next, x);
    }
    if (!g->parent[i]) return coord_param_values(p) * count_from(g, next, x);
    double sum = 0;
    for (size_t c = 0; c < p->n_choices; c++) {
        x[i] = (double)c;
        sum += count_from(g, next, x);
    }
    return sum;
}

/* Digit of parameter i, and what is left of the place for the parameters after it. */
static double take_digit(const coord_grid *g, size_t i, double *place, double *x)
{
    const size_t next = next_of(g, i);
    if (!g->parent[i]) {
        const double below = count_from(g, next, x), digit = floor(*place / below);
        *place -= digit * below;
        return digit;
    }
    for (size_t c = 0;; c++) {
        x[i] = (double)c;
        const double below = count_from(g, next, x);
        if (*place < below || c + 1 == g->space->param[i].n_choices) return (double)c;
        *place -= below;
    }
}

static double value_of(const coord_param *p, double digit)
{
    if (p->kind == COORD_PARAM_CATEGORICAL) return digit;
    return coord_param_from_unit(p, coord_param_to_unit(p, p->low + digit * p->step));      /* to the bit what other samplers propose there */
}

static void family_at(const coord_grid *g, size_t first, double place, double *x)
{
    for (size_t i = first; i < g->space->n; i = next_of(g, i))
        x[i] = coord_space_active(g->space, x, i) ? value_of(&g->space->param[i], take_digit(g, i, &place, x)) : NAN;
}

static fw_status count_points(coord_grid *g, fw_error *err)
{
    const double points = coord_space_points(g->space);
    if (!(points > 0))
        return fw_fail(err, FW_ERR_CONFIG, "tune.sampler grid: the space has more points than a grid can number (2^53); give fewer values, or take another sampler");
    for (size_t i = 0; i < g->space->n; i++) g->count[i] = g->family[i] == i ? count_from(g, i, g->x) : 1;
    g->points = (uint64_t)points;
    return FW_OK;
}

static fw_status check_values(const coord_space *space, fw_error *err)
{
    for (size_t i = 0; i < space->n; i++)
        if (!(coord_param_values(&space->param[i]) > 0))
            return fw_fail(err, FW_ERR_CONFIG, "tune.sampler grid: %s is a continuum; give it a step, or the values to try as choices, or take another sampler",
                           space->param[i].name);
    return FW_OK;
}

fw_status coord_grid_create(coord_grid **out, const coord_space *space, fw_error *err)
{
    FW_TRY(check_values(space, err));
    FW_AUTO(coord_grid) *g = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&g, 1, sizeof *g, "grid", err));
    g->space = space;
    FW_TRY(fw_alloc_zeroed((void **)&g->family, space->n, sizeof *g->family, "grid families", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->parent, space->n, sizeof *g->parent, "grid parents", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->count, space->n, sizeof *g->count, "grid counts", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->x, space->n, sizeof *g->x, "grid point", err));
    find_families(g);
    FW_TRY(count_points(g, err));
    *out = g;
    g = NULL;
    return FW_OK;
}

void coord_grid_destroy(coord_grid **g)
{
    if (*g == NULL) return;
    free((*g)->family);
    free((*g)->parent);
    free((*g)->count);
    free((*g)->x);
    free(*g);
    *g = NULL;
}

uint64_t coord_grid_points(const coord_grid *g) { return g->points; }

void coord_grid_at(const coord_grid *g, uint64_t place, double *x)
{
    double rest = (double)place;
    for (size_t i = 0; i < g->space->n; i++) {
        if (g->family[i] != i) continue;
        const double above = floor(rest / g->count[i]);
        family_at(g, i, rest - above * g->count[i], x);
        rest = above;
    }
}
