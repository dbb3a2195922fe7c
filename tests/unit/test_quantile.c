#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "common/core/random.h"
#include "common/stats/quantile.h"
#include "thread_ranks.h"

enum { MAX_N = 5000, N_Q = 7, N_KINDS = 6 };

static const double Q[N_Q] = {0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 1.0};

static double value(int kind, uint32_t i)
{
    fw_philox r = fw_random(3, FW_RANDOM_TEST, (uint32_t)kind, i, 0);
    switch (kind) {
    case 0: return fw_random_normal(r);
    case 1: return (double)(r.word[0] % 7) - 3.0;                              /* many ties */
    case 2: return ldexp(fw_random_unit(r) - 0.5, (int)(r.word[3] % 1900) - 1000);
    case 3: return r.word[0] % 2 ? 0x1p-1074 * (r.word[1] % 5) : -0x1p-1074 * (r.word[1] % 5);
    case 4: return r.word[0] % 3 == 0 ? -0.0 : r.word[0] % 3 == 1 ? 0.0 : DBL_MAX * (r.word[1] % 2 ? 1 : -1);
    default: return 42.5;
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The definition, over sorted values. */
static double plain(const double *sorted, size_t n, double q)
{
    double h = q * (double)(n - 1);
    size_t low = (size_t)floor(h), high = low + 1 < n ? low + 1 : low;
    double t = h - floor(h), a = sorted[low] + 0.0, b = sorted[high] + 0.0;
    if (isinf(b - a)) return a * (1 - t) + b * t;
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

typedef struct run { size_t n, bytes; int passes; fw_status status; double result[N_KINDS][N_Q]; uint64_t count[N_KINDS]; } run;

static fw_status run_passes(fw_quantiles *q, run *c, const fw_reduce *reduce)
{
    int passes = 0;
    for (; fw_quantiles_pending(q); passes++) {
        for (int kind = 0; kind < N_KINDS; kind++)
            for (uint32_t i = 0; i < c->n; i++) {
                double v = value(kind, i);
                if ((int)(i % (uint32_t)reduce->size) == reduce->rank) FW_TRY(fw_quantiles_add(q, (size_t)kind, &v, 1, NULL));
            }
        FW_TRY(fw_quantiles_end_pass(q, reduce, NULL));
    }
    if (reduce->rank == 0) c->passes = passes;
    return FW_OK;
}

static void select_all(const fw_reduce *reduce, void *context)
{
    run *c = context;
    fw_quantile_series series[N_KINDS];
    for (int kind = 0; kind < N_KINDS; kind++) series[kind] = (fw_quantile_series){.q = Q, .n = N_Q};
    fw_quantiles *q = NULL;
    fw_status s = fw_quantiles_create(&q, series, N_KINDS, c->bytes, NULL);
    if (s == FW_OK) s = run_passes(q, c, reduce);
    for (int kind = 0; reduce->rank == reduce->size - 1 && s == FW_OK && kind < N_KINDS; kind++) {
        c->count[kind] = fw_quantiles_count(q, (size_t)kind);
        for (size_t i = 0; i < N_Q; i++) c->result[kind][i] = fw_quantiles_get(q, (size_t)kind, i);
    }
    if (reduce->rank == reduce->size - 1) c->status = s;
    fw_quantiles_destroy(&q);
}

static void check(const run *c)
{
    static double sorted[MAX_N];
    assert_int_equal(c->status, FW_OK);
    for (int kind = 0; kind < N_KINDS; kind++) {
        assert_int_equal(c->count[kind], c->n);
        for (uint32_t i = 0; i < c->n; i++) sorted[i] = value(kind, i);
        qsort(sorted, c->n, sizeof *sorted, ascending);
        for (size_t i = 0; i < N_Q; i++) {
            double expected = plain(sorted, c->n, Q[i]);
            if (memcmp(&expected, &c->result[kind][i], sizeof expected) != 0)
                fail_msg("kind %d, n %zu, q %g: %a is not %a", kind, c->n, Q[i], c->result[kind][i], expected);
        }
    }
}

static void agrees_with_sorting(void **state)
{
    (void)state;
    /* 6 series x 7 probabilities: 84 order statistics; bytes decide whether a pass settles 16, 8 or 4 bits */
    static const struct { size_t n, bytes; int ranks, passes; } cases[] = {
        {1, 0, 1, 4}, {2, 0, 1, 4}, {3, 0, 2, 4}, {4, 0, 5, 4}, {5000, 0, 1, 4}, {5000, 0, 3, 4}, {999, 1u << 20, 2, 8}, {1000, 1u << 14, 3, 16}, {997, 1, 1, 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run c = {.n = cases[i].n, .bytes = cases[i].bytes};
        if (cases[i].ranks == 1) select_all(&fw_reduce_alone, &c);
        else thread_ranks_run(cases[i].ranks, select_all, &c);
        check(&c);
        assert_int_equal(c.passes, cases[i].passes);
    }
}

static void a_series_without_values_is_zero(void **state)
{
    (void)state;
    run c = {.n = 0};
    select_all(&fw_reduce_alone, &c);
    assert_int_equal(c.status, FW_OK);
    assert_int_equal(c.passes, 1);
    assert_int_equal(c.count[0], 0);
    assert_true(c.result[0][3] == 0.0);
}

static void refuses_bad_input(void **state)
{
    (void)state;
    fw_quantiles *q = NULL;
    const double outside[] = {-0.1, 1.1, NAN}, median = 0.5;
    for (size_t i = 0; i < 3; i++) {
        fw_quantile_series s = {.q = &outside[i], .n = 1};
        assert_int_equal(fw_quantiles_create(&q, &s, 1, 0, NULL), FW_ERR_ARG);
        assert_null(q);
    }
    fw_quantile_series s[2] = {{.q = &median, .n = 1}, {.n = 0}};
    assert_int_equal(fw_quantiles_create(&q, s + 1, 1, 0, NULL), FW_OK);
    assert_false(fw_quantiles_pending(q));                       /* nothing wanted, nothing to do */
    fw_quantiles_destroy(&q);
    assert_int_equal(fw_quantiles_create(&q, s, 2, 0, NULL), FW_OK);
    const double bad[] = {1.0, INFINITY};
    assert_int_equal(fw_quantiles_add(q, 0, bad, 2, NULL), FW_ERR_NUMERIC);
    fw_quantiles_destroy(&q);
    assert_null(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_sorting),
        cmocka_unit_test(a_series_without_values_is_zero),
        cmocka_unit_test(refuses_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
