/** Summaries: the counts of every kernel against fw_bins_find one by one, merging in any split, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/kernels.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "common/stats/summary.h"
#include "common/stats/tally.h"

enum { ROWS = 3001, NUMBERS = 5, COLUMNS = NUMBERS + 1 };
static const size_t CUTS[NUMBERS] = {31, 0, 7, 30, 64};      /* the last one is beyond the fast kernels */
static const char *const LABELS[] = {"a", "b", "z"};
static const char *const WORDS[] = {"b", "not a label", "a"};  /* the dictionary: code 0, 1, 2 */

typedef struct rows { double v[NUMBERS][ROWS]; uint8_t missing[NUMBERS][ROWS]; int32_t code[ROWS]; fw_bins bins[COLUMNS]; fw_dict *dict; } rows;

static double number(size_t column, uint32_t i)
{
    fw_philox r = fw_random(11, FW_RANDOM_TEST, (uint32_t)column, i, 0);
    if (r.word[3] % 97 == 0) return r.word[2] % 3 == 0 ? (double)NAN : r.word[2] % 3 == 1 ? (double)INFINITY : -(double)INFINITY;
    if (r.word[3] % 5 == 0) return (double)(r.word[2] % 70) / 10;      /* often right on a cut */
    return 3.5 + fw_random_normal(r);
}

static int make_rows(void **state)
{
    rows *r = calloc(1, sizeof *r);
    double cut[64], centre[65] = {0};
    for (size_t i = 0; i < 64; i++) cut[i] = (double)i / 10 + 0.5;
    for (size_t c = 0; c < NUMBERS; c++) {
        char name[2] = {(char)('p' + c), '\0'};
        assert_int_equal(fw_bins_of_cuts(&r->bins[c], name, FW_BINS_NUMBER, cut, CUTS[c], centre, NULL), FW_OK);
        for (uint32_t i = 0; i < ROWS; i++) {
            r->v[c][i] = number(c, i);
            r->missing[c][i] = fw_random(12, FW_RANDOM_TEST, (uint32_t)c, i, 0).word[0] % 10 == 0;
        }
    }
    assert_int_equal(fw_bins_of_labels(&r->bins[NUMBERS], "k", FW_BINS_CATEGORY, LABELS, 3, NULL), FW_OK);
    for (uint32_t i = 0; i < ROWS; i++) r->code[i] = (int32_t)(fw_random(13, FW_RANDOM_TEST, 0, i, 0).word[0] % 6) - 2;      /* 3 is beyond the dictionary */
    assert_int_equal(fw_dict_create(&r->dict, NULL), FW_OK);
    for (size_t i = 0; i < 3; i++) {
        int32_t code = -1;
        assert_int_equal(fw_dict_add(&code, r->dict, WORDS[i], strlen(WORDS[i]), NULL), FW_OK);
    }
    *state = r;
    return 0;
}

static int drop_rows(void **state)
{
    rows *r = *state;
    for (size_t c = 0; c < COLUMNS; c++) fw_bins_destroy(&r->bins[c]);
    fw_dict_destroy(&r->dict);
    free(r);
    return 0;
}

static fw_summary *empty(const rows *r)
{
    fw_summary *s = NULL;
    assert_int_equal(fw_summary_create(&s, r->bins, COLUMNS, NULL), FW_OK);
    assert_int_equal(fw_summary_map_codes(s, NUMBERS, r->dict, NULL), FW_OK);
    return s;
}

static void add(fw_summary *s, const rows *r, size_t first, size_t n)
{
    for (size_t c = 0; c < NUMBERS; c++) fw_summary_add_numbers(s, c, r->v[c] + first, r->missing[c] + first, n);
    fw_summary_add_codes(s, NUMBERS, r->code + first, n);
}

/* What the counts are by definition. */
static void count_plainly(uint64_t *count, const rows *r, size_t c)
{
    const fw_bins *b = &r->bins[c];
    memset(count, 0, 128 * sizeof *count);
    for (size_t i = 0; i < ROWS && c < NUMBERS; i++) count[r->missing[c][i] ? fw_bins_missing(b) : fw_bins_find(b, r->v[c][i])]++;
    for (size_t i = 0; i < ROWS && c == NUMBERS; i++) {
        const int32_t code = r->code[i];
        count[code == -1 ? 4 : code == 0 ? 1 : code == 2 ? 0 : 3]++;
    }
}

static void check(const fw_summary *s, const rows *r, const char *what)
{
    uint64_t count[128];
    for (size_t c = 0; c < COLUMNS; c++) {
        count_plainly(count, r, c);
        assert_int_equal(fw_summary_rows(s, c), ROWS);
        for (size_t i = 0; i < fw_bins_counts(&r->bins[c]); i++)
            if (fw_summary_counts(s, c)[i] != count[i])
                fail_msg("%s: column %zu, place %zu counts %lu, not %lu", what, c, i, fw_summary_counts(s, c)[i], count[i]);
    }
}

static void every_kernel_counts_what_find_says(void **state)
{
    const rows *r = *state;
    for (fw_kernels k = FW_KERNELS_PORTABLE; k < FW_N_KERNELS; k++) {
        fw_kernels here;
        if (!fw_kernels_find(&here, fw_kernels_name(k))) continue;
        setenv("FW_KERNELS", fw_kernels_name(k), 1);
        assert_int_equal(fw_kernels_choose(NULL), FW_OK);
        FW_AUTO(fw_summary) *s = empty(r);
        add(s, r, 0, ROWS);
        check(s, r, fw_kernels_name(k));
    }
    unsetenv("FW_KERNELS");
    assert_int_equal(fw_kernels_choose(NULL), FW_OK);
}

/* Cuts whose upper 32 bits are the same, and those at the ends of what a double holds. */
static const double NEAR[] = {-DBL_MAX, -1 - 1e-9, -1, -1 + 1e-9, -1e-310, 0, 1e-310, 0.1, 1 - 1e-16, 1, 1 + 1e-15, 1 + 2e-15, 1 + 1e-9, 2, 1e300, DBL_MAX};
enum { N_NEAR = sizeof NEAR / sizeof *NEAR, AROUND = 5, MOST = 2000 };

static size_t numbers_near(double v[static MOST], uint8_t missing[static MOST])
{
    const double others[] = {-0.0, (double)NAN, -(double)NAN, (double)INFINITY, -(double)INFINITY, 0.5, -0.5, DBL_MIN, -DBL_MIN};
    size_t n = 0;
    for (size_t round = 0; n + AROUND * N_NEAR + sizeof others / sizeof *others <= MOST; round++) {
        for (size_t i = 0; i < N_NEAR; i++) {
            v[n++] = NEAR[i];
            v[n++] = nextafter(NEAR[i], (double)INFINITY);
            v[n++] = nextafter(NEAR[i], -(double)INFINITY);
            v[n++] = NEAR[i] * (1 + 1e-7);
            v[n++] = NEAR[i] * (1 - 1e-7);
        }
        for (size_t i = 0; i < sizeof others / sizeof *others && round % 4 == 3; i++) v[n++] = others[i];      /* rounds without them take the fast way */
    }
    for (size_t i = 0; i < n; i++) missing[i] = i > n / 2 && i % 7 == 0;
    return n;
}

static bool is_here(fw_tally_kernel *k)
{
#if defined(__x86_64__)
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    if (k == fw_tally_avx512) return wide;
    if (k == fw_tally_avx512_vectors) return wide && __builtin_cpu_supports("avx512vpopcntdq");
#endif
    return k == fw_tally_portable;
}

static void check_tally(fw_tally_kernel *kernel, const fw_tally_cuts *cuts, const fw_bins *b, const double *v, const uint8_t *gone, size_t n)
{
    uint32_t count[FW_TALLY_PLACES] = {0}, wanted[FW_TALLY_PLACES] = {0};
    for (size_t j = 0; j < n; j++) wanted[gone != NULL && gone[j] ? (size_t)FW_TALLY_MISSING : isfinite(v[j]) ? fw_bins_find(b, v[j]) : (size_t)FW_TALLY_UNSEEN]++;
    kernel(cuts, v, gone, n, count);
    for (size_t j = 0; j < FW_TALLY_PLACES; j++)
        if (count[j] != wanted[j]) fail_msg("%zu numbers from %a on: place %zu counts %u, not %u", n, v[0], j, count[j], wanted[j]);
}

static fw_tally_kernel *const kernels[] = {
    fw_tally_portable,
#if defined(__x86_64__)
    fw_tally_avx512, fw_tally_avx512_vectors,
#endif
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

/* So small that their keys are below 0, though they are not; a lower half of 0 would not show it. */
static void the_smallest_numbers_are_on_the_right_side(void **state)
{
    (void)state;
    enum { N = 64 };
    const double cut = 0x1fp-1046, centre[2] = {0};
    double v[N];
    FW_AUTO(fw_bins) b = {0};
    fw_tally_cuts cuts;
    assert_int_equal(fw_bins_of_cuts(&b, "x", FW_BINS_NUMBER, &cut, 1, centre, NULL), FW_OK);
    fw_tally_cuts_set(&cuts, &cut, 1);
    for (double to = -1; to <= 1; to++) {
        for (size_t i = 0; i < N; i++) v[i] = to == 0 ? cut : nextafter(cut, to);
        for (size_t k = 0; k < KERNELS; k++)
            if (is_here(kernels[k])) check_tally(kernels[k], &cuts, &b, v, NULL, N);
    }
}

static void numbers_next_to_cuts_are_on_the_right_side(void **state)
{
    (void)state;
    static const size_t sizes[] = {63, 64, 65, 1000, 1024, 1025, MOST};
    double v[MOST], centre[N_NEAR + 1] = {0};
    uint8_t missing[MOST];
    const size_t most = numbers_near(v, missing);
    FW_AUTO(fw_bins) b = {0};
    fw_tally_cuts cuts;
    assert_int_equal(fw_bins_of_cuts(&b, "x", FW_BINS_NUMBER, NEAR, N_NEAR, centre, NULL), FW_OK);
    fw_tally_cuts_set(&cuts, NEAR, N_NEAR);
    for (size_t k = 0; k < KERNELS; k++) {
        if (!is_here(kernels[k])) continue;
        for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++)
            check_tally(kernels[k], &cuts, &b, v, i % 2 == 0 ? missing : NULL, FW_MIN(sizes[i / 2], most));
        for (size_t i = 0; i < most; i++) check_tally(kernels[k], &cuts, &b, v + i, NULL, 1);      /* no neighbour settles it too */
    }
}

static void any_split_merges_to_the_same(void **state)
{
    const rows *r = *state;
    static const size_t sizes[] = {1, 7, 8, 100, 1000, ROWS};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        FW_AUTO(fw_summary) *all = empty(r);
        FW_AUTO(fw_summary) *part = empty(r);
        for (size_t at = 0, n; at < ROWS; at += n) {
            n = FW_MIN(sizes[k], (size_t)ROWS - at);
            fw_summary_reset(part);
            add(part, r, at, n);
            if (at % 2 == 0) assert_int_equal(fw_summary_merge(all, part, NULL), FW_OK);
            else assert_int_equal(fw_summary_add_counts(all, fw_summary_counts(part, 0), fw_summary_total(part), n, NULL), FW_OK);
        }
        check(all, r, "split");
    }
}

static void floats_and_no_mask_are_counted_too(void **state)
{
    const rows *r = *state;
    static float f[3 * ROWS];
    FW_AUTO(fw_summary) *s = empty(r);
    FW_AUTO(fw_summary) *t = empty(r);
    for (size_t i = 0; i < ROWS; i++) f[3 * i] = (float)r->v[0][i];
    fw_summary_add_floats(s, 0, f, 3, ROWS);
    static double d[ROWS];
    for (size_t i = 0; i < ROWS; i++) d[i] = (double)f[3 * i];
    fw_summary_add_numbers(t, 0, d, NULL, ROWS);
    assert_memory_equal(fw_summary_counts(s, 0), fw_summary_counts(t, 0), fw_bins_counts(&r->bins[0]) * sizeof(uint64_t));
    assert_int_equal(fw_summary_counts(s, 0)[fw_bins_missing(&r->bins[0])], 0);
    assert_int_equal(fw_summary_rows(s, 0), ROWS);
}

static void other_shapes_are_not_merged(void **state)
{
    const rows *r = *state;
    FW_AUTO(fw_summary) *s = empty(r);
    FW_AUTO(fw_summary) *fewer = NULL;
    FW_AUTO(fw_summary) *swapped = NULL;
    FW_AUTO(fw_summary) *none = NULL;
    fw_bins order[COLUMNS];
    memcpy(order, r->bins, sizeof order);
    order[0] = r->bins[1];
    order[1] = r->bins[0];
    assert_int_equal(fw_summary_create(&fewer, r->bins, COLUMNS - 1, NULL), FW_OK);
    assert_int_equal(fw_summary_create(&swapped, order, COLUMNS, NULL), FW_OK);
    assert_int_equal(fw_summary_create(&none, NULL, 0, NULL), FW_OK);
    assert_int_equal(fw_summary_merge(s, fewer, NULL), FW_ERR_ARG);
    assert_int_equal(fw_summary_merge(s, swapped, NULL), FW_ERR_ARG);
    assert_int_equal(fw_summary_exchange(s, swapped, NULL), FW_ERR_ARG);
    assert_int_equal(fw_summary_merge(s, none, NULL), FW_ERR_ARG);
    assert_int_equal(fw_summary_merge(none, none, NULL), FW_OK);
    assert_int_equal(fw_summary_map_codes(s, 0, r->dict, NULL), FW_ERR_ARG);
    fw_summary *no = NULL;
    assert_int_equal(fw_summary_create(&no, r->bins, FW_SUMMARY_MAX_COLUMNS + 1, NULL), FW_ERR_ARG);
    assert_null(no);
}

static void counts_that_lie_change_nothing(void **state)
{
    const rows *r = *state;
    FW_AUTO(fw_summary) *s = empty(r);
    FW_AUTO(fw_summary) *before = empty(r);
    add(s, r, 0, ROWS);
    add(before, r, 0, ROWS);
    const size_t n = fw_summary_total(s), last = n - 1;
    uint64_t *count = calloc(n + 1, sizeof *count);
    for (int lie = 0; lie < 6; lie++) {
        memcpy(count, fw_summary_counts(before, 0), n * sizeof *count);
        size_t claimed = n;
        uint64_t said = ROWS;
        switch (lie) {
        case 0: claimed = n - 1; break;
        case 1: claimed = n + 1; break;
        case 2: count[last]++; break;
        case 3: said = UINT64_C(1) << 40; break;
        case 4: count[0] += UINT64_MAX - 5; break;                  /* the sum wraps round to rows */
        default: count[0] = said = UINT64_MAX; break;
        }
        assert_int_equal(fw_summary_add_counts(s, count, claimed, said, NULL), FW_ERR_DATA);
        assert_memory_equal(fw_summary_counts(s, 0), fw_summary_counts(before, 0), n * sizeof *count);
    }
    memset(count, 0, n * sizeof *count);
    count[0] = UINT64_MAX / 2 - ROWS;
    assert_int_equal(fw_summary_add_column(s, 0, count, NULL), FW_OK);
    count[0] = 1;
    assert_int_equal(fw_summary_add_column(s, 0, count, NULL), FW_ERR_DATA);
    assert_int_equal(fw_summary_rows(s, 0), UINT64_MAX / 2);
    free(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_counts_what_find_says), cmocka_unit_test(any_split_merges_to_the_same),
        cmocka_unit_test(floats_and_no_mask_are_counted_too), cmocka_unit_test(other_shapes_are_not_merged),
        cmocka_unit_test(counts_that_lie_change_nothing), cmocka_unit_test(the_smallest_numbers_are_on_the_right_side), cmocka_unit_test(numbers_next_to_cuts_are_on_the_right_side),
    };
    return cmocka_run_group_tests(tests, make_rows, drop_rows);
}
