/* Runs of bytes that grow side by side in a file: every byte arrives where it belongs, whatever the places, lengths and ways to give them; what was
 * never written reads as zeros; a write that fails is told. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"
#include "worker/ingest_streams.h"

enum { RUNS = 7, FILE_BYTES = 24 << 20 };

typedef struct fixture { scratch folder; char *want; } fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (f == NULL || (f->want = calloc(1, FILE_BYTES)) == NULL || !scratch_make(&f->folder)) return -1;
    const int fd = open(scratch_path(&f->folder, "file"), O_WRONLY | O_CREAT, 0600);
    *state = f;
    return fd < 0 || ftruncate(fd, FILE_BYTES) != 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    scratch_remove(&f->folder);
    free(f->want);
    free(f);
    return 0;
}

static void file_is_as_wanted(fixture *f)
{
    char *got = malloc(FILE_BYTES);
    const int fd = open(scratch_path(&f->folder, "file"), O_RDONLY);
    assert_true(fd >= 0 && got != NULL);
    for (size_t done = 0; done < FILE_BYTES;) {
        const ssize_t n = pread(fd, got + done, FILE_BYTES - done, (off_t)done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    assert_memory_equal(got, f->want, FILE_BYTES);
    close(fd);
    free(got);
}

/* len bytes at `at`, by room or by put. */
static void give(fixture *f, ingest_streams *s, size_t run, uint64_t at, size_t len, bool by_room, uint32_t seed)
{
    void *to = NULL;
    char *bytes = f->want + at;
    for (size_t i = 0; i < len; i++) bytes[i] = (char)(seed * 31 + i * 7 + (i >> 8));
    if (by_room) assert_int_equal(ingest_streams_room(s, run, at, len, &to, NULL), FW_OK);
    if (to != NULL) memcpy(to, bytes, len);
    else assert_int_equal(ingest_streams_put(s, run, at, bytes, len, NULL), FW_OK);
}

/* Runs begin at odd places and touch each other; a step in ten leaves a gap. n_used decides how large the buffers are, and whether there are any. */
static void write_runs(fixture *f, size_t n_used)
{
    const char *path = scratch_path(&f->folder, "file");
    const size_t share = FILE_BYTES / RUNS;
    uint64_t at[RUNS], state = 12345;
    ingest_streams *s = NULL;
    memset(f->want, 0, FILE_BYTES);
    assert_int_equal(ingest_streams_create(&s, path, RUNS, n_used, NULL), FW_OK);
    for (size_t i = 0; i < RUNS; i++) at[i] = i * share;
    for (uint32_t step = 0; step < 400; step++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const size_t run = (state >> 33) % RUNS, behind = run + 1 == RUNS ? FILE_BYTES : (run + 1) * share;
        size_t len = (state >> 40) % 5 == 0 ? (state >> 44) % 700000 : (state >> 44) % 40000;
        if (step % 10 == 0) at[run] += 5001;
        if (at[run] >= behind) continue;
        len = len < behind - at[run] ? len : behind - at[run];
        give(f, s, run, at[run], len, step % 3 != 0, step);
        at[run] += len;
    }
    assert_int_equal(ingest_streams_finish(s, NULL), FW_OK);
    ingest_streams_destroy(&s);
    assert_null(s);
    file_is_as_wanted(f);
}

static void every_byte_arrives_with_large_buffers(void **state) { write_runs(*state, RUNS); }
static void every_byte_arrives_with_small_buffers(void **state) { write_runs(*state, 1000); }
static void every_byte_arrives_without_buffers(void **state) { write_runs(*state, 1000000); }

static void what_is_not_finished_is_dropped_in_peace(void **state)
{
    fixture *f = *state;
    ingest_streams *s = NULL;
    assert_int_equal(ingest_streams_create(&s, scratch_path(&f->folder, "file"), RUNS, RUNS, NULL), FW_OK);
    for (uint32_t i = 0; i < 20; i++) give(f, s, i % RUNS, i * 700001, 700000, i % 2, i);
    ingest_streams_destroy(&s);
}

/* The thread fails beyond the limit on the length of files; a later call tells. */
static void a_write_that_fails_is_told(void **state)
{
    fixture *f = *state;
    fw_error err = {0};
    ingest_streams *s = NULL;
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 1 << 20;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(ingest_streams_create(&s, scratch_path(&f->folder, "file"), RUNS, RUNS, NULL), FW_OK);
    give(f, s, 0, 3 << 20, 10000, false, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_equal(ingest_streams_finish(s, &err), FW_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(err.text, "cannot be written"));
    ingest_streams_destroy(&s);
}

static void a_file_that_is_not_there_is_refused(void **state)
{
    fixture *f = *state;
    ingest_streams *s = NULL;
    assert_int_equal(ingest_streams_create(&s, scratch_path(&f->folder, "none"), 1, 1, NULL), FW_ERR_IO);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_byte_arrives_with_large_buffers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_byte_arrives_with_small_buffers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_byte_arrives_without_buffers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_finished_is_dropped_in_peace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_that_fails_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_there_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
