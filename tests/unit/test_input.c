#include "common/data/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "common/core/fs.h"
#include "common/core/text.h"
#include "scratch.h"

/* 700,000 bytes that do not pack away to nothing, so that the decoder's buffers fill more than once. */
enum { LEN = 700000 };
static unsigned char original[LEN];

static void fill_original(void)
{
    uint64_t x = 1;
    for (size_t i = 0; i < LEN; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        original[i] = (unsigned char)(x >> 33) & 63;
    }
}

/* zlib and libzstd are the oracle: they pack, we unpack. */
static void add_gzip(fw_text *out, const unsigned char *s, size_t len)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, len) + 64;
    char *packed = malloc(room);
    z.next_in = (unsigned char *)(uintptr_t)s;
    z.avail_in = (uInt)len;
    z.next_out = (unsigned char *)packed;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    fw_text_add_bytes(out, packed, room - z.avail_out);
    deflateEnd(&z);
    free(packed);
}

static void add_zstd(fw_text *out, const unsigned char *s, size_t len)
{
    size_t room = ZSTD_compressBound(len);
    char *packed = malloc(room);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(c, packed, room, s, len);
    ZSTD_freeCCtx(c);
    assert_false(ZSTD_isError(n));
    fw_text_add_bytes(out, packed, n);
    free(packed);
}

typedef void packer(fw_text *, const unsigned char *, size_t);
static const struct { const char *name; packer *pack; } KINDS[] = {{"t.gz", add_gzip}, {"t.zst", add_zstd}};

static const char *write_file(scratch *dir, const char *name, const fw_text *bytes)
{
    assert_int_equal(fw_text_check(bytes, NULL), FW_OK);
    assert_int_equal(fw_write_file(scratch_path(dir, name), bytes->data, bytes->len, NULL), FW_OK);
    return dir->path;
}

static fw_status read_to_the_end(fw_input *in, fw_error *err)
{
    static unsigned char bytes[LEN + 10];
    size_t got;
    FW_TRY(fw_input_read(in, 0, bytes, sizeof bytes, &got, err));
    assert_int_equal(got, LEN);
    assert_memory_equal(bytes, original, LEN);
    return FW_OK;
}

/* Steps forward, back, and over the end, in pieces that straddle every buffer. */
static void read_around(const char *path)
{
    static const struct { uint64_t at; size_t len; } places[] = {{0, 1}, {1, 65536}, {262143, 3}, {500000, 199999}, {699999, 5}, {700000, 5}, {900000, 5}, {3, 10}};
    FW_AUTO(fw_input) *in = NULL;
    static unsigned char bytes[LEN];
    assert_int_equal(fw_input_open(&in, path, NULL), FW_OK);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t got, wanted = places[i].at >= LEN ? 0 : places[i].at + places[i].len > LEN ? LEN - (size_t)places[i].at : places[i].len;
        assert_int_equal(fw_input_read(in, places[i].at, bytes, places[i].len, &got, NULL), FW_OK);
        assert_int_equal(got, wanted);
        if (wanted > 0) assert_memory_equal(bytes, original + places[i].at, wanted);
    }
    assert_int_equal(read_to_the_end(in, NULL), FW_OK);
}

static void plain_and_packed_files_give_the_same_bytes(void **state)
{
    scratch *dir = *state;
    fw_text plain = {0};
    fw_text_add_bytes(&plain, (const char *)original, LEN);
    read_around(write_file(dir, "t.csv", &plain));
    fw_text_destroy(&plain);
    for (size_t k = 0; k < 2; k++) {
        static const size_t cuts[] = {0, 1, 1, 300000, LEN};        /* members: empty ones too */
        fw_text packed = {0};
        for (size_t i = 0; i + 1 < sizeof cuts / sizeof *cuts; i++) KINDS[k].pack(&packed, original + cuts[i], cuts[i + 1] - cuts[i]);
        read_around(write_file(dir, KINDS[k].name, &packed));
        read_around(write_file(dir, "named-like-nothing", &packed));
        fw_text_destroy(&packed);
    }
}

static void cut_damaged_and_followed_files_are_refused(void **state)
{
    scratch *dir = *state;
    for (size_t k = 0; k < 2; k++) {
        fw_text whole = {0};
        KINDS[k].pack(&whole, original, LEN);
        size_t cuts[] = {5, 11, 1000, whole.len / 2, whole.len - 1};
        for (size_t i = 0; i < 5 + 2; i++) {
            fw_text t = {0};
            fw_error err = {0};
            FW_AUTO(fw_input) *in = NULL;
            fw_text_add_bytes(&t, whole.data, i < 5 ? cuts[i] : whole.len);
            if (i == 5) fw_text_add(&t, "more");
            if (i == 6) t.data[t.len - (k == 0 ? 6 : 2)] ^= 1;           /* the checksum at the end */
            assert_int_equal(fw_input_open(&in, write_file(dir, KINDS[k].name, &t), &err), FW_OK);
            assert_int_equal(read_to_the_end(in, &err), FW_ERR_DATA);
            assert_non_null(strstr(err.text, "damaged"));
            assert_non_null(strstr(err.text, "copy it again"));
            if (i < 5) assert_non_null(strstr(err.text, "truncated"));
            fw_text_destroy(&t);
        }
        fw_text_destroy(&whole);
    }
}

static void what_is_no_file_or_not_what_its_name_says_is_refused(void **state)
{
    static const struct { const char *name; const char *bytes; fw_status status; const char *says; } cases[] = {
        {"missing.csv", NULL, FW_ERR_CONFIG, "no such file"},
        {".", NULL, FW_ERR_IO, "not a regular file"},
        {"text.csv.gz", "a,b\n1,2\n", FW_ERR_DATA, "the name says gzip"},
        {"text.csv.zst", "a,b\n1,2\n", FW_ERR_DATA, "the name says zstd"},
    };
    scratch *dir = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_input *in = NULL;
        fw_error err = {0};
        scratch_path(dir, cases[i].name);
        if (cases[i].bytes != NULL) assert_int_equal(fw_write_file(dir->path, cases[i].bytes, strlen(cases[i].bytes), NULL), FW_OK);
        assert_int_equal(fw_input_open(&in, dir->path, &err), cases[i].status);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_null(in);
    }
}

static void a_leaf_has_the_digest_of_its_stored_bytes(void **state)
{
    scratch *dir = *state;
    fw_text stored = {0};
    FW_AUTO(fw_input) *in = NULL;
    fw_digest d, other;
    while (stored.len < FW_INPUT_LEAF + 100) fw_text_add_bytes(&stored, "0123456789", 10);
    assert_int_equal(fw_input_open(&in, write_file(dir, "leaves", &stored), NULL), FW_OK);
    assert_int_equal(fw_input_n_leaves(in), 2);
    assert_int_equal(fw_input_leaf(&d, in, 0, NULL), FW_OK);
    assert_true(fw_digest_equal(d, fw_hash128(stored.data, FW_INPUT_LEAF, 0)));
    other = fw_hash128(stored.data + FW_INPUT_LEAF, stored.len - FW_INPUT_LEAF, 0);
    assert_int_equal(fw_input_leaf(&d, in, 1, NULL), FW_OK);
    assert_true(fw_digest_equal(d, other));

    fw_input_note(in, FW_INPUT_LEAF, "what was read", stored.len - FW_INPUT_LEAF - 1);      /* not all of it: no leaf */
    fw_input_note(in, 1, stored.data + 1, FW_INPUT_LEAF);
    assert_int_equal(fw_input_leaf(&d, in, 0, NULL), FW_OK);
    assert_true(fw_digest_equal(d, fw_hash128(stored.data, FW_INPUT_LEAF, 0)));
    assert_int_equal(fw_input_leaf(&d, in, 1, NULL), FW_OK);
    assert_true(fw_digest_equal(d, other));
    stored.data[FW_INPUT_LEAF] = 'x';                                                       /* what was read is believed, and not read again */
    fw_input_note(in, FW_INPUT_LEAF, stored.data + FW_INPUT_LEAF, stored.len - FW_INPUT_LEAF);
    assert_int_equal(fw_input_leaf(&d, in, 1, NULL), FW_OK);
    assert_true(fw_digest_equal(d, fw_hash128(stored.data + FW_INPUT_LEAF, stored.len - FW_INPUT_LEAF, 0)));
    fw_text_destroy(&stored);
}

static int set_up(void **state)
{
    fill_original();
    return scratch_set_up(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_packed_files_give_the_same_bytes),
        cmocka_unit_test(cut_damaged_and_followed_files_are_refused),
        cmocka_unit_test(what_is_no_file_or_not_what_its_name_says_is_refused),
        cmocka_unit_test(a_leaf_has_the_digest_of_its_stored_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_tear_down);
}
