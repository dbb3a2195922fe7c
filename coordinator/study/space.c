#include "coordinator/study/space.h"

#include <math.h>
#include <stdlib.h>

void coord_space_destroy(coord_space **s)
{
    if (s == NULL || *s == NULL) return;
    for (size_t i = 0; i < (*s)->n; i++) {
        coord_param *p = &(*s)->param[i];
        for (size_t k = 0; k < p->n_choices; k++) free(p->choice[k]);
        for (size_t k = 0; k < p->n_conditions; k++) free(p->condition[k].choice);
        free(p->choice);
        free(p->condition);
        free(p->name);
    }
    free((*s)->param);
    free(*s);
    *s = NULL;
}

bool coord_space_active(const coord_space *s, const double *x, size_t i)
{
    const coord_param *p = &s->param[i];
    for (size_t k = 0; k < p->n_conditions; k++) {
        const coord_condition *c = &p->condition[k];
        if (isnan(x[c->parent]) || !c->choice[(size_t)x[c->parent]]) return false;
    }
    return true;
}

void coord_space_mask(const coord_space *s, double *x)
{
    for (size_t i = 0; i < s->n; i++)
        if (!coord_space_active(s, x, i)) x[i] = NAN;
}

bool coord_space_holds(const coord_space *s, const double *x)
{
    for (size_t i = 0; i < s->n; i++)
        if (coord_space_active(s, x, i) ? !coord_param_holds(&s->param[i], x[i]) : !isnan(x[i])) return false;
    return true;
}

bool coord_space_same(const coord_space *s, const double *a, const double *b)
{
    for (size_t i = 0; i < s->n; i++)
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

bool coord_space_conditional(const coord_space *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->param[i].n_conditions > 0) return true;
    return false;
}

/* ---- number of points ---- */

#define MOST_POINTS 9007199254740992.0      /* 2^53 */
#define MOST_VISITS 1000000u

/** Parameters that hang together by conditions are counted together: `first` names the earliest of each such group. */
typedef struct counting { const coord_space *s; size_t *first; bool *is_parent; double *x; size_t visits; } counting;

/** Points of the parameters from i on that belong to the group, given those before. */
static double points_from(counting *c, size_t i, size_t group)
{
    while (i < c->s->n && c->first[i] != group) i++;
    if (i == c->s->n) return 1;
    if (++c->visits > MOST_VISITS) return INFINITY;
    c->x[i] = NAN;
    if (!coord_space_active(c->s, c->x, i)) return points_from(c, i + 1, group);
    const double n = coord_param_values(&c->s->param[i]);
    c->x[i] = 0;
    if (!c->is_parent[i]) return n * points_from(c, i + 1, group);
    double sum = 0;
    for (double k = 0; k < n && isfinite(sum); k++) {
        c->x[i] = k;
        sum += points_from(c, i + 1, group);
    }
    return sum;
}

static void find_groups(counting *c)
{
    for (size_t i = 0; i < c->s->n; i++) {
        c->first[i] = i;
        for (size_t k = 0; k < c->s->param[i].n_conditions; k++) {
            const size_t parent = c->s->param[i].condition[k].parent, a = c->first[parent], b = c->first[i];
            c->is_parent[parent] = true;
            for (size_t j = 0; j <= i; j++)
                if (c->first[j] == a || c->first[j] == b) c->first[j] = a < b ? a : b;
        }
    }
}

double coord_space_points(const coord_space *s)
{
    size_t first[COORD_MAX_PARAMS];
    bool is_parent[COORD_MAX_PARAMS] = {false};
    double x[COORD_MAX_PARAMS], points = 1;
    counting c = {.s = s, .first = first, .is_parent = is_parent, .x = x};
    for (size_t i = 0; i < s->n; i++)
        if (coord_param_values(&s->param[i]) == 0) return 0;
    find_groups(&c);
    for (size_t i = 0; i < s->n; i++)
        if (first[i] == i) points *= points_from(&c, i, i);
    return points <= MOST_POINTS ? points : 0;
}
