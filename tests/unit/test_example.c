/** The example project and what init makes of a table. The generator is checked against counts of its own rows and the known shares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/project/project.h"
#include "coordinator/commands/example_callcenter.h"
#include "coordinator/commands/survey.h"
#include "tests/unit/scratch.h"

#define COLUMNS 20

static char *calls(uint64_t rows, uint64_t seed, coord_callcenter_facts *facts)
{
    char *text = NULL;
    size_t n;
    fw_error err;
    FILE *out = open_memstream(&text, &n);
    if (coord_callcenter_calls(out, rows, seed, facts, &err) < 0) fail_msg("%s", err.text);
    fclose(out);
    return text;
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    coord_callcenter_facts a, b, c;
    char *x = calls(2000, 1, &a), *y = calls(2000, 1, &b), *z = calls(2000, 2, &c);
    assert_string_equal(x, y);
    assert_memory_equal(&a, &b, sizeof a);
    assert_string_not_equal(x, z);
    free(x);
    free(y);
    free(z);
}

/** Fields of one line; "Name, First" is the only quoted one. */
static size_t cut(char *line, char *field[COLUMNS + 1])
{
    size_t n = 0;
    for (char *at = line; n <= COLUMNS;) {
        field[n++] = at;
        if (*at == '"') at = strchr(at + 1, '"') + 1;
        at += strcspn(at, ",");
        if (*at == '\0') break;
        *at++ = '\0';
    }
    return n;
}

/** Shares within four standard deviations of what the model says, over 30,000 rows. */
static void rows_follow_the_model(void **state)
{
    (void)state;
    coord_callcenter_facts facts;
    char *text = calls(30000, 7, &facts);
    size_t rows = 0, excluded = 0, kindle = 0, no_days = 0, no_category = 0, rare = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *field[COLUMNS + 1];
        assert_int_equal(cut(line, field), COLUMNS);
        if (rows++ == 0) continue;
        excluded += strcmp(field[19], "wrong_number") == 0;
        kindle += strncmp(field[19], "kindle_", 7) == 0;
        no_days += field[17][0] == '\0';
        no_category += field[18][0] == '\0';
        rare += strcmp(field[18], "collectibles") == 0;
    }
    rows--;
    assert_int_equal(rows, 30000);
    assert_int_equal(facts.kept, rows - excluded);
    assert_in_range(facts.wrong_labels, 1050 - 128, 1050 + 128);      /* 3.5 % */
    assert_in_range(excluded, 812 - 114, 812 + 114);                  /* 2.5 % x 0.965 + 0.035 x 0.975 / 12 = 2.70 % */
    assert_in_range(kindle, 5692 - 272, 5692 + 272);                  /* 19 % x (1 - 0.035 x 10/12) + 81 % x 0.035 x 3/12 = 19.16 % */
    assert_in_range(no_days, 2400 - 188, 2400 + 188);
    assert_in_range(no_category, 1500 - 151, 1500 + 151);
    assert_in_range(rare, 10, 80);                                    /* 0.1 to 0.3 % */
    assert_true(facts.bayes_accuracy > 0.90 && facts.bayes_accuracy < 0.93);
    assert_true(facts.bayes_macro_f1 > 0.88 && facts.bayes_macro_f1 < facts.bayes_accuracy + 0.02);
    free(text);
}

static void project_file_of_the_example_loads(void **state)
{
    (void)state;
    scratch s;
    assert_true(scratch_make(&s));
    char dir[400], path[512];
    snprintf(dir, sizeof dir, "%s/a/b", s.dir);
    snprintf(path, sizeof path, "%s/callcenter.yaml", dir);
    coord_callcenter_facts facts;
    fw_error err = {0};
    if (coord_callcenter_write(dir, 500, 1, false, &facts, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(coord_callcenter_write(dir, 500, 1, false, &facts, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "already there"));
    assert_int_equal(coord_callcenter_write(dir, 500, 1, true, &facts, &err), FW_OK);
    fw_project *p = NULL;
    if (fw_project_load(&p, path, NULL, 0, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(fw_project_available(p, &err), FW_OK);
    assert_int_equal(p->data.labels.n_merge, 1);
    assert_int_equal(p->data.private_columns.n, 2);
    assert_int_equal(p->problem.n_success, 2);
    assert_string_equal(p->monitor.bus, "tcp://127.0.0.1:5555");
    assert_null(fw_project_unused_sections(p));
    fw_project_destroy(&p);
    char *text = NULL;
    size_t len;
    char said[64];
    snprintf(said, sizeof said, "has accuracy %.4f", facts.bayes_accuracy);
    assert_int_equal(fw_read_file(&text, &len, path, 1 << 20, &err), FW_OK);
    assert_non_null(strstr(text, said));
    free(text);
    scratch_remove(&s);
}

/* ---- init from a table ---- */

static char *survey_as(scratch *s, const char *table, const char *name, coord_table_form form, const char *target)
{
    const char *path = scratch_path(s, name);
    fw_error err = {0};
    assert_int_equal(fw_write_file(path, table, strlen(table), &err), FW_OK);
    coord_survey *v = NULL;
    if (coord_survey_create(&v, path, &form, target, &err) < 0) fail_msg("%s", err.text);
    FW_AUTO(fw_text) text = {0};
    coord_survey_project(&text, v, "p", path);
    coord_survey_destroy(&v);
    assert_null(v);
    fw_project *p = NULL;
    if (fw_project_parse(&p, text.data, "made", ".", &err) < 0) fail_msg("%s\n%s", text.data, err.text);
    fw_project_destroy(&p);
    return fw_text_take(&text);
}

static char *survey(scratch *s, const char *table, const char *name, const char *target)
{
    return survey_as(s, table, name, (coord_table_form){0}, target);
}

static void says(const char *text, const char *what)
{
    if (strstr(text, what) == NULL) fail_msg("should say: %s\n%s", what, text);
}

static void init_writes_what_it_sees(void **state)
{
    (void)state;
    scratch s;
    assert_true(scratch_make(&s));
    FW_AUTO(fw_text) table = {0};
    fw_text_add(&table, "nr;age;city: x;same;note;when;y\n");
    for (int i = 0; i < 60; i++) {
        fw_text_format(&table, "%d;", i + 1);
        if (i % 4 == 0) fw_text_add(&table, "?;");
        else fw_text_format(&table, "%d.5;", 20 + i % 7);
        fw_text_format(&table, "%s;1;\"note %d, \"\"quoted\"\"\";2026-01-%02d;%s\n", i % 2 == 0 ? "Oslo" : "Rome", i, i % 28 + 1, i % 3 == 0 ? "yes" : "no");
    }
    char *text = survey(&s, table.data, "t.csv", "y");
    says(text, "task: classification                  # the target is no number\n");
    says(text, "  # positive: \"yes\"  ");
    says(text, "by: time, column: when");
    says(text, "target: \"y\"");
    says(text, "2 values: 'yes', 'no'");
    says(text, "always saying the largest class reaches 0.667");
    says(text, "delimiter: \";\"");
    says(text, "# 60 rows, 7 columns");
    says(text, "  nr: ignore");
    says(text, "counts the rows: an id");
    says(text, "  age: number");
    says(text, "25.0 % missing");
    says(text, "  \"city: x\": category");
    says(text, "  same: ignore");
    says(text, "the same value in every row");
    says(text, "  note: ignore");
    says(text, "  when: ignore");
    says(text, "split: {train: 0.8, validation: 0.1, test: 0.1, by: random, stratify: true, seed: 1}");
    free(text);
    text = survey(&s, table.data, "u.csv", "age");
    says(text, "task: regression  ");
    says(text, "metric: rmse");
    says(text, "bad_rows: skip");
    says(text, "some rows have no target");
    free(text);
    coord_survey *v = NULL;
    fw_error err;
    assert_int_equal(coord_survey_create(&v, scratch_path(&s, "t.csv"), &(coord_table_form){0}, "agee", &err), FW_ERR_CONFIG);
    says(err.text, "did you mean 'age'?");
    assert_int_equal(coord_survey_create(&v, scratch_path(&s, "none.csv"), &(coord_table_form){0}, "y", &err), FW_ERR_CONFIG);
    assert_null(v);
    scratch_remove(&s);
}

static void init_names_the_columns_of_a_table_without_header(void **state)
{
    (void)state;
    scratch s;
    assert_true(scratch_make(&s));
    FW_AUTO(fw_text) table = {0};
    for (int i = 0; i < 40; i++) fw_text_format(&table, "%d\t0.5\t0.5\t%d.25\n", i % 2, i % 7);
    char *text = survey_as(&s, table.data, "t.train", (coord_table_form){.no_header = true}, "c1");
    says(text, "delimiter: tab, header: false,");
    says(text, "columns: [c1, c2, c3, c4]}");
    says(text, "2 whole numbers are taken for classes");
    says(text, "  # positive: \"1\"");
    says(text, "# 40 rows, 4 columns");
    free(text);
    char delimiter = 0;
    fw_error err;
    assert_int_equal(coord_table_delimiter(&delimiter, "tab", &err), FW_OK);
    assert_int_equal(delimiter, '\t');
    assert_int_equal(coord_table_delimiter(&delimiter, ";;", &err), FW_ERR_CONFIG);
    assert_int_equal(coord_table_delimiter(&delimiter, "", &err), FW_ERR_CONFIG);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(rows_follow_the_model),
        cmocka_unit_test(project_file_of_the_example_loads),
        cmocka_unit_test(init_writes_what_it_sees),
        cmocka_unit_test(init_names_the_columns_of_a_table_without_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
