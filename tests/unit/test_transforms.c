#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <stdlib.h>

#include "common/core/random.h"
#include "pipeline_rows.h"

static fw_block *numbers(const fw_schema *s, const double *v, size_t n)
{
    fw_block *b = block_of(s, n);
    for (size_t i = 0; i < n; i++) {
        if (isnan(v[i])) b->cells[0].missing[i] = 1;
        else b->cells[0].number[i] = v[i];
    }
    return b;
}

static fw_block *codes(const fw_schema *s, const int32_t *v, size_t n)
{
    fw_block *b = block_of(s, n);
    for (size_t i = 0; i < n; i++) {
        b->cells[0].missing[i] = v[i] == FW_CODE_MISSING;
        b->cells[0].code[i] = v[i];
    }
    return b;
}

static fw_status fit(fw_pipeline **p, const fw_feature_spec *spec, const fw_block *b, fw_error *err)
{
    FW_TRY(plan(p, spec, spec != NULL, b->schema, NULL, err));
    fw_rows rows = {.context = (void *)b, .n_rows = b->n_rows, .block_rows = 2, .read = read_block};
    return fw_pipeline_fit(*p, b->schema, &rows, &fw_reduce_alone, err);
}

static void assert_features(const fw_pipeline *p, const fw_block *b, const float *expected, size_t width, const char *what)
{
    float x[MAX_ROWS];
    fw_error err;
    if (fw_pipeline_width(p) != width) fail_msg("%s: width %zu, not %zu", what, fw_pipeline_width(p), width);
    if (fw_pipeline_apply(p, b, 0, b->n_rows, x, width, NULL, &err) != FW_OK) fail_msg("%s: %s", what, err.text);
    for (size_t i = 0; i < b->n_rows * width; i++)
        if (x[i] != expected[i]) fail_msg("%s: row %zu feature %zu: %.9g, not %.9g", what, i / width, i % width, (double)x[i], (double)expected[i]);
}

/* ---- numbers ---- */

typedef struct number_case {
    const char *what;
    fw_feature_spec spec;
    double v[8];
    size_t n, width;
    float x[12];
    fw_status status;
} number_case;

#define SPEC(...) {.column = "age", .type = FW_FEATURE_NUMBER, __VA_ARGS__}
#define PLAIN SCALE(FW_SCALE_NONE)

/* Worked by hand; every number below is exact in binary. */
static void fits_numbers(void **state)
{
    (void)state;
    static const number_case cases[] = {
        {"nothing said: median, indicator, standard", SPEC(), {1, 2, 3, 4, GAP}, 5, 2, {-1.5, 0, -0.5, 0, 0.5, 0, 1.5, 0, 0, 1}, FW_OK},
        {"nothing said, nothing missing: no indicator", SPEC(), {1, 3}, 2, 1, {-1, 1}, FW_OK},
        {"median said: no indicator", SPEC(MISSING(FW_MISSING_MEDIAN)), {1, 2, 3, 4, GAP}, 5, 1, {-1.5, -0.5, 0.5, 1.5, 0}, FW_OK},
        {"mean, indicator", SPEC(MISSING(FW_MISSING_MEAN), PLAIN, .indicator = true), {1, 2, 9, GAP}, 4, 2, {1, 0, 2, 0, 9, 0, 4, 1}, FW_OK},
        {"constant", SPEC(MISSING(FW_MISSING_CONSTANT), .missing_value = -7, PLAIN), {1, 2, GAP}, 3, 1, {1, 2, -7}, FW_OK},
        {"constant, all missing", SPEC(MISSING(FW_MISSING_CONSTANT), .missing_value = 2, PLAIN), {GAP, GAP}, 2, 1, {2, 2}, FW_OK},
        {"minmax", SPEC(MISSING(FW_MISSING_CONSTANT), SCALE(FW_SCALE_MINMAX)), {1, 2, 3, 4, GAP}, 5, 1, {0.25, 0.5, 0.75, 1, 0}, FW_OK},
        {"robust", SPEC(MISSING(FW_MISSING_MEDIAN), SCALE(FW_SCALE_ROBUST)), {1, 2, 3, 4, GAP}, 5, 1, {-1.5, -0.5, 0.5, 1.5, 0}, FW_OK},
        {"robust, quartiles equal", SPEC(SCALE(FW_SCALE_ROBUST)), {3, 3, 3, 3, 3, 11}, 6, 1, {0, 0, 0, 0, 0, 8}, FW_OK},
        {"clip", SPEC(MISSING(FW_MISSING_MEDIAN), PLAIN, .has_clip = true, .clip = {0.25, 0.5}), {0, 1, 2, 3, 4, GAP}, 6, 1, {1, 1, 2, 2, 2, 2}, FW_OK},
        {"clip bounds the fill", SPEC(MISSING(FW_MISSING_CONSTANT), .missing_value = 99, PLAIN, .has_clip = true, .clip = {0, 1}), {0, 4, GAP}, 3, 1, {0, 4, 4}, FW_OK},
        {"clip, then log1p of what is 0 or more", SPEC(PLAIN, .log1p = true, .has_clip = true, .clip = {0.5, 1}), {-9, 0, 0}, 3, 1, {0, 0, 0}, FW_OK},
        {"constant column whose mean rounds off it", SPEC(), {0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 6, 1, {0}, FW_OK},
        {"constant column, minmax", SPEC(SCALE(FW_SCALE_MINMAX)), {5, 5}, 2, 1, {0, 0}, FW_OK},
        {"constant column, robust", SPEC(SCALE(FW_SCALE_ROBUST)), {5, 5}, 2, 1, {0, 0}, FW_OK},
        {"one row", SPEC(), {5}, 1, 1, {0}, FW_OK},
        {"large and small cancel", SPEC(MISSING(FW_MISSING_MEAN), PLAIN), {0x1p60, 1, -0x1p60, GAP, 1}, 5, 1, {0x1p60f, 1, -0x1p60f, 0.5f, 1}, FW_OK},
        {"missing is error", SPEC(MISSING(FW_MISSING_ERROR)), {1, GAP}, 2, 0, {0}, FW_ERR_DATA},
        {"all missing", SPEC(), {GAP, GAP}, 2, 0, {0}, FW_ERR_DATA},
        {"all missing, constant, clip", SPEC(MISSING(FW_MISSING_CONSTANT), .has_clip = true, .clip = {0, 1}), {GAP}, 1, 0, {0}, FW_ERR_DATA},
        {"log1p of negative values", SPEC(.log1p = true), {1, -0.5}, 2, 0, {0}, FW_ERR_DATA},
        {"log1p of a negative fill", SPEC(MISSING(FW_MISSING_CONSTANT), .missing_value = -1, .log1p = true), {1, GAP}, 2, 0, {0}, FW_ERR_DATA},
        {"no rows", SPEC(), {0}, 0, 0, {0}, FW_ERR_DATA},
        {"range beyond doubles", SPEC(SCALE(FW_SCALE_MINMAX)), {-DBL_MAX, DBL_MAX}, 2, 0, {0}, FW_ERR_NUMERIC},
        {"own is for categories", SPEC(MISSING(FW_MISSING_OWN)), {1}, 1, 0, {0}, FW_ERR_CONFIG},
        {"constant not finite", SPEC(MISSING(FW_MISSING_CONSTANT), .missing_value = INFINITY), {1}, 1, 0, {0}, FW_ERR_CONFIG},
        {"clip backwards", SPEC(.has_clip = true, .clip = {0.9, 0.1}), {1}, 1, 0, {0}, FW_ERR_CONFIG},
        {"not finite", SPEC(), {1, INFINITY}, 2, 0, {0}, FW_ERR_NUMERIC},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const number_case *c = &cases[i];
        FW_AUTO(fw_schema) *s = schema_of("age", FW_NUMBER);
        FW_AUTO(fw_block) *b = numbers(s, c->v, c->n);
        FW_AUTO(fw_pipeline) *p = NULL;
        fw_error err = {0};
        fw_status got = fit(&p, &c->spec, b, &err);
        if (got != c->status) fail_msg("%s: %s (%s)", c->what, fw_status_name(got), err.text);
        if (got == FW_OK) assert_features(p, b, c->x, c->width, c->what);
        else if (got != FW_ERR_ARG && c->n > 0 && strstr(err.text, "age") == NULL) fail_msg("%s: does not name the column: %s", c->what, err.text);
    }
}

/* One rounding to float of a value good to a few ulp of double: at most the neighbouring float of libm's. */
static void log1p_is_libm_s_to_a_float(void **state)
{
    (void)state;
    static const fw_feature_spec spec = SPEC(PLAIN, .log1p = true);
    double v[1000];
    for (uint32_t i = 0; i < 1000; i++) v[i] = ldexp(fw_random_unit(fw_random(5, FW_RANDOM_TEST, 0, i, 0)), (int)(i % 200) - 100);
    FW_AUTO(fw_schema) *s = schema_of("age", FW_NUMBER);
    FW_AUTO(fw_block) *b = numbers(s, v, 1000);
    FW_AUTO(fw_pipeline) *p = NULL;
    float x[1000];
    assert_int_equal(fit(&p, &spec, b, NULL), FW_OK);
    assert_int_equal(fw_pipeline_apply(p, b, 0, 1000, x, 1, NULL, NULL), FW_OK);
    int differ = 0;
    for (size_t i = 0; i < 1000; i++) {
        float expected = (float)log1p(v[i]);
        differ += x[i] != expected;
        assert_true(x[i] == expected || x[i] == nextafterf(expected, x[i]));
    }
    assert_true(differ < 3);
}

static void number_refuses_rows(void **state)
{
    (void)state;
    static const struct { const char *what; fw_feature_spec spec; double v; fw_status status; const char *says; } cases[] = {
        {"missing", SPEC(MISSING(FW_MISSING_ERROR)), GAP, FW_ERR_DATA, "row 100"},
        {"negative", SPEC(.log1p = true), -1, FW_ERR_DATA, "row 100"},
        {"too large", SPEC(PLAIN), 1e300, FW_ERR_NUMERIC, "row 100"},
        {"not finite", SPEC(), INFINITY, FW_ERR_NUMERIC, "row 100"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double train[] = {1, 2, 3};
        FW_AUTO(fw_schema) *s = schema_of("age", FW_NUMBER);
        FW_AUTO(fw_block) *b = numbers(s, train, 3), *bad = numbers(s, &cases[i].v, 1);
        FW_AUTO(fw_pipeline) *p = NULL;
        fw_error err = {0};
        float x;
        assert_int_equal(fit(&p, &cases[i].spec, b, NULL), FW_OK);
        assert_int_equal(fw_pipeline_apply(p, bad, 0, 1, &x, 1, NULL, &err), cases[i].status);
        if (strstr(err.text, cases[i].says) == NULL || strstr(err.text, "age") == NULL) fail_msg("%s: %s", cases[i].what, err.text);
    }
}

/* ---- categories ---- */

/* dictionary: a b c d;  training: a a a b b c, and one missing;  d is never seen. Applied to a b c d missing unseen. */
typedef struct category_case {
    const char *what;
    fw_feature_spec spec;
    size_t width, n;                       /* n: leading codes of the list that are applied */
    float x[36];
    fw_status status;                      /* of applying to all six */
    const char *names;
} category_case;

static const int32_t TRAIN_CODES[] = {0, 0, 0, 1, 1, 2, FW_CODE_MISSING}, APPLY_CODES[] = {0, 1, 2, FW_CODE_MISSING, 3, FW_CODE_UNSEEN};

static fw_schema *job_schema(void)
{
    fw_schema *s = schema_of("job", FW_CATEGORY);
    words(s, 0, (const char *const[]){"a", "b", "c", "d", NULL});
    return s;
}

#define JOB(...) {.column = "job", .type = FW_FEATURE_CATEGORY, __VA_ARGS__}

static void assert_names(const fw_pipeline *p, const char *expected)
{
    FW_AUTO(fw_text) text = {0};
    for (size_t i = 0; i < fw_pipeline_width(p); i++) {
        if (i > 0) fw_text_add(&text, " ");
        assert_int_equal(fw_pipeline_feature_name(&text, p, i), FW_OK);
    }
    assert_int_equal(fw_pipeline_feature_name(&text, p, fw_pipeline_width(p)), FW_ERR_ARG);
    assert_string_equal(text.data, expected);
}

static void fits_categories(void **state)
{
    (void)state;
    static const category_case cases[] = {
        {"other", JOB(.unseen = FW_UNSEEN_OTHER), 5, 6,
         {1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, FW_OK, "job=a job=b job=c job=(other) job=(missing)"},
        {"rare ones are other", JOB(.unseen = FW_UNSEEN_OTHER, .min_count = 2), 4, 6,
         {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0}, FW_OK, "job=a job=b job=(other) job=(missing)"},
        {"unseen as missing", JOB(.unseen = FW_UNSEEN_MISSING), 4, 6,
         {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, FW_OK, "job=a job=b job=c job=(missing)"},
        {"unseen is error", JOB(.unseen = FW_UNSEEN_ERROR), 4, 4, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, FW_ERR_DATA, "job=a job=b job=c job=(missing)"},
        {"unseen is error, rare ones are other", JOB(.unseen = FW_UNSEEN_ERROR, .min_count = 3), 3, 4, {1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1}, FW_ERR_DATA,
         "job=a job=(other) job=(missing)"},
        {"ordinal", JOB(.encoding = FW_ENCODE_ORDINAL, .unseen = FW_UNSEEN_OTHER), 1, 6, {0, 1, 2, 4, 3, 3}, FW_OK, "job"},
        {"ordinal, unseen as missing, indicator", JOB(.encoding = FW_ENCODE_ORDINAL, .unseen = FW_UNSEEN_MISSING, .indicator = true), 2, 6,
         {0, 0, 1, 0, 2, 0, 3, 1, 3, 1, 3, 1}, FW_OK, "job job=(missing)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const category_case *c = &cases[i];
        FW_AUTO(fw_schema) *s = job_schema();
        FW_AUTO(fw_block) *train = codes(s, TRAIN_CODES, 7), *good = codes(s, APPLY_CODES, c->n), *all = codes(s, APPLY_CODES, 6);
        FW_AUTO(fw_pipeline) *p = NULL;
        fw_error err = {0};
        float x[36];
        fw_apply_counts counts = {0};
        if (fit(&p, &c->spec, train, &err) != FW_OK) fail_msg("%s: %s", c->what, err.text);
        assert_features(p, good, c->x, c->width, c->what);
        assert_names(p, c->names);
        assert_int_equal(fw_pipeline_apply(p, all, 0, 6, x, c->width, &counts, &err), c->status);
        if (c->status == FW_OK) {
            assert_int_equal(counts.missing, 1);
            assert_int_equal(counts.unseen, 2);
        } else if (strstr(err.text, "column job, row 104: category \"d\" never seen in training") == NULL) fail_msg("%s", err.text);
    }
}

static void category_refuses(void **state)
{
    (void)state;
    static const fw_feature_spec median = JOB(MISSING(FW_MISSING_MEDIAN)), error = JOB(MISSING(FW_MISSING_ERROR), .unseen = FW_UNSEEN_MISSING);
    const int32_t known[] = {0, 1}, wild = 4, wilder = -3, absent = FW_CODE_MISSING, unseen = FW_CODE_UNSEEN;
    FW_AUTO(fw_schema) *s = job_schema();
    FW_AUTO(fw_block) *train = codes(s, TRAIN_CODES, 7), *two = codes(s, known, 2);
    FW_AUTO(fw_pipeline) *no = NULL, *p = NULL, *half = NULL;
    float x[8];
    fw_error err;
    assert_int_equal(fit(&no, &median, train, NULL), FW_ERR_CONFIG);
    assert_int_equal(fit(&half, &error, train, &err), FW_ERR_DATA);
    assert_non_null(strstr(err.text, "1 training rows"));
    assert_int_equal(fit(&p, &error, two, NULL), FW_OK);
    const int32_t bad[] = {wild, wilder, absent, unseen};
    for (size_t i = 0; i < 4; i++) {
        FW_AUTO(fw_block) *b = codes(s, &bad[i], 1);
        assert_int_equal(fw_pipeline_apply(p, b, 0, 1, x, 8, NULL, &err), FW_ERR_DATA);
        assert_non_null(strstr(err.text, "column job, row 100"));
    }
}

/* ---- images ---- */

static fw_block *pictures(const fw_schema *s, size_t n)
{
    fw_block *b = block_of(s, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 6; k++) b->cells[0].pixels[i * 6 + k] = (uint8_t)(k == 0 ? 9 : (i * 40 + k * 17) % 256);
    return b;
}

static void fits_images(void **state)
{
    (void)state;
    static const fw_feature_spec standard = {.column = "*", .type = FW_FEATURE_AUTO, SCALE(FW_SCALE_STANDARD)};
    static const fw_feature_spec minmax = {.column = "pic", .type = FW_FEATURE_IMAGE, SCALE(FW_SCALE_MINMAX)};
    FW_AUTO(fw_schema) *s = schema_of("pic", FW_IMAGE);
    FW_AUTO(fw_block) *b = pictures(s, 4);
    FW_AUTO(fw_pipeline) *plain = NULL, *scaled = NULL, *no = NULL;
    float x[24], expected[24];
    assert_int_equal(fit(&plain, NULL, b, NULL), FW_OK);
    for (size_t i = 0; i < 24; i++) expected[i] = (float)(b->cells[0].pixels[i] / 255.0);
    assert_features(plain, b, expected, 6, "bytes / 255");
    assert_true(fw_pipeline_is_bytes(plain));
    assert_names(plain, "pic[0,0] pic[0,1] pic[0,2] pic[1,0] pic[1,1] pic[1,2]");

    assert_int_equal(fit(&scaled, &standard, b, NULL), FW_OK);
    assert_false(fw_pipeline_is_bytes(scaled));
    assert_int_equal(fw_pipeline_apply(scaled, b, 0, 4, x, 6, NULL, NULL), FW_OK);
    for (size_t k = 0; k < 6; k++) {                              /* mean 0 and deviation 1, up to the rounding of four floats below 2 */
        double sum = 0, squares = 0;
        for (size_t i = 0; i < 4; i++) sum += (double)x[i * 6 + k], squares += (double)x[i * 6 + k] * (double)x[i * 6 + k];
        assert_true(fabs(sum) < 4 * 0x1p-24);
        assert_true(fabs(squares - (k == 0 ? 0.0 : 4.0)) < 16 * 0x1p-24);
    }
    assert_int_equal(fit(&no, &minmax, b, NULL), FW_ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_numbers),
        cmocka_unit_test(log1p_is_libm_s_to_a_float),
        cmocka_unit_test(number_refuses_rows),
        cmocka_unit_test(fits_categories),
        cmocka_unit_test(category_refuses),
        cmocka_unit_test(fits_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
