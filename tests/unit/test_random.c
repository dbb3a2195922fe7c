#include "common/core/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Known answers of Random123 (kat_vectors, philox4x32 10). Purpose 0, which nobody uses, leaves the seed alone as the key. */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct { uint64_t seed; uint32_t epoch; uint64_t row; uint32_t place, word[4]; } rows[] = {
        {0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT32_MAX, UINT64_MAX, UINT32_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822, 0x243f6a88, 0x13198a2e85a308d3, 0x03707344, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fw_philox r = fw_random(rows[i].seed, (fw_purpose)0, rows[i].epoch, rows[i].row, rows[i].place);
        assert_memory_equal(r.word, rows[i].word, sizeof r.word);
    }
}

static void each_coordinate_matters(void **state)
{
    (void)state;
    fw_philox all[] = {
        fw_random(1, FW_RANDOM_TEST, 0, 0, 0),  fw_random(2, FW_RANDOM_TEST, 0, 0, 0),
        fw_random(1, FW_RANDOM_SPLIT, 0, 0, 0), fw_random(1, FW_RANDOM_TEST, 1, 0, 0),
        fw_random(1, FW_RANDOM_TEST, 0, 1, 0),  fw_random(1, FW_RANDOM_TEST, 0, (uint64_t)1 << 32, 0),
        fw_random(1, FW_RANDOM_TEST, 0, 0, 1),  fw_random(1 | (uint64_t)1 << 32, FW_RANDOM_TEST, 0, 0, 0),
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (size_t j = 0; j < i; j++) assert_memory_not_equal(&all[i], &all[j], sizeof all[i]);
}

/* Mean of 1e5 uniforms: 0.5 +- 5 sigma, sigma = 1/sqrt(12e5) = 0.00092. Normals: mean +- 5/sqrt(1e5) = 0.016, variance +- 5 sqrt(2/1e5) = 0.023. */
static void moments_are_those_of_the_distributions(void **state)
{
    (void)state;
    const uint64_t n = 100000;
    double sum[3] = {0}, squares = 0, product = 0;
    for (uint64_t i = 0; i < n; i++) {
        fw_philox r = fw_random(7, FW_RANDOM_TEST, 0, i, 0);
        double    u = fw_random_unit(r), v = fw_random_unit2(r), z = fw_random_normal(r);
        assert_true(u >= 0 && u < 1 && v >= 0 && v < 1 && isfinite(z));
        sum[0] += u;
        sum[1] += v;
        sum[2] += z;
        squares += z * z;
        product += (u - 0.5) * (v - 0.5);
    }
    assert_true(fabs(sum[0] / (double)n - 0.5) < 0.0046);
    assert_true(fabs(sum[1] / (double)n - 0.5) < 0.0046);
    assert_true(fabs(sum[2] / (double)n) < 0.016);
    assert_true(fabs(squares / (double)n - 1) < 0.023);
    assert_true(fabs(product / (double)n) < 5 / 12.0 / sqrt((double)n));
}

static void extremes_of_the_unit_interval(void **state)
{
    (void)state;
    fw_philox zero = {{0, 0, 0, 0}}, ones = {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    assert_true(fw_random_unit(zero) == 0 && fw_random_unit2(zero) == 0);
    assert_true(fw_random_unit(ones) == 1 - 0x1p-53 && fw_random_unit2(ones) == 1 - 0x1p-53);
    assert_true(isfinite(fw_random_normal(zero)) && isfinite(fw_random_normal(ones)));
}

static void a_permutation_hits_each_number_once(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 5, 63, 64, 65, 255, 256, 257, 1000, 4097, 100003};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        uint64_t       n = sizes[k];
        unsigned char *seen = calloc(n, 1);
        fw_permutation p = fw_permutation_make(11, FW_RANDOM_EPOCH_ORDER, 3, n);
        assert_non_null(seen);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t y = fw_permutation_at(&p, i);
            assert_true(y < n && !seen[y]);
            seen[y] = 1;
            assert_true(fw_permutation_inverse(&p, y) == i);
        }
        free(seen);
    }
}

static void a_huge_permutation_inverts(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {(uint64_t)1 << 32, ((uint64_t)1 << 40) + 1, ((uint64_t)1 << 62) + 1, UINT64_MAX};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        fw_permutation p = fw_permutation_make(5, FW_RANDOM_EPOCH_ORDER, 0, sizes[k]);
        for (uint64_t i = 0; i < 1000; i++) {
            uint64_t x = i < 500 ? i : sizes[k] - i, y = fw_permutation_at(&p, x);
            assert_true(y < sizes[k]);
            assert_true(fw_permutation_inverse(&p, y) == x);
        }
    }
}

/* Counts of (position, value) over 20,000 epochs of n = 5: chi-squared with (n-1)^2 = 16 degrees of freedom is above 45 with p = 1.4e-4. */
static void small_permutations_are_even(void **state)
{
    (void)state;
    enum { N = 5, EPOCHS = 20000 };
    double count[N][N] = {0}, chi2 = 0;
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        fw_permutation p = fw_permutation_make(3, FW_RANDOM_EPOCH_ORDER, epoch, N);
        for (uint64_t i = 0; i < N; i++) count[i][fw_permutation_at(&p, i)] += 1;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) chi2 += (count[i][j] - EPOCHS / (double)N) * (count[i][j] - EPOCHS / (double)N) / (EPOCHS / (double)N);
    assert_true(chi2 < 45);
}

/* Recorded when the network was chosen: the order of rows in files and epochs follows from these numbers, so they may not change. */
static void the_permutation_is_the_one_that_files_were_written_with(void **state)
{
    (void)state;
    static const uint64_t small[] = {4, 6, 2, 8, 9, 5, 1, 7, 3, 0}, large[] = {839329, 152487, 797988, 503889, 296160, 441940};
    fw_permutation p = fw_permutation_make(1, FW_RANDOM_FILE_ORDER, 0, 10), q = fw_permutation_make(1, FW_RANDOM_FILE_ORDER, 0, 1000000);
    for (uint64_t i = 0; i < 10; i++) assert_true(fw_permutation_at(&p, i) == small[i]);
    for (uint64_t i = 0; i < 6; i++) assert_true(fw_permutation_at(&q, i) == large[i]);
}

/* A shuffle has no memory of the old order: the rank correlation of 10,000 is within 5/sqrt(n) = 0.05, and that of neighbours too. */
static void a_permutation_forgets_the_order(void **state)
{
    (void)state;
    enum { N = 10000 };
    fw_permutation p = fw_permutation_make(42, FW_RANDOM_EPOCH_ORDER, 1, N), q = fw_permutation_make(42, FW_RANDOM_EPOCH_ORDER, 2, N);
    double mean = (N - 1) / 2.0, with_index = 0, with_next = 0, with_other = 0, variance = ((double)N * N - 1) / 12;
    for (uint64_t i = 0; i < N; i++) {
        double y = (double)fw_permutation_at(&p, i) - mean;
        with_index += y * ((double)i - mean);
        with_next += y * ((double)fw_permutation_at(&p, (i + 1) % N) - mean);
        with_other += y * ((double)fw_permutation_at(&q, i) - mean);
    }
    assert_true(fabs(with_index / variance / N) < 0.05);
    assert_true(fabs(with_next / variance / N) < 0.05);
    assert_true(fabs(with_other / variance / N) < 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(each_coordinate_matters),
        cmocka_unit_test(moments_are_those_of_the_distributions),
        cmocka_unit_test(extremes_of_the_unit_interval),
        cmocka_unit_test(a_permutation_hits_each_number_once),
        cmocka_unit_test(a_huge_permutation_inverts),
        cmocka_unit_test(small_permutations_are_even),
        cmocka_unit_test(the_permutation_is_the_one_that_files_were_written_with),
        cmocka_unit_test(a_permutation_forgets_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
