/** What happens between two products, against plain loops; the dropout mask as a function of its key alone. */
#include "worker/kernels/layer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/random.h"
#include "common/model/elementary.h"

enum { ROWS = 13, WIDEST = 77 };

static const size_t widths[] = {1, 2, 7, 8, 15, 16, 17, 33, 64, WIDEST};
#define N_WIDTHS (sizeof widths / sizeof widths[0])

static void draw(float *x, size_t n, uint64_t row)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)(4.0 * fw_random_unit(fw_random(5, FW_RANDOM_TEST, 0, row, (uint32_t)i)) - 2.0);
}

/* The plain loop's value has to stand in memory as a float: no excess precision, no contraction. */
static void same(const float *got, const volatile float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float e = expected[i];
        if (memcmp(&got[i], &e, sizeof e) != 0) fail_msg("element %zu of %zu is %a, expected %a", i, n, (double)got[i], (double)e);
    }
}

static void relu_is_the_plain_loop(void **state)
{
    (void)state;
    static float z[ROWS * WIDEST];
    static volatile float expected[ROWS * WIDEST];
    for (size_t k = 0; k < N_WIDTHS; k++) {
        const size_t n = ROWS * widths[k];
        draw(z, n, k);
        for (size_t i = 0; i < n; i++) expected[i] = z[i] > 0.0f ? z[i] : 0.0f;
        worker_layer_relu(z, n);
        same(z, expected, n);
    }
}

static void relu_keeps_what_is_not_finite(void **state)
{
    (void)state;
    float z[20];
    for (size_t i = 0; i < 20; i++) z[i] = -1.0f;
    z[3] = z[18] = NAN;
    z[5] = INFINITY;
    z[6] = -INFINITY;
    worker_layer_relu(z, 20);
    assert_true(isnan(z[3]) && isnan(z[18]) && isinf(z[5]));
    assert_true(z[6] == 0.0f && z[0] == 0.0f);
}

static void slopes_are_the_derivatives(void **state)
{
    (void)state;
    enum { N = ROWS * WIDEST };
    static float d[N], y[N], out[N];
    static volatile float expected[N];
    draw(d, N, 1);
    draw(y, N, 2);
    y[0] = 0.0f;
    memcpy(out, d, sizeof d);
    for (size_t i = 0; i < N; i++) expected[i] = y[i] > 0.0f ? d[i] : 0.0f;
    worker_layer_slope_relu(out, y, N);
    same(out, expected, N);

    for (size_t i = 0; i < N; i++) y[i] = fw_tanhf(y[i]);
    memcpy(out, d, sizeof d);
    for (size_t i = 0; i < N; i++) {
        volatile float square = y[i] * y[i], slope = 1.0f - square;
        expected[i] = d[i] * slope;
    }
    worker_layer_slope_tanh(out, y, N);
    same(out, expected, N);

    /* gelu, tanh form, differentiated in double; fw_gelu_slopef promises 4e-7, the product adds 2^-24 of itself */
    draw(y, N, 3);
    memcpy(out, d, sizeof d);
    worker_layer_slope_gelu(out, y, N);
    for (size_t i = 0; i < N; i++) {
        const double z = 2.0 * (double)y[i], c = sqrt(2.0 / acos(-1.0)), x = z / 2.0, t = tanh(c * (x + 0.044715 * x * x * x));
        const double slope = 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * c * (1.0 + 3.0 * 0.044715 * x * x);
        assert_true(fabs((double)out[i] - (double)d[i] * slope) <= 2.0 * (4e-7 + 2.0 * 0x1p-24));
    }
}

static void column_sums_run_in_row_order(void **state)
{
    (void)state;
    static float d[ROWS * WIDEST], sum[WIDEST];
    static volatile float expected[WIDEST];
    for (size_t k = 0; k < N_WIDTHS; k++) {
        const size_t n = widths[k];
        const size_t ld = k % 2 == 0 ? n : WIDEST;
        draw(d, ROWS * ld, 7 + k);
        for (size_t j = 0; j < n; j++) {
            expected[j] = 0.0f;
            for (size_t r = 0; r < ROWS; r++) expected[j] = expected[j] + d[r * ld + j];
        }
        worker_layer_column_sums(sum, d, ld, ROWS, n);
        same(sum, expected, n);
        worker_layer_column_sums(sum, d, ld, 0, n);
        for (size_t j = 0; j < n; j++) assert_true(sum[j] == 0.0f);
    }
}

/* ---- dropout ------------------------------------------------------------------------------------------------------------------------ */

static void mask_of(float *mask, size_t n, double drop, uint64_t seed, uint32_t epoch, uint64_t row, uint32_t layer)
{
    float *y = malloc(n * sizeof *y);
    assert_non_null(y);
    for (size_t i = 0; i < n; i++) y[i] = 1.0f;
    worker_layer_dropout(y, mask, n, drop, seed, epoch, row, layer);
    assert_memory_equal(y, mask, n * sizeof *y);           /* ones become the mask */
    free(y);
}

/* A row's mask in any order of rows, with any number of calls between: what makes it the same on any rank. */
static void a_rows_mask_does_not_depend_on_who_asks(void **state)
{
    (void)state;
    static float there[ROWS][WIDEST], back[ROWS][WIDEST], shorter[WIDEST];
    for (size_t r = 0; r < ROWS; r++) mask_of(there[r], WIDEST, 0.3, 42, 5, 1000 + r, 1);
    for (size_t r = ROWS; r-- > 0;) mask_of(back[r], WIDEST, 0.3, 42, 5, 1000 + r, 1);
    assert_memory_equal(there, back, sizeof there);
    for (size_t n = 1; n < WIDEST; n++) {
        mask_of(shorter, n, 0.3, 42, 5, 1003, 1);
        assert_memory_equal(shorter, there[3], n * sizeof(float));
    }
}

static void every_part_of_the_key_counts(void **state)
{
    (void)state;
    static float base[WIDEST], other[WIDEST];
    static const struct { uint64_t seed; uint32_t epoch; uint64_t row; uint32_t layer; } keys[] = {
        {43, 5, 9, 1}, {42, 6, 9, 1}, {42, 5, 10, 1}, {42, 5, 9, 2}, {42, 5, 9 + (1ull << 32), 1}, {42 + (1ull << 32), 5, 9, 1}, {42, 5, 9, 0},
    };
    mask_of(base, WIDEST, 0.5, 42, 5, 9, 1);
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        size_t differ = 0;
        mask_of(other, WIDEST, 0.5, keys[k].seed, keys[k].epoch, keys[k].row, keys[k].layer);
        for (size_t i = 0; i < WIDEST; i++) differ += base[i] != other[i];
        assert_true(differ > 15 && differ < 62);           /* 38.5 expected, sigma 4.4: +- 5.3 sigma */
    }
}

static void kept_values_are_scaled_and_others_are_zero(void **state)
{
    (void)state;
    static float y[WIDEST], x[WIDEST], mask[WIDEST];
    draw(x, WIDEST, 11);
    memcpy(y, x, sizeof y);
    worker_layer_dropout(y, mask, WIDEST, 0.25, 1, 2, 3, 4);
    for (size_t i = 0; i < WIDEST; i++) {
        assert_true(mask[i] == 0.0f || mask[i] == (float)(1.0 / 0.75));
        const volatile float expected = x[i] * mask[i];
        assert_true(y[i] == expected);
    }
    float d[WIDEST];
    memcpy(d, x, sizeof d);
    worker_layer_mask(d, mask, WIDEST);
    assert_memory_equal(d, y, sizeof d);
}

/* Each unit of each row is kept with probability 1 - drop: counts over rows and over units within 5 sigma of the binomial (and of drop rounded to
 * 2^-16, which moves the rate by at most 2^-17). */
static void the_keep_rate_is_the_one_asked_for(void **state)
{
    (void)state;
    enum { UNITS = 64, DRAWS = 20000 };
    static const double drops[] = {0.0, 0.1, 0.2, 0.5, 0.9};
    for (size_t k = 0; k < sizeof drops / sizeof drops[0]; k++) {
        double kept[UNITS] = {0}, all = 0.0;
        const double p = 1.0 - drops[k], n = DRAWS;
        float mask[UNITS];
        for (uint64_t r = 0; r < DRAWS; r++) {
            mask_of(mask, UNITS, drops[k], 7, 1, r, 0);
            for (size_t i = 0; i < UNITS; i++) kept[i] += mask[i] > 0.0f;
        }
        for (size_t i = 0; i < UNITS; i++) {
            all += kept[i];
            assert_true(fabs(kept[i] - n * p) <= 5.0 * sqrt(n * p * drops[k]) + n * 0x1p-17);
        }
        assert_true(fabs(all - UNITS * n * p) <= 5.0 * sqrt(UNITS * n * p * drops[k]) + UNITS * n * 0x1p-17);
    }
}

/* Pairs of neighbouring units share a word: their masks must not. */
static void neighbouring_units_are_independent(void **state)
{
    (void)state;
    enum { UNITS = 16, DRAWS = 20000 };
    double both[UNITS] = {0};
    float mask[UNITS];
    for (uint64_t r = 0; r < DRAWS; r++) {
        mask_of(mask, UNITS, 0.5, 8, 0, r, 3);
        for (size_t i = 0; i + 1 < UNITS; i++) both[i] += mask[i] > 0.0f && mask[i + 1] > 0.0f;
    }
    for (size_t i = 0; i + 1 < UNITS; i++) assert_true(fabs(both[i] - DRAWS / 4.0) <= 5.0 * sqrt(DRAWS * 0.25 * 0.75));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relu_is_the_plain_loop),
        cmocka_unit_test(relu_keeps_what_is_not_finite),
        cmocka_unit_test(slopes_are_the_derivatives),
        cmocka_unit_test(column_sums_run_in_row_order),
        cmocka_unit_test(a_rows_mask_does_not_depend_on_who_asks),
        cmocka_unit_test(every_part_of_the_key_counts),
        cmocka_unit_test(kept_values_are_scaled_and_others_are_zero),
        cmocka_unit_test(the_keep_rate_is_the_one_asked_for),
        cmocka_unit_test(neighbouring_units_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
