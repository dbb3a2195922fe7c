/** Figures of drift as bytes: what was packed comes back to the bit, what is damaged is refused, and a store of the older schema is brought up to date. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/text.h"
#include "monitor/figures.h"
#include "tests/unit/store_fixture.h"

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void assert_same(const monitor_drift_row *a, const monitor_drift_row *b)
{
    assert_string_equal(a->feature, b->feature);
    assert_string_equal(a->test, b->test);
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->model, b->model);
    assert_int_equal(a->effect, b->effect);
    assert_true(same_bits(a->statistic, b->statistic) && same_bits(a->threshold, b->threshold) && same_bits(a->evidence, b->evidence) && same_bits(a->p, b->p));
}

/* Evidence that stays, changes, is not known, and is not known again; a threshold of a test that is another one in another feature. */
static const monitor_drift_row some[] = {
    {.model = 3, .window = 9, .feature = "age", .test = "psi", .statistic = 0.1, .threshold = 0.2, .evidence = -0.0, .p = NAN},
    {.model = 3, .window = 9, .feature = "age", .test = "ks", .statistic = 0x1.23456789abcdfp-3, .threshold = 0.1, .effect = 1, .evidence = -0.0, .p = 0x1p-1074},
    {.model = 3, .window = 9, .feature = "age", .test = "missing_rate", .statistic = -0.25, .threshold = 0.05, .effect = 2, .evidence = 0.0, .p = NAN},
    {.model = 3, .window = 9, .feature = "", .test = "psi", .statistic = NAN, .threshold = 0.3, .evidence = NAN, .p = 1},
    {.model = 3, .window = 9, .feature = "", .test = "ks", .statistic = INFINITY, .threshold = NAN, .evidence = NAN, .p = 0},
    {.model = 3, .window = 9, .feature = "\xc3\xa4ge", .test = "psi", .statistic = 1, .threshold = 0.2, .evidence = 300, .p = NAN},
};
enum { N_SOME = sizeof some / sizeof *some };

static void what_is_packed_comes_back(void **state)
{
    (void)state;
    FW_AUTO(fw_text) bytes = {0};
    FW_FREE monitor_drift_row *row = NULL;
    size_t n = 0;
    fw_text_add(&bytes, "before");
    assert_int_equal(monitor_figures_pack(&bytes, some, N_SOME, NULL), FW_OK);
    assert_int_equal(monitor_figures_unpack(&row, &n, 3, 9, (monitor_bytes){bytes.data + 6, bytes.len - 6}, NULL), FW_OK);
    assert_int_equal(n, N_SOME);
    for (size_t i = 0; i < n; i++) assert_same(&row[i], &some[i]);
}

static void a_window_of_28_features_has_few_bytes(void **state)
{
    (void)state;
    static const char *const tests[] = {"psi", "js", "ks", "chi_square", "wasserstein", "missing_rate", "unseen_rate"};
    enum { FEATURES = 28, TESTS = 7 };
    char names[FEATURES][8];
    monitor_drift_row row[FEATURES * TESTS];
    FW_AUTO(fw_text) bytes = {0};
    for (size_t i = 0; i < FEATURES * TESTS; i++) {
        const size_t f = i / TESTS, t = i % TESTS;
        snprintf(names[f], sizeof names[f], "x%zu", f);
        row[i] = (monitor_drift_row){.feature = names[f], .test = tests[t], .statistic = 1.0 / (double)(i + 1), .threshold = 0.1 + (double)t,
                                     .evidence = (double)(f + 30 * (t < 5 ? 0 : t)), .p = t == 2 || t == 3 ? 0.5 : NAN};
    }
    assert_int_equal(monitor_figures_pack(&bytes, row, FEATURES * TESTS, NULL), FW_OK);
    assert_in_range(bytes.len, 1, 3700);
}

static void what_can_not_be_packed_is_refused(void **state)
{
    (void)state;
    char names[256][8];
    monitor_drift_row many[256];
    for (size_t i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "t%zu", i);
        many[i] = (monitor_drift_row){.feature = "f", .test = names[i]};
    }
    const struct { monitor_drift_row row; const char *says; } table[] = {
        {{.test = "psi"}, "missing"}, {{.feature = "f"}, "missing"}, {{.feature = "f", .test = "psi", .effect = 3}, "an effect of 3"}, {{.feature = "f", .test = "psi", .effect = -1}, "of -1"}};
    FW_AUTO(fw_text) bytes = {0};
    fw_error err = {0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(monitor_figures_pack(&bytes, &table[i].row, 1, &err), FW_ERR_ARG);
        if (strstr(err.text, table[i].says) == NULL) fail_msg("row %zu: %s", i, err.text);
    }
    assert_int_equal(monitor_figures_pack(&bytes, many, 256, NULL), FW_ERR_ARG);
    assert_int_equal(bytes.len, 0);
    assert_int_equal(monitor_figures_pack(&bytes, many, 255, NULL), FW_OK);
}

/** No length and no byte is believed: bytes that are cut off anywhere are refused; with a byte changed they are refused or give rows. */
static void damaged_bytes_are_refused(void **state)
{
    (void)state;
    FW_AUTO(fw_text) bytes = {0};
    fw_error err = {0};
    size_t n = 0, whole = 0;
    assert_int_equal(monitor_figures_pack(&bytes, some, N_SOME, NULL), FW_OK);
    for (size_t len = 0; len < bytes.len; len++) {
        FW_FREE monitor_drift_row *row = NULL;
        FW_FREE char *copy = malloc(len + 1);      /* of its own, so that a read behind its end is seen */
        memcpy(copy, bytes.data, len);
        const fw_status s = monitor_figures_unpack(&row, &n, 3, 9, (monitor_bytes){copy, len}, &err);
        if (s == FW_OK) whole++;                   /* cut between two features */
        else assert_int_equal(s, FW_ERR_FORMAT);
    }
    assert_int_equal(whole, 3);
    assert_non_null(strstr(err.text, "model 3, window 9"));
    for (size_t at = 0; at < bytes.len; at++)
        for (int v = 0; v < 256; v += 5) {
            FW_FREE monitor_drift_row *row = NULL;
            const char before = bytes.data[at];
            bytes.data[at] = (char)v;
            const fw_status s = monitor_figures_unpack(&row, &n, 3, 9, (monitor_bytes){bytes.data, bytes.len}, NULL);
            assert_true(s == FW_OK || s == FW_ERR_FORMAT);
            bytes.data[at] = before;
        }
}

/* ---- in a store ---- */

static fw_status write_down(void *context, const monitor_drift_row *r, fw_error *err)
{
    (void)err;
    fw_text_format(context, "%lld.%lld %s/%s=%g ", (long long)r->model, (long long)r->window, r->feature, r->test, r->statistic);
    return FW_OK;
}

static fw_status write_down_two(void *context, const monitor_drift_row *r, fw_error *err)
{
    write_down(context, r, err);
    return strstr(((fw_text *)context)->data, "b/") != NULL ? FW_END : FW_OK;
}

/* b before a, as the columns of a model may stand. */
static void put_two(monitor_store *s, int64_t model, int64_t window, double statistic, int64_t bins, int64_t at_us)
{
    const monitor_drift_row row[] = {{.model = model, .window = window, .feature = "b", .test = "psi", .statistic = statistic},
                                     {.model = model, .window = window, .feature = "a", .test = "psi", .statistic = statistic},
                                     {.model = model, .window = window, .feature = "a", .test = "js", .statistic = statistic}};
    assert_int_equal(monitor_store_put_drift(s, row, bins == 2 ? 2 : 3, bins, at_us, NULL), FW_OK);
}

static void figures_are_read_as_they_are_asked_for(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    put_two(s, 1, 1, 1, 1, 10);
    put_two(s, 1, 2, 2, 1, 20);
    put_two(s, 1, 2, 3, 1, 30);                  /* replaces */
    put_two(s, 2, 1, 4, 1, 50);
    put_two(s, 2, 1, 5, 2, 40);                  /* another set of bins, made before: what both have is of the first */
    put_two(s, 3, 1, 6, 1, 40);
    put_two(s, 3, 1, 7, 2, 50);                  /* made behind it: it has no js */
    commit(s);
    static const struct { monitor_query q; const char *told; } table[] = {
        {{.model = 1}, "1.1 a/js=1 1.1 a/psi=1 1.1 b/psi=1 1.2 a/js=3 1.2 a/psi=3 1.2 b/psi=3 "},
        {{.model = 1, .newest_first = true, .limit = 4}, "1.2 b/psi=3 1.2 a/psi=3 1.2 a/js=3 1.1 b/psi=1 "},
        {{.model = 1, .limit = 3}, "1.1 a/js=1 1.1 a/psi=1 1.1 b/psi=1 "},
        {{.model = 1, .name = "b"}, "1.1 b/psi=1 1.2 b/psi=3 "},
        {{.model = 1, .name = "b", .from = 2}, "1.2 b/psi=3 "},
        {{.model = 1, .name = "b", .to = 1}, "1.1 b/psi=1 "},
        {{.window = 2, .name = "a"}, "1.2 a/js=3 1.2 a/psi=3 "},
        {{.model = 1, .name = "c"}, ""},
        {{.model = 2}, "2.1 a/js=4 2.1 a/psi=4 2.1 b/psi=4 "},
        {{.model = 3}, "3.1 a/js=6 3.1 a/psi=7 3.1 b/psi=7 "},
        {{.model = 4}, ""},
    };
    FW_AUTO(monitor_reader) *r = reader();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        FW_AUTO(fw_text) told = {0};
        fw_text_add(&told, "");
        assert_int_equal(monitor_read_drift(r, &table[i].q, write_down, &told, NULL), FW_OK);
        if (strcmp(told.data, table[i].told) != 0) fail_msg("row %zu: %s", i, told.data);
    }
    FW_AUTO(fw_text) told = {0};
    assert_int_equal(monitor_read_drift(r, &(monitor_query){.model = 1}, write_down_two, &told, NULL), FW_OK);
    assert_string_equal(told.data, "1.1 a/js=1 1.1 a/psi=1 1.1 b/psi=1 ");
}

static void run(const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s", why);
    sqlite3_close(db);
}

static fw_status compare(void *context, const monitor_drift_row *r, fw_error *err)
{
    static const monitor_drift_row old[] = {
        {.model = 1, .window = 1, .feature = "age", .test = "ks", .statistic = 0.125, .threshold = 0.1, .effect = 2, .evidence = 1.5, .p = 1e-300},
        {.model = 1, .window = 1, .feature = "age", .test = "psi", .statistic = NAN, .threshold = 0.2, .evidence = NAN, .p = NAN},
        {.model = 1, .window = 2, .feature = "age", .test = "psi", .statistic = 3, .threshold = 0.2, .evidence = 1.5, .p = NAN},
        {.model = 2, .window = 2, .feature = "sex", .test = "psi", .statistic = 4, .threshold = 0.2, .effect = 1, .evidence = -1, .p = NAN},
    };
    size_t *n = context;
    (void)err;
    assert_in_range(*n, 0, sizeof old / sizeof *old - 1);
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (old[i].model == r->model && old[i].window == r->window && strcmp(old[i].test, r->test) == 0) assert_same(r, &old[i]);
    ++*n;
    return FW_OK;
}

static void a_store_of_the_older_schema_is_brought_up_to_date(void **state)
{
    (void)state;
    fw_error err = {0};
    size_t n = 0;
    monitor_store *s = open_with((monitor_store_opts){0});
    put_window(s, 1, 1, 7);
    commit(s);
    monitor_store_close(&s);
    run(STORE_SCHEMA_2 "INSERT INTO drift VALUES (1, 1, 'age', 'psi', NULL, 0.2, 0, NULL, NULL), (2, 2, 'sex', 'psi', 4, 0.2, 1, -1, NULL),"
                   " (1, 1, 'age', 'ks', 0.125, 0.1, 2, 1.5, 1e-300), (1, 2, 'age', 'psi', 3, 0.2, 0, 1.5, NULL);");
    monitor_reader *r = NULL;
    assert_int_equal(monitor_reader_open(&r, path, &err), FW_ERR_VERSION);
    s = open_with((monitor_store_opts){0});
    r = reader();
    assert_int_equal(monitor_read_drift(r, NULL, compare, &n, NULL), FW_OK);
    assert_int_equal(n, 4);
    assert_int_equal(look(NULL).rows, 7);
    put_two(s, 1, 2, 9, 1, 1);                   /* what comes later has precedence */
    commit(s);
    FW_AUTO(fw_text) told = {0};
    assert_int_equal(monitor_read_drift(r, &(monitor_query){.model = 1, .window = 2}, write_down, &told, NULL), FW_OK);
    assert_string_equal(told.data, "1.2 a/js=9 1.2 a/psi=9 1.2 age/psi=3 1.2 b/psi=9 ");
    monitor_reader_destroy(&r);
    monitor_store_close(&s);
}

/** It is as it was: the older program can go on with it. */
static void an_older_store_that_is_damaged_is_left_as_it_is(void **state)
{
    (void)state;
    monitor_store *s = open_with((monitor_store_opts){0});
    fw_error err = {0};
    monitor_store_close(&s);
    run(STORE_SCHEMA_2 "INSERT INTO drift VALUES (1, 1, 'age', 'psi', 1, 0.2, 0, NULL, NULL), (1, 2, 'age', 'psi', 1, 0.2, 7, NULL, NULL);");
    assert_int_equal(monitor_store_open(&s, &(monitor_store_opts){.path = path}, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "an effect of 7"));
    run("DELETE FROM drift WHERE effect = 7; SELECT 1 / (count(*) = 1) FROM drift;");
    s = open_with((monitor_store_opts){0});
    monitor_store_close(&s);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(a_window_of_28_features_has_few_bytes),
        cmocka_unit_test(what_can_not_be_packed_is_refused),
        cmocka_unit_test(damaged_bytes_are_refused),
        STORE_TEST(figures_are_read_as_they_are_asked_for),
        STORE_TEST(a_store_of_the_older_schema_is_brought_up_to_date),
        STORE_TEST(an_older_store_that_is_damaged_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
