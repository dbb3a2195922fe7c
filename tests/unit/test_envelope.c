#include "common/core/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"

enum { LENGTH = FW_ENVELOPE_BYTES + 3000 };

static scratch       here;
static char          path[512];
static unsigned char bytes[LENGTH];

static int begin(void **state)
{
    (void)state;
    if (!scratch_make(&here)) return -1;
    snprintf(path, sizeof path, "%s", scratch_path(&here, "m.h5"));
    for (int i = 0; i < LENGTH; i++) bytes[i] = i < FW_ENVELOPE_BYTES ? 0 : (unsigned char)(i * 7);
    if (fw_write_file(path, bytes, LENGTH, NULL) < 0 || fw_envelope_seal(path, "model", 3, NULL, NULL) < 0) return -1;
    FW_FREE char *sealed = NULL;
    size_t len;
    if (fw_read_file(&sealed, &len, path, LENGTH, NULL) < 0 || len != LENGTH) return -1;
    memcpy(bytes, sealed, LENGTH);
    return 0;
}

static int end(void **state)
{
    (void)state;
    scratch_remove(&here);
    return 0;
}

static fw_status check(const char *kind, uint32_t max_version, int whole, fw_error *err)
{
    return fw_envelope_check(NULL, path, kind, max_version, whole, err);
}

static void put_back(size_t len)
{
    FILE *f = fopen(path, "wb");      /* without the fsyncs of fw_write_file: there are thousands of these */
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void the_head_says_what_was_sealed(void **state)
{
    (void)state;
    fw_envelope e = {0};
    assert_int_equal(fw_envelope_check(&e, path, "model", 3, 1, NULL), FW_OK);
    assert_string_equal(e.kind, "model");
    assert_int_equal(e.version, 3);
    assert_int_equal(e.length, LENGTH);
    assert_true(fw_digest_equal(e.digest, fw_hash128(bytes + FW_ENVELOPE_BYTES, LENGTH - FW_ENVELOPE_BYTES, 0)));
    /* the layout drawn in the header */
    static const unsigned char first[32] = {'F', 'L', 'Y', 'W', 'H', 'E', 'E', 'L', 'm', 'o', 'd', 'e', 'l', 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
                                            LENGTH & 0xFF, LENGTH >> 8, 0, 0, 0, 0, 0, 0};
    assert_memory_equal(bytes, first, sizeof first);
    for (int i = 48; i < 504; i++) assert_int_equal(bytes[i], 0);
}

static void a_digest_of_ones_own_is_kept(void **state)
{
    (void)state;
    fw_digest   manifest = {.lo = 11, .hi = 22};
    fw_envelope e = {0};
    assert_int_equal(fw_envelope_seal(path, "dataset", 1, &manifest, NULL), FW_OK);
    assert_int_equal(fw_envelope_check(&e, path, "dataset", 1, 0, NULL), FW_OK);
    assert_true(fw_digest_equal(e.digest, manifest));
}

static void another_kind_or_a_newer_version_is_refused(void **state)
{
    (void)state;
    fw_error err = {0};
    assert_int_equal(check("checkpt", 3, 1, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "\"model\""));
    assert_int_equal(check("model", 2, 1, &err), FW_ERR_VERSION);
    assert_non_null(strstr(err.text, "newer"));
    assert_int_equal(check("model", 4, 1, &err), FW_OK);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    for (size_t at = 0; at < LENGTH; at += at < FW_ENVELOPE_BYTES ? 1 : 37)
        for (int bit = 0; bit < 8; bit += at < 32 ? 1 : 5) {
            bytes[at] ^= (unsigned char)(1 << bit);
            put_back(LENGTH);
            bytes[at] ^= (unsigned char)(1 << bit);
            fw_error err = {0};
            assert_int_equal(check("model", 3, 1, &err), FW_ERR_FORMAT);
            assert_true(err.text[0] != '\0');
        }
}

static void a_cut_or_longer_file_is_found_without_reading_it(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 8, 511, 512, 513, LENGTH - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        put_back(lengths[i]);
        assert_int_equal(check("model", 3, 0, NULL), FW_ERR_FORMAT);
    }
    put_back(LENGTH);
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fclose(f), 0);
    assert_int_equal(check("model", 3, 0, NULL), FW_ERR_FORMAT);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    assert_int_equal(fw_envelope_check(NULL, scratch_path(&here, "none"), "model", 3, 1, NULL), FW_ERR_IO);
    assert_int_equal(fw_envelope_check(NULL, here.dir, "model", 3, 1, NULL), FW_ERR_FORMAT);
    const char *pipe_path = scratch_path(&here, "pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(fw_envelope_check(NULL, pipe_path, "model", 3, 1, NULL), FW_ERR_FORMAT);
}

static void what_cannot_be_sealed(void **state)
{
    (void)state;
    assert_int_equal(fw_envelope_seal(path, "", 1, NULL, NULL), FW_ERR_ARG);
    assert_int_equal(fw_envelope_seal(path, "too long!", 1, NULL, NULL), FW_ERR_ARG);
    assert_int_equal(fw_envelope_seal(scratch_path(&here, "none"), "model", 1, NULL, NULL), FW_ERR_IO);
    memcpy(bytes, "\x89HDF\r\n\x1a\n", 8);      /* an HDF5 file without a user block would lose its superblock */
    put_back(LENGTH);
    assert_int_equal(fw_envelope_seal(path, "model", 1, NULL, NULL), FW_ERR_INTERNAL);
    put_back(100);
    assert_int_equal(fw_envelope_seal(path, "model", 1, NULL, NULL), FW_ERR_INTERNAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_head_says_what_was_sealed),
        CASE(a_digest_of_ones_own_is_kept),
        CASE(another_kind_or_a_newer_version_is_refused),
        CASE(every_flipped_bit_is_found),
        CASE(a_cut_or_longer_file_is_found_without_reading_it),
        CASE(other_files_are_refused),
        CASE(what_cannot_be_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
