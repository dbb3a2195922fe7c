#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "common/core/random.h"
#include "common/stats/exact_sum.h"
#include "thread_ranks.h"

static void assert_same_bits(double a, double b)
{
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    if (x != y) fail_msg("%a is not %a", a, b);
}

/* One by one, and all at once: the same accumulator. */
static double sum_of(const double *v, size_t n)
{
    fw_exact_sum s = {0}, all = {0};
    for (size_t i = 0; i < n; i++) assert_int_equal(fw_exact_sum_add(&s, v[i], NULL), FW_OK);
    assert_int_equal(fw_exact_sum_add_all(&all, v, n, NULL), FW_OK);
    fw_exact_sum_normalize(&s);
    fw_exact_sum_normalize(&all);
    assert_memory_equal(s.limb, all.limb, sizeof s.limb);
    return fw_exact_sum_value(&s);
}

/* Sums whose correctly rounded value follows from the numbers alone (math.fsum agrees with each that does not overflow). */
static void knows_hard_sums(void **state)
{
    (void)state;
    static const struct { double v[10]; size_t n; double sum; } cases[] = {
        {{0}, 0, 0.0},
        {{-0.0}, 1, 0.0},
        {{1.5, -1.5}, 2, 0.0},
        {{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 10, 1.0},
        {{1e100, 1.0, -1e100}, 3, 1.0},
        {{1e308, 1e308, -1e308}, 3, 1e308},
        {{DBL_MAX, DBL_MAX, -DBL_MAX, -DBL_MAX, 0x1p-1074}, 5, 0x1p-1074},
        {{0x1p-1074, 0x1p-1074}, 2, 0x1p-1073},
        {{-0x1p-1074}, 1, -0x1p-1074},
        {{DBL_MIN, -0x1p-1074}, 2, 0x0.fffffffffffffp-1022},
        {{0x0.fffffffffffffp-1022, 0x1p-1074}, 2, DBL_MIN},
        {{0x1p53, 1.0}, 2, 0x1p53},                              /* half, to even */
        {{0x1p53, 1.0, 0x1p-1074}, 3, 0x1.0000000000001p53},     /* just above half */
        {{0x1.0000000000001p53, 1.0}, 2, 0x1.0000000000002p53},  /* half, to even upwards */
        {{-0x1p53, -1.0, -0x1p-1074}, 3, -0x1.0000000000001p53},
        {{0x1.fffffffffffffp52, 0.5}, 2, 0x1p53},                /* rounding carries into the next power */
        {{DBL_MAX, 0x1p969}, 2, DBL_MAX},                        /* less than half of the last bit */
        {{DBL_MAX, 0x1p970}, 2, INFINITY},
        {{-DBL_MAX, -DBL_MAX}, 2, -INFINITY},
        {{DBL_MAX, -DBL_MAX, -DBL_MAX}, 3, -DBL_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_same_bits(sum_of(cases[i].v, cases[i].n), cases[i].sum);
}

static void refuses_what_is_not_finite(void **state)
{
    (void)state;
    fw_exact_sum s = {0};
    fw_error err;
    assert_int_equal(fw_exact_sum_add(&s, 2.5, &err), FW_OK);
    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) assert_int_equal(fw_exact_sum_add(&s, bad[i], &err), FW_ERR_NUMERIC);
    assert_same_bits(fw_exact_sum_value(&s), 2.5);
    double many[20] = {1, 2, 3};
    for (size_t at = 0; at < 20; at++)
        for (size_t i = 0; i < 3; i++) {
            many[at] = bad[i];
            assert_int_equal(fw_exact_sum_add_all(&s, many, 20, &err), FW_ERR_NUMERIC);
            many[at] = 0;
        }
    assert_same_bits(fw_exact_sum_value(&s), 2.5);
}

enum { N = 1000 };

/* Values k 2^e with |k| < 2^53 and 0 <= e < 60, times a power of two: the plain reference is a 128-bit integer, rounded once by the compiler. */
static double random_values(double *v, uint32_t set, int scale)
{
    __int128 sum = 0;
    for (uint32_t i = 0; i < N; i++) {
        fw_philox r = fw_random(7, FW_RANDOM_TEST, set, i, 0);
        int64_t k = (int64_t)(((uint64_t)r.word[0] << 21) ^ r.word[1]);
        if (r.word[2] & 1u) k = -k;
        int e = (int)(r.word[3] % 60);
        sum += (__int128)k * ((__int128)1 << e);
        v[i] = ldexp((double)k, e + scale);
    }
    return ldexp((double)sum, scale);
}

static void agrees_with_wide_integers(void **state)
{
    (void)state;
    static const int scales[] = {0, -500, -900, 800, -70, 31, 32, 33};
    for (uint32_t set = 0; set < 40; set++) {
        double v[N], expected = random_values(v, set, scales[set % 8]);
        assert_same_bits(sum_of(v, N), expected);
        fw_permutation p = fw_permutation_make(set, FW_RANDOM_TEST, 0, N);       /* in another order */
        double w[N];
        for (size_t i = 0; i < N; i++) w[i] = v[fw_permutation_at(&p, i)];
        assert_same_bits(sum_of(w, N), expected);
    }
}

/* Thousands of values with exponents close together and far apart, near both ends of the range, with whole runs of zeros. */
static void many_at_once_are_the_same_sum(void **state)
{
    (void)state;
    enum { MANY = 5003 };
    static const int spans[] = {0, 20, 60, 69, 70, 71, 75, 130, 2000}, middles[] = {0, 1000, 950, -900, -1040};
    static double v[MANY];
    for (uint32_t set = 0; set < 45; set++) {
        int span = spans[set % 9], middle = middles[set / 9];
        for (uint32_t i = 0; i < MANY; i++) {
            fw_philox r = fw_random(8, FW_RANDOM_TEST, set, i, 0);
            double k = (double)(((uint64_t)r.word[0] << 21) ^ r.word[1]) * 0x1p-53;
            int e = middle + (span > 0 ? (int)(r.word[3] % (uint32_t)span) - span / 2 : 0);
            v[i] = r.word[2] % 7 == 0 || (i >= 2000 && i < 4000 && set % 2) ? 0 : ldexp(r.word[2] & 8u ? -k : k, e > 1020 ? 1020 : e);
        }
        sum_of(v, set % 4 == 0 ? MANY : 1000 + 90 * set);
    }
}

static void carries_in_time(void **state)
{
    (void)state;
    fw_exact_sum s = {.pending = (1u << 29) - 2};
    double expected = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fw_exact_sum_add(&s, -3.0, NULL), FW_OK);
        expected -= 3;
    }
    assert_true(s.pending < 5);
    assert_same_bits(fw_exact_sum_value(&s), expected);
    for (int i = 0; i < 60; i++) {             /* doubling */
        fw_exact_sum copy = s;
        fw_exact_sum_merge(&s, &copy);
    }
    assert_same_bits(fw_exact_sum_value(&s), -15.0 * 0x1p60);
}

typedef struct split { const double *v; fw_status status[FW_MAX_THREAD_RANKS]; double value[FW_MAX_THREAD_RANKS][2]; } split;

static void sum_share(const fw_reduce *reduce, void *context)
{
    split *c = context;
    fw_exact_sum s[2] = {{{0}, 0}};
    for (size_t i = 0; i < N; i++)
        if ((int)(i % (size_t)reduce->size) == reduce->rank) fw_exact_sum_add(&s[i % 2], c->v[i], NULL);
    c->status[reduce->rank] = fw_exact_sum_reduce(s, 2, reduce, NULL);
    for (int k = 0; k < 2; k++) c->value[reduce->rank][k] = fw_exact_sum_value(&s[k]);
}

static void does_not_depend_on_ranks(void **state)
{
    (void)state;
    double v[N];
    random_values(v, 99, -40);
    split alone = {.v = v};
    sum_share(&fw_reduce_alone, &alone);
    for (int size = 1; size <= 5; size++) {
        split c = {.v = v};
        thread_ranks_run(size, sum_share, &c);
        for (int r = 0; r < size; r++) {
            assert_int_equal(c.status[r], FW_OK);
            for (int k = 0; k < 2; k++) assert_same_bits(c.value[r][k], alone.value[0][k]);
        }
    }
}

static void gathers_and_agrees_alone(void **state)
{
    (void)state;
    char *out = NULL;
    size_t offset[2] = {9, 9};
    fw_error err;
    assert_int_equal(fw_reduce_alone.gather_all(NULL, "abc", 3, &out, offset, &err), FW_OK);
    assert_memory_equal(out, "abc", 3);
    assert_int_equal(offset[0], 0);
    assert_int_equal(offset[1], 3);
    size_t capacity = 0;
    free(out);
    out = NULL;
    assert_int_equal(fw_reduce_alone.exchange(NULL, "xabc", (size_t[]){1, 4}, &out, &capacity, offset, &err), FW_OK);
    assert_memory_equal(out, "abc", 3);
    assert_true(offset[0] == 0 && offset[1] == 3);
    free(out);
    assert_int_equal(fw_reduce_alone.agree(NULL, FW_ERR_DATA, &err), FW_ERR_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_hard_sums),
        cmocka_unit_test(refuses_what_is_not_finite),
        cmocka_unit_test(many_at_once_are_the_same_sum),
        cmocka_unit_test(agrees_with_wide_integers),
        cmocka_unit_test(carries_in_time),
        cmocka_unit_test(does_not_depend_on_ranks),
        cmocka_unit_test(gathers_and_agrees_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
