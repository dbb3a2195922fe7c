#include "coordinator/study/samplers/lbfgs.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "coordinator/study/samplers/dense.h"

#define PAIRS 8

/** The last steps and differences of gradients, newest last; a ring. */
typedef struct memory { double s[PAIRS][COORD_LBFGS_MAX], y[PAIRS][COORD_LBFGS_MAX], rho[PAIRS]; size_t count; } memory;

/** direction = -H g over the free coordinates, by the two loops. */
static void descent(double *direction, const double *g, const bool *held, const memory *m, size_t n)
{
    double alpha[PAIRS], *q = direction;
    for (size_t i = 0; i < n; i++) q[i] = held[i] ? 0 : g[i];
    size_t stored = m->count < PAIRS ? m->count : PAIRS;
    for (size_t k = 0; k < stored; k++) {
        size_t at = (m->count - 1 - k) % PAIRS;
        alpha[at] = m->rho[at] * coord_dot(m->s[at], q, n);
        coord_axpy(q, -alpha[at], m->y[at], n);
    }
    if (stored > 0) {
        size_t at = (m->count - 1) % PAIRS;
        double scale = 1 / (m->rho[at] * coord_dot(m->y[at], m->y[at], n));
        for (size_t i = 0; i < n; i++) q[i] *= scale;
    }
    for (size_t k = stored; k-- > 0;) {
        size_t at = (m->count - 1 - k) % PAIRS;
        coord_axpy(q, alpha[at] - m->rho[at] * coord_dot(m->y[at], q, n), m->s[at], n);
    }
    for (size_t i = 0; i < n; i++) q[i] = held[i] ? 0 : -q[i];
}

/** Which coordinates stand at a bound that the gradient pushes against; the largest component of the rest. */
static double hold(bool *held, const double *x, const double *g, const coord_lbfgs_opts *o)
{
    double largest = 0;
    for (size_t i = 0; i < o->n; i++) {
        held[i] = (x[i] <= o->low[i] && g[i] > 0) || (x[i] >= o->high[i] && g[i] < 0);
        if (!held[i] && fabs(g[i]) > largest) largest = fabs(g[i]);
    }
    return largest;
}

static void remember(memory *m, const double *x, const double *next, const double *g, const double *next_g, const bool *held, size_t n)
{
    size_t at = m->count % PAIRS;
    for (size_t i = 0; i < n; i++) {
        m->s[at][i] = held[i] ? 0 : next[i] - x[i];
        m->y[at][i] = held[i] ? 0 : next_g[i] - g[i];
    }
    double sy = coord_dot(m->s[at], m->y[at], n), yy = coord_dot(m->y[at], m->y[at], n);
    if (!(sy > 1e-10 * yy)) return;                /* no positive curvature: the pair would spoil the rest */
    m->rho[at] = 1 / sy;
    m->count++;
}

double coord_lbfgs(double *x, coord_smooth *f, void *context, const coord_lbfgs_opts *o)
{
    size_t n = o->n;
    double g[COORD_LBFGS_MAX], next[COORD_LBFGS_MAX], next_g[COORD_LBFGS_MAX], d[COORD_LBFGS_MAX];
    bool held[COORD_LBFGS_MAX];
    memory m = {.count = 0};
    double value = f(context, x, g);
    int evaluations = 1;
    while (isfinite(value) && evaluations < o->max_evaluations) {
        double largest = hold(held, x, g, o);
        if (largest <= o->tolerance) break;
        descent(d, g, held, &m, n);
        if (m.count == 0)                          /* no curvature known: a first step of a tenth of the box at most */
            for (size_t i = 0; i < n; i++) d[i] *= 0.1 * (o->high[i] - o->low[i]) / fmax(largest, 1e-300) < 1 ? 0.1 * (o->high[i] - o->low[i]) / largest : 1;
        double step = 1, next_value = INFINITY, gain = 0;
        for (; evaluations < o->max_evaluations; step *= 0.3) {
            gain = 0;
            for (size_t i = 0; i < n; i++) {
                next[i] = fmin(fmax(x[i] + step * d[i], o->low[i]), o->high[i]);
                gain += g[i] * (x[i] - next[i]);
            }
            if (!(gain > 0) || step < 1e-8) break;
            next_value = f(context, next, next_g);
            evaluations++;
            if (next_value <= value - 1e-4 * gain) break;
        }
        if (!(next_value <= value - 1e-4 * gain) || !(gain > 0)) {
            if (m.count == 0 || evaluations >= o->max_evaluations) break;
            m.count = 0;                           /* the memory misled: once more along the gradient */
            continue;
        }
        double gained = value - next_value;
        remember(&m, x, next, g, next_g, held, n);
        memcpy(x, next, n * sizeof *x);
        memcpy(g, next_g, n * sizeof *g);
        value = next_value;
        if (gained < o->tolerance) break;
    }
    return value;
}
