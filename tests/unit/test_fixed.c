/** Floats to fixed point and back: every kernel against integers made in long double (64 bits of mantissa or more: a float times a power of two is
 *  exact, so there is one right integer and nothing to tolerate). */
#include "worker/kernels/fixed.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/random.h"

enum { MOST = 1100, LEAF_BITS = 4 };
static const char *const kernels[] = {"avx512", "avx2", "portable"};

static uint32_t word(uint64_t row, uint32_t place) { return fw_random(1, FW_RANDOM_TEST, 0, row, place).word[0]; }

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static float scale_of(int exponent) { return ldexpf(1.0f, WORKER_FIXED_BITS - LEAF_BITS - exponent); }

static int64_t reference(float g, float scale) { return (int64_t)rintl((long double)g * (long double)scale); }

/* Values below 2^exponent: all sizes, denormals, zeros of both signs, and the halves where rounding to even shows. */
static void draw(float *g, size_t n, int exponent, uint64_t seed)
{
    const float scale = scale_of(exponent);
    for (size_t i = 0; i < n; i++) {
        const uint32_t a = word(seed, 2 * (uint32_t)i), b = word(seed, 2 * (uint32_t)i + 1);
        const float sign = a & 1 ? -1.0f : 1.0f, unit = 1.0f + (float)(b >> 9) * 0x1p-23f;
        switch (a >> 1 & 7) {
        case 0: g[i] = sign * ((float)(b >> 12) + 0.5f) / scale; break;                  /* k + 1/2 */
        case 1: g[i] = sign * float_of(b & 0x7fffffu); break;                            /* denormal */
        case 2: g[i] = sign * 0.0f; break;
        case 3: g[i] = sign * nextafterf(ldexpf(1.0f, exponent), 0.0f); break;           /* the largest that fits; of exponent 128: FLT_MAX */
        default: g[i] = sign * ldexpf(unit, exponent - 1 - (int)(a >> 8) % 80); break;
        }
        if (exponent == 128 && !isfinite(g[i])) g[i] = sign * FLT_MAX;
    }
}

static uint32_t largest_of(const float *g, size_t n)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++)
        if ((bits_of(g[i]) & 0x7fffffffu) > most) most = bits_of(g[i]) & 0x7fffffffu;
    return most;
}

static void one_run(const char *kernel, const float *g, size_t n, int exponent, bool first)
{
    static int64_t sum[MOST + 1], expected[MOST + 1];
    const float scale = scale_of(exponent);
    for (size_t i = 0; i <= n; i++) {
        sum[i] = (int64_t)word(9, (uint32_t)i) * 1000003 - ((int64_t)1 << 50);
        expected[i] = i == n ? sum[i] : (first ? 0 : sum[i]) + reference(g[i], scale);
    }
    uint32_t largest = 1;
    if (kernel == NULL) largest = worker_fixed_add(sum, g, n, scale, first);
    else if (!worker_fixed_add_named(kernel, &largest, sum, g, n, scale, first)) return;
    for (size_t i = 0; i <= n; i++)
        if (sum[i] != expected[i])
            fail_msg("%s: g[%zu of %zu] = %a, scale %a: %lld, expected %lld", kernel ? kernel : "chosen", i, n, (double)g[i], (double)scale,
                     (long long)sum[i], (long long)expected[i]);
    assert_int_equal(largest, largest_of(g, n));
}

static void every_kernel_gives_the_reference_integers(void **state)
{
    (void)state;
    static const int exponents[] = {-60, -59, -20, -3, 0, 1, 7, 30, 64, 127, 128};
    static const size_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 47, 64, 100, 1023, 1024, MOST - 3};
    static float g[MOST];
    for (size_t e = 0; e < sizeof exponents / sizeof exponents[0]; e++)
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
            for (size_t shift = 0; shift < 3; shift++) {
                draw(g, MOST, exponents[e], 100 * e + l);
                for (size_t k = 0; k < 3; k++) {
                    one_run(kernels[k], g + shift, lengths[l], exponents[e], true);
                    one_run(kernels[k], g + shift, lengths[l], exponents[e], false);
                }
                one_run(NULL, g + shift, lengths[l], exponents[e], shift == 0);
            }
}

static void halves_go_to_even(void **state)
{
    (void)state;
    static const struct {
        float x;
        int64_t rounded;
    } rows[] = {{0.5f, 0}, {1.5f, 2},        {2.5f, 2},      {-0.5f, 0},      {-1.5f, -2},           {-2.5f, -2},
                {3.5f, 4}, {0.49999997f, 0}, {0x1p-149f, 0}, {-0x1p-126f, 0}, {8388607.5f, 8388608}, {0.50000006f, 1}};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            float g[19];
            int64_t sum[19];
            uint32_t largest = 0;
            for (size_t j = 0; j < 19; j++) g[j] = rows[i].x;
            if (!worker_fixed_add_named(kernels[k], &largest, sum, g, 19, 1.0f, true)) continue;
            for (size_t j = 0; j < 19; j++) assert_int_equal(sum[j], rows[i].rounded);
        }
}

/* Wherever it stands: in the vector part or in the rest. */
static void what_is_not_finite_is_seen(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc00001u, 0x7f800001u};
    for (size_t k = 0; k < 3; k++)
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++)
            for (size_t at = 0; at < 37; at++) {
                float g[37];
                int64_t sum[37] = {0};
                uint32_t largest = 0;
                for (size_t j = 0; j < 37; j++) g[j] = j == at ? float_of(bad[b]) : 1.0f;
                if (!worker_fixed_add_named(kernels[k], &largest, sum, g, 37, 1.0f, false)) continue;
                assert_int_equal(largest, bad[b] & 0x7fffffffu);
                assert_true(largest >= 0x7f800000u);
            }
}

/* A step that is to be redone may add values far out of range, many times: nothing is promised but that it is told. */
static void values_out_of_range_are_told_by_their_size(void **state)
{
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        float g[21];
        int64_t sum[21] = {0};
        uint32_t largest = 0;
        for (size_t j = 0; j < 21; j++) g[j] = j % 2 ? -0x1.8p61f : 0x1.8p61f;
        for (int leaf = 0; leaf < 16; leaf++) {
            if (!worker_fixed_add_named(kernels[k], &largest, sum, g, 21, 1.0f, leaf == 0)) break;
            assert_int_equal(largest, bits_of(0x1.8p61f));
        }
    }
}

static void an_unknown_kernel_is_not_there(void **state)
{
    (void)state;
    uint32_t largest = 0;
    int64_t sum = 5;
    float g = 1.0f;
    assert_false(worker_fixed_add_named("neon9", &largest, &sum, &g, 1, 1.0f, true));
    assert_int_equal(sum, 5);
}

/* Totals below 2^50. With a power of two behind them the way back has one rounding, to float; with 1 / rows two, in doubles. */
static void collecting_is_the_sum_times_back(void **state)
{
    (void)state;
    enum { N = 2600, PARTS = 5 };
    static int64_t part[PARTS][N];
    static float got[N];
    worker_fixed_part list[PARTS];
    static const double backs[] = {0x1p-46, 0x1p-20, 0x1p60, 1.0, 0x1p-46 / 100.0, 0x1p-30 / 48842.0};
    for (size_t p = 0; p < PARTS; p++) {
        list[p] = (worker_fixed_part){.sum = part[p]};
        for (size_t i = 0; i < N; i++) {
            const fw_philox r = fw_random(2, FW_RANDOM_TEST, (uint32_t)p, i, 0);
            const int64_t size = (int64_t)(((uint64_t)r.word[0] << 32 | r.word[1]) >> (17 + r.word[2] % 46));      /* < 2^47 */
            part[p][i] = r.word[3] & 1 ? -size : size;
        }
    }
    static const struct {
        size_t at, n, parts;
    } runs[] = {{0, N, PARTS}, {0, N, 1}, {1, 1023, 3}, {7, 1024, 2}, {3, 1025, PARTS}, {500, 1, PARTS}, {9, 0, 2}};
    for (size_t b = 0; b < sizeof backs / sizeof backs[0]; b++)
        for (size_t r = 0; r < sizeof runs / sizeof runs[0]; r++) {
            worker_fixed_collect(got, list, runs[r].parts, runs[r].at, runs[r].n, 1.0f, backs[b]);
            for (size_t i = 0; i < runs[r].n; i++) {
                __int128 total = 0;
                for (size_t p = 0; p < runs[r].parts; p++) total += part[p][runs[r].at + i];
                const float expected =
                    b < 4 ? (float)((long double)(int64_t)total * (long double)backs[b]) : (float)((double)(int64_t)total * backs[b]);
                if (bits_of(got[i]) != bits_of(expected) && (got[i] != 0.0f || expected != 0.0f))
                    fail_msg("total %lld times %a: %a, expected %a", (long long)(int64_t)total, backs[b], (double)got[i], (double)expected);
            }
        }
}

static void totals_at_the_edge_come_back(void **state)
{
    (void)state;
    static const int64_t edges[] = {0,
                                    1,
                                    -1,
                                    ((int64_t)1 << 50),
                                    -((int64_t)1 << 50),
                                    ((int64_t)1 << 50) - 1,
                                    1 - ((int64_t)1 << 50),
                                    (1 << 24) + 1,
                                    -(1 << 24) - 1,
                                    (1 << 25) + 3};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        const worker_fixed_part list[1] = {{.sum = &edges[i]}};
        float got = -7.0f;
        worker_fixed_collect(&got, list, 1, 0, 1, 1.0f, 1.0);
        assert_true(got == (float)edges[i]);
    }
}

/* In and out again: within half a unit of the fixed point, and exact where the unit divides the value. */
static void what_went_in_comes_out(void **state)
{
    (void)state;
    static float g[MOST], back[MOST];
    static int64_t sum[MOST];
    const worker_fixed_part list[1] = {{.sum = sum}};
    draw(g, MOST, 3, 77);
    const float scale = scale_of(3);
    worker_fixed_add(sum, g, MOST, scale, true);
    worker_fixed_collect(back, list, 1, 0, MOST, scale, 1.0);
    for (size_t i = 0; i < MOST; i++) {
        assert_true(fabs((double)back[i] - (double)g[i]) <= 0.5 / (double)scale);
        if (fabsf(g[i]) >= 0x1p-19f) assert_true(back[i] == g[i]);              /* 24 bits stand above the unit 2^-43 */
    }
}

/* A single leaf may come as floats: the same bits as if its integers had come, whatever comes beside it. Halves are among the values. */
static void floats_of_a_leaf_stand_for_their_integers(void **state)
{
    (void)state;
    enum { PARTS = 3 };
    static float g[PARTS][MOST], expected[MOST], got[MOST];
    static int64_t sum[PARTS][MOST];
    worker_fixed_part integers[PARTS], mixed[PARTS];
    const float scale = scale_of(3);
    for (uint32_t p = 0; p < PARTS; p++) {
        draw(g[p], MOST, 3, 80 + p);
        for (size_t i = 0; i < MOST; i += 3) g[p][i] = ((float)(i % 64) + 0.5f) / scale;
        const uint32_t largest = worker_fixed_add(sum[p], g[p], MOST, scale, true);
        assert_int_equal(worker_fixed_largest(g[p], MOST), largest);
        integers[p] = (worker_fixed_part){.sum = sum[p]};
    }
    for (uint32_t floats = 0; floats < 1u << PARTS; floats++)
        for (size_t at = 0; at < 5; at++) {
            for (size_t p = 0; p < PARTS; p++) mixed[p] = floats >> p & 1u ? (worker_fixed_part){.leaf = g[p]} : integers[p];
            static int64_t total[MOST];
            worker_fixed_total(total, mixed, PARTS, at, MOST - at, scale);
            for (size_t i = 0; i < MOST - at; i++) assert_int_equal(total[i], sum[0][at + i] + sum[1][at + i] + sum[2][at + i]);
            for (size_t parts = 1; parts <= PARTS; parts++) {
                worker_fixed_collect(expected, integers, parts, at, MOST - at, scale, 1.0 / 300.0);
                worker_fixed_collect(got, mixed, parts, at, MOST - at, scale, 1.0 / 300.0);
                assert_memory_equal(got, expected, (MOST - at) * sizeof *got);
            }
        }
    g[0][MOST - 1] = -INFINITY;
    assert_int_equal(worker_fixed_largest(g[0], MOST), 0x7f800000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_gives_the_reference_integers),
        cmocka_unit_test(halves_go_to_even),
        cmocka_unit_test(what_is_not_finite_is_seen),
        cmocka_unit_test(values_out_of_range_are_told_by_their_size),
        cmocka_unit_test(an_unknown_kernel_is_not_there),
        cmocka_unit_test(floats_of_a_leaf_stand_for_their_integers),
        cmocka_unit_test(collecting_is_the_sum_times_back),
        cmocka_unit_test(totals_at_the_edge_come_back),
        cmocka_unit_test(what_went_in_comes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
