/** Optimizer steps against torch's definitions (torch.optim SGD, Adam, AdamW; version 2), written out in double, and against themselves in pieces.
 *
 *  Tolerance of one step: a float operation errs by at most 2^-24 of its result. The longest chain is Adam's w: 3 operations for m, 4 for v, 4 for the
 *  quotient, 3 for the difference; 16 * 2^-24 of the sizes that enter bounds it, also where m's two terms cancel (their sizes are added). */
#include "worker/kernels/update.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/random.h"

enum { N = 1000 };
#define UNIT 0x1p-24

typedef struct state { float w[N], g[N], m[N], v[N]; } state;

static float draw(uint64_t row, uint32_t i, double size)
{
    return (float)((2.0 * fw_random_unit(fw_random(3, FW_RANDOM_TEST, 0, row, i)) - 1.0) * size);
}

static void fill(state *s, bool fresh)
{
    for (uint32_t i = 0; i < N; i++) {
        s->w[i] = i % 50 == 0 ? 0.0f : draw(1, i, i % 7 == 0 ? 1e-4 : 1.0);
        s->g[i] = i % 31 == 0 ? 0.0f : draw(2, i, i % 5 == 0 ? 1e-6 : i % 11 == 0 ? 1e3 : 0.1);
        s->m[i] = fresh ? 0.0f : draw(3, i, 0.1);
        s->v[i] = fresh ? 0.0f : fabsf(draw(4, i, 0.01));
    }
}

typedef struct step { const char *name; bool adam; double rate, momentum, beta1, beta2, epsilon, l2, decay, l1; unsigned t; } step;

static const step steps[] = {
    {"sgd", false, 0.1, 0, 0, 0, 0, 0, 0, 0, 1},
    {"momentum", false, 0.05, 0.9, 0, 0, 0, 0, 0, 0, 1},
    {"sgd, l2", false, 0.1, 0, 0, 0, 0, 0.01, 0, 0, 1},
    {"momentum, l2, l1", false, 0.1, 0.9, 0, 0, 0, 0.01, 0, 0.02, 1},
    {"sgd, l1", false, 0.5, 0, 0, 0, 0, 0, 0, 0.1, 1},
    {"adam, first step", true, 1e-3, 0, 0.9, 0.999, 1e-8, 0, 0, 0, 1},
    {"adam, step 10", true, 1e-2, 0, 0.9, 0.999, 1e-8, 0, 0, 0, 10},
    {"adam, step 100000", true, 1e-2, 0, 0.9, 0.999, 1e-8, 0, 0, 0, 100000},
    {"adam, l2", true, 1e-3, 0, 0.8, 0.99, 1e-6, 0.1, 0, 0, 3},
    {"adamw", true, 1e-3, 0, 0.9, 0.999, 1e-8, 0, 0.01, 0, 5},
    {"adamw, l1", true, 1e-2, 0, 0.9, 0.95, 1e-3, 0, 0.5, 0.3, 2},
    {"adamw, l2", true, 1e-2, 0, 0.5, 0.9, 0.1, 0.2, 0.1, 0, 4},
};

static worker_update update_of(const step *s)
{
    worker_update u = {.rate = (float)s->rate,
                       .momentum = (float)s->momentum,
                       .beta1 = (float)s->beta1,
                       .beta2 = (float)s->beta2,
                       .epsilon = (float)s->epsilon,
                       .l2 = (float)s->l2,
                       .decay = (float)s->decay,
                       .l1 = (float)s->l1};
    if (s->adam) {
        u.correction1 = (float)(1.0 / (1.0 - pow(s->beta1, s->t)));
        u.correction2 = (float)(1.0 / sqrt(1.0 - pow(s->beta2, s->t)));
    }
    return u;
}

static void run(state *s, size_t at, size_t n, const step *how)
{
    const worker_update u = update_of(how);
    if (how->adam) worker_update_adam(s->w + at, s->g + at, s->m + at, s->v + at, n, &u);
    else worker_update_sgd(s->w + at, s->g + at, s->m + at, n, &u);
}

typedef struct exact { double w, m, v, size_w, size_m; } exact;

/* torch.optim.SGD: g += wd w; buf = momentum buf + g; w -= lr buf. */
static exact sgd(double w, double g, double m, const step *s)
{
    const double with_l2 = g + s->l2 * w, buf = s->momentum * m + with_l2, size = fabs(s->momentum * m) + fabs(g) + fabs(s->l2 * w);
    return (exact){.w = w - s->rate * buf, .m = buf, .size_m = size, .size_w = fabs(w) + s->rate * size};
}

/* torch.optim.Adam: g += wd w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps);
 * AdamW: w *= 1 - lr wd before. */
static exact adam(double w, double g, double m, double v, const step *s)
{
    const double with_l2 = g + s->l2 * w, size_g = fabs(g) + fabs(s->l2 * w);
    const double m1 = s->beta1 * m + (1.0 - s->beta1) * with_l2, size_m = fabs(s->beta1 * m) + (1.0 - s->beta1) * size_g;
    const double v1 = s->beta2 * v + (1.0 - s->beta2) * with_l2 * with_l2;
    const double lr = s->rate / (1.0 - pow(s->beta1, s->t)), denominator = sqrt(v1) / sqrt(1.0 - pow(s->beta2, s->t)) + s->epsilon;
    const double kept = w * (1.0 - s->rate * s->decay);
    return (exact){.w = kept - lr * m1 / denominator, .m = m1, .v = v1, .size_m = size_m, .size_w = fabs(kept) + lr * size_m / denominator};
}

/* Proximal step of l1: Tibshirani's soft threshold. */
static double shrunk(double w, double by) { return fabs(w) > by ? copysign(fabs(w) - by, w) : 0.0; }

static void near(double got, double expected, double size, const char *what, const char *name, uint32_t i)
{
    if (!(fabs(got - expected) <= 16.0 * UNIT * size + 1e-40)) fail_msg("%s: %s[%u] is %.9g, torch's is %.9g", name, what, i, got, expected);
}

/* The hyperparameters as the floats that enter, so that their own rounding is no error. */
static step rounded(const step *s)
{
    step r = *s;
    r.rate = (double)(float)s->rate, r.momentum = (double)(float)s->momentum, r.epsilon = (double)(float)s->epsilon;
    r.l2 = (double)(float)s->l2, r.decay = (double)(float)s->decay, r.l1 = (double)(float)s->l1;
    r.beta1 = (double)(float)s->beta1, r.beta2 = (double)(float)s->beta2;
    return r;
}

static void one_step_is_torchs(void **context)
{
    (void)context;
    static state before, s;
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        const step in = rounded(&steps[k]);
        fill(&before, steps[k].t == 1);
        s = before;
        run(&s, 0, N, &in);
        for (uint32_t i = 0; i < N; i++) {
            const double w = (double)before.w[i], g = (double)before.g[i], m = (double)before.m[i], v = (double)before.v[i];
            /* v of a gradient with l2 that cancels: its error is that of the square of the sizes */
            const exact e = in.adam ? adam(w, g, m, v, &in) : sgd(w, g, m, &in);
            const double size_v = e.v + (fabs(g) + fabs(in.l2 * w)) * (fabs(g) + fabs(in.l2 * w));
            near((double)s.m[i], e.m, e.size_m, "m", in.name, i);
            if (in.adam) near((double)s.v[i], e.v, size_v, "v", in.name, i);
            near((double)s.w[i], shrunk(e.w, in.rate * in.l1), e.size_w + in.rate * in.l1, "w", in.name, i);
        }
    }
}

/* Many steps on f(w) = sum of a_i (w_i - c_i)^2 / 2, in float and in double side by side: the state is carried on rightly. Each of the T steps adds an
 * error of the size above, and the problem is contracting: T * 16 * 2^-24 * (|w| + rate) < 2e-4. */
static void a_trajectory_stays_with_torchs(void **context)
{
    (void)context;
    static state s;
    static double w[N], m[N], v[N];
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        step in = rounded(&steps[k]);
        fill(&s, true);
        for (uint32_t i = 0; i < N; i++) w[i] = (double)s.w[i], m[i] = v[i] = 0.0;
        for (unsigned t = 1; t <= 100; t++) {
            in.t = t;
            for (uint32_t i = 0; i < N; i++) s.g[i] = (0.5f + (float)(i % 10) / 10.0f) * (s.w[i] - 1.5f);
            run(&s, 0, N, &in);
            for (uint32_t i = 0; i < N; i++) {
                const double g = (0.5 + (double)(float)((float)(i % 10) / 10.0f)) * (w[i] - 1.5);
                const exact e = in.adam ? adam(w[i], g, m[i], v[i], &in) : sgd(w[i], g, m[i], &in);
                w[i] = shrunk(e.w, in.rate * in.l1), m[i] = e.m, v[i] = e.v;
            }
        }
        for (uint32_t i = 0; i < N; i++)
            if (!(fabs((double)s.w[i] - w[i]) < 2e-4))
                fail_msg("%s: after 100 steps w[%u] is %.9g, torch's is %.9g", in.name, i, (double)s.w[i], w[i]);
    }
}

static void pieces_of_any_size_give_the_same_bits(void **context)
{
    (void)context;
    static state whole, pieces;
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++)
        for (uint64_t cut = 0; cut < 20; cut++) {
            fill(&whole, false);
            pieces = whole;
            run(&whole, 0, N, &steps[k]);
            for (size_t at = 0, piece = 0; at < N; at += piece) {
                piece = 1 + fw_random(4, FW_RANDOM_TEST, (uint32_t)cut, at, 0).word[0] % (cut < 5 ? 9 : 300);
                if (piece > N - at) piece = N - at;
                run(&pieces, at, piece, &steps[k]);
            }
            assert_memory_equal(whole.w, pieces.w, sizeof whole.w);
            assert_memory_equal(whole.m, pieces.m, sizeof whole.m);
            assert_memory_equal(whole.v, pieces.v, sizeof whole.v);
        }
}

static void l1_makes_exact_zeros_and_never_crosses(void **context)
{
    (void)context;
    float w[6] = {0.05f, -0.05f, 0.15f, -0.15f, 0.1f, 0.0f}, g[6] = {0}, m[6] = {0};
    const worker_update u = {.rate = 1.0f, .l1 = 0.1f};
    worker_update_sgd(w, g, m, 6, &u);
    const float expected[6] = {0.0f, 0.0f, 0.15f - 0.1f, -(0.15f - 0.1f), 0.0f, 0.0f};
    for (size_t i = 0; i < 6; i++) assert_true(w[i] == expected[i]);
}

/* Where the gradient stays zero the means fade away. No number that is kept may become denormal on the way, and the weight goes where torch's does. */
static void what_fades_is_zero_before_it_is_denormal(void **context)
{
    (void)context;
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        const step in = rounded(&steps[k]);
        if (in.l2 != 0.0) continue;                                      /* then the weight itself is a gradient */
        float w[3] = {0.5f, -0.5f, 0.25f}, m[3] = {0.1f, -1e-20f, 0x1p-101f}, v[3] = {0.01f, 0x1p-100f, 0x1p-121f};
        double expected[3] = {0.5, -0.5, 0.25}, em[3], ev[3];
        for (size_t i = 0; i < 3; i++) em[i] = (double)m[i], ev[i] = (double)v[i];
        const worker_update u = update_of(&in);
        for (unsigned t = 0; t < 100000; t++) {
            float g[3] = {0};
            if (in.adam) worker_update_adam(w, g, m, v, 3, &u);
            else worker_update_sgd(w, g, m, 3, &u);
            for (size_t i = 0; i < 3; i++) {
                assert_true(m[i] == 0.0f || isnormal(m[i] * 0x1p-20f));
                assert_true(!in.adam || v[i] == 0.0f || isnormal(v[i] * 0x1p-2f));
                const exact e = in.adam ? adam(expected[i], 0.0, em[i], ev[i], &in) : sgd(expected[i], 0.0, em[i], &in);
                if (t < 200) expected[i] = shrunk(e.w, in.rate * in.l1), em[i] = e.m, ev[i] = e.v;
            }
            for (size_t i = 0; t == 199 && i < 3; i++) assert_true(fabs((double)w[i] - expected[i]) < 1e-4);
        }
        for (size_t i = 0; i < 3; i++) assert_true(m[i] == 0.0f && (!in.adam || v[i] == 0.0f || in.beta2 > 0.9985));
    }
}

/* A weight that is not a number is to be found by the next loss, not made a zero on the way. */
static void a_nan_stays_one(void **context)
{
    (void)context;
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        static state s;
        fill(&s, false);
        s.w[17] = NAN;
        s.g[903] = NAN;
        run(&s, 0, N, &steps[k]);
        if (!isnan(s.w[17]) || !isnan(s.w[903])) fail_msg("%s: a NaN became %g, %g", steps[k].name, (double)s.w[17], (double)s.w[903]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_step_is_torchs),
        cmocka_unit_test(a_trajectory_stays_with_torchs),
        cmocka_unit_test(pieces_of_any_size_give_the_same_bits),
        cmocka_unit_test(l1_makes_exact_zeros_and_never_crosses),
        cmocka_unit_test(what_fades_is_zero_before_it_is_denormal),
        cmocka_unit_test(a_nan_stays_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
