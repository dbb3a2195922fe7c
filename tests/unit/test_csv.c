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
#include "common/core/size.h"
#include "common/core/text.h"
#include "scratch.h"
#include "thread_ranks.h"

/* A small generator: the same files on every machine. */
static uint64_t seed;
static uint32_t below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % n);
}

/* ---- what is expected: records in order, as texts joined by one 0x1f behind each field, or NULL for a bad row ---- */

typedef struct expected { char *fields; uint64_t line; } expected;
typedef struct expectation { expected *v; size_t n, capacity; bool refused; uint64_t refused_line; } expectation;

static void expect_record(expectation *e, char *fields, uint64_t line)
{
    assert_int_equal(fw_grow((void **)&e->v, &e->capacity, e->n + 1, sizeof *e->v, "test", NULL), FW_OK);
    e->v[e->n++] = (expected){fields, line};
}

static void expectation_destroy(expectation *e)
{
    for (size_t i = 0; i < e->n; i++) free(e->v[i].fields);
    free(e->v);
    *e = (expectation){0};
}

/* ---- reading through the table, on some ranks ---- */

typedef struct row { uint64_t chunk, record; char *fields; } row;
typedef struct share {                                             /* one rank's */
    row *rows;
    size_t n, capacity;
    uint64_t chunk_records[8192], n_bad;
    char *bad_where[FW_BAD_ROWS_LISTED];
    size_t n_listed;
    fw_status status;
    fw_error error;
} share;
typedef struct reading {
    const fw_table_spec *spec;
    const char *dir;
    uint64_t n_chunks;
    share share[FW_MAX_THREAD_RANKS];
} reading;

static char *joined(const fw_block *b, size_t i)
{
    fw_text t = {0};
    for (size_t c = 0; c < b->schema->n_columns; c++) {
        const fw_cells *cells = &b->cells[c];
        fw_text_add_bytes(&t, cells->text_bytes + cells->text_at[i], (size_t)(cells->text_at[i + 1] - cells->text_at[i]));
        fw_text_add(&t, "\x1f");
    }
    return fw_text_take(&t);
}

static fw_status keep_rows(share *s, const fw_block *b, uint64_t chunk, uint64_t n_records)
{
    s->chunk_records[chunk] = n_records;
    for (size_t i = 0; i < b->n_rows; i++) {
        FW_TRY(fw_grow((void **)&s->rows, &s->capacity, s->n + 1, sizeof *s->rows, "test", NULL));
        s->rows[s->n++] = (row){chunk, b->row[i], joined(b, i)};
    }
    return FW_OK;
}

static fw_status read_all_texts(share *s, fw_table *t, uint64_t *n_chunks)
{
    FW_AUTO(fw_schema) *schema = NULL;
    FW_AUTO(fw_block) *block = NULL;
    int column_of[16];
    FW_TRY(fw_schema_create(&schema, fw_table_n_columns(t), &s->error));
    for (size_t i = 0; i < schema->n_columns; i++) {
        FW_TRY(fw_copy_text(&schema->columns[i].name, fw_table_column_name(t, i), &s->error));
        schema->columns[i].type = FW_TEXT;
        column_of[i] = (int)i;
    }
    FW_TRY(fw_block_create(&block, schema, 1, &s->error));
    const fw_table_reading how = {.schema = schema, .column_of = column_of, .skip_bad_rows = true};
    uint64_t chunk, n;
    fw_status status;
    while ((status = fw_table_read(t, &how, block, &chunk, &n, &s->error)) == FW_OK) FW_TRY(keep_rows(s, block, chunk, n));
    *n_chunks = fw_table_n_chunks(t);
    s->n_bad = fw_table_n_bad(t);
    const fw_bad_row *bad = fw_table_bad(t, &s->n_listed);
    for (size_t i = 0; i < s->n_listed; i++) s->bad_where[i] = strdup(bad[i].where);
    return status == FW_END ? FW_OK : status;
}

static void read_on_rank(const fw_reduce *reduce, void *context)
{
    reading *r = context;
    share *s = &r->share[reduce->rank];
    uint64_t n_chunks = 0;
    FW_AUTO(fw_table) *t = NULL;
    s->status = fw_table_open(&t, r->spec, r->dir, reduce, &s->error);
    if (s->status == FW_OK) s->status = read_all_texts(s, t, &n_chunks);
    if (reduce->rank == 0) r->n_chunks = n_chunks;
}

static void reading_clear(reading *r)
{
    for (size_t k = 0; k < FW_MAX_THREAD_RANKS; k++) {
        share *s = &r->share[k];
        for (size_t i = 0; i < s->n; i++) free(s->rows[i].fields);
        for (size_t i = 0; i < s->n_listed; i++) free(s->bad_where[i]);
        free(s->rows);
    }
    memset(r, 0, sizeof *r);
}

static char *shown(const char *name, const expectation *e, size_t i)
{
    static char text[4096];
    snprintf(text, sizeof text, "%s: record %zu of %zu, expected \"%s\"", name, i, e->n, i < e->n && e->v[i].fields ? e->v[i].fields : "(bad)");
    return text;
}

/* The rows of all ranks, put in order by (chunk, record), against the expectation. */
static void compare(const reading *r, int size, const expectation *e, const char *name)
{
    uint64_t first = 0, n_bad = 0, n_good = 0;
    size_t next[FW_MAX_THREAD_RANKS] = {0}, expected_bad = 0;
    for (uint64_t chunk = 0; chunk < r->n_chunks; chunk++) {
        const share *s = &r->share[chunk % (uint64_t)size];
        size_t *at = &next[chunk % (uint64_t)size];
        for (; *at < s->n && s->rows[*at].chunk == chunk; (*at)++, n_good++) {
            size_t i = (size_t)(first + s->rows[*at].record);
            if (i >= e->n || e->v[i].fields == NULL || strcmp(e->v[i].fields, s->rows[*at].fields) != 0)
                fail_msg("%s, but read \"%s\"", shown(name, e, i), s->rows[*at].fields);
        }
        first += s->chunk_records[chunk];
    }
    for (int k = 0; k < size; k++) n_bad += r->share[k].n_bad;
    for (size_t i = 0; i < e->n; i++) {
        if (e->v[i].fields != NULL) continue;
        if (size == 1 && expected_bad < r->share[0].n_listed) {
            char where[64];
            snprintf(where, sizeof where, "t.csv:%llu", (unsigned long long)e->v[i].line);
            assert_string_equal(r->share[0].bad_where[expected_bad], where);
        }
        expected_bad++;
    }
    if (first != e->n || n_bad != expected_bad || n_good != e->n - expected_bad)
        fail_msg("%s: %llu records of which %llu good and %llu bad; expected %zu, of which %zu bad", name, (unsigned long long)first,
                 (unsigned long long)n_good, (unsigned long long)n_bad, e->n, expected_bad);
}

static const size_t CHUNKS[] = {1, 2, 3, 5, 7, 16, 63, 64, 65, 1000, 0};

static void check_everywhere(const fw_table_spec *spec, const char *dir, const expectation *e, const char *name)
{
    static reading r;
    for (size_t c = 0; c < sizeof CHUNKS / sizeof *CHUNKS; c++)
        for (int size = 1; size <= 3; size++) {
            fw_table_chunk_bytes_for_tests(CHUNKS[c]);
            r = (reading){.spec = spec, .dir = dir};
            thread_ranks_run(size, read_on_rank, &r);
            for (int k = 0; k < size; k++) {
                if (e->refused && r.share[k].status == FW_ERR_DATA) continue;
                if (e->refused || r.share[k].status != FW_OK)
                    fail_msg("%s: chunk %zu, rank %d of %d: status %d %s", name, CHUNKS[c], k, size, (int)r.share[k].status, r.share[k].error.text);
            }
            if (e->refused && e->refused_line > 0) {
                char where[64];
                snprintf(where, sizeof where, "t.csv:%llu:", (unsigned long long)e->refused_line);
                for (int k = 0; k < size; k++) assert_memory_equal(r.share[k].error.text, where, strlen(where));
            }
            if (!e->refused) compare(&r, size, e, name);
            reading_clear(&r);
        }
    fw_table_chunk_bytes_for_tests(0);
}

/* ---- soup: random bytes that structure CSV, against a plain reader that goes byte by byte ---- */


typedef struct plain { const char *s; size_t at, end; const fw_table_spec *spec; } plain;

static bool blank(const fw_table_spec *spec, char c)
{
    return spec->trim && (c == ' ' || c == '\t') && c != spec->delimiter;
}

/* One field from p->at on, up to its delimiter, newline or the end; *ends: with which of them it ended. NULL: malformed. */
static char *plain_field(plain *p, char *ends)
{
    size_t from = p->at;
    bool inside = false, wrong = false;
    for (; p->at < p->end; p->at++) {
        char c = p->s[p->at];
        if (p->spec->quote != '\0' && c == p->spec->quote) inside = !inside;
        if (!inside && (c == '\n' || c == p->spec->delimiter)) break;
    }
    size_t to = p->at;
    *ends = p->at < p->end ? p->s[p->at] : '\n';
    p->at++;
    while (*ends == '\n' && to > from && p->s[to - 1] == '\r') to--;
    wrong = fw_utf8_valid(p->s + from, to - from) != to - from;
    while (to > from && blank(p->spec, p->s[from])) from++;
    while (to > from && blank(p->spec, p->s[to - 1])) to--;
    bool quoted = p->spec->quote != '\0' && to > from && p->s[from] == p->spec->quote;
    fw_text t = {0};
    fw_text_add(&t, "");
    if (quoted && (to - from < 2 || p->s[to - 1] != p->spec->quote)) wrong = true;
    for (size_t i = from + quoted; !wrong && i < to - quoted; i++) {
        if (p->spec->quote != '\0' && p->s[i] == p->spec->quote && (!quoted || ++i >= to - quoted || p->s[i] != p->spec->quote)) wrong = true;
        else fw_text_add_bytes(&t, &p->s[i], 1);
    }
    if (!wrong) return fw_text_take(&t);
    fw_text_destroy(&t);
    return NULL;
}

static void plain_record(expectation *e, plain *p, size_t n_columns, uint64_t line)
{
    size_t from = p->at, n = 0;
    bool wrong = false;
    char ends = '\0';
    fw_text t = {0};
    while (ends != '\n') {
        char *field = plain_field(p, &ends);
        if (field == NULL) wrong = true;
        else fw_text_format(&t, "%s\x1f", field);
        free(field);
        n++;
    }
    size_t cr = p->at - 1;
    while (cr > from && p->s[cr - 1] == '\r') cr--;
    while (cr > from && blank(p->spec, p->s[cr - 1])) cr--;
    bool empty = n == 1 && cr == from;
    if (!(empty && n_columns > 1)) expect_record(e, wrong || n != n_columns ? NULL : strdup(t.data), line);
    fw_text_destroy(&t);
}

static void plain_read(expectation *e, const char *s, size_t len, const fw_table_spec *spec)
{
    plain p = {.s = s, .at = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, .end = len, .spec = spec};
    size_t quotes = 0;
    while (p.end > p.at && (s[p.end - 1] == '\n' || s[p.end - 1] == '\r' || blank(spec, s[p.end - 1]))) p.end--;
    for (size_t i = 0; i < len; i++) quotes += spec->quote != '\0' && s[i] == spec->quote;
    if (quotes % 2 == 1 || p.end == p.at) e->refused = true;
    uint64_t line = 1;
    while (!e->refused && p.at <= p.end && p.end > 0) {
        size_t from = p.at;
        plain_record(e, &p, spec->columns.n, line);
        for (size_t i = from; i < p.at && i < p.end; i++) line += s[i] == '\n';
    }
}

static char *column_names[] = {"a", "b", "c", "d", "e"};

static void soup_reads_like_the_plain_reader(void **state)
{
    static const char *const words[] = {"\"", "\"", "\"\"", ",", ",", ";", "\t", "\n", "\n", "\r\n", "\r", " ", "x", "word", "7", "\xc3\xa9", "\xff", "\n\n"};
    scratch *dir = *state;
    for (uint64_t k = 0; k < 250; k++) {
        seed = k;
        char bytes[512];
        size_t len = 0, n = 1 + below(90), n_words = sizeof words / sizeof *words;
        if (below(8) == 0) len = (size_t)snprintf(bytes, sizeof bytes, "\xef\xbb\xbf");
        while (n-- > 0) {
            const char *w = words[below((uint32_t)n_words)];
            if (below(60) == 0) bytes[len++] = '\0';
            if (below(10) == 0) w = "\"q, \n\"\"x\"";
            len += (size_t)snprintf(bytes + len, sizeof bytes - len, "%s", w);
        }
        if (len >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0)) continue;
        fw_table_spec spec = {.name = "t", .path = "t.csv", .quote = below(6) == 0 ? '\0' : '"', .trim = below(3) != 0};
        spec.delimiter = ",;\t"[below(3)];
        spec.columns = (fw_strings){column_names, 1 + below(4)};
        assert_int_equal(fw_write_file(scratch_path(dir, "t.csv"), bytes, len, NULL), FW_OK);
        expectation e = {0};
        char name[32];
        plain_read(&e, bytes, len, &spec);
        snprintf(name, sizeof name, "soup %llu", (unsigned long long)k);
        check_everywhere(&spec, dir->dir, &e, name);
        expectation_destroy(&e);
    }
}

/* ---- written tables: the values are known, the writer chooses how to write them ---- */

static void random_value(fw_text *value)
{
    static const char *const parts[] = {"\"", ",", "\n", "\r\n", " ", "x", "\xc3\xa9t\xc3\xa9", "12.5", ";", "longer words in it", ""};
    fw_text_clear(value);
    fw_text_add(value, "");
    for (uint32_t n = below(5); n > 0; n--) fw_text_add(value, parts[below(sizeof parts / sizeof *parts)]);
}

static void write_value(fw_text *file, const fw_text *value, bool trim)
{
    bool must = strpbrk(value->data, "\",\n\r ") != NULL;
    const char *pad = trim && below(3) == 0 ? " \t" : "";
    fw_text_add(file, pad);
    if (must || below(3) == 0) {
        fw_text_add(file, "\"");
        for (const char *c = value->data; *c != '\0'; c++) {
            if (*c == '"') fw_text_add(file, "\"");
            fw_text_add_bytes(file, c, 1);
        }
        fw_text_add(file, "\"");
    } else {
        fw_text_add(file, value->data);
    }
    fw_text_add(file, pad);
}

static uint64_t lines_in(const fw_text *file)
{
    uint64_t n = 1;
    for (size_t i = 0; i < file->len; i++) n += file->data[i] == '\n';
    return n;
}

/* A record that is right, or wrong in a known way. */
static void write_record(fw_text *file, expectation *e, size_t n_columns, bool trim)
{
    static const char *const wrong[] = {"a,b", "a,b,c,d", "a,b\"c\",d", "a,\"b\"c,d", "a,\xff,c", "a,\"b\" \"c\",d"};
    fw_text joined_fields = {0}, value = {0};
    uint64_t line = lines_in(file);
    if (below(12) == 0) {
        fw_text_add(file, wrong[below(sizeof wrong / sizeof *wrong)]);
        expect_record(e, NULL, line);
        return;
    }
    for (size_t i = 0; i < n_columns; i++) {
        random_value(&value);
        if (i > 0) fw_text_add(file, ",");
        write_value(file, &value, trim);
        fw_text_format(&joined_fields, "%s\x1f", value.data);
    }
    expect_record(e, fw_text_take(&joined_fields), line);
    fw_text_destroy(&value);
}

static void written_tables_come_back(void **state)
{
    scratch *dir = *state;
    for (uint64_t k = 0; k < 60; k++) {
        seed = 1000 + k;
        bool trim = below(2) == 0;
        const char *newline = below(2) == 0 ? "\n" : "\r\n";
        fw_table_spec spec = {.name = "t", .path = "t.csv", .header = true, .quote = '"', .trim = trim};
        fw_text file = {0};
        expectation e = {0};
        fw_text_format(&file, "%s%s\"first\none\",b ,c%s", below(2) ? "\xef\xbb\xbf" : "", below(3) ? "" : newline, newline);
        uint32_t n = 1 + below(60);
        for (uint32_t i = 0; i < n; i++) {
            if (below(10) == 0) fw_text_add(&file, newline);
            write_record(&file, &e, 3, trim);
            if (i + 1 < n || below(2) == 0) fw_text_add(&file, newline);
        }
        for (uint32_t i = below(4); i > 0; i--) fw_text_add(&file, newline);
        assert_int_equal(fw_write_file(scratch_path(dir, "t.csv"), file.data, file.len, NULL), FW_OK);
        char name[32];
        snprintf(name, sizeof name, "written %llu", (unsigned long long)k);
        check_everywhere(&spec, dir->dir, &e, name);
        expectation_destroy(&e);
        fw_text_destroy(&file);
    }
}

/* ---- what is refused when a table is opened ---- */

static void wrong_tables_are_refused_with_their_line(void **state)
{
    static const struct { const char *bytes; const char *says; } cases[] = {
        {"", "empty"},
        {"\n\r\n  \n", "empty"},
        {"\xef\xbb\xbf", "empty"},
        {"a,b", "header and no rows"},
        {"a,b\n", "header and no rows"},
        {"a,b\r\n\r\n\n", "header and no rows"},
        {"a,b\r1,2\r3,4\r", "CR alone"},
        {"a,a\n1,2\n", "t.csv:1: columns 1 and 2 have the same name \"a\""},
        {"\na, a \n1,2\n", "t.csv:2: columns 1 and 2 have the same name \"a\""},
        {"a,,c\n1,2,3\n", "t.csv:1: column 2 has no name"},
        {"a,\" \"\n1,2\n", "column 2 has no name"},
        {"a,b\xff\n1,2\n", "t.csv:1: header: not valid UTF-8 (column 2)"},
        {"\xff\xfe" "a", "UTF-16"},
        {"a,b\"\"\n1,2\n", "t.csv:1: header: a quote inside an unquoted field (column 2)"},
        {"\"a\";\"b\";\"c,\"\n1;2;3\n", "\";\" occurs more often"},
        {"a,\"b\n1,2\n", "t.csv:1: an unclosed quote"},
        {"a,b\n1,2\n3,\"4\n5,6\n", "t.csv:3: an unclosed quote: the field that it opens reaches to the end"},
        {"a,b\n1,\"x\ny\"\n3,\"4\n5,\"six\"\n7,8\n", "t.csv:4: an unclosed quote: the field that it opens meets the next quote in line 5"},
        {"a,b\n1,5\" pipe\n3,4\n", "t.csv:2: a quote inside an unquoted field, and the quotes of the file do not pair"},
    };
    scratch *dir = *state;
    const fw_table_spec spec = {.name = "t", .path = "t.csv", .header = true, .quote = '"', .trim = true};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t chunk = 1; chunk < 5; chunk++) {
            fw_error err = {0};
            fw_table *t = NULL;
            assert_int_equal(fw_write_file(scratch_path(dir, "t.csv"), cases[i].bytes, strlen(cases[i].bytes), NULL), FW_OK);
            fw_table_chunk_bytes_for_tests(chunk);
            assert_int_equal(fw_table_open(&t, &spec, dir->dir, &fw_reduce_alone, &err), FW_ERR_DATA);
            assert_null(t);
            if (strstr(err.text, cases[i].says) == NULL) fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, cases[i].says);
        }
    fw_table_chunk_bytes_for_tests(0);
}

static void an_unclosed_quote_is_agreed_on_by_all_ranks(void **state)
{
    static const char bytes[] = "a,b\n1,2\n3,\"4\n5,6\n7,8\n";
    scratch *dir = *state;
    const fw_table_spec spec = {.name = "t", .path = "t.csv", .header = true, .quote = '"', .trim = true};
    expectation e = {.refused = true, .refused_line = 3};
    assert_int_equal(fw_write_file(scratch_path(dir, "t.csv"), bytes, sizeof bytes - 1, NULL), FW_OK);
    check_everywhere(&spec, dir->dir, &e, "unclosed");
}

static void NUL_bytes_are_refused_in_the_header(void **state)
{
    scratch *dir = *state;
    const fw_table_spec spec = {.name = "t", .path = "t.csv", .header = true, .quote = '"', .trim = true};
    fw_error err = {0};
    fw_table *t = NULL;
    assert_int_equal(fw_write_file(scratch_path(dir, "t.csv"), "a,b\0\n1,2\n", 9, NULL), FW_OK);
    assert_int_equal(fw_table_open(&t, &spec, dir->dir, &fw_reduce_alone, &err), FW_ERR_DATA);
    assert_non_null(strstr(err.text, "NUL byte (column 2)"));
}

/* A field of 1 MiB is taken, one byte more is a bad row; a record that goes on for 16 MiB ends the reading. */
static void long_fields_are_bad_rows_and_endless_records_end_it(void **state)
{
    scratch *dir = *state;
    const fw_table_spec spec = {.name = "t", .path = "t.csv", .quote = '"', .columns = {column_names, 1}};
    size_t len = 24u << 20;
    char *bytes = malloc(len);
    assert_non_null(bytes);
    static reading r;
    for (size_t extra = 0; extra < 2; extra++) {
        memset(bytes, 'x', len);
        size_t n = FW_FIELD_MAX_BYTES + extra;
        memcpy(bytes + n, "\nshort\n", 7);
        assert_int_equal(fw_write_file(scratch_path(dir, "t.csv"), bytes, n + 7, NULL), FW_OK);
        r = (reading){.spec = &spec, .dir = dir->dir};
        thread_ranks_run(2, read_on_rank, &r);
        assert_true(r.share[0].status == FW_OK && r.share[1].status == FW_OK);
        assert_int_equal(r.share[0].n + r.share[1].n, 2 - extra);
        assert_int_equal(r.share[0].n_bad + r.share[1].n_bad, extra);
        reading_clear(&r);
    }
    memset(bytes, 'x', len);
    memcpy(bytes, "a\nb\n\"", 5);
    bytes[len - 1] = '"';
    assert_int_equal(fw_write_file(scratch_path(dir, "t.csv"), bytes, len, NULL), FW_OK);
    r = (reading){.spec = &spec, .dir = dir->dir};
    thread_ranks_run(1, read_on_rank, &r);
    assert_int_equal(r.share[0].status, FW_ERR_DATA);
    assert_non_null(strstr(r.share[0].error.text, "t.csv:3: a record longer than"));
    reading_clear(&r);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soup_reads_like_the_plain_reader),
        cmocka_unit_test(written_tables_come_back),
        cmocka_unit_test(wrong_tables_are_refused_with_their_line),
        cmocka_unit_test(an_unclosed_quote_is_agreed_on_by_all_ranks),
        cmocka_unit_test(NUL_bytes_are_refused_in_the_header),
        cmocka_unit_test(long_fields_are_bad_rows_and_endless_records_end_it),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
