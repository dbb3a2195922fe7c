#include "common/data/input.h"
#include "common/data/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "scratch.h"
#include "thread_ranks.h"

static const char *const MISSING[] = {"", "?", "NA"};
static scratch dir;

static fw_table *open_text(const char *name, const char *text, fw_table_spec spec)
{
    fw_table *t = NULL;
    fw_error err = {0};
    assert_int_equal(fw_write_file(scratch_path(&dir, name), text, strlen(text), NULL), FW_OK);
    spec.name = (char *)(uintptr_t) "t";
    spec.path = (char *)(uintptr_t)name;
    if (fw_table_open(&t, &spec, dir.dir, &fw_reduce_alone, &err) != FW_OK) fail_msg("%s", err.text);
    return t;
}

static const fw_table_spec USUAL = {.header = true, .quote = '"', .trim = true};

/* A schema of all columns of the table, with the types of a text such as "nct": number, category, time, text is 's'. */
static fw_schema *schema_of(const fw_table *t, const char *types)
{
    fw_schema *s = NULL;
    assert_int_equal(fw_schema_create(&s, strlen(types), NULL), FW_OK);
    for (size_t i = 0; i < s->n_columns; i++) {
        assert_int_equal(fw_copy_text(&s->columns[i].name, i < fw_table_n_columns(t) ? fw_table_column_name(t, i) : "more", NULL), FW_OK);
        s->columns[i].type = types[i] == 'n' ? FW_NUMBER : types[i] == 'c' ? FW_CATEGORY : types[i] == 't' ? FW_TIME : FW_TEXT;
    }
    return s;
}

static const int IN_ORDER[] = {0, 1, 2, 3, 4, 5, 6, 7};

static const char *text_at(const fw_block *b, size_t column, size_t row)
{
    static char text[64];
    const fw_cells *c = &b->cells[column];
    size_t len = (size_t)(c->text_at[row + 1] - c->text_at[row]);
    assert_true(len < sizeof text);
    if (len > 0) memcpy(text, c->text_bytes + c->text_at[row], len);
    text[len] = '\0';
    return text;
}

static void fields_become_cells_of_their_types(void **state)
{
    (void)state;
    FW_AUTO(fw_table) *t = open_text("t.csv", "n, c ,when,s,unused\n 1.5 ,red,2026-03-01,\" kept \",x\n?,\"NA\", ,,x\n-2e3,blue,1970-01-01T00:00:01Z,\"a,\"\"b\"\"\nc\",x\n"
                                              "\"7\",red,2026-03-01,NAN,x\n", USUAL);
    FW_AUTO(fw_schema) *s = schema_of(t, "nctsn");
    FW_AUTO(fw_block) *b = NULL;
    static const int column_of[] = {0, 1, 2, 3, -1};
    const fw_table_reading how = {.schema = s, .column_of = column_of, .missing = MISSING, .n_missing = 3};
    uint64_t chunk, n;
    assert_string_equal(fw_table_column_name(t, 1), "c");
    assert_int_equal(fw_block_create(&b, s, 1, NULL), FW_OK);
    assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_OK);
    assert_true(chunk == 0 && n == 4 && b->n_rows == 4 && fw_table_n_chunks(t) == 1);
    assert_true(b->cells[0].number[0] == 1.5 && b->cells[0].number[2] == -2000.0 && b->cells[0].number[3] == 7.0);
    for (size_t c = 0; c < 4; c++)
        for (size_t i = 0; i < 4; i++) assert_int_equal(b->cells[c].missing[i], i == 1);
    assert_true(b->cells[0].number[1] == 0.0 && b->cells[2].time_us[1] == 0 && b->cells[1].code[1] == FW_CODE_MISSING);
    assert_int_equal(fw_dict_size(s->columns[1].dict), 2);
    assert_string_equal(fw_dict_text(s->columns[1].dict, b->cells[1].code[2], NULL), "blue");
    assert_int_equal(b->cells[1].code[0], b->cells[1].code[3]);
    assert_true(b->cells[2].time_us[0] == INT64_C(1772323200000000) && b->cells[2].time_us[2] == 1000000);
    assert_string_equal(text_at(b, 3, 0), " kept ");
    assert_string_equal(text_at(b, 3, 1), "");
    assert_string_equal(text_at(b, 3, 2), "a,\"b\"\nc");
    assert_string_equal(text_at(b, 3, 3), "NAN");
    for (size_t i = 0; i < 4; i++) assert_true(b->cells[4].missing[i] == 1 && b->row[i] == i);
    assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_END);
}

static void unseen_categories_are_marked_when_the_dictionary_is_fixed(void **state)
{
    (void)state;
    FW_AUTO(fw_table) *t = open_text("t.csv", "c\nred\n\ngreen\nred\n", USUAL);
    FW_AUTO(fw_schema) *s = schema_of(t, "c");
    FW_AUTO(fw_block) *b = NULL;
    const fw_table_reading how = {.schema = s, .column_of = IN_ORDER, .missing = MISSING, .n_missing = 3, .codes = FW_TABLE_FIXED};
    uint64_t chunk, n;
    int32_t code;
    assert_int_equal(fw_block_create(&b, s, 1, NULL), FW_OK);
    assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_ERR_ARG);      /* no dictionary */
    assert_int_equal(fw_dict_create(&s->columns[0].dict, NULL), FW_OK);
    assert_int_equal(fw_dict_add(&code, s->columns[0].dict, "red", 3, NULL), FW_OK);
    assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_OK);
    static const int32_t wanted[] = {0, FW_CODE_MISSING, FW_CODE_UNSEEN, 0};
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 4; i++) assert_true(b->cells[0].code[i] == wanted[i] && b->cells[0].missing[i] == (i == 1));
    assert_int_equal(fw_dict_size(s->columns[0].dict), 1);
}

/* Columns of every table: number, category, time. */
static void bad_rows_end_the_reading_or_are_listed(void **state)
{
    (void)state;
    static const struct { const char *record; const char *why; } cases[] = {
        {"1,2", "2 fields, expected 3"},
        {"1", "1 field, expected 3"},
        {"1,2,3,4", "4 fields, expected 3"},
        {"abc,x,", "\"abc\" is not a number (column age); declare the column as category, or list the text under data.missing"},
        {"1 2,x,", "\"1 2\" is not a number (column age)"},
        {"0x10,x,", "\"0x10\" is not a number (column age)"},
        {"inf,x,", "\"inf\" is not finite (column age)"},
        {"-Infinity,x,", "\"-Infinity\" is not finite (column age)"},
        {"nan,x,", "\"nan\" is not finite (column age)"},
        {"1e999,x,", "\"1e999\" is not a number, or above 1.8e308 (column age)"},
        {"1,x,2026-02-30", "\"2026-02-30\" is not a time (column when)"},
        {"1,x,2026-02-30 and a text that is very much longer than what is shown", "\"2026-02-30 and a text that is very much longer than what i...\" is"},
        {"1,a\"b\",", "a quote inside an unquoted field (column job)"},
        {"1,\"a\"b,", "text behind a closing quote (column job)"},
        {"1,\"a\"b\"c\",", "text behind a closing quote (column job)"},
        {"1,caf\xe9,", "not valid UTF-8 (column job)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_text file = {0};
        fw_text_format(&file, "age,job,when\n1,cook,\n2,\"two\nlines\",\n%s\n3,smith,\n", cases[i].record);
        FW_AUTO(fw_table) *t = open_text("t.csv", file.data, USUAL);
        FW_AUTO(fw_schema) *s = schema_of(t, "nct");
        FW_AUTO(fw_block) *b = NULL;
        fw_table_reading how = {.schema = s, .column_of = IN_ORDER, .missing = MISSING, .n_missing = 3};
        uint64_t chunk, n;
        size_t listed;
        fw_error err = {0};
        assert_int_equal(fw_block_create(&b, s, 1, NULL), FW_OK);
        assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, &err), FW_ERR_DATA);
        if (strncmp(err.text, "t.csv:5: ", 9) != 0 || strstr(err.text, cases[i].why) == NULL) fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(fw_table_rewind(t, NULL), FW_OK);
        how.skip_bad_rows = true;
        assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_OK);
        assert_true(n == 4 && b->n_rows == 3 && b->row[2] == 3 && fw_table_n_bad(t) == 1);
        const fw_bad_row *bad = fw_table_bad(t, &listed);
        assert_int_equal(listed, 1);
        assert_string_equal(bad[0].where, "t.csv:5");
        assert_non_null(strstr(bad[0].why, cases[i].why));
        assert_int_equal(fw_dict_size(s->columns[1].dict), 3);               /* nothing of a bad row got in */
        fw_text_destroy(&file);
    }
}

static void only_the_first_bad_rows_are_listed_and_all_are_counted(void **state)
{
    (void)state;
    fw_text file = {0};
    fw_text_add(&file, "a\n");
    for (int i = 0; i < 25; i++) fw_text_add(&file, "1\nx\n");
    FW_AUTO(fw_table) *t = open_text("t.csv", file.data, USUAL);
    FW_AUTO(fw_schema) *s = schema_of(t, "n");
    FW_AUTO(fw_block) *b = NULL;
    const fw_table_reading how = {.schema = s, .column_of = IN_ORDER, .skip_bad_rows = true};
    uint64_t chunk, n;
    size_t listed;
    assert_int_equal(fw_block_create(&b, s, 1, NULL), FW_OK);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_OK);
        assert_true(n == 50 && b->n_rows == 25 && fw_table_n_bad(t) == 25);
        const fw_bad_row *bad = fw_table_bad(t, &listed);
        assert_int_equal(listed, FW_BAD_ROWS_LISTED);
        assert_string_equal(bad[9].where, "t.csv:21");
        assert_int_equal(fw_table_rewind(t, NULL), FW_OK);
    }
    fw_text_destroy(&file);
}

static void types_are_inferred_from_what_is_present(void **state)
{
    (void)state;
    fw_text file = {0};
    fw_text_add(&file, "number,codes,when,word,free,nothing,mixed,bounds\n");
    for (int i = 0; i < 100; i++)
        fw_text_format(&file, "%s,%d,2026-03-%02d,%s,\"call number %d\",NA,%s,%s\n", i % 9 ? "?" : "1e3", i % 3, 1 + i % 28, i % 2 ? "yes" : "no", i,
                       i ? "2026-01-01" : "5", i % 7 ? "3" : "inf");
    fw_text_add(&file, "a bad row,x\n");
    FW_AUTO(fw_table) *t = open_text("t.csv", file.data, USUAL);
    assert_non_null(t);
    static const fw_column_type wanted[] = {FW_NUMBER, FW_NUMBER, FW_TIME, FW_CATEGORY, FW_TEXT, FW_NUMBER, FW_CATEGORY, FW_NUMBER};
    for (size_t bytes = 0; bytes < 600; bytes += 100) {
        FW_AUTO(fw_table) *cut = NULL;
        fw_table_spec spec = USUAL;
        fw_column_type types[8];
        spec.path = (char *)(uintptr_t) "t.csv";
        fw_table_chunk_bytes_for_tests(bytes);
        assert_int_equal(fw_table_open(&cut, &spec, dir.dir, &fw_reduce_alone, NULL), FW_OK);
        assert_int_equal(fw_table_infer(types, cut, MISSING, 3, NULL), FW_OK);
        assert_memory_equal(types, wanted, sizeof types);
        assert_int_equal(fw_table_n_bad(cut), 0);
    }
    fw_table_chunk_bytes_for_tests(0);
    fw_text_destroy(&file);
}

/* Beyond 1,000 distinct texts a column is text however many rows there are; record 10,001 is not looked at. */
static void inference_has_its_limits(void **state)
{
    (void)state;
    fw_text file = {0};
    fw_text_add(&file, "many,few,late\n");
    for (int i = 0; i < 10000; i++) fw_text_format(&file, "w%d,w%d,%d\n", i % 1001, i % 1000, i);
    fw_text_add(&file, "w,w,late\n");
    FW_AUTO(fw_table) *t = open_text("t.csv", file.data, USUAL);
    fw_column_type types[3];
    assert_int_equal(fw_table_infer(types, t, MISSING, 3, NULL), FW_OK);
    assert_true(types[0] == FW_TEXT && types[1] == FW_CATEGORY && types[2] == FW_NUMBER);
    fw_text_destroy(&file);
}

static void names_come_from_the_header_or_the_project(void **state)
{
    (void)state;
    static char *names[] = {"x", "y"};
    static const struct { const char *file, *text; bool header; char delimiter, quote; size_t n_names; const char *name0; uint64_t rows; } cases[] = {
        {"t.csv", "a,b\n1,2\n", true, 0, '"', 0, "a", 1},
        {"t.csv", "a,b\n1,2\n", true, 0, '"', 2, "x", 1},
        {"t.csv", "3,4\n1,2\n", false, 0, '"', 2, "x", 2},
        {"t.tsv", "a\tb\n1\t2\n", true, 0, '"', 0, "a", 1},
        {"t.csv", "a;b\n1;2\n", true, ';', '"', 0, "a", 1},
        {"t.csv", "a|\"b\n1|2\n", true, '|', '\0', 0, "a", 1},
        {"t.csv", "'a'|'b|c'\n1|2\n", true, '|', '\'', 0, "a", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_table_spec spec = {.header = cases[i].header, .delimiter = cases[i].delimiter, .quote = cases[i].quote, .trim = true, .columns = {names, cases[i].n_names}};
        FW_AUTO(fw_table) *t = open_text(cases[i].file, cases[i].text, spec);
        FW_AUTO(fw_schema) *s = schema_of(t, "nn");
        FW_AUTO(fw_block) *b = NULL;
        const fw_table_reading how = {.schema = s, .column_of = IN_ORDER};
        uint64_t chunk, n;
        assert_int_equal(fw_table_n_columns(t), 2);
        assert_string_equal(fw_table_column_name(t, 0), cases[i].name0);
        assert_int_equal(fw_block_create(&b, s, 1, NULL), FW_OK);
        assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_OK);
        assert_int_equal(n, cases[i].rows);
    }
}

static void wrong_specs_are_refused(void **state)
{
    (void)state;
    static char *names[] = {"x", "y", "y"};
    static const struct { bool header; char delimiter; size_t n_names; fw_status status; const char *says; } cases[] = {
        {false, 0, 0, FW_ERR_CONFIG, "without a header the names must be given"},
        {true, 0, 1, FW_ERR_CONFIG, "the header has 2 columns, 1 are named"},
        {false, 0, 3, FW_ERR_DATA, "columns 2 and 3 have the same name"},
        {true, '\n', 0, FW_ERR_CONFIG, "delimiter"},
        {true, '"', 0, FW_ERR_CONFIG, "delimiter"},
    };
    assert_int_equal(fw_write_file(scratch_path(&dir, "t.csv"), "a,b\n1,2\n", 8, NULL), FW_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_table_spec spec = {.path = (char *)(uintptr_t) "t.csv", .header = cases[i].header, .delimiter = cases[i].delimiter, .quote = '"', .columns = {names, cases[i].n_names}};
        fw_table *t = NULL;
        fw_error err = {0};
        assert_int_equal(fw_table_open(&t, &spec, dir.dir, &fw_reduce_alone, &err), cases[i].status);
        if (strstr(err.text, cases[i].says) == NULL) fail_msg("case %zu: %s", i, err.text);
        assert_null(t);
    }
    const fw_table_spec nothing = {.header = true};
    assert_int_equal(fw_table_open(&(fw_table *){NULL}, &nothing, dir.dir, &fw_reduce_alone, NULL), FW_ERR_CONFIG);
}

typedef struct digests { const fw_table_spec *spec; char text[3][33]; uint64_t bytes[3]; fw_status status[3]; } digests;

static void digest_on_rank(const fw_reduce *reduce, void *context)
{
    digests *d = context;
    FW_AUTO(fw_table) *t = NULL;
    fw_status status = fw_table_open(&t, d->spec, dir.dir, reduce, NULL);
    if (status == FW_OK) status = fw_table_digest(d->text[reduce->rank], &d->bytes[reduce->rank], t, NULL);
    d->status[reduce->rank] = status;
}

static void the_digest_is_that_of_the_file_on_every_rank(void **state)
{
    (void)state;
    enum { LEN = 3 * (int)FW_INPUT_LEAF / 2, CHUNKS_LIKE_LEAVES = 0 };
    static char text[LEN];
    const size_t chunks[] = {CHUNKS_LIKE_LEAVES, 1000, FW_INPUT_LEAF};
    char wanted[33];
    fw_table_spec spec = USUAL;
    spec.path = (char *)(uintptr_t) "t.csv";
    for (size_t i = 0; i < LEN; i++) text[i] = "1,2\n"[i % 4];
    memcpy(text, "a,b\n", 4);
    const fw_digest leaves[2] = {fw_hash128(text, FW_INPUT_LEAF, 0), fw_hash128(text + FW_INPUT_LEAF, LEN - FW_INPUT_LEAF, 0)};
    fw_digest_text(wanted, fw_hash128(leaves, sizeof leaves, 0));
    assert_int_equal(fw_write_file(scratch_path(&dir, "t.csv"), text, sizeof text, NULL), FW_OK);
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        digests d = {.spec = &spec};
        fw_table_chunk_bytes_for_tests(chunks[c]);
        thread_ranks_run(3, digest_on_rank, &d);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(d.status[k], FW_OK);
            assert_string_equal(d.text[k], wanted);
            assert_int_equal(d.bytes[k], sizeof text);
        }
    }
    fw_table_chunk_bytes_for_tests(0);
}

static void a_missing_file_is_agreed_on_and_named(void **state)
{
    (void)state;
    fw_table_spec spec = USUAL;
    spec.path = (char *)(uintptr_t) "nowhere.csv";
    digests d = {.spec = &spec};
    fw_error err = {0};
    thread_ranks_run(3, digest_on_rank, &d);
    for (int k = 0; k < 3; k++) assert_int_equal(d.status[k], FW_ERR_CONFIG);
    assert_int_equal(fw_table_open(&(fw_table *){NULL}, &spec, dir.dir, &fw_reduce_alone, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "nowhere.csv: no such file"));
}

static int make_dir(void **state)
{
    (void)state;
    return scratch_make(&dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    scratch_remove(&dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_become_cells_of_their_types),
        cmocka_unit_test(unseen_categories_are_marked_when_the_dictionary_is_fixed),
        cmocka_unit_test(bad_rows_end_the_reading_or_are_listed),
        cmocka_unit_test(only_the_first_bad_rows_are_listed_and_all_are_counted),
        cmocka_unit_test(types_are_inferred_from_what_is_present),
        cmocka_unit_test(inference_has_its_limits),
        cmocka_unit_test(names_come_from_the_header_or_the_project),
        cmocka_unit_test(wrong_specs_are_refused),
        cmocka_unit_test(the_digest_is_that_of_the_file_on_every_rank),
        cmocka_unit_test(a_missing_file_is_agreed_on_and_named),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
