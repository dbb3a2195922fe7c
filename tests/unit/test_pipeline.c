#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "common/features/pipeline.h"
#include "thread_ranks.h"

#define GAP NAN      /* a missing number in the tables below */
enum { MAX_ROWS = 1200, MAX_WIDTH = 64 };

/* ---- small data ---- */

static void column(fw_schema *s, size_t i, const char *name, fw_column_type type)
{
    assert_int_equal(fw_copy_text(&s->columns[i].name, name, NULL), FW_OK);
    s->columns[i].type = type;
    if (type == FW_CATEGORY) assert_int_equal(fw_dict_create(&s->columns[i].dict, NULL), FW_OK);
    if (type == FW_IMAGE) s->columns[i].height = 2, s->columns[i].width = 3, s->columns[i].channels = 1;
}

static void words(fw_schema *s, size_t i, const char *const *text)
{
    int32_t code;
    for (; *text != NULL; text++) assert_int_equal(fw_dict_add(&code, s->columns[i].dict, *text, strlen(*text), NULL), FW_OK);
}

static fw_schema *schema_of(const char *name, fw_column_type type)
{
    fw_schema *s = NULL;
    assert_int_equal(fw_schema_create(&s, 1, NULL), FW_OK);
    column(s, 0, name, type);
    return s;
}

static fw_block *block_of(const fw_schema *s, size_t n)
{
    fw_block *b = NULL;
    assert_int_equal(fw_block_create(&b, s, n + 1, NULL), FW_OK);
    b->n_rows = n;
    for (size_t i = 0; i < n; i++) b->row[i] = 100 + i;
    return b;
}

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

static fw_status read_block(void *context, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err)
{
    (void)wanted;
    fw_block_clear(block);
    return fw_block_append(block, context, (size_t)first, n, err);
}

static fw_status plan(fw_pipeline **p, const fw_feature_spec *spec, size_t n, const fw_schema *s, char **notes, fw_error *err)
{
    fw_project project = {.features = {.v = (fw_feature_spec *)spec, .n = n}, .features_all = n == 0};
    return fw_pipeline_plan(p, &project, s, notes, err);
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
#define MISSING(policy) .has_missing = true, .missing = policy
#define SCALE(kind) .has_scale = true, .scale = kind
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
    assert_names(plain, "pic[0,0] pic[0,1] pic[0,2] pic[1,0] pic[1,1] pic[1,2]");

    assert_int_equal(fit(&scaled, &standard, b, NULL), FW_OK);
    assert_int_equal(fw_pipeline_apply(scaled, b, 0, 4, x, 6, NULL, NULL), FW_OK);
    for (size_t k = 0; k < 6; k++) {                              /* mean 0 and deviation 1, up to the rounding of four floats below 2 */
        double sum = 0, squares = 0;
        for (size_t i = 0; i < 4; i++) sum += (double)x[i * 6 + k], squares += (double)x[i * 6 + k] * (double)x[i * 6 + k];
        assert_true(fabs(sum) < 4 * 0x1p-24);
        assert_true(fabs(squares - (k == 0 ? 0.0 : 4.0)) < 16 * 0x1p-24);
    }
    assert_int_equal(fit(&no, &minmax, b, NULL), FW_ERR_CONFIG);
}

/* ---- the plan ---- */

static fw_schema *mixed_schema(void)
{
    fw_schema *s = NULL;
    assert_int_equal(fw_schema_create(&s, 7, NULL), FW_OK);
    column(s, 0, "age", FW_NUMBER);
    column(s, 1, "job", FW_CATEGORY);
    column(s, 2, "comment", FW_TEXT);
    column(s, 3, "call_time", FW_TIME);
    column(s, 4, "hours", FW_NUMBER);
    column(s, 5, "pic", FW_IMAGE);
    column(s, 6, "skill", FW_CATEGORY);
    words(s, 1, (const char *const[]){"a", "b", "c", "d", "e", NULL});
    words(s, 6, (const char *const[]){"no", "yes", NULL});
    s->target = 6;
    return s;
}

static void plans(void **state)
{
    (void)state;
    static const struct { const char *what; fw_feature_spec v[3]; size_t n; fw_status status; const char *columns, *says; } cases[] = {
        {"none: every column", {{0}}, 0, FW_OK, "age job hours pic ", "column comment: left out"},
        {"the named ones", {{.column = "hours", .type = FW_FEATURE_NUMBER}, {.column = "age"}}, 2, FW_OK, "age hours ", ""},
        {"all but", {{.column = "*"}, {.column = "age", .type = FW_FEATURE_IGNORE}}, 2, FW_OK, "job hours pic ", "column call_time: left out"},
        {"for all: noted where it does not fit", {{.column = "*", MISSING(FW_MISSING_MEDIAN), SCALE(FW_SCALE_ROBUST)}}, 1, FW_OK, "age job hours pic ", "column job: missing: median"},
        {"for all, then the types of ingest", {{.column = "*", MISSING(FW_MISSING_MEAN)}, {.column = "job", .type = FW_FEATURE_CATEGORY, MISSING(FW_MISSING_MEAN)}}, 2, FW_OK,
         "age job hours pic ", "column job: missing: mean"},
        {"no such column", {{.column = "agee"}}, 1, FW_ERR_CONFIG, "", "did you mean age"},
        {"the target", {{.column = "skill"}}, 1, FW_ERR_CONFIG, "", "the target"},
        {"private", {{.column = "phone"}}, 1, FW_ERR_CONFIG, "", "private"},
        {"another type", {{.column = "age", .type = FW_FEATURE_CATEGORY}}, 1, FW_ERR_CONFIG, "", "features.age.type: category"},
        {"nothing left", {{.column = "comment", .type = FW_FEATURE_TEXT}}, 1, FW_ERR_CONFIG, "", "nothing is left"},
    };
    char *hidden = "phone";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_project project = {.features = {.v = (fw_feature_spec *)cases[i].v, .n = cases[i].n}, .data.private_columns = {.v = &hidden, .n = 1}};
        FW_AUTO(fw_schema) *s = mixed_schema();
        FW_AUTO(fw_pipeline) *p = NULL;
        FW_FREE char *notes = NULL;
        fw_error err = {0};
        FW_AUTO(fw_text) text = {0};
        fw_text_add(&text, "");
        fw_status got = fw_pipeline_plan(&p, &project, s, &notes, &err);
        if (got != cases[i].status) fail_msg("%s: %s %s", cases[i].what, fw_status_name(got), err.text);
        for (size_t k = 0; got == FW_OK && k < fw_pipeline_n_inputs(p); k++) fw_text_format(&text, "%s ", fw_pipeline_input_name(p, k));
        assert_string_equal(text.data, cases[i].columns);
        const char *said = got == FW_OK ? notes != NULL ? notes : "" : err.text;
        if (strstr(said, cases[i].says) == NULL) fail_msg("%s: says: %s", cases[i].what, said);
        for (size_t c = 0; got == FW_OK && c < s->n_columns; c++)
            assert_int_equal(fw_pipeline_wanted(p)[c], strstr(text.data, s->columns[c].name) != NULL);
    }
}

static void leaves_the_id_out(void **state)
{
    (void)state;
    fw_project project = {.features_all = true, .data.id = "age"};
    FW_AUTO(fw_schema) *s = mixed_schema();
    FW_AUTO(fw_pipeline) *p = NULL;
    FW_FREE char *notes = NULL;
    assert_int_equal(fw_pipeline_plan(&p, &project, s, &notes, NULL), FW_OK);
    assert_string_equal(fw_pipeline_input_name(p, 0), "job");
    assert_non_null(strstr(notes, "column age: left out, it is the id"));
}

/* ---- any number of ranks, any block, to JSON and back ---- */

static fw_block *mixed_rows(const fw_schema *s, size_t n, uint32_t set)
{
    fw_block *b = block_of(s, n);
    for (uint32_t i = 0; i < n; i++) {
        fw_philox r = fw_random(11, FW_RANDOM_TEST, set, i, 0);
        b->cells[0].missing[i] = r.word[2] % 10 == 0;
        b->cells[0].number[i] = b->cells[0].missing[i] ? 0 : 40 + 13 * fw_random_normal(r);
        b->cells[4].number[i] = ldexp(fw_random_unit(r), (int)(r.word[3] % 40));
        b->cells[1].code[i] = (int32_t)(r.word[3] % 5) - 1;
        b->cells[1].missing[i] = b->cells[1].code[i] < 0;
        for (uint32_t k = 0; k < 6; k++) b->cells[5].pixels[i * 6 + k] = (uint8_t)(r.word[k % 4] >> k);
    }
    return b;
}

static const fw_feature_spec MIXED[] = {
    {.column = "age", .type = FW_FEATURE_NUMBER, .has_clip = true, .clip = {0.01, 0.99}},
    {.column = "hours", .type = FW_FEATURE_NUMBER, .log1p = true, SCALE(FW_SCALE_ROBUST)},
    {.column = "job", .type = FW_FEATURE_CATEGORY, .unseen = FW_UNSEEN_OTHER, .min_count = 3},
    {.column = "pic", .type = FW_FEATURE_IMAGE, SCALE(FW_SCALE_STANDARD)},
};

typedef struct ranks_run {
    const fw_block *rows;
    int failing;                           /* this rank cannot read; -1: none */
    fw_status status[FW_MAX_THREAD_RANKS];
    fw_error error[FW_MAX_THREAD_RANKS];
    char *json[FW_MAX_THREAD_RANKS];
} ranks_run;

static fw_status read_nothing(void *context, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err)
{
    (void)context, (void)first, (void)n, (void)wanted, (void)block;
    return fw_fail(err, FW_ERR_IO, "the disk is gone");
}

static void fit_share(const fw_reduce *reduce, void *context)
{
    ranks_run *c = context;
    const int r = reduce->rank;
    fw_rows rows = {.context = (void *)c->rows, .n_rows = c->rows->n_rows, .block_rows = 7 + (size_t)reduce->size, .read = r == c->failing ? read_nothing : read_block};
    FW_AUTO(fw_pipeline) *p = NULL;
    json_t *j = NULL;
    fw_error *err = &c->error[r];
    c->status[r] = plan(&p, MIXED, 4, c->rows->schema, NULL, err);
    if (c->status[r] == FW_OK) c->status[r] = fw_pipeline_fit(p, c->rows->schema, &rows, reduce, err);
    if (c->status[r] == FW_OK) c->status[r] = fw_pipeline_to_json(&j, p, err);
    if (c->status[r] == FW_OK) c->json[r] = json_dumps(j, JSON_COMPACT);
    json_decref(j);
}

static void fits_the_same_on_any_number_of_ranks(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 5, 8};
    static const size_t n_rows[] = {777, 3};                  /* fewer rows than ranks too */
    FW_AUTO(fw_schema) *s = mixed_schema();
    for (size_t k = 0; k < 2; k++) {
        FW_AUTO(fw_block) *b = mixed_rows(s, n_rows[k], 1);
        ranks_run alone = {.rows = b, .failing = -1};
        fit_share(&fw_reduce_alone, &alone);
        assert_int_equal(alone.status[0], FW_OK);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            ranks_run c = {.rows = b, .failing = -1};
            thread_ranks_run(sizes[i], fit_share, &c);
            for (int r = 0; r < sizes[i]; r++) {
                if (c.status[r] != FW_OK) fail_msg("%s", c.error[r].text);
                assert_string_equal(c.json[r], alone.json[0]);
                free(c.json[r]);
            }
        }
        free(alone.json[0]);
    }
}

static void nobody_leaves_alone(void **state)
{
    (void)state;
    FW_AUTO(fw_schema) *s = mixed_schema();
    FW_AUTO(fw_block) *b = mixed_rows(s, 100, 1);
    ranks_run c = {.rows = b, .failing = 1};
    thread_ranks_run(3, fit_share, &c);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(c.status[r], FW_ERR_IO);
        assert_non_null(strstr(c.error[r].text, "the disk is gone"));
    }
}

static fw_pipeline *fitted(const fw_block *rows)
{
    fw_pipeline *p = NULL;
    fw_rows from = {.context = (void *)rows, .n_rows = rows->n_rows, .block_rows = 50, .read = read_block};
    assert_int_equal(plan(&p, MIXED, 4, rows->schema, NULL, NULL), FW_OK);
    assert_int_equal(fw_pipeline_fit(p, rows->schema, &from, &fw_reduce_alone, NULL), FW_OK);
    assert_int_equal(fw_pipeline_fit(p, rows->schema, &from, &fw_reduce_alone, NULL), FW_ERR_ARG);       /* once */
    return p;
}

static void a_row_is_the_same_in_any_block(void **state)
{
    (void)state;
    enum { LD = 24, N = 1000 };
    static float whole[N * LD], single[LD];
    FW_AUTO(fw_schema) *s = mixed_schema();
    FW_AUTO(fw_block) *train = mixed_rows(s, 777, 1), *b = mixed_rows(s, N, 2);
    FW_AUTO(fw_pipeline) *p = fitted(train);
    const size_t width = fw_pipeline_width(p);
    fw_apply_counts counts[4] = {{0, 0}}, one_by_one[4] = {{0, 0}};
    assert_true(width < LD);
    for (size_t i = 0; i < N * LD; i++) whole[i] = 7.0f;
    assert_int_equal(fw_pipeline_apply(p, b, 0, N, whole, LD, counts, NULL), FW_OK);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(fw_pipeline_apply(p, b, i, 1, single, width, one_by_one, NULL), FW_OK);
        assert_memory_equal(whole + i * LD, single, width * sizeof(float));
        for (size_t k = width; k < LD; k++) assert_true(whole[i * LD + k] == 7.0f);
    }
    assert_memory_equal(counts, one_by_one, sizeof counts);
    assert_true(counts[0].missing > 50 && counts[1].missing > 100);
    assert_int_equal(fw_pipeline_apply(p, b, N, 1, single, LD, NULL, NULL), FW_ERR_ARG);
    assert_int_equal(fw_pipeline_apply(p, b, 0, 1, single, width - 1, NULL, NULL), FW_ERR_ARG);
}

static void survives_json(void **state)
{
    (void)state;
    enum { N = 200 };
    static float x[N * MAX_WIDTH], y[N * MAX_WIDTH];
    FW_AUTO(fw_schema) *s = mixed_schema();
    FW_AUTO(fw_block) *train = mixed_rows(s, 777, 1), *b = mixed_rows(s, N, 2);
    FW_AUTO(fw_pipeline) *p = fitted(train), *again = NULL;
    json_t *j = NULL;
    assert_int_equal(fw_pipeline_to_json(&j, p, NULL), FW_OK);
    FW_FREE char *text = json_dumps(j, 0);
    json_decref(j);
    j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    fw_error err;
    if (fw_pipeline_from_json(&again, j, s, &err) != FW_OK) fail_msg("%s", err.text);
    json_decref(j);
    const size_t width = fw_pipeline_width(p);
    assert_int_equal(fw_pipeline_width(again), width);
    assert_memory_equal(fw_pipeline_wanted(again), fw_pipeline_wanted(p), s->n_columns);
    for (size_t i = 0; i < width; i++) {
        FW_AUTO(fw_text) a = {0}, c = {0};
        assert_int_equal(fw_pipeline_feature_name(&a, p, i), FW_OK);
        assert_int_equal(fw_pipeline_feature_name(&c, again, i), FW_OK);
        assert_string_equal(a.data, c.data);
    }
    assert_int_equal(fw_pipeline_apply(p, b, 0, N, x, width, NULL, NULL), FW_OK);
    assert_int_equal(fw_pipeline_apply(again, b, 0, N, y, width, NULL, NULL), FW_OK);
    assert_memory_equal(x, y, N * width * sizeof(float));
}

static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (at == NULL) fail_msg("no %s in %s", from, text);
    char *out = NULL;
    assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    return out;
}

static void refuses_damaged_json(void **state)
{
    (void)state;
    static const struct { const char *from, *to; fw_status status; } cases[] = {
        {"\"version\":1", "\"version\":2", FW_ERR_VERSION},
        {"\"version\":1", "\"version\":\"1\"", FW_ERR_FORMAT},
        {"\"version\":1", "\"version\":1,\"more\":1", FW_ERR_FORMAT},
        {"\"width\":", "\"width\":1", FW_ERR_FORMAT},
        {"\"width\":", "\"width\":-", FW_ERR_FORMAT},
        {"\"inputs\":[", "\"inputs\":[7,", FW_ERR_FORMAT},
        {"\"column\":\"age\"", "\"column\":\"agee\"", FW_ERR_FORMAT},
        {"\"column\":\"age\"", "\"column\":\"skill\"", FW_ERR_FORMAT},
        {"\"column\":\"age\"", "\"column\":\"hours\"", FW_ERR_FORMAT},
        {"\"column\":\"job\"", "\"column\":\"age\"", FW_ERR_FORMAT},
        {"\"transform\":\"number\"", "\"transform\":\"image\"", FW_ERR_FORMAT},
        {"\"transform\":\"number\"", "\"transform\":\"magic\"", FW_ERR_FORMAT},
        {"\"fill\":", "\"fill\":\"x\",\"f\":", FW_ERR_FORMAT},
        {"\"divisor\":", "\"divisor\":-", FW_ERR_FORMAT},
        {"\"clip\":[", "\"clip\":[9e99,", FW_ERR_FORMAT},
        {"\"clip\":null", "\"clip\":[2,1]", FW_ERR_FORMAT},
        {"\"clip\":null", "\"clip\":true", FW_ERR_FORMAT},
        {"\"missing\":\"median\"", "\"missing\":\"own\"", FW_ERR_FORMAT},
        {"\"scale\":\"robust\"", "\"scale\":\"roboust\"", FW_ERR_FORMAT},
        {"\"kept\":[0", "\"kept\":[-1", FW_ERR_FORMAT},
        {"\"kept\":[0", "\"kept\":[5", FW_ERR_FORMAT},
        {"\"kept\":[0", "\"kept\":[1", FW_ERR_FORMAT},
        {"\"kept\":[0", "\"kept\":[0.0", FW_ERR_FORMAT},
        {"\"kept\":[", "\"kept\":7,\"k\":[", FW_ERR_FORMAT},
        {"\"rare\":[", "\"rare\":[0", FW_ERR_FORMAT},
        {"\"dictionary\":5", "\"dictionary\":6", FW_ERR_FORMAT},
        {"\"encoding\":\"one_hot\"", "\"encoding\":\"two_hot\"", FW_ERR_FORMAT},
        {"\"mean\":[", "\"mean\":[1.0,", FW_ERR_FORMAT},
        {"\"mean\":[", "\"mean\":[null,", FW_ERR_FORMAT},
        {"\"mean\":[", "\"mean\":[],\"m\":[", FW_ERR_FORMAT},
    };
    FW_AUTO(fw_schema) *s = mixed_schema();
    FW_AUTO(fw_block) *train = mixed_rows(s, 777, 1);
    FW_AUTO(fw_pipeline) *p = fitted(train);
    json_t *j = NULL;
    assert_int_equal(fw_pipeline_to_json(&j, p, NULL), FW_OK);
    FW_FREE char *good = json_dumps(j, JSON_COMPACT);
    FW_AUTO(fw_pipeline) *twice = NULL;
    json_array_insert(json_object_get(j, "inputs"), 0, json_array_get(json_object_get(j, "inputs"), 0));
    json_object_set_new(j, "width", json_integer(json_integer_value(json_object_get(j, "width")) + 2));
    assert_int_equal(fw_pipeline_from_json(&twice, j, s, NULL), FW_ERR_FORMAT);
    json_decref(j);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FW_FREE char *bad = replaced(good, cases[i].from, cases[i].to);
        FW_AUTO(fw_pipeline) *read = NULL;
        json_t *damaged = json_loads(bad, 0, NULL);
        if (damaged == NULL) fail_msg("case %zu is no JSON: %s", i, bad);
        fw_error err = {0};
        fw_status got = fw_pipeline_from_json(&read, damaged, s, &err);
        json_decref(damaged);
        if (got != cases[i].status) fail_msg("%s -> %s: %s (%s)", cases[i].from, cases[i].to, fw_status_name(got), err.text);
        assert_null(read);
    }
}

static void refuses_other_columns(void **state)
{
    (void)state;
    float x[MAX_WIDTH];
    FW_AUTO(fw_schema) *s = mixed_schema(), *other = mixed_schema(), *fewer = schema_of("age", FW_NUMBER);
    words(other, 1, (const char *const[]){"f", NULL});
    FW_AUTO(fw_block) *train = mixed_rows(s, 50, 1), *foreign = mixed_rows(other, 1, 1), *few = block_of(fewer, 1);
    FW_AUTO(fw_pipeline) *p = fitted(train), *raw = NULL;
    assert_int_equal(fw_pipeline_apply(p, foreign, 0, 1, x, MAX_WIDTH, NULL, NULL), FW_ERR_DATA);
    assert_int_equal(fw_pipeline_apply(p, few, 0, 1, x, MAX_WIDTH, NULL, NULL), FW_ERR_DATA);
    assert_int_equal(plan(&raw, MIXED, 4, s, NULL, NULL), FW_OK);
    assert_int_equal(fw_pipeline_width(raw), 0);
    assert_int_equal(fw_pipeline_apply(raw, train, 0, 1, x, MAX_WIDTH, NULL, NULL), FW_ERR_ARG);       /* not fitted */
    json_t *j = NULL;
    assert_int_equal(fw_pipeline_to_json(&j, raw, NULL), FW_ERR_ARG);
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
        cmocka_unit_test(plans),
        cmocka_unit_test(leaves_the_id_out),
        cmocka_unit_test(fits_the_same_on_any_number_of_ranks),
        cmocka_unit_test(nobody_leaves_alone),
        cmocka_unit_test(a_row_is_the_same_in_any_block),
        cmocka_unit_test(survives_json),
        cmocka_unit_test(refuses_damaged_json),
        cmocka_unit_test(refuses_other_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
