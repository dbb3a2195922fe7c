/** Counts of times: bins where the contract says, quantiles against numpy within a bin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "common/stats/times.h"

#define BIN 1.0911      /* 2^(1/8), and edges of whole nanoseconds from 1000 on */

static size_t place_of(int64_t ns)
{
    fw_times t = {0};
    fw_times_add(&t, ns, 1);
    for (size_t i = 0; i < FW_TIMES_N; i++)
        if (t.count[i] > 0) return i;
    return SIZE_MAX;
}

static void bins_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_int_equal(FW_TIMES_N, 210);                         /* stands in telemetry.proto */
    for (size_t i = 0; i + 1 < FW_TIMES_N; i++) {
        const double edge = 1000 * exp2((double)i / 8);
        const int64_t ns = fw_times_edge_ns(i);
        if (!(fabs((double)ns - edge) <= 1 + edge * 1e-7)) fail_msg("edge %zu is %lld ns, not %.1f", i, (long long)ns, edge);
        assert_int_equal(place_of(ns - 1), i);
        assert_int_equal(place_of(ns), i + 1);
    }
    for (size_t k = 0; k <= FW_TIMES_OCTAVES; k++) assert_int_equal(fw_times_edge_ns(8 * k), INT64_C(1000) << k);
    const struct { int64_t ns; size_t bin; } at[] = {{INT64_MIN, 0}, {-1, 0}, {0, 0}, {999, 0}, {1000, 1}, {1000000, 80}, {INT64_C(67108864000), 209}, {INT64_MAX, 209}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) assert_int_equal(place_of(at[i].ns), at[i].bin);
}

/** The i-th of the times that numpy had. */
static int64_t time_of(uint64_t i)
{
    const uint64_t x = (i * UINT64_C(2654435761) + 12345) & UINT32_MAX;
    int64_t ns = (int64_t)(x % 1000) + 1;
    for (uint64_t k = x / 1000 % 8; k > 0; k--) ns *= 10;
    return ns;
}

/** Its np.quantile(ns[:n], percent / 100, method="inverted_cdf"). */
static void quantiles_are_numpys_within_a_bin(void **state)
{
    (void)state;
    static const struct { uint64_t n; unsigned percent; double ns; } numpy[] = {
        {10000, 1, 71}, {10000, 10, 717}, {10000, 50, 900000}, {10000, 90, 1960000000}, {10000, 99, 9190000000}, {10000, 100, 10000000000},
        {101, 1, 54}, {101, 10, 466}, {101, 50, 629000}, {101, 90, 805000000}, {101, 99, 7880000000}, {101, 100, 9210000000},
        {7, 1, 107}, {7, 10, 107}, {7, 50, 2400000}, {7, 90, 7980000}, {7, 99, 7980000}, {7, 100, 7980000},
        {1, 1, 3460000}, {1, 10, 3460000}, {1, 50, 3460000}, {1, 90, 3460000}, {1, 99, 3460000}, {1, 100, 3460000},
    };
    for (size_t k = 0; k < sizeof numpy / sizeof *numpy; k++) {
        fw_times parts[3] = {0}, all = {0};
        for (uint64_t i = 0; i < numpy[k].n; i++) fw_times_add(&parts[i % 3], time_of(i), 1);
        for (size_t i = 3; i-- > 0;) fw_times_merge(&all, parts[i].count);
        const double found = fw_times_quantile(&all, numpy[k].percent) * 1e9, want = fmax(numpy[k].ns, 999);
        assert_int_equal(fw_times_total(all.count), numpy[k].n);
        if (!(found >= want && found <= want * BIN)) fail_msg("%u %% of %llu: %.0f ns, numpy %.0f", numpy[k].percent, (unsigned long long)numpy[k].n, found, want);
    }
}

static void what_is_counted_at_once_is_as_one_by_one(void **state)
{
    (void)state;
    fw_times t = {0};
    assert_true(isnan(fw_times_quantile(&t, 50)));
    fw_times_add(&t, 1500, UINT64_C(1) << 60);                 /* no overflow on the way to a rank */
    assert_true(fw_times_quantile(&t, 99) == 1.542e-6 && fw_times_quantile(&t, 1) == 1.542e-6);
    fw_times_add(&t, INT64_MAX, UINT64_C(1) << 60);
    assert_true(fw_times_quantile(&t, 50) == 1.542e-6 && fw_times_quantile(&t, 51) == 67.108864);
    t.count[0] = UINT64_MAX;
    assert_true(fw_times_total(t.count) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_are_those_of_the_contract),
        cmocka_unit_test(quantiles_are_numpys_within_a_bin),
        cmocka_unit_test(what_is_counted_at_once_is_as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
