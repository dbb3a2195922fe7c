/* The dataset file, written here field by field as dataset.h draws it, against what the reader makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/envelope.h"
#include "common/core/fs.h"
#include "common/core/random.h"
#include "common/data/dataset_manifest.h"
#include "common/data/h5.h"

enum { N_NUMBER, N_CATEGORY, N_TEXT, N_TIME, N_IMAGE, N_COLUMNS };
enum { ROWS = 37 + 9 + 18, BLOCK_ROWS = 16, PIXELS = 2 * 3, TEXT_MAX = 12 };

static char folder[] = "/tmp/flywheel-dataset-XXXXXX";
static char path[128], hurt[128];

/* ---- the reference: what stands in row i of the file ---- */

static bool is_missing(size_t column, size_t row) { return (row * 7 + column * 3) % 11 == 0; }
static double number_of(size_t row) { return is_missing(N_NUMBER, row) ? 0 : (double)row / 3 - 5; }
static int32_t code_of(size_t row) { return is_missing(N_CATEGORY, row) ? FW_CODE_MISSING : (int32_t)(row % 3); }
static int64_t time_of(size_t row) { return is_missing(N_TIME, row) ? 0 : (int64_t)row * 1000000007 - 5000000000; }
static uint8_t pixel_of(size_t row, size_t i) { return is_missing(N_IMAGE, row) ? 0 : (uint8_t)(row * 31 + i * 7); }
static uint64_t source_row(size_t row) { return ROWS - 1 - row; }

static size_t text_of(char out[static TEXT_MAX], size_t row)
{
    if (is_missing(N_TEXT, row) || row % 5 == 0) return (size_t)snprintf(out, TEXT_MAX, "%s", "");
    return (size_t)snprintf(out, TEXT_MAX, "t%.*s%zu", (int)(row % 4), "\xc3\xa4\xc3\xb6", row);
}

/* ---- writing it ---- */

static void set_column(fw_schema *s, size_t i, const char *name, fw_column_type type)
{
    s->columns[i].name = strdup(name);
    s->columns[i].type = type;
    if (type == FW_IMAGE) s->columns[i].height = 2, s->columns[i].width = 3, s->columns[i].channels = 1;
    if (type != FW_CATEGORY) return;
    int32_t code;
    assert_int_equal(fw_dict_create(&s->columns[i].dict, NULL), FW_OK);
    for (const char *const *t = (const char *const[]){"a", "b", "c", NULL}; *t != NULL; t++)
        assert_int_equal(fw_dict_add(&code, s->columns[i].dict, *t, 1, NULL), FW_OK);
}

static fw_manifest *make_manifest(void)
{
    fw_manifest *m = NULL;
    assert_int_equal(fw_manifest_create(&m, NULL), FW_OK);
    assert_int_equal(fw_schema_create(&m->schema, N_COLUMNS, NULL), FW_OK);
    const char *names[] = {"n", "c", "x", "t", "p"};
    const fw_column_type types[] = {FW_NUMBER, FW_CATEGORY, FW_TEXT, FW_TIME, FW_IMAGE};
    for (size_t i = 0; i < N_COLUMNS; i++) set_column(m->schema, i, names[i], types[i]);
    m->schema->target = N_CATEGORY;
    m->stats = calloc(N_COLUMNS, sizeof *m->stats);
    m->stats[N_NUMBER] = (fw_column_stats){.missing = 6, .distinct = 58, .min = -4.75, .max = 1.0 / 3, .mean = 0.1, .stddev = 1e-300};
    m->layout = (fw_layout){{37, 9, 18}, BLOCK_ROWS};
    m->class_rows = calloc(3, FW_N_SPLITS * sizeof *m->class_rows);
    m->class_rows[4] = 77;
    m->sources = calloc(1, sizeof *m->sources);
    m->n_sources = 1;
    m->sources[0] = (fw_source){strdup("calls"), strdup("calls.csv"), 1234, ROWS, "00112233445566778899aabbccddeeff"};
    m->project = strdup("p");
    m->resolved = strdup("project: p\n");
    memset(m->project_digest, 'a', FW_DIGEST_TEXT - 1);
    memset(m->digest, 'b', FW_DIGEST_TEXT - 1);
    return m;
}

typedef struct content {
    double number[ROWS];
    int32_t code[ROWS];
    int64_t time[ROWS];
    uint8_t pixels[ROWS * PIXELS], missing[N_COLUMNS][ROWS];
    uint64_t at[ROWS + 1], row[ROWS];
    char text[ROWS * TEXT_MAX];
} content;

static void fill(content *c)
{
    for (size_t i = 0; i < ROWS; i++) {
        c->number[i] = number_of(i);
        c->code[i] = code_of(i);
        c->time[i] = time_of(i);
        c->row[i] = source_row(i);
        for (size_t p = 0; p < PIXELS; p++) c->pixels[i * PIXELS + p] = pixel_of(i, p);
        for (size_t k = 0; k < N_COLUMNS; k++) c->missing[k][i] = is_missing(k, i);
        char t[TEXT_MAX];
        size_t len = text_of(t, i);
        memcpy(c->text + c->at[i], t, len);
        c->at[i + 1] = c->at[i] + len;
    }
}

static void checksums_of(uint64_t *sum, const content *c, const fw_layout *l)
{
    uint64_t n_blocks = fw_layout_n_blocks(l);
    for (uint64_t b = 0; b < n_blocks; b++) {
        fw_layout_block k = fw_layout_block_get(l, b);
        size_t f = (size_t)k.first;
        const void *values[] = {c->number + f, c->code + f, c->text + c->at[f], c->time + f, c->pixels + f * PIXELS};
        size_t bytes[] = {k.n * 8, k.n * 4, (size_t)(c->at[f + k.n] - c->at[f]), k.n * 8, k.n * PIXELS};
        for (size_t i = 0; i < N_COLUMNS; i++)
            sum[i * n_blocks + b] = fw_layout_checksum(values[i], bytes[i], c->missing[i] + f, k.n, c->at + f, i == N_TEXT ? k.n + 1 : 0);
        sum[N_COLUMNS * n_blocks + b] = fw_layout_checksum(c->row + f, k.n * 8, NULL, 0, NULL, 0);
    }
}

/* A column that stands alone. */
static void write_column(hid_t file, size_t i, int rank, hsize_t *dims, const void *values, const content *c)
{
    char name[64];
    hsize_t offsets = ROWS + 1;
    snprintf(name, sizeof name, "columns/%zu", i);
    assert_int_equal(fw_h5_group(file, name, NULL), FW_OK);
    snprintf(name, sizeof name, "columns/%zu/values", i);
    assert_int_equal(fw_h5_write_all(file, name, H5T_NATIVE_UINT8, rank, dims, values, NULL), FW_OK);
    if (i != N_TEXT) return;
    snprintf(name, sizeof name, "columns/%zu/offsets", i);
    assert_int_equal(fw_h5_write_all(file, name, H5T_NATIVE_UINT64, 1, &offsets, c->at, NULL), FW_OK);
}

/* change: may spoil the manifest's text before it is written and sealed. */
static void write_dataset(const char *to, const content *c, const char *from, const char *into)
{
    fw_manifest *m = make_manifest();
    char *text = NULL;
    assert_int_equal(fw_manifest_write(&text, m, NULL), FW_OK);
    char *at = from != NULL ? strstr(text, from) : NULL;
    assert_true(from == NULL || (at != NULL && strlen(from) == strlen(into)));
    if (at != NULL) memcpy(at, into, strlen(into));
    uint64_t sums[(N_COLUMNS + 1) * 8] = {0};
    hsize_t n_blocks = fw_layout_n_blocks(&m->layout), sum_dims[2] = {N_COLUMNS + 1, n_blocks}, rows = ROWS;
    checksums_of(sums, c, &m->layout);
    hid_t file = -1;
    hsize_t text_bytes = c->at[ROWS], image[4] = {ROWS, 2, 3, 1}, line[2] = {1, ROWS}, marks[2] = {N_COLUMNS, ROWS};
    assert_int_equal(fw_h5_create(&file, to, MPI_COMM_NULL, NULL), FW_OK);
    assert_int_equal(fw_h5_write_text(file, "manifest", text, NULL), FW_OK);
    assert_int_equal(fw_h5_group(file, "columns", NULL), FW_OK);
    assert_int_equal(fw_h5_write_all(file, "numbers", H5T_NATIVE_DOUBLE, 2, line, c->number, NULL), FW_OK);
    assert_int_equal(fw_h5_write_all(file, "codes", H5T_NATIVE_INT32, 2, line, c->code, NULL), FW_OK);
    assert_int_equal(fw_h5_write_all(file, "times", H5T_NATIVE_INT64, 2, line, c->time, NULL), FW_OK);
    assert_int_equal(fw_h5_write_all(file, "missing", H5T_NATIVE_UINT8, 2, marks, c->missing, NULL), FW_OK);
    write_column(file, N_TEXT, 1, &text_bytes, c->text, c);
    write_column(file, N_IMAGE, 4, image, c->pixels, c);
    assert_int_equal(fw_h5_write_all(file, "row", H5T_NATIVE_UINT64, 1, &rows, c->row, NULL), FW_OK);
    assert_int_equal(fw_h5_write_all(file, "checksums", H5T_NATIVE_UINT64, 2, sum_dims, sums, NULL), FW_OK);
    assert_int_equal(fw_h5_close(&file, NULL), FW_OK);
    fw_digest digest = fw_hash128(text, strlen(text), 0);
    assert_int_equal(fw_envelope_seal(to, FW_DATASET_KIND, FW_DATASET_VERSION, &digest, NULL), FW_OK);
    free(text);
    fw_manifest_destroy(&m);
}

static content sample;

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/a.h5", folder);
    snprintf(hurt, sizeof hurt, "%s/b.h5", folder);
    fill(&sample);
    write_dataset(path, &sample, NULL, NULL);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(hurt);
    return rmdir(folder);
}

/* ---- reading ---- */

static bool text_equals(const fw_cells *c, size_t i, size_t row)
{
    char t[TEXT_MAX];
    size_t len = text_of(t, row);
    return c->text_at[i + 1] - c->text_at[i] == len && (len == 0 || memcmp(c->text_bytes + c->text_at[i], t, len) == 0);
}

/* Row i of the block against row `row` of the reference. */
static bool row_equals(const fw_block *b, size_t i, size_t row)
{
    for (size_t k = 0; k < N_COLUMNS; k++)
        if (b->cells[k].missing[i] != is_missing(k, row)) return false;
    return b->cells[N_NUMBER].number[i] == number_of(row) && b->cells[N_CATEGORY].code[i] == code_of(row) &&
           b->cells[N_TIME].time_us[i] == time_of(row) && text_equals(&b->cells[N_TEXT], i, row) &&
           memcmp(b->cells[N_IMAGE].pixels + i * PIXELS, sample.pixels + row * PIXELS, PIXELS) == 0 && b->row[i] == source_row(row);
}

static size_t start_of(fw_split s) { return s == FW_TRAIN ? 0 : s == FW_VALIDATION ? 37 : 46; }

/* Everything, in pieces of n rows. FW_ERR_CHECK: a value differs. */
static fw_status read_all(const char *from, size_t n, fw_error *err)
{
    FW_AUTO(fw_dataset) *d = NULL;
    FW_AUTO(fw_block) *b = NULL;
    FW_TRY(fw_dataset_open(&d, from, err));
    FW_TRY(fw_block_create(&b, fw_dataset_schema(d), n, err));
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++)
        for (uint64_t at = 0; at < fw_dataset_rows(d, s); at += n) {
            size_t some = (size_t)(fw_dataset_rows(d, s) - at < n ? fw_dataset_rows(d, s) - at : n);
            FW_TRY(fw_dataset_read(d, s, at, some, NULL, b, err));
            for (size_t i = 0; i < some; i++)
                if (!row_equals(b, i, start_of(s) + (size_t)at + i)) return fw_fail(err, FW_ERR_CHECK, "row %zu", start_of(s) + (size_t)at + i);
        }
    return FW_OK;
}

static void reads_what_stands_in_it_in_any_pieces(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 40; n++) assert_int_equal(read_all(path, n, NULL), FW_OK);
}

static void tells_what_it_is(void **state)
{
    (void)state;
    fw_dataset *d = NULL;
    assert_int_equal(fw_dataset_open(&d, path, NULL), FW_OK);
    assert_int_equal(fw_dataset_rows(d, FW_TRAIN), 37);
    assert_int_equal(fw_dataset_rows(d, FW_VALIDATION), 9);
    assert_int_equal(fw_dataset_rows(d, FW_TEST), 18);
    assert_int_equal(fw_dataset_block_rows(d), BLOCK_ROWS);
    assert_int_equal(fw_dataset_schema(d)->target, N_CATEGORY);
    assert_string_equal(fw_dataset_digest(d), "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    assert_string_equal(fw_dataset_resolved(d), "project: p\n");
    assert_true(fw_dataset_stats(d)[N_NUMBER].max == 1.0 / 3 && fw_dataset_stats(d)[N_NUMBER].stddev == 1e-300);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(fw_dataset_manifest(d), "classes"), 1), "validation")), 77);
    assert_int_equal(fw_dataset_verify(d, NULL), FW_OK);
    fw_dataset_destroy(&d);
    fw_dataset_destroy(&d);
}

static void leaves_unwanted_columns_as_missing(void **state)
{
    (void)state;
    fw_dataset *d = NULL;
    fw_block *b = NULL;
    bool wanted[N_COLUMNS] = {true, false, false, false, false};
    assert_int_equal(fw_dataset_open(&d, path, NULL), FW_OK);
    assert_int_equal(fw_block_create(&b, fw_dataset_schema(d), 20, NULL), FW_OK);
    assert_int_equal(fw_dataset_read(d, FW_TRAIN, 10, 20, NULL, b, NULL), FW_OK);
    assert_int_equal(fw_dataset_read(d, FW_TRAIN, 10, 20, wanted, b, NULL), FW_OK);
    for (size_t i = 0; i < 20; i++) {
        assert_true(b->cells[N_NUMBER].number[i] == number_of(10 + i));
        for (size_t k = 1; k < N_COLUMNS; k++) assert_int_equal(b->cells[k].missing[i], 1);
        assert_int_equal(b->cells[N_CATEGORY].code[i], FW_CODE_MISSING);
        assert_int_equal(b->cells[N_TEXT].text_at[i + 1], 0);
        assert_int_equal(b->cells[N_IMAGE].pixels[i * PIXELS], 0);
    }
    fw_block_destroy(&b);
    fw_dataset_destroy(&d);
}

static void refuses_rows_that_are_not_there(void **state)
{
    (void)state;
    const struct {
        fw_split s;
        uint64_t first;
        size_t n;
    } cases[] = {{FW_TRAIN, 0, 38}, {FW_TRAIN, 37, 1}, {FW_TEST, 18, 1}, {FW_TEST, UINT64_MAX, 2}, {FW_TRAIN, 0, 65}};
    fw_dataset *d = NULL;
    fw_block *b = NULL;
    assert_int_equal(fw_dataset_open(&d, path, NULL), FW_OK);
    assert_int_equal(fw_block_create(&b, fw_dataset_schema(d), 64, NULL), FW_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(fw_dataset_read(d, cases[i].s, cases[i].first, cases[i].n, NULL, b, NULL), FW_ERR_ARG);
    assert_int_equal(fw_dataset_read(d, FW_TRAIN, 37, 0, NULL, b, NULL), FW_OK);
    fw_block_destroy(&b);
    fw_dataset_destroy(&d);
}

/* ---- damage ---- */

static void put_file(const char *bytes, size_t len)
{
    int fd = open(hurt, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* One bit in every third byte, a pseudo-random one: refused, or of no consequence for what is read. */
static void a_flipped_bit_is_found_or_harmless(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t len = 0, found = 0;
    assert_int_equal(fw_read_file(&bytes, &len, path, 1 << 20, NULL), FW_OK);
    put_file(bytes, len);
    int fd = open(hurt, O_WRONLY);
    for (size_t i = 0; i < len; i += 3) {
        char changed = (char)(bytes[i] ^ 1 << (fw_random(1, FW_RANDOM_TEST, 0, i, 0).word[0] & 7));
        assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
        fw_error err = {0};
        fw_status s = read_all(hurt, 13, &err);
        assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
        if (s != FW_OK && s != FW_ERR_FORMAT && s != FW_ERR_VERSION) fail_msg("byte %zu: %s: %s", i, fw_status_name(s), err.text);
        found += s != FW_OK;
    }
    close(fd);
    assert_int_equal(read_all(hurt, 13, NULL), FW_OK);
    assert_true(found * 10 > len / 3 * 6);      /* the rest is room between the parts */
    free(bytes);
}

static void a_truncated_file_is_refused_wherever_it_ends(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&bytes, &len, path, 1 << 20, NULL), FW_OK);
    for (size_t n = 0; n < len; n += n < 600 ? 1 : 37) {
        put_file(bytes, n);
        assert_int_equal(read_all(hurt, 64, NULL), FW_ERR_FORMAT);
    }
    free(bytes);
}

/* Whole files, sealed and checksummed, that say what cannot be. */
static void a_manifest_that_cannot_be_is_refused(void **state)
{
    (void)state;
    const struct { const char *from, *into; fw_status status;
    } cases[] = {
        {"\"format\":2", "\"format\":1", FW_ERR_VERSION},
        {"\"format\":2", "\"format\":3", FW_ERR_VERSION},
        {"\"format\":2", "\"formal\":2", FW_ERR_FORMAT},
        {"\"train\":37", "\"train\":38", FW_ERR_FORMAT},
        {"\"train\":37", "\"train\":-7", FW_ERR_FORMAT},
        {"\"block_rows\":16", "\"block_rows\":17", FW_ERR_FORMAT},
        {"\"block_rows\":16", "\"block_rows\":64", FW_ERR_FORMAT},
        {"\"block_rows\":16", "\"block_rows\":00", FW_ERR_FORMAT},
        {"bbbb", "bbzb", FW_ERR_FORMAT},
        {"\"test\":18", "\"test\":1e", FW_ERR_FORMAT},
        {"\"width\":3", "\"width\":4", FW_ERR_FORMAT},
        {"\"sources\":[", "\"source5\":[", FW_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_error err = {0};
        write_dataset(hurt, &sample, cases[i].from, cases[i].into);
        fw_status s = read_all(hurt, 64, &err);
        if (s != cases[i].status) fail_msg("%s: %s (%s)", cases[i].into, fw_status_name(s), err.text);
    }
}

static void cells_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const struct { const char *why; size_t row; size_t part; } cases[] = {
        {"category code", 20, 0}, {"not finite", 20, 1}, {"missing mark", 20, 2}, {"offsets do not ascend", 21, 3}, {"reach past the end", ROWS, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        content c = sample;
        fw_error err = {0};
        size_t r = cases[i].row;
        if (cases[i].part == 0) c.code[r] = 3;
        if (cases[i].part == 1) c.number[r] = 1.0 / 0.0;
        if (cases[i].part == 2) c.missing[N_TIME][r] = 2;
        write_dataset(hurt, &c, NULL, NULL);
        if (cases[i].part >= 3) {          /* offsets: the sums are made from sound ones, the reader looks at offsets first */
            hid_t file = -1, at = -1;
            hsize_t n = ROWS + 1;
            uint64_t wrong = cases[i].part == 3 ? 0 : UINT64_MAX / 2;
            assert_int_equal(fw_h5_open_write(&file, hurt, MPI_COMM_NULL, NULL), FW_OK);
            assert_int_equal(fw_h5_dataset(&at, file, "columns/2/offsets", H5T_NATIVE_UINT64, 1, &n, NULL), FW_OK);
            assert_int_equal(fw_h5_write_rows(at, H5T_NATIVE_UINT64, r, 1, &wrong, NULL), FW_OK);
            fw_h5_dataset_close(&at);
            assert_int_equal(fw_h5_close(&file, NULL), FW_OK);
        }
        assert_int_equal(read_all(hurt, 64, &err), FW_ERR_FORMAT);
        if (strstr(err.text, cases[i].why) == NULL) fail_msg("expected '%s' in '%s'", cases[i].why, err.text);
    }
}

static void says_which_column_and_block_is_damaged(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t len = 0;
    fw_error err = {0};
    assert_int_equal(fw_read_file(&bytes, &len, path, 1 << 20, NULL), FW_OK);
    char *at = memmem(bytes, len, &sample.number[17], 3 * sizeof(double));      /* second block of the train split */
    assert_non_null(at);
    at[3] ^= 4;
    put_file(bytes, len);
    free(bytes);
    assert_int_equal(read_all(hurt, 64, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "column 'n', block 1: the checksum is wrong"));
}

/* ---- where blocks lie ---- */

static void blocks_cover_each_row_once_and_cross_no_split(void **state)
{
    (void)state;
    const fw_layout cases[] = {{{37, 9, 18}, 16}, {{1, 0, 0}, 1}, {{0, 5, 4}, 4}, {{64, 64, 64}, 64}, {{65, 0, 1}, 64}, {{3, 3, 3}, 65536}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const fw_layout *l = &cases[c];
        uint64_t next = 0;
        for (uint64_t b = 0; b < fw_layout_n_blocks(l); b++) {
            fw_layout_block k = fw_layout_block_get(l, b);
            assert_true(k.first == next && k.n > 0 && k.n <= l->block_rows);
            assert_true(k.first >= fw_layout_start(l, k.split) && k.first + k.n <= fw_layout_start(l, k.split) + l->rows[k.split]);
            for (uint64_t i = 0; i < k.n; i++) assert_int_equal(fw_layout_block_at(l, k.split, k.first - fw_layout_start(l, k.split) + i), b);
            next += k.n;
        }
        assert_int_equal(next, fw_layout_total(l));
    }
}

static void block_rows_bound_the_memory_of_a_block(void **state)
{
    (void)state;
    const struct {
        uint64_t row_bytes;
        size_t rows;
    } cases[] = {{0, 65536}, {1, 65536}, {128, 65536}, {129, 32768}, {1000, 8192}, {8u << 20, 1}, {9u << 20, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_int_equal(fw_layout_block_rows(cases[i].row_bytes), cases[i].rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_stands_in_it_in_any_pieces),
        cmocka_unit_test(tells_what_it_is),
        cmocka_unit_test(leaves_unwanted_columns_as_missing),
        cmocka_unit_test(refuses_rows_that_are_not_there),
        cmocka_unit_test(a_flipped_bit_is_found_or_harmless),
        cmocka_unit_test(a_truncated_file_is_refused_wherever_it_ends),
        cmocka_unit_test(a_manifest_that_cannot_be_is_refused),
        cmocka_unit_test(cells_that_cannot_be_are_refused),
        cmocka_unit_test(says_which_column_and_block_is_damaged),
        cmocka_unit_test(blocks_cover_each_row_once_and_cross_no_split),
        cmocka_unit_test(block_rows_bound_the_memory_of_a_block),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
