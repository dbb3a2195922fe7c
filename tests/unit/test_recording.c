/** Recordings: what was put comes out, and a file that is not whole is refused, wherever it was cut or changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/bus/recording.h"
#include "common/bus/spool.h"
#include "common/core/fault.h"
#include "common/core/fs.h"
#include "tests/unit/scratch.h"

#define MESSAGES 9

static scratch place;
static fw_error err;

static int set_up(void **state)
{
    (void)state;
    err = (fw_error){0};
    return scratch_make(&place) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unsetenv("FW_FAULTS");
    fw_fault_init(0, NULL);
    scratch_remove(&place);
    return 0;
}

static const char *file(void)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/r.rec", place.dir);
    return path;
}

static void must(fw_status status)
{
    if (status != FW_OK) fail_msg("%s", err.text);
}

/* message i: topic "t/i", i * 29 bytes */
static size_t message(char topic[static 32], char payload[static 512], uint64_t i)
{
    const size_t len = (size_t)i * 29;
    snprintf(topic, 32, "t/%llu", (unsigned long long)i);
    for (size_t k = 0; k < len; k++) payload[k] = (char)(i + k * 7);
    return len;
}

static void record_messages(uint64_t n)
{
    fw_recorder *r = NULL;
    char topic[32], payload[512];
    must(fw_recorder_create(&r, file(), &err));
    for (uint64_t i = 1; i <= n; i++) {
        const size_t len = message(topic, payload, i);
        must(fw_recorder_put(r, topic, payload, len, &err));
    }
    assert_int_equal(fw_recorder_messages(r), n);
    must(fw_recorder_commit(r, &err));
    fw_recorder_destroy(&r);
    assert_null(r);
}

/* All that is in it: message i is message(i). Returns how many; *missing: numbers that are not there. */
static uint64_t read_all(const char *path, uint64_t *missing)
{
    fw_recording *r = NULL;
    fw_recorded one;
    fw_status status;
    uint64_t n = 0, next = 1;
    char topic[32], payload[512];
    *missing = 0;
    must(fw_recording_open(&r, path, &err));
    while ((status = fw_recording_next(r, &one, &err)) == FW_OK) {
        assert_int_equal(one.first, next);
        next = one.last + 1;
        if (one.topic == NULL) {
            *missing += one.last - one.first + 1;
            continue;
        }
        assert_int_equal(one.len, message(topic, payload, one.first));
        assert_string_equal(one.topic, topic);
        assert_memory_equal(one.payload, payload, one.len);
        n++;
    }
    if (status != FW_END) fail_msg("%s", err.text);
    assert_int_equal(fw_recording_next(r, &one, &err), FW_END);
    assert_int_equal(fw_recording_messages(r), n);
    assert_int_equal(fw_recording_highest(r), next - 1);
    fw_recording_destroy(&r);
    return n;
}

static fw_status open_status(const char *path)
{
    fw_recording *r = NULL;
    err = (fw_error){0};
    const fw_status status = fw_recording_open(&r, path, &err);
    fw_recording_destroy(&r);
    return status;
}

static void assert_refused(const char *path, fw_status expected, const char *word)
{
    assert_int_equal(open_status(path), expected);
    if (strstr(err.text, word) == NULL) fail_msg("no '%s' in: %s", word, err.text);
}

static void gives_what_was_put(void **state)
{
    (void)state;
    uint64_t missing;
    record_messages(MESSAGES);
    assert_int_equal(read_all(file(), &missing), MESSAGES);
    assert_int_equal(missing, 0);
}

static void a_large_message_and_none_at_all_are_read(void **state)
{
    (void)state;
    fw_recorder *r = NULL;
    fw_recording *in = NULL;
    fw_recorded one;
    uint64_t missing;
    char *large = calloc(1, FW_BUS_MAX_MESSAGE);
    record_messages(0);
    assert_int_equal(read_all(file(), &missing), 0);
    must(fw_recorder_create(&r, file(), &err));
    must(fw_recorder_put(r, "large", large, FW_BUS_MAX_MESSAGE, &err));
    assert_int_equal(fw_recorder_put(r, "large", large, FW_BUS_MAX_MESSAGE + 1u, &err), FW_ERR_ARG);
    assert_int_equal(fw_recorder_put(r, "", large, 1, &err), FW_ERR_ARG);
    assert_int_equal(fw_recorder_put(r, "bus/end", large, 1, &err), FW_ERR_ARG);
    must(fw_recorder_put(r, "empty", large, 0, &err));
    must(fw_recorder_commit(r, &err));
    fw_recorder_destroy(&r);
    must(fw_recording_open(&in, file(), &err));
    must(fw_recording_next(in, &one, &err));
    assert_int_equal(one.len, FW_BUS_MAX_MESSAGE);
    must(fw_recording_next(in, &one, &err));
    assert_int_equal(one.len, 0);
    fw_recording_destroy(&in);
    free(large);
}

/* Whole, but for its length or one bit: a name and its bytes in a copy. */
static const char *copy_of(const char *bytes, size_t len)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/copy.rec", place.dir);
    must(fw_write_file(path, bytes, len, &err));
    return path;
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    FW_AUTO(fw_text) all = {0};
    record_messages(MESSAGES);
    must(fw_read_file(&all.data, &all.len, file(), 1u << 20, &err));
    for (size_t len = 0; len < all.len; len++) assert_refused(copy_of(all.data, len), FW_ERR_FORMAT, "copy.rec");
    assert_int_equal(open_status(copy_of(all.data, all.len)), FW_OK);
    assert_refused(copy_of(all.data, 0), FW_ERR_FORMAT, "is empty");
    assert_refused(copy_of(all.data, all.len - 40), FW_ERR_FORMAT, "unfinished: it ends at byte");
    assert_refused(copy_of(all.data, all.len - 8), FW_ERR_FORMAT, "cut off within a message");
}

static void a_changed_bit_is_found_with_its_place(void **state)
{
    (void)state;
    FW_AUTO(fw_text) all = {0};
    record_messages(MESSAGES);
    must(fw_read_file(&all.data, &all.len, file(), 1u << 20, &err));
    for (size_t at = 0; at < all.len; at++) {
        all.data[at] ^= (char)(1 << at % 8);
        assert_refused(copy_of(all.data, all.len), FW_ERR_FORMAT, at < 40 ? "first 40 bytes" : "at byte");
        all.data[at] ^= (char)(1 << at % 8);
    }
}

static void what_stands_behind_the_end_is_refused(void **state)
{
    (void)state;
    FW_AUTO(fw_text) all = {0};
    char *bytes = NULL;
    size_t len = 0;
    record_messages(2);
    must(fw_read_file(&bytes, &len, file(), 1u << 20, &err));
    fw_text_add_bytes(&all, bytes, len);
    fw_text_add_bytes(&all, "x", 1);
    assert_refused(copy_of(all.data, all.len), FW_ERR_FORMAT, "behind its end");
    fw_text_clear(&all);
    fw_text_add_bytes(&all, bytes, len);
    fw_text_add_bytes(&all, bytes + FW_SEGMENT_HEAD, len - FW_SEGMENT_HEAD);
    assert_refused(copy_of(all.data, all.len), FW_ERR_FORMAT, "behind its end");
    free(bytes);
}

static void what_is_no_recording_is_refused(void **state)
{
    (void)state;
    assert_refused(scratch_path(&place, "none"), FW_ERR_CONFIG, "cannot be opened");
    assert_refused(copy_of("id,prediction\n1,yes\n", 20), FW_ERR_FORMAT, "is no recording");
    assert_refused(place.dir, FW_ERR_CONFIG, "is no spool");
    assert_refused("/dev/null", FW_ERR_FORMAT, "is no file");
}

static void without_a_commit_or_with_a_full_disk_nothing_is_left(void **state)
{
    (void)state;
    fw_recorder *r = NULL;
    must(fw_recorder_create(&r, file(), &err));
    must(fw_recorder_put(r, "t", "x", 1, &err));
    fw_recorder_destroy(&r);
    assert_false(fw_path_exists(file()));
    setenv("FW_FAULTS", "recording.before_write@hit=3,fail", 1);
    must(fw_fault_init(0, &err));
    must(fw_recorder_create(&r, file(), &err));
    must(fw_recorder_put(r, "t", "x", 1, &err));
    assert_int_equal(fw_recorder_commit(r, &err), FW_ERR_IO);
    fw_recorder_destroy(&r);
    assert_false(fw_path_exists(file()));
    assert_int_equal(rmdir(place.dir), 0);
    assert_int_equal(mkdir(place.dir, 0700), 0);
}

/* ---- spools ------------------------------------------------------------------------------------------------------------------------------------ */

static const char *spool_folder(void)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/spool", place.dir);
    return path;
}

static fw_spool *spool_messages(uint64_t n, uint64_t cap)
{
    fw_spool *s = NULL;
    char topic[32], payload[512];
    must(fw_spool_open(&s, &(fw_spool_opts){.folder = spool_folder(), .cap_bytes = cap, .segment_bytes = 4096}, &err));
    for (uint64_t i = 1, number; i <= n; i++) {
        const size_t len = message(topic, payload, i % 10);
        snprintf(topic, sizeof topic, "t/%llu", (unsigned long long)i % 10);
        must(fw_spool_append(s, &number, topic, strlen(topic), payload, len, &err));
    }
    must(fw_spool_write(s, &err));
    return s;
}

static void a_spool_that_was_closed_is_read_and_left_as_it_is(void **state)
{
    (void)state;
    fw_recording *r = NULL;
    fw_recorded one = {0};
    fw_spool *s = spool_messages(200, 0);
    assert_refused(spool_folder(), FW_ERR_CONFIG, "held by a publisher");
    must(fw_spool_close(&s, &err));
    for (int again = 0; again < 2; again++) {
        must(fw_recording_open(&r, spool_folder(), &err));
        assert_int_equal(fw_recording_messages(r), 200);
        for (uint64_t i = 1; i <= 200; i++) {
            must(fw_recording_next(r, &one, &err));
            assert_int_equal(one.first, i);
            assert_int_equal(one.len, i % 10 * 29);
        }
        assert_int_equal(fw_recording_next(r, &one, &err), FW_END);
        fw_recording_destroy(&r);
    }
    must(fw_spool_open(&s, &(fw_spool_opts){.folder = spool_folder()}, &err));
    assert_int_equal(fw_spool_count(s).spooled, 200);
    fw_spool_destroy(&s);
    assert_refused(spool_folder(), FW_ERR_FORMAT, "did not end in order");
}

static void what_left_a_spool_is_told_as_missing(void **state)
{
    (void)state;
    fw_recording *r = NULL;
    fw_recorded one;
    fw_spool *s = spool_messages(2000, 1u << 16);
    const uint64_t first = fw_spool_count(s).first;
    assert_true(first > 1);
    must(fw_spool_close(&s, &err));
    must(fw_recording_open(&r, spool_folder(), &err));
    must(fw_recording_next(r, &one, &err));
    assert_null(one.topic);
    assert_int_equal(one.first, 1);
    assert_int_equal(one.last, first - 1);
    must(fw_recording_next(r, &one, &err));
    assert_int_equal(one.first, first);
    assert_int_equal(fw_recording_messages(r), 2000 - first + 1);
    fw_recording_destroy(&r);
}

static void a_damaged_spool_is_refused(void **state)
{
    (void)state;
    char path[700];
    FW_AUTO(fw_text) all = {0};
    fw_spool *s = spool_messages(20, 0);
    must(fw_spool_close(&s, &err));
    snprintf(path, sizeof path, "%s/00000000000000000001.seg", spool_folder());
    must(fw_read_file(&all.data, &all.len, path, 1u << 20, &err));
    all.data[all.len / 2] ^= 4;
    must(fw_write_file(path, all.data, all.len, &err));
    assert_refused(spool_folder(), FW_ERR_FORMAT, "0001.seg: it is damaged at byte");
    all.data[all.len / 2] ^= 4;
    must(fw_write_file(path, all.data, all.len - 3, &err));
    assert_refused(spool_folder(), FW_ERR_FORMAT, "cut off within a message");
    must(fw_write_file(path, all.data, FW_SEGMENT_HEAD, &err));
    assert_refused(spool_folder(), FW_ERR_FORMAT, "unfinished: its last message is 0");
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(gives_what_was_put), WITH_PLACE(a_large_message_and_none_at_all_are_read), WITH_PLACE(a_file_cut_anywhere_is_refused),
        WITH_PLACE(a_changed_bit_is_found_with_its_place), WITH_PLACE(what_stands_behind_the_end_is_refused), WITH_PLACE(what_is_no_recording_is_refused),
        WITH_PLACE(without_a_commit_or_with_a_full_disk_nothing_is_left), WITH_PLACE(a_spool_that_was_closed_is_read_and_left_as_it_is),
        WITH_PLACE(what_left_a_spool_is_told_as_missing), WITH_PLACE(a_damaged_spool_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
