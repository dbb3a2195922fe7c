#include "common/data/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "scratch.h"
#include "thread_ranks.h"

enum { PICTURES = 11, HEIGHT = 3, WIDTH = 2, PICTURE_BYTES = HEIGHT * WIDTH, IMAGES_LEN = 16 + PICTURES * PICTURE_BYTES, LABELS_LEN = 8 + PICTURES };

static uint8_t images[IMAGES_LEN + 1], labels[LABELS_LEN + 1];

static uint8_t label_of(size_t i) { return (uint8_t)(i * 23); }

static void make_pair(void)
{
    static const uint8_t image_header[16] = {0, 0, 8, 3, 0, 0, 0, PICTURES, 0, 0, 0, HEIGHT, 0, 0, 0, WIDTH}, label_header[8] = {0, 0, 8, 1, 0, 0, 0, PICTURES};
    memcpy(images, image_header, 16);
    memcpy(labels, label_header, 8);
    for (size_t i = 0; i < PICTURES * PICTURE_BYTES; i++) images[16 + i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < PICTURES; i++) labels[8 + i] = label_of(i);
}

/* zlib packs; the .gz pair must read like the plain one. */
static void write_gzip(const char *path, const void *bytes, size_t len)
{
    gzFile f = gzopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, bytes, (unsigned)len), len);
    assert_int_equal(gzclose(f), Z_OK);
}

static void write_pair(scratch *dir, size_t images_len, size_t labels_len, bool gzip)
{
    if (gzip) {
        write_gzip(scratch_path(dir, "images.gz"), images, images_len);
        write_gzip(scratch_path(dir, "labels.gz"), labels, labels_len);
        return;
    }
    assert_int_equal(fw_write_file(scratch_path(dir, "images"), images, images_len, NULL), FW_OK);
    assert_int_equal(fw_write_file(scratch_path(dir, "labels"), labels, labels_len, NULL), FW_OK);
}

static fw_table_spec pair_spec(bool gzip)
{
    return (fw_table_spec){.name = "t", .images = gzip ? "images.gz" : "images", .labels = gzip ? "labels.gz" : "labels", .header = true, .quote = '"'};
}

static fw_schema *pair_schema(fw_column_type label)
{
    fw_schema *s = NULL;
    assert_int_equal(fw_schema_create(&s, 2, NULL), FW_OK);
    assert_int_equal(fw_copy_text(&s->columns[0].name, "label", NULL), FW_OK);
    assert_int_equal(fw_copy_text(&s->columns[1].name, "image", NULL), FW_OK);
    s->columns[0].type = label;
    s->columns[1].type = FW_IMAGE, s->columns[1].height = HEIGHT, s->columns[1].width = WIDTH, s->columns[1].channels = 1;
    return s;
}

/* Columns in another order than in the table: label, image. */
static const int COLUMN_OF[] = {1, 0};

typedef struct pass { fw_table_spec spec; const char *dir; size_t per_chunk; bool seen[FW_MAX_THREAD_RANKS][PICTURES]; fw_status status; int wrong; } pass;

static int check_chunk(pass *p, int rank, const fw_block *b, uint64_t chunk)
{
    int wrong = 0;
    for (size_t i = 0; i < b->n_rows; i++) {
        size_t k = (size_t)chunk * p->per_chunk + (size_t)b->row[i];
        wrong += k >= PICTURES || b->cells[0].number[i] != (double)label_of(k)
              || memcmp(b->cells[1].pixels + i * PICTURE_BYTES, images + 16 + k * PICTURE_BYTES, PICTURE_BYTES) != 0;
        if (k < PICTURES) p->seen[rank][k] = true;
    }
    return wrong;
}

static void read_pair(const fw_reduce *reduce, void *context)
{
    pass *p = context;
    FW_AUTO(fw_table) *t = NULL;
    FW_AUTO(fw_schema) *s = pair_schema(FW_NUMBER);
    FW_AUTO(fw_block) *b = NULL;
    fw_table_reading how = {.schema = s, .column_of = COLUMN_OF};
    uint64_t chunk, n;
    fw_status status = fw_table_open(&t, &p->spec, p->dir, reduce, NULL);
    if (status == FW_OK) status = fw_block_create(&b, s, 1, NULL);
    while (status == FW_OK && (status = fw_table_read(t, &how, b, &chunk, &n, NULL)) == FW_OK)
        __atomic_add_fetch(&p->wrong, check_chunk(p, reduce->rank, b, chunk), __ATOMIC_SEQ_CST);
    if (status != FW_END) p->status = status;
}

static void every_picture_is_read_once_on_any_ranks(void **state)
{
    scratch *dir = *state;
    make_pair();
    write_pair(dir, IMAGES_LEN, LABELS_LEN, false);
    write_pair(dir, IMAGES_LEN, LABELS_LEN, true);
    for (size_t per_chunk = 1; per_chunk <= PICTURES + 1; per_chunk++)
        for (int size = 1; size <= 3; size++)
            for (int gzip = 0; gzip < 2; gzip++) {
                pass p = {.spec = pair_spec(gzip), .dir = dir->dir, .per_chunk = per_chunk < PICTURES ? per_chunk : PICTURES};
                fw_table_chunk_bytes_for_tests(per_chunk * PICTURE_BYTES + (per_chunk % 2));
                thread_ranks_run(size, read_pair, &p);
                assert_int_equal(p.status, FW_OK);
                assert_int_equal(p.wrong, 0);
                for (size_t k = 0; k < PICTURES; k++) assert_int_equal(p.seen[0][k] + p.seen[1][k] + p.seen[2][k], 1);
            }
    fw_table_chunk_bytes_for_tests(0);
}

static void labels_are_categories_by_inference(void **state)
{
    scratch *dir = *state;
    make_pair();
    write_pair(dir, IMAGES_LEN, LABELS_LEN, false);
    fw_table_spec spec = pair_spec(false);
    FW_AUTO(fw_table) *t = NULL;
    FW_AUTO(fw_schema) *s = pair_schema(FW_CATEGORY);
    FW_AUTO(fw_block) *b = NULL;
    fw_column_type types[2];
    uint32_t shape[3];
    uint64_t chunk, n, bytes;
    char digest[33], wanted[33];
    assert_int_equal(fw_table_open(&t, &spec, dir->dir, &fw_reduce_alone, NULL), FW_OK);
    assert_string_equal(fw_table_column_name(t, 0), "image");
    assert_string_equal(fw_table_column_name(t, 1), "label");
    assert_int_equal(fw_table_infer(types, t, NULL, 0, NULL), FW_OK);
    assert_true(types[0] == FW_IMAGE && types[1] == FW_CATEGORY);
    assert_true(fw_table_image_shape(shape, t, 0) && shape[0] == HEIGHT && shape[1] == WIDTH && shape[2] == 1);
    assert_false(fw_table_image_shape(shape, t, 1));
    const fw_table_reading how = {.schema = s, .column_of = COLUMN_OF, .codes = FW_TABLE_GROW};
    assert_int_equal(fw_block_create(&b, s, 1, NULL), FW_OK);
    assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, NULL), FW_OK);
    assert_int_equal(n, PICTURES);
    assert_string_equal(fw_dict_text(s->columns[0].dict, b->cells[0].code[10], NULL), "230");
    assert_int_equal(fw_table_digest(digest, &bytes, t, NULL), FW_OK);
    const fw_digest both[2] = {fw_hash128(images, IMAGES_LEN, 0), fw_hash128(labels, LABELS_LEN, 0)};
    fw_digest_text(wanted, fw_hash128(both, sizeof both, 0));
    assert_string_equal(digest, wanted);
    assert_int_equal(bytes, IMAGES_LEN + LABELS_LEN);
}

static void wrong_pairs_are_refused(void **state)
{
    static const struct { size_t images_len, labels_len; int image_byte, label_byte; uint8_t value; const char *says; } cases[] = {
        {0, LABELS_LEN, -1, -1, 0, "empty"},
        {IMAGES_LEN, 0, -1, -1, 0, "empty"},
        {3, LABELS_LEN, -1, -1, 0, "not an IDX file of pictures"},
        {15, LABELS_LEN, -1, -1, 0, "truncated in its header"},
        {IMAGES_LEN - 1, LABELS_LEN, -1, -1, 0, "truncated"},
        {IMAGES_LEN + 1, LABELS_LEN, -1, -1, 0, "bytes follow"},
        {IMAGES_LEN, LABELS_LEN - 1, -1, -1, 0, "truncated"},
        {IMAGES_LEN, LABELS_LEN + 1, -1, -1, 0, "bytes follow"},
        {IMAGES_LEN, LABELS_LEN, 3, -1, 1, "not an IDX file of pictures"},
        {IMAGES_LEN, LABELS_LEN, 2, -1, 9, "not an IDX file of pictures"},
        {IMAGES_LEN, LABELS_LEN, -1, 3, 3, "not an IDX file of labels"},
        {IMAGES_LEN, LABELS_LEN, -1, 7, PICTURES - 1, "10 labels"},
        {IMAGES_LEN, LABELS_LEN, 7, -1, 0, "no pictures"},
        {IMAGES_LEN, LABELS_LEN, 11, -1, 0, "height and width"},
        {IMAGES_LEN, LABELS_LEN, 12, -1, 0xff, "height and width"},
        {IMAGES_LEN, LABELS_LEN, 14, -1, 1, "truncated"},
    };
    scratch *dir = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int gzip = 0; gzip < 2; gzip++) {
            make_pair();
            if (cases[i].image_byte >= 0) images[cases[i].image_byte] = cases[i].value;
            if (cases[i].label_byte >= 0) labels[cases[i].label_byte] = cases[i].value;
            write_pair(dir, cases[i].images_len, cases[i].labels_len, gzip);
            fw_table_spec spec = pair_spec(gzip);
            fw_table *t = NULL;
            fw_error err = {0};
            assert_int_equal(fw_table_open(&t, &spec, dir->dir, &fw_reduce_alone, &err), FW_ERR_DATA);
            assert_null(t);
            if (strstr(err.text, cases[i].says) == NULL) fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, cases[i].says);
        }
}

static void other_shapes_and_types_are_refused(void **state)
{
    scratch *dir = *state;
    make_pair();
    write_pair(dir, IMAGES_LEN, LABELS_LEN, false);
    fw_table_spec spec = pair_spec(false);
    for (int k = 0; k < 2; k++) {
        FW_AUTO(fw_table) *t = NULL;
        FW_AUTO(fw_schema) *s = pair_schema(FW_NUMBER);
        FW_AUTO(fw_block) *b = NULL;
        fw_error err = {0};
        uint64_t chunk, n;
        if (k == 0) s->columns[1].width = 5;
        else s->columns[1].type = FW_TEXT;
        assert_int_equal(fw_table_open(&t, &spec, dir->dir, &fw_reduce_alone, NULL), FW_OK);
        assert_int_equal(fw_block_create(&b, s, 1, NULL), FW_OK);
        const fw_table_reading how = {.schema = s, .column_of = COLUMN_OF};
        assert_int_equal(fw_table_read(t, &how, b, &chunk, &n, &err), FW_ERR_DATA);
        assert_non_null(strstr(err.text, k == 0 ? "pictures of 3 x 2 x 1, expected 3 x 5 x 1" : "holds pictures"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_picture_is_read_once_on_any_ranks),
        cmocka_unit_test(labels_are_categories_by_inference),
        cmocka_unit_test(wrong_pairs_are_refused),
        cmocka_unit_test(other_shapes_and_types_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
