/* The elementary functions against libm in long double, at every 1,009th float of each range; and against each other: every instruction set
 * gives the same bits. The bound of 4 ulp is what elementary.h promises. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/model/elementary_kernels.h"

static float from_bits(uint32_t b)
{
    float x;
    memcpy(&x, &b, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

/* Units in the last place of the float nearest to the true value; below the normal range the spacing is 2^-149. */
static long double ulps(float y, long double truth)
{
    if (isinf(y) && fabsl(truth) > 3.402823466e38L) return 0;
    int exponent;
    (void)frexpl(truth, &exponent);
    const long double spacing = ldexpl(1.0L, exponent - 24 < -149 ? -149 : exponent - 24);
    return fabsl((long double)y - truth) / spacing;
}

static long double true_exp(long double x) { return expl(x); }
static long double true_log(long double x) { return logl(x); }
static long double true_tanh(long double x) { return tanhl(x); }
static long double true_sigmoid(long double x) { return 1 / (1 + expl(-x)); }
static long double gelu_rate(long double x) { return sqrtl(2 / acosl(-1)) * (x + 0.044715L * x * x * x); }
static long double true_gelu(long double x) { return x / (1 + expl(-2 * gelu_rate(x))); }
static long double true_gelu_slope(long double x)
{
    const long double s = 1 / (1 + expl(-2 * gelu_rate(x)));
    return s + x * s * (1 - s) * 2 * sqrtl(2 / acosl(-1)) * (1 + 3 * 0.044715L * x * x);
}

static const struct {
    const char *name;
    float (*ours)(float);
    long double (*truth)(long double);
    float low, high;
    long double absolute;              /* bound where the value crosses 0; else 0 and 4 ulp hold */
} functions[] = {
    {"exp", fw_expf, true_exp, -110.0f, 95.0f, 0},         {"log", fw_logf, true_log, 1e-45f, 3.4e38f, 0},
    {"tanh", fw_tanhf, true_tanh, -50.0f, 50.0f, 0},       {"sigmoid", fw_sigmoidf, true_sigmoid, -110.0f, 110.0f, 0},
    {"gelu", fw_geluf, true_gelu, -9.5f, 50.0f, 0},        {"gelu_slope", fw_gelu_slopef, true_gelu_slope, -50.0f, 50.0f, 4e-7L},
};
#define N_FUNCTIONS (sizeof functions / sizeof functions[0])

static void stays_within_4_ulp_of_libm(void **context)
{
    (void)context;
    for (size_t f = 0; f < N_FUNCTIONS; f++) {
        long double worst = 0;
        float where = 0;
        for (uint64_t b = 0; b <= UINT32_MAX; b += 1009) {
            const float x = from_bits((uint32_t)b);
            if (!(x >= functions[f].low && x <= functions[f].high)) continue;
            const long double truth = functions[f].truth(x);
            const float y = functions[f].ours(x);
            const long double error = functions[f].absolute > 0 ? 4 * fabsl((long double)y - truth) / functions[f].absolute : ulps(y, truth);
            if (!(error <= worst)) {
                worst = error;
                where = x;
            }
        }
        print_message("%s: at most %.2Lf %s, at %g\n", functions[f].name, worst, functions[f].absolute > 0 ? "quarters of 4e-7" : "ulp", (double)where);
        assert_true(worst <= 4.0L);
    }
}

static void specials_are_exact(void **context)
{
    (void)context;
    static const struct { float (*f)(float); float x, y; } cases[] = {
        {fw_expf, 0.0f, 1.0f},           {fw_expf, -0.0f, 1.0f},            {fw_expf, INFINITY, INFINITY},   {fw_expf, -INFINITY, 0.0f},
        {fw_expf, 88.8f, INFINITY},      {fw_expf, 3e38f, INFINITY},        {fw_expf, -104.5f, 0.0f},        {fw_expf, -3e38f, 0.0f},
        {fw_logf, 1.0f, 0.0f},           {fw_logf, 0.0f, -INFINITY},        {fw_logf, INFINITY, INFINITY},   {fw_logf, -0.0f, -INFINITY},
        {fw_tanhf, 0.0f, 0.0f},          {fw_tanhf, -0.0f, -0.0f},          {fw_tanhf, INFINITY, 1.0f},      {fw_tanhf, -INFINITY, -1.0f},
        {fw_tanhf, 20.0f, 1.0f},         {fw_tanhf, -3e38f, -1.0f},         {fw_sigmoidf, 0.0f, 0.5f},       {fw_sigmoidf, INFINITY, 1.0f},
        {fw_sigmoidf, -INFINITY, 0.0f},  {fw_sigmoidf, 3e38f, 1.0f},        {fw_sigmoidf, -3e38f, 0.0f},     {fw_geluf, 0.0f, 0.0f},
        {fw_geluf, -0.0f, -0.0f},        {fw_geluf, INFINITY, INFINITY},    {fw_geluf, -INFINITY, -0.0f},    {fw_geluf, 3e38f, 3e38f},
        {fw_geluf, -3e38f, -0.0f},       {fw_gelu_slopef, 0.0f, 0.5f},      {fw_gelu_slopef, INFINITY, 1.0f}, {fw_gelu_slopef, 3e38f, 1.0f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const float y = cases[i].f(cases[i].x);
        if (to_bits(y) != to_bits(cases[i].y)) fail_msg("case %zu: f(%g) = %g, not %g", i, (double)cases[i].x, (double)y, (double)cases[i].y);
    }
    for (size_t f = 0; f < N_FUNCTIONS; f++) assert_true(isnan(functions[f].ours(NAN)));
    assert_true(isnan(fw_logf(-1.0f)));
    assert_true(fabsf(fw_gelu_slopef(-INFINITY)) < 1e-12f);
}

#define COUNT 4096u
static fw_elementary_function *pick(const fw_elementary_kernels *k, size_t f)
{
    fw_elementary_function *const all[] = {k->exp, k->log, k->tanh, k->sigmoid, k->gelu, k->gelu_slope, k->softmax};
    return all[f];
}

static void every_instruction_set_gives_the_same_bits(void **context)
{
    (void)context;
    static float x[COUNT], expected[COUNT], actual[COUNT];
    const fw_elementary_kernels *plain = fw_elementary_find("portable");
    static const char *const names[] = {"avx2", "avx512"};
    for (size_t k = 0; k < 2; k++) {
        const fw_elementary_kernels *kernels = fw_elementary_find(names[k]);
        if (kernels == NULL) continue;
        for (uint64_t b = 0; b <= UINT32_MAX;) {
            size_t n = 0;
            for (; n < COUNT && b <= UINT32_MAX; b += 4099)
                if (!isnan(from_bits((uint32_t)b))) x[n++] = from_bits((uint32_t)b);
            for (size_t f = 0; f < 6; f++) {
                pick(plain, f)(expected, x, n);
                pick(kernels, f)(actual, x, n);
                for (size_t i = 0; i < n; i++)
                    if (to_bits(expected[i]) != to_bits(actual[i]) && !(isnan(expected[i]) && isnan(actual[i])))
                        fail_msg("%s, function %zu: x = %a gives %a, not %a", names[k], f, (double)x[i], (double)actual[i], (double)expected[i]);
            }
        }
    }
}

static void vectors_are_the_scalars_one_by_one(void **context)
{
    (void)context;
    void (*const vector[])(float *, const float *, size_t) = {fw_vec_exp, fw_vec_log, fw_vec_tanh, fw_vec_sigmoid, fw_vec_gelu, fw_vec_gelu_slope};
    float x[70], y[70];
    for (size_t f = 0; f < N_FUNCTIONS; f++)
        for (size_t n = 0; n <= 67; n++) {
            for (size_t i = 0; i < 70; i++) x[i] = y[i] = 0.013f + 0.37f * (float)(i + n);
            y[n] = 77.0f;
            vector[f](y + 0, y, n);                                   /* in place; what lies behind stays */
            for (size_t i = 0; i < n; i++) assert_int_equal(to_bits(y[i]), to_bits(functions[f].ours(x[i])));
            assert_true(y[n] == 77.0f);
        }
}

/* The documented order of the sum, in plain C. */
static void plain_softmax(float *y, const float *x, size_t n)
{
    float top = x[0], part[16] = {0};
    for (size_t i = 1; i < n; i++) top = fmaxf(top, x[i]);
    for (size_t i = 0; i < n; i++) part[i % 16] += y[i] = fw_expf(x[i] - top);
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++) part[i] += part[i + half];
    for (size_t i = 0; i < n; i++) y[i] /= part[0];
}

static void softmax_is_the_documented_sum_on_every_instruction_set(void **context)
{
    (void)context;
    static const char *const names[] = {"portable", "avx2", "avx512"};
    float x[200], expected[200], actual[200];
    for (size_t n = 1; n <= 200; n++) {
        for (size_t i = 0; i < n; i++) x[i] = 30.0f * sinf((float)(i * n + i));
        plain_softmax(expected, x, n);
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += (double)expected[i];
        assert_true(fabs(sum - 1) < 2e-6);                            /* n <= 200 divisions, half an ulp of at most 1 each, and the sum's */
        for (size_t k = 0; k < 3; k++) {
            const fw_elementary_kernels *kernels = fw_elementary_find(names[k]);
            if (kernels == NULL) continue;
            memcpy(actual, x, sizeof x);
            kernels->softmax(actual, actual, n);
            assert_memory_equal(expected, actual, n * sizeof(float));
        }
    }
}

static void softmax_does_not_overflow(void **context)
{
    (void)context;
    float y[3] = {3e38f, 3e38f, -3e38f};
    fw_softmax(y, y, 3);
    assert_true(y[0] == 0.5f && y[1] == 0.5f && y[2] == 0.0f);
    float poisoned[3] = {0.0f, NAN, 1.0f};
    fw_softmax(poisoned, poisoned, 3);
    for (size_t i = 0; i < 3; i++) assert_true(isnan(poisoned[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stays_within_4_ulp_of_libm),
        cmocka_unit_test(specials_are_exact),
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(vectors_are_the_scalars_one_by_one),
        cmocka_unit_test(softmax_is_the_documented_sum_on_every_instruction_set),
        cmocka_unit_test(softmax_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
