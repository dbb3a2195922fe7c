/** The reference: its form as JSON and in the model file, and everything that is not one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "common/core/envelope.h"
#include "common/model/reference_json.h"
#include "tests/unit/model_fixture.h"
#include "tests/unit/reference_fixture.h"
#include "tests/unit/scratch.h"

static void comes_back(const fw_reference *r)
{
    FW_AUTO(fw_reference) *back = NULL;
    json_t *j = NULL;
    assert_int_equal(fw_reference_to_json(&j, r, NULL), FW_OK);
    FW_FREE char *text = json_dumps(j, JSON_REAL_PRECISION(17));
    json_decref(j);
    j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(fw_reference_from_json(&back, j, NULL), FW_OK);
    json_decref(j);
    assert_same_reference(r, back);
}

static void the_round_trip_is_exact(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_reference) *errors = make_reference_with_errors();
    comes_back(r);
    comes_back(errors);
    assert_string_equal(fw_reference_score_class(fw_summary_bins(r->summary, 4)), "yes");
    assert_null(fw_reference_score_class(fw_summary_bins(r->summary, 3)));
}

static void errors_that_can_not_be_are_refused(void **state)
{
    (void)state;
    static const double bad[][3] = {{-1, 1, 1}, {2, 1, 9}, {1, 2, 3}, {0, 0, INFINITY}, {NAN, 1, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FW_AUTO(fw_reference) *r = make_reference_with_errors();
        r->errors.absolute[1] = bad[i][0];
        r->errors.square[1] = bad[i][1];
        r->errors.fourth[1] = bad[i][2];
        assert_int_equal(fw_reference_check(r, NULL), FW_ERR_DATA);
    }
    FW_AUTO(fw_reference) *classes = make_reference();
    const double one[2] = {1, 1};
    assert_int_equal(fw_reference_set_errors(classes, one, one, one, 2, NULL), FW_ERR_DATA);
}

static void none_is_null(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *back = NULL;
    json_t *j = NULL;
    assert_int_equal(fw_reference_to_json(&j, NULL, NULL), FW_OK);
    assert_true(json_is_null(j));
    assert_int_equal(fw_reference_from_json(&back, j, NULL), FW_OK);
    assert_null(back);
    json_decref(j);
}

/* One value at a path ("columns/0/name") is replaced, or taken away. */
static json_t *changed(const char *path, const char *value)
{
    FW_AUTO(fw_reference) *r = make_reference();
    json_t *j = NULL;
    char copy_of[64], *rest = copy_of, *name = NULL;
    assert_int_equal(fw_reference_to_json(&j, r, NULL), FW_OK);
    snprintf(copy_of, sizeof copy_of, "%s", path);
    json_t *at = j;
    while ((name = strsep(&rest, "/")) != NULL && rest != NULL) at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10)) : json_object_get(at, name);
    json_t *new = value != NULL ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_array(at)) assert_int_equal(json_array_set_new(at, strtoul(name, NULL, 10), new), 0);
    else if (new != NULL) assert_int_equal(json_object_set_new(at, name, new), 0);
    else assert_int_equal(json_object_del(at, name), 0);
    return j;
}

static void every_lie_is_refused(void **state)
{
    (void)state;
    static const struct { const char *path, *value, *says; } cases[] = {
        {"columns", "{}", "no list"},
        {"columns", "[]", "0 columns"},
        {"columns/0", "7", "no known kind"},
        {"columns/0/kind", "\"histogram\"", "no known kind"},
        {"columns/0/name", NULL, "not UTF-8"},
        {"columns/0/name", "\"\"", "without a name"},
        {"columns/0/cuts", "[2, 1, 3]", "ascending"},
        {"columns/0/cuts", "[1, 2]", "centres"},
        {"columns/0/cuts", "[1, 2, \"3\"]", "cuts"},
        {"columns/0/cuts", NULL, "labels"},
        {"columns/0/centres", "[1, 2, 3]", "centres"},
        {"columns/0/counts", "[1, 2, 3]", "counts"},
        {"columns/0/counts/1", "-1", "counts"},
        {"columns/0/counts/1", "1.5", "counts"},
        {"columns/0/counts/1", "9223372036854775807", "2^63"},
        {"columns/0/counts/1", "21", "not as many rows"},
        {"columns/0/unseen", NULL, "unseen"},
        {"columns/0/missing", NULL, "counts"},
        {"columns/0/hits", "[1, 0, 0, 0]", "more hits"},
        {"columns/1/labels", "[\"blue\", \"blue\"]", "twice"},
        {"columns/1/labels", "[\"blue\", 3]", "not UTF-8"},
        {"columns/1/kind", "\"class\"", "no feature"},
        {"columns/2/kind", "\"category\"", "or has too many bins"},
        {"columns/2/name", "\"label\"", "not \"prediction\""},
        {"columns/3/name", "\"score=no\"", "not \"confidence\""},
        {"columns/4/name", "\"score\"", "not \"score=CLASS\""},
        {"columns/4/hits", "[0, 17]", "more hits"},
        {"columns/4/hits", "[0, 17, 0]", "counts"},
        {"features", "-2", "below 0"},
        {"features", "1", "not \"prediction\""},
        {"features", "6", "6 features"},
        {"features", "\"2\"", "Expected integer"},
        {"split", "3", "Expected string"},
        {"chunks", "0", "chunks"},
        {"chunk_rows", "-1", "below 0"},
        {"scores_left_out", NULL, "scores_left_out"},
        {"metrics", "{}", "metrics"},
        {"metrics/0/value", "\"x\"", "metric 0"},
        {"metrics/0/deviation", "-0.5", "not finite"},
        {"metrics/0/name", "\"\"", "name of metric"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_reference *back = NULL;
        fw_error err = {0};
        json_t *j = changed(cases[i].path, cases[i].value);
        const fw_status s = fw_reference_from_json(&back, j, &err);
        json_decref(j);
        if (s != FW_ERR_FORMAT || err.status != FW_ERR_FORMAT || back != NULL || strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s = %s: %s, \"%s\" does not say \"%s\"", cases[i].path, cases[i].value != NULL ? cases[i].value : "nothing", fw_status_name(s), err.text,
                     cases[i].says);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state;
    json_t *j = changed("features", "2"), *list = json_object_get(j, "columns"), *age = json_array_get(list, 0);
    for (size_t i = 0; i < FW_REFERENCE_MAX_FEATURES; i++) json_array_insert(list, 0, age);
    json_object_set_new(j, "features", json_integer(FW_REFERENCE_MAX_FEATURES + 2));
    fw_reference *back = NULL;
    assert_int_equal(fw_reference_from_json(&back, j, NULL), FW_ERR_FORMAT);
    for (size_t i = 0; i < FW_SUMMARY_MAX_COLUMNS; i++) json_array_insert(list, 0, age);
    assert_int_equal(fw_reference_from_json(&back, j, NULL), FW_ERR_FORMAT);
    json_decref(j);
    j = changed("columns/0/cuts", "[]");
    list = json_object_get(json_array_get(json_object_get(j, "columns"), 0), "cuts");
    for (size_t i = 0; i < FW_BINS_MAX + 1; i++) json_array_append_new(list, json_real((double)i));
    assert_int_equal(fw_reference_from_json(&back, j, NULL), FW_ERR_FORMAT);
    json_decref(j);
    assert_null(back);
}

static void put_path(char out[static 600], const scratch *s, const char *name) { snprintf(out, 600, "%s/%s", s->dir, name); }

static void a_model_keeps_its_reference(void **state)
{
    char path[600];
    FW_AUTO(fw_model) *m = make_model(0, 1), *back = NULL, *before = NULL;
    put_path(path, *state, "m.h5");
    m->reference = make_reference();
    assert_int_equal(fw_model_save(m, path, NULL), FW_OK);
    assert_int_equal(fw_model_load(&back, path, NULL), FW_OK);
    assert_same_reference(m->reference, back->reference);
    assert_int_equal(fw_envelope_seal(path, "model", 2, NULL, NULL), FW_OK);        /* the format before had none */
    assert_int_equal(fw_model_load(&before, path, NULL), FW_OK);
    assert_null(before->reference);
}

/* Columns that the model does not have, or has as something else. */
static void a_reference_of_another_model_is_refused(void **state)
{
    char path[600];
    put_path(path, *state, "m.h5");
    for (size_t kind = 1; kind < N_KINDS; kind++) {
        FW_AUTO(fw_model) *m = make_model(kind, 1);
        fw_error err = {0};
        m->reference = make_reference();
        assert_int_equal(fw_model_save(m, path, &err), FW_ERR_ARG);
        assert_non_null(strstr(err.text, "reference"));
    }
    static const char *const names[] = {"note", "y", "nothing"};
    for (size_t i = 0; i < 3; i++) {
        FW_AUTO(fw_model) *m = make_model(0, 1);
        char text[16];
        snprintf(text, sizeof text, "\"%s\"", names[i]);
        json_t *j = changed("columns/0/name", text);
        assert_int_equal(fw_reference_from_json(&m->reference, j, NULL), FW_OK);
        json_decref(j);
        assert_int_equal(fw_model_save(m, path, NULL), FW_ERR_ARG);
    }
}

static void bins_come_from_values(void **state)
{
    (void)state;
    static const double constant[] = {5, 5, 5}, least[] = {-1.7976931348623157e308, -1.7976931348623157e308}, huge[] = {1e308, 1.5e308, 1.6e308};
    fw_bins b[4] = {{0}};
    double few[64], many[3200];
    for (size_t i = 0; i < 64; i++) few[i] = (double)(i / 2);
    for (size_t i = 0; i < 3200; i++) many[i] = i < 1600 ? 0 : (double)i;             /* half of them are tied: 16 bins are one */
    assert_int_equal(fw_bins_of_values(&b[0], "x", FW_BINS_NUMBER, constant, 3, NULL), FW_OK);
    assert_int_equal(fw_bins_n(&b[0]), 3);
    assert_int_equal(fw_bins_find(&b[0], 5), 1);
    assert_int_equal(fw_bins_find(&b[0], 4.999999999), 0);
    assert_int_equal(fw_bins_find(&b[0], 5.000000001), 2);
    fw_bins_destroy(&b[0]);
    assert_int_equal(fw_bins_of_values(&b[0], "x", FW_BINS_NUMBER, least, 2, NULL), FW_OK);
    assert_int_equal(fw_bins_n(&b[0]), 2);
    assert_int_equal(fw_bins_of_values(&b[1], "x", FW_BINS_NUMBER, few, 64, NULL), FW_OK);
    assert_int_equal(fw_bins_n(&b[1]), 32);
    for (size_t i = 0; i < 32; i++) assert_true(b[1].centre[i] == (double)i && fw_bins_find(&b[1], (double)i) == i);
    assert_int_equal(fw_bins_of_values(&b[2], "x", FW_BINS_NUMBER, many, 3200, NULL), FW_OK);
    assert_int_equal(fw_bins_n(&b[2]), 17);
    assert_true(b[2].cut[0] == 0 && b[2].cut[1] == 1699 && b[2].cut[15] == 3099);
    assert_int_equal(fw_bins_of_values(&b[3], "x", FW_BINS_NUMBER, NULL, 0, NULL), FW_OK);
    assert_int_equal(fw_bins_n(&b[3]), 1);
    fw_bins_destroy(&b[3]);
    assert_int_equal(fw_bins_of_values(&b[3], "x", FW_BINS_NUMBER, huge, 3, NULL), FW_OK);
    for (size_t i = 0; i < 4; i++) fw_bins_destroy(&b[i]);
}

int main(void)
{
    scratch s;
    if (!scratch_make(&s)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_round_trip_is_exact),
        cmocka_unit_test(errors_that_can_not_be_are_refused),
        cmocka_unit_test(none_is_null),
        cmocka_unit_test(every_lie_is_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test_prestate(a_model_keeps_its_reference, &s),
        cmocka_unit_test_prestate(a_reference_of_another_model_is_refused, &s),
        cmocka_unit_test(bins_come_from_values),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&s);
    return failed;
}
