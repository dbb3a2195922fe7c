#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/core/random.h"
#include "pipeline_rows.h"
#include "thread_ranks.h"

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
