/** Evidence: that it is an e-value, by the exact expectation over all windows; that it finds what there is; that its state goes on to the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "common/stats/evidence.h"

enum { ROWS = 4, OUTCOMES = 15 };      /* windows of 4 rows over 3 places: 15 counts */

static size_t all_windows(uint64_t count[OUTCOMES][3], double chance[OUTCOMES], const double *p)
{
    size_t n = 0;
    for (uint64_t a = 0; a <= ROWS; a++)
        for (uint64_t b = 0; a + b <= ROWS; b++, n++) {
            uint64_t c = ROWS - a - b;
            count[n][0] = a;
            count[n][1] = b;
            count[n][2] = c;
            chance[n] = 24 / (tgamma((double)a + 1) * tgamma((double)b + 1) * tgamma((double)c + 1)) * pow(p[0], (double)a) * pow(p[1], (double)b) * pow(p[2], (double)c);
        }
    return n;
}

/** E e after three windows of rows drawn by p, summed over all 15^3 courses. */
static double expectation(fw_evidence_kind kind, const uint64_t *reference, const double *p)
{
    uint64_t count[OUTCOMES][3];
    double chance[OUTCOMES], sum = 0;
    size_t n = all_windows(count, chance, p);
    for (size_t course = 0; course < n * n * n; course++) {
        FW_AUTO(fw_evidence) *e = NULL;
        assert_int_equal(fw_evidence_create(&e, kind, reference, 3, 5, NULL), FW_OK);
        double weight = 1;
        for (size_t look = 0, rest = course; look < 3; look++, rest /= n) {
            fw_evidence_look(e, count[rest % n]);
            weight *= chance[rest % n];
        }
        sum += weight * exp(fw_evidence_log(e));
    }
    return sum;
}

/* The sum of the weights of three starts is below 0.8, so the expectation is as well; with prices at the mean itself instead of its bound it would
 * come near that. Under drift the same sum is far above. The reference is small, so that its shares are far from sure. */
static void is_an_e_value_while_nothing_drifts(void **state)
{
    (void)state;
    const uint64_t reference[3] = {2000, 3000, 1000}, small[3] = {20, 30, 10};
    const double same[3] = {2.0 / 6, 3.0 / 6, 1.0 / 6}, other[3] = {0.05, 0.15, 0.8};
    for (fw_evidence_kind kind = FW_EVIDENCE_ORDERED; kind <= FW_EVIDENCE_NAMED; kind++) {
        double quiet = expectation(kind, reference, same), unsure = expectation(kind, small, same), drift = expectation(kind, reference, other);
        if (!(quiet < 0.8 && quiet > 0.3 && unsure < quiet && drift > 1)) fail_msg("kind %d: %g, small reference %g, drift %g", (int)kind, quiet, unsure, drift);
    }
}

/* ---- streams ---- */
typedef struct stream { uint64_t seed, at; } stream;

static double unit(stream *s) { return fw_random_unit(fw_random(s->seed, FW_RANDOM_TEST, 0, s->at++, 0)); }
static double normal(stream *s) { return fw_random_normal(fw_random(s->seed, FW_RANDOM_TEST, 0, s->at++, 0)); }

enum { BINS = 32 };
typedef struct binned { double cut[BINS - 1]; uint64_t reference[BINS]; } binned;

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void count_row(uint64_t *count, const binned *b, double v)
{
    size_t i = 0;
    while (i < BINS - 1 && v > b->cut[i]) i++;
    count[i]++;
}

static void cut_reference(binned *b, stream *s, size_t rows)
{
    double *v = malloc(rows * sizeof *v);
    *b = (binned){0};
    for (size_t i = 0; i < rows; i++) v[i] = normal(s);
    qsort(v, rows, sizeof *v, rising);
    for (size_t i = 1; i < BINS; i++) b->cut[i - 1] = v[i * rows / BINS - 1];
    for (size_t i = 0; i < rows; i++) count_row(b->reference, b, v[i]);
    free(v);
}

/** Looks at windows of 250 rows until ln e >= 7.5; returns the rows after `quiet` windows, 0 for an alarm before, SIZE_MAX for none. */
static size_t rows_until_alarm(uint64_t seed, size_t quiet, double shift, double stretch, size_t most)
{
    stream s = {.seed = seed};
    binned b;
    FW_AUTO(fw_evidence) *e = NULL;
    cut_reference(&b, &s, 20000);
    assert_int_equal(fw_evidence_create(&e, FW_EVIDENCE_ORDERED, b.reference, BINS, 14, NULL), FW_OK);
    for (size_t look = 0; look < quiet + most; look++) {
        uint64_t count[BINS] = {0};
        for (int row = 0; row < 250; row++) count_row(count, &b, look < quiet ? normal(&s) : shift + stretch * normal(&s));
        fw_evidence_look(e, count);
        if (fw_evidence_log(e) >= 7.5) return look < quiet ? 0 : (look + 1 - quiet) * 250;
    }
    return SIZE_MAX;
}

static size_t median_rows(size_t quiet, double shift, double stretch)
{
    size_t rows[11];
    for (size_t i = 0; i < 11; i++) {
        rows[i] = rows_until_alarm(100 + i, quiet, shift, stretch, 40);
        for (size_t k = i; k > 0 && rows[k] < rows[k - 1]; k--) {
            size_t swap = rows[k];
            rows[k] = rows[k - 1];
            rows[k - 1] = swap;
        }
    }
    return rows[5];
}

static void finds_small_changes_soon_and_nearly_as_soon_after_quiet_times(void **state)
{
    (void)state;
    size_t at_once = median_rows(0, 0.25, 1), later = median_rows(400, 0.25, 1), wider = median_rows(0, 0, 1.3);
    if (!(at_once >= 250 && at_once <= 1250 && later <= 1750 && wider <= 1250)) fail_msg("median rows: %zu at once, %zu after 100,000 quiet rows, %zu wider", at_once, later, wider);
}

static void stays_quiet_without_drift(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) assert_true(rows_until_alarm(seed, 0, 0, 1, 200) == SIZE_MAX);
}

/** Half of the categories move a little, none much: no bet on one place would see it soon. */
static void finds_what_is_spread_over_many_places(void **state)
{
    (void)state;
    stream s = {.seed = 7};
    uint64_t reference[BINS];
    for (size_t i = 0; i < BINS; i++) reference[i] = 1000;
    FW_AUTO(fw_evidence) *e = NULL;
    assert_int_equal(fw_evidence_create(&e, FW_EVIDENCE_NAMED, reference, BINS, 14, NULL), FW_OK);
    size_t looks = 0;
    while (fw_evidence_log(e) < 7.5 && looks < 12) {
        uint64_t count[BINS] = {0};
        for (int row = 0; row < 1000; row++) {
            size_t i = (size_t)(unit(&s) * BINS);
            count[i % 2 == 0 && unit(&s) < 0.4 ? i + 1 : i]++;
        }
        fw_evidence_look(e, count);
        looks++;
    }
    assert_true(looks >= 1 && looks <= 5);
}

static void sees_a_rate_that_was_zero_in_the_reference(void **state)
{
    (void)state;
    FW_AUTO(fw_evidence) *e = NULL, *quiet = NULL;
    const uint64_t reference[2] = {30000, 0}, current[2] = {980, 20}, none[2] = {1000, 0};
    assert_int_equal(fw_evidence_create(&e, FW_EVIDENCE_RATE, reference, 2, 14, NULL), FW_OK);
    assert_int_equal(fw_evidence_create(&quiet, FW_EVIDENCE_RATE, reference, 2, 14, NULL), FW_OK);
    for (int look = 0; look < 2; look++) fw_evidence_look(e, current);
    for (int look = 0; look < 1000; look++) fw_evidence_look(quiet, none);
    assert_true(fw_evidence_log(e) > 10 && fw_evidence_growth(e) > 5);
    assert_true(fw_evidence_log(quiet) < 0);
}

static void empty_windows_change_nothing_and_huge_ones_do_no_harm(void **state)
{
    (void)state;
    const uint64_t reference[3] = {50, 0, 50}, none[3] = {0}, huge[3] = {(uint64_t)1 << 60, 3, (uint64_t)1 << 60}, far[3] = {0, (uint64_t)1 << 60, 0};
    FW_AUTO(fw_evidence) *e = NULL;
    assert_int_equal(fw_evidence_create(&e, FW_EVIDENCE_ORDERED, reference, 3, 10, NULL), FW_OK);
    assert_true(fw_evidence_log(e) == -INFINITY);
    fw_evidence_look(e, none);
    assert_true(fw_evidence_log(e) == -INFINITY);
    fw_evidence_look(e, huge);
    assert_true(fw_evidence_log(e) < 1);
    for (int i = 0; i < 5; i++) fw_evidence_look(e, far);
    assert_true(fw_evidence_log(e) > 100 && isfinite(fw_evidence_log(e)));
    fw_evidence_look(e, huge);
    assert_false(isnan(fw_evidence_log(e)) || isnan(fw_evidence_growth(e)));
}

static void its_state_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    stream s = {.seed = 3};
    binned b;
    cut_reference(&b, &s, 20000);
    FW_AUTO(fw_evidence) *one = NULL, *two = NULL;
    assert_int_equal(fw_evidence_create(&one, FW_EVIDENCE_ORDERED, b.reference, BINS, 14, NULL), FW_OK);
    assert_int_equal(fw_evidence_create(&two, FW_EVIDENCE_ORDERED, b.reference, BINS, 14, NULL), FW_OK);
    size_t n = fw_evidence_numbers(one);
    FW_FREE double *saved = calloc(n, sizeof *saved);
    FW_FREE double *other = calloc(n, sizeof *other);
    for (int look = 0; look < 40; look++) {
        uint64_t count[BINS] = {0};
        for (int row = 0; row < 200; row++) count_row(count, &b, 0.02 * look + normal(&s));
        fw_evidence_look(one, count);
        fw_evidence_look(two, count);
        if (look == 5) fw_evidence_restart(one);
        fw_evidence_save(one, saved);
        if (look == 19) assert_true(fw_evidence_restore(two, saved));
        fw_evidence_save(two, other);
        assert_true((memcmp(saved, other, n * sizeof *saved) == 0) == (look < 5 || look >= 19));
    }
    double a = fw_evidence_log(one), c = 0;
    static const double bad[] = {NAN, -1, INFINITY};
    for (size_t i = 0; i < n; i += n / 7)
        for (size_t k = 0; k < 3; k++) {
            fw_evidence_save(one, saved);
            saved[i == 2 ? 3 : i] = bad[k];
            assert_false(fw_evidence_restore(two, saved));
        }
    c = fw_evidence_log(two);
    assert_memory_equal(&a, &c, sizeof a);
}

static void after_an_alarm_less_is_at_stake(void **state)
{
    (void)state;
    const uint64_t reference[2] = {500, 500}, current[2] = {60, 40};
    FW_AUTO(fw_evidence) *e = NULL;
    assert_int_equal(fw_evidence_create(&e, FW_EVIDENCE_NAMED, reference, 2, 10, NULL), FW_OK);
    double before = 0, sum = 0;
    for (int k = 0; k < 50; k++) {
        fw_evidence_look(e, current);
        double now = fw_evidence_log(e);
        if (k == 0) before = now;
        sum += exp(now - before) * 0.9;
        fw_evidence_restart(e);
    }
    assert_true(sum > 0.99 && sum < 1);
}

static void e_bh_is_its_definition(void **state)
{
    (void)state;
    stream s = {.seed = 9};
    for (int trial = 0; trial < 300; trial++) {
        double e[40], scratch[40];
        bool alarm[40];
        size_t n = 1 + (size_t)(unit(&s) * 40), want = 0, found = 0;
        for (size_t i = 0; i < n; i++) e[i] = floor(12 * unit(&s) - 2) / (1 + trial % 2);
        for (size_t m = 1; m <= n; m++) {
            size_t above = 0;
            for (size_t i = 0; i < n; i++) above += e[i] >= log((double)n / ((double)m * 0.05));
            if (above >= m) want = m;
        }
        size_t k = fw_e_bh(alarm, e, n, 0.05, scratch);
        for (size_t i = 0; i < n; i++) found += alarm[i];
        assert_int_equal(k, want);
        assert_int_equal(found, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_an_e_value_while_nothing_drifts), cmocka_unit_test(finds_small_changes_soon_and_nearly_as_soon_after_quiet_times),
        cmocka_unit_test(stays_quiet_without_drift), cmocka_unit_test(finds_what_is_spread_over_many_places),
        cmocka_unit_test(sees_a_rate_that_was_zero_in_the_reference), cmocka_unit_test(empty_windows_change_nothing_and_huge_ones_do_no_harm),
        cmocka_unit_test(its_state_goes_on_to_the_same_bits), cmocka_unit_test(after_an_alarm_less_is_at_stake), cmocka_unit_test(e_bh_is_its_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
