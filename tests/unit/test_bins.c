/** Bins: places against numpy.searchsorted, what is refused, and what makes two sets the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats/bins.h"
#include "tests/unit/oracle.h"

static void check_case(FILE *in, size_t n_cuts, size_t n_values)
{
    double *cut = calloc(n_cuts + 1, sizeof *cut), *centre = calloc(n_cuts + 1, sizeof *centre);
    for (size_t i = 0; i < n_cuts; i++) assert_int_equal(fscanf(in, "%la", &cut[i]), 1);
    FW_AUTO(fw_bins) b = {0};
    assert_int_equal(fw_bins_of_cuts(&b, "x", FW_BINS_NUMBER, cut, n_cuts, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_n(&b), n_cuts + 1);
    for (size_t i = 0; i < n_values; i++) {
        double v = 0;
        size_t place = 0;
        assert_int_equal(fscanf(in, "%la %zu", &v, &place), 2);
        if (fw_bins_find(&b, v) != place) fail_msg("%zu cuts: %a falls into bin %zu, not %zu", n_cuts, v, fw_bins_find(&b, v), place);
    }
    free(cut);
    free(centre);
}

static void places_are_those_of_numpy(void **state)
{
    FILE *in = oracle_cases(*state, "oracle_bins.py", "find", "numpy (Debian: python3-numpy)", true);
    if (oracle_was_absent) skip();
    assert_non_null(in);
    char word[16];
    size_t n_cases = 0, n_cuts = 0, n_values = 0;
    for (; fscanf(in, "%15s", word) == 1 && strcmp(word, "case") == 0; n_cases++) {
        assert_int_equal(fscanf(in, "%zu %zu", &n_cuts, &n_values), 2);
        check_case(in, n_cuts, n_values);
    }
    assert_string_equal(word, "end");
    assert_int_equal(n_cases, 40);
    fclose(in);
}

static void every_value_has_a_place(void **state)
{
    (void)state;
    const double cut[] = {-1, 0, 2}, centre[] = {-2, -0.5, 1, 3};
    const char *const label[] = {"a", "", "c"};
    FW_AUTO(fw_bins) numbers = {0};
    FW_AUTO(fw_bins) names = {0};
    assert_int_equal(fw_bins_of_cuts(&numbers, "x", FW_BINS_SCORE, cut, 3, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_of_labels(&names, "k", FW_BINS_CATEGORY, label, 3, NULL), FW_OK);
    assert_int_equal(fw_bins_unseen(&numbers), 4);
    assert_int_equal(fw_bins_missing(&numbers), 5);
    assert_int_equal(fw_bins_counts(&numbers), 6);
    const double strange[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fw_bins_find(&numbers, strange[i]), fw_bins_unseen(&numbers));
        assert_int_equal(fw_bins_find(&names, strange[i]), fw_bins_unseen(&names));
    }
    assert_int_equal(fw_bins_find(&names, 0), 0);
    assert_int_equal(fw_bins_find(&names, 2), 2);
    const double none[] = {3, -1, -2, 0.5, 1e300};
    for (size_t i = 0; i < 5; i++) assert_int_equal(fw_bins_find(&names, none[i]), fw_bins_unseen(&names));
}

static void refuses_what_is_no_set_of_bins(void **state)
{
    (void)state;
    static double many[FW_BINS_MAX + 2];
    for (size_t i = 0; i < FW_BINS_MAX + 2; i++) many[i] = (double)i;
    char long_name[FW_BINS_NAME_BYTES + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const double good[] = {1, 2}, equal[] = {1, 1}, back[] = {2, 1}, nan[] = {1, NAN}, infinite[] = {-INFINITY, 1}, centre[] = {1, 2, 3}, bad_centre[] = {1, 2, NAN};
    const struct { const char *name; fw_bins_kind kind; const double *cut; size_t n; const double *centre; } cases[] = {
        {"", FW_BINS_NUMBER, good, 2, centre},       {NULL, FW_BINS_NUMBER, good, 2, centre},       {long_name, FW_BINS_NUMBER, good, 2, centre},
        {"\xff", FW_BINS_NUMBER, good, 2, centre},   {"x", FW_BINS_CATEGORY, good, 2, centre},      {"x", (fw_bins_kind)7, good, 2, centre},
        {"x", FW_BINS_NUMBER, equal, 2, centre},     {"x", FW_BINS_NUMBER, back, 2, centre},        {"x", FW_BINS_NUMBER, nan, 2, centre},
        {"x", FW_BINS_NUMBER, infinite, 2, centre},  {"x", FW_BINS_NUMBER, good, 2, bad_centre},    {"x", FW_BINS_NUMBER, many, FW_BINS_MAX, many},
        {"x", FW_BINS_NUMBER, many, SIZE_MAX, many},
    };
    fw_bins b = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fw_bins_of_cuts(&b, cases[i].name, cases[i].kind, cases[i].cut, cases[i].n, cases[i].centre, NULL), FW_ERR_ARG);
        assert_null(b.name);
    }
    const char *const twice[] = {"a", "b", "a"}, *const spoilt[] = {"a", "\xc3", "b"}, *const too_long[] = {"a", "b", long_name}, *const none[] = {"a", NULL, "b"};
    const char *const *const labels[] = {twice, spoilt, too_long, none};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fw_bins_of_labels(&b, "k", FW_BINS_CLASS, labels[i], 3, NULL), FW_ERR_ARG);
        assert_null(b.name);
    }
    assert_int_equal(fw_bins_of_labels(&b, "k", FW_BINS_SCORE, twice, 2, NULL), FW_ERR_ARG);
}

static void a_copy_is_the_same_and_a_change_is_not(void **state)
{
    (void)state;
    const double cut[] = {-1, -0.0, 2}, zero[] = {-1, 0.0, 2}, other[] = {-1, 0, 2.5}, centre[] = {-2, -0.5, 1, 3}, moved[] = {-2, -0.5, 1, 4};
    const char *const ab[] = {"a", "b"}, *const ac[] = {"a", "c"};
    fw_bins b[9] = {{0}};
    assert_int_equal(fw_bins_of_cuts(&b[0], "x", FW_BINS_NUMBER, cut, 3, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&b[1], "x", FW_BINS_NUMBER, other, 3, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&b[2], "x", FW_BINS_NUMBER, cut, 3, moved, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&b[3], "x", FW_BINS_SCORE, cut, 3, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&b[4], "y", FW_BINS_NUMBER, cut, 3, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_of_cuts(&b[5], "x", FW_BINS_NUMBER, cut, 0, centre, NULL), FW_OK);
    assert_int_equal(fw_bins_of_labels(&b[6], "x", FW_BINS_CATEGORY, ab, 2, NULL), FW_OK);
    assert_int_equal(fw_bins_of_labels(&b[7], "x", FW_BINS_CATEGORY, ac, 2, NULL), FW_OK);
    assert_int_equal(fw_bins_of_labels(&b[8], "x", FW_BINS_CATEGORY, ab, 0, NULL), FW_OK);
    for (size_t i = 0; i < 9; i++) {
        FW_AUTO(fw_bins) copy = {0};
        assert_int_equal(fw_bins_copy(&copy, &b[i], NULL), FW_OK);
        for (size_t k = 0; k < 9; k++) assert_int_equal(fw_bins_same(&copy, &b[k]), i == k);
    }
    FW_AUTO(fw_bins) plus = {0};
    assert_int_equal(fw_bins_of_cuts(&plus, "x", FW_BINS_NUMBER, zero, 3, centre, NULL), FW_OK);
    assert_true(fw_bins_same(&plus, &b[0]));
    for (size_t i = 0; i < 9; i++) fw_bins_destroy(&b[i]);
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (fw_bins_kind k = FW_BINS_NUMBER; k <= FW_BINS_CLASS; k++) {
        fw_bins_kind back = FW_BINS_NUMBER;
        assert_true(fw_bins_kind_parse(&back, fw_bins_kind_name(k)));
        assert_int_equal(back, k);
    }
    fw_bins_kind untouched = FW_BINS_SCORE;
    assert_false(fw_bins_kind_parse(&untouched, "histogram"));
    assert_int_equal(untouched, FW_BINS_SCORE);
}

int main(void)
{
    scratch s;
    if (!scratch_make(&s)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(places_are_those_of_numpy, &s),  cmocka_unit_test(every_value_has_a_place),
        cmocka_unit_test(refuses_what_is_no_set_of_bins),          cmocka_unit_test(a_copy_is_the_same_and_a_change_is_not),
        cmocka_unit_test(kinds_have_names),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&s);
    return oracle_end(failed);
}
