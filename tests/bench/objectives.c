/** Branin, Hartmann 6, Rosenbrock, Ackley and Levy as in Surjanovic and Bingham, "Virtual library of simulation experiments"; then four of our own with whole,
 *  stepped and categorical parameters and conditions. Ackley and Levy have their minima at 0 and at 1, near the middle of their boxes. */
#include "tests/bench/objectives.h"

#include <math.h>

#include "common/core/random.h"

static double square(double x) { return x * x; }

static void floats(study_space *s, size_t n, double low, double high)
{
    for (size_t i = 0; i < n; i++) study_space_float(s, low, high, false);
}

/* ---- of numbers alone ------------------------------------------------------------------------------------------------------------------------- */

static void branin_space(study_space *s)
{
    study_space_float(s, -5, 10, false);
    study_space_float(s, 0, 15, false);
}

static double branin(const double *x)
{
    return square(x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6) + 10 * (1 - 1 / (8 * M_PI)) * cos(x[0]) + 10;
}

static void hartmann6_space(study_space *s) { floats(s, 6, 0, 1); }

static double hartmann6(const double *x)
{
    static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {{.1312, .1696, .5569, .0124, .8283, .5886}, {.2329, .4135, .8307, .3736, .1004, .9991},
                                   {.2348, .1451, .3522, .2883, .3047, .6650}, {.4047, .8828, .8732, .5743, .1091, .0381}};
    static const double c[4] = {1, 1.2, 3, 3.2};
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        double e = 0;
        for (int i = 0; i < 6; i++) e += a[k][i] * square(x[i] - p[k][i]);
        sum -= c[k] * exp(-e);
    }
    return sum;
}

static void rosenbrock10_space(study_space *s) { floats(s, 10, -5, 10); }

static double rosenbrock10(const double *x)
{
    double sum = 0;
    for (int i = 0; i < 9; i++) sum += 100 * square(x[i + 1] - x[i] * x[i]) + square(1 - x[i]);
    return sum;
}

static void ackley10_space(study_space *s) { floats(s, 10, -32.768, 32.768); }

static double ackley10(const double *x)
{
    double squares = 0, waves = 0;
    for (int i = 0; i < 10; i++) {
        squares += x[i] * x[i] / 10;
        waves += cos(2 * M_PI * x[i]) / 10;
    }
    return -20 * exp(-0.2 * sqrt(squares)) - exp(waves) + 20 + M_E;
}

static void levy8_space(study_space *s) { floats(s, 8, -10, 10); }

static double levy8(const double *x)
{
    double w[8], sum;
    for (int i = 0; i < 8; i++) w[i] = 1 + (x[i] - 1) / 4;
    sum = square(sin(M_PI * w[0])) + square(w[7] - 1) * (1 + square(sin(2 * M_PI * w[7])));
    for (int i = 0; i < 7; i++) sum += square(w[i] - 1) * (1 + 10 * square(sin(M_PI * w[i] + 1)));
    return sum;
}

/* ---- of several kinds ------------------------------------------------------------------------------------------------------------------------- */

/* A network as it is tuned: the best rate hangs on the optimiser, units on layers, dropout on layers. */
static void network_space(study_space *s)
{
    study_space_choices(s, 4);                             /* 0 optimiser: sgd, momentum, adam, rmsprop */
    study_space_float(s, 1e-5, 1, true);                   /* 1 rate */
    study_space_float(s, 0.5, 0.999, false);               /* 2 momentum */
    study_space_when(s, 0, 1u << 1);
    study_space_float(s, 0.8, 0.999, false);               /* 3 beta */
    study_space_when(s, 0, 1u << 2 | 1u << 3);
    study_space_int(s, 1, 8, false);                       /* 4 layers */
    study_space_int(s, 8, 2048, true);                     /* 5 units */
    study_space_float(s, 0, 0.7, false);                   /* 6 dropout */
    study_space_choices(s, 3);                             /* 7 schedule: constant, cosine, step */
    study_space_int(s, 0, 20, false);                      /* 8 warm-up */
    study_space_when(s, 7, 1u << 1);
}

static double network(const double *x)
{
    static const double base[4] = {0.5, 0.2, 0, 0.1}, rate[4] = {-0.7, -1.4, -3.1, -3.6}, schedule[3] = {0.2, 0, 0.08};
    double y = base[(int)x[0]] + schedule[(int)x[7]] + 0.4 * square(log10(x[1]) - rate[(int)x[0]]);
    if (!isnan(x[2])) y += 8 * square(x[2] - 0.93);
    if (!isnan(x[3])) y += 12 * square(x[3] - 0.88);
    if (!isnan(x[8])) y += 0.002 * square(x[8] - 4);
    return y + 0.03 * square(log2(x[5]) + x[4] - 11) + 2 * square(x[6] - 0.06 * x[4]) + 0.01 * square(x[4] - 3);
}

/* Four families of models, each with parameters of its own. */
static void branches_space(study_space *s)
{
    static const size_t n[4] = {2, 3, 2, 4};
    study_space_choices(s, 4);
    for (size_t b = 0; b < 4; b++)
        for (size_t i = 0; i < n[b]; i++) {
            study_space_float(s, 0, 1, false);
            study_space_when(s, 0, UINT64_C(1) << b);
        }
}

static double branches(const double *x)
{
    double y = 0;
    switch ((int)x[0]) {
    case 0: return 0.15 + (branin((double[]){15 * x[1] - 5, 15 * x[2]}) - 0.39788735772973816) / 50;
    case 1:
        for (int i = 3; i < 6; i++) y += square(x[i] - 0.15 * i);
        return 0.3 + y;
    case 2: return square(1 - 2 * x[6]) + 5 * square(1.6 * x[7] - 4 * x[6] * x[6]);          /* the best: 0 at (0.5, 0.625) */
    default:
        for (int i = 8; i < 12; i++) y += square(x[i] - 0.3) + 0.05 * (1 - cos(8 * M_PI * (x[i] - 0.3)));
        return 0.1 + y;
    }
}

/* Choices that matter in pairs, and two numbers whose best values hang on the first choice. */
static void choices_space(study_space *s)
{
    for (int i = 0; i < 6; i++) study_space_choices(s, 6);
    floats(s, 2, 0, 1);
}

static double choices(const double *x)
{
    static const int best[6] = {3, 0, 5, 1, 4, 2};
    double y = 0;
    for (int i = 0; i < 6; i++) {
        const int a = (int)x[i], b = (int)x[(i + 1) % 6];
        const double pair = fw_random_unit(fw_random(1, FW_RANDOM_TEST, (uint32_t)i, (uint64_t)a, (uint32_t)b));
        const double single = fw_random_unit(fw_random(2, FW_RANDOM_TEST, (uint32_t)i, (uint64_t)a, 0));
        y += a == best[i] && b == best[(i + 1) % 6] ? 0 : 0.1 + 0.5 * pair;
        y += a == best[i] ? 0 : single;
    }
    return y + square(x[6] - 0.1 - 0.1 * x[0]) + square(x[7] - 0.7);
}

/* Whole and stepped numbers in a narrow valley with ripples; the last two only with the second choice. */
static void steps_space(study_space *s)
{
    for (int i = 0; i < 4; i++) study_space_int(s, 0, 15, false);
    study_space_step(s, 0, 2, 0.25);
    study_space_int(s, 1, 1000, true);
    study_space_choices(s, 2);
    study_space_int(s, -20, 20, false);
    study_space_when(s, 6, 1u << 1);
    study_space_step(s, 0, 1, 0.05);
    study_space_when(s, 6, 1u << 1);
}

static double steps(const double *x)
{
    static const double best[4] = {3, 12, 5, 9};
    double y = 0;
    for (int i = 0; i < 4; i++) y += square(x[i] - best[i]) / 40;
    y += square(x[0] + x[1] - 15) / 20 + square(x[2] - x[3] + 4) / 20;
    for (int i = 0; i < 4; i++) y += 0.15 * (fmod(fabs(x[i] - best[i]), 3) > 0 ? 1 : 0);
    y += square(x[4] - 0.5) + 0.3 * square(log10(x[5]) - 2);
    return y + (x[6] < 0.5 ? 0.4 : square(x[7] + 11) / 100 + 2 * square(x[8] - 0.8));
}

const bench_objective bench_objectives[] = {
    {"branin", branin_space, branin, 0.39788735772973816},
    {"hartmann6", hartmann6_space, hartmann6, -3.322368011391339},
    {"rosenbrock10", rosenbrock10_space, rosenbrock10, 0},
    {"ackley10", ackley10_space, ackley10, 0},
    {"levy8", levy8_space, levy8, 0},
    {"network", network_space, network, 0},
    {"branches", branches_space, branches, 0},
    {"choices", choices_space, choices, 0},
    {"steps", steps_space, steps, 0},
    {.name = NULL},
};

const bench_objective *bench_objective_find(const char *name)
{
    for (const bench_objective *o = bench_objectives; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0) return o;
    return NULL;
}
