/** The journal: what was written is read again; cut at any byte, or with any bit changed, what is left is believed line by line, and it goes on.
 *  Chained: any change is found and named by line and byte; only what is torn at the end is taken off. */
#include "coordinator/journal/journal.h"

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "tests/unit/scratch.h"

enum { ENTRIES = 5 };

typedef struct seen { int n[64]; size_t count; } seen;

static fw_status note(void *context, const coord_journal_line *line, fw_error *err)
{
    seen *s = context;
    (void)err;
    assert_true(s->count < 64);
    s->n[s->count++] = (int)json_integer_value(json_object_get(line->entry, "n"));
    return FW_OK;
}

static coord_journal *opened(const char *path, seen *s)
{
    coord_journal *j = NULL;
    fw_error err = {0};
    *s = (seen){0};
    if (coord_journal_open(&j, path, NULL, note, s, &err) != FW_OK) fail_msg("%s", err.text);
    return j;
}

static void add(coord_journal *j, int n) { assert_int_equal(coord_journal_add(j, "lost", json_pack("{s:i}", "n", n), NULL), FW_OK); }

typedef struct fixture { scratch s; char path[512]; char *bytes; size_t len; } fixture;

static int begin(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    seen s;
    *state = f;
    if (f == NULL || !scratch_make(&f->s)) return -1;
    snprintf(f->path, sizeof f->path, "%s", scratch_path(&f->s, "gang.journal"));
    coord_journal *j = opened(f->path, &s);
    for (int i = 0; i < ENTRIES; i++) add(j, i);
    coord_journal_close(&j);
    return fw_read_file(&f->bytes, &f->len, f->path, 1 << 20, NULL) == FW_OK ? 0 : -1;
}

static int finish(void **state)
{
    fixture *f = *state;
    scratch_remove(&f->s);
    free(f->bytes);
    free(f);
    return 0;
}

static void what_was_written_is_read_again_and_added_to(void **state)
{
    fixture *f = *state;
    seen s;
    coord_journal *j = opened(f->path, &s);
    assert_int_equal(s.count, ENTRIES);
    assert_int_equal(coord_journal_damaged(j), 0);
    add(j, 77);
    coord_journal_close(&j);
    j = opened(f->path, &s);
    assert_int_equal(s.count, ENTRIES + 1);
    assert_int_equal(s.n[ENTRIES], 77);
    coord_journal_close(&j);
}

/* Killed while it appended: the lines before stand, the torn one goes, and what is appended next is read. */
static void cut_at_any_byte_it_goes_on(void **state)
{
    fixture *f = *state;
    for (size_t cut = 0; cut <= f->len; cut++) {
        seen s;
        size_t whole = 0;
        for (size_t i = 0; i < cut; i++) whole += f->bytes[i] == '\n';
        assert_int_equal(fw_write_file(f->path, f->bytes, cut, NULL), FW_OK);
        coord_journal *j = opened(f->path, &s);
        assert_int_equal(s.count, whole);
        for (size_t i = 0; i < whole; i++) assert_int_equal(s.n[i], i);
        add(j, 99);
        coord_journal_close(&j);
        j = opened(f->path, &s);
        assert_int_equal(s.count, whole + 1);
        assert_int_equal(s.n[whole], 99);
        assert_int_equal(coord_journal_damaged(j), 0);
        coord_journal_close(&j);
    }
}

/* A changed line is passed over, the others are believed; only an end of line that is gone, or a new one, takes a neighbour along. */
static void no_changed_bit_is_believed(void **state)
{
    fixture *f = *state;
    for (size_t bit = 0; bit < 8 * f->len; bit += 3) {      /* every byte, each of its bits in one line or another */
        seen s;
        FW_FREE char *changed = malloc(f->len);
        memcpy(changed, f->bytes, f->len);
        changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << (bit % 8)));
        assert_int_equal(fw_write_file(f->path, changed, f->len, NULL), FW_OK);
        coord_journal *j = opened(f->path, &s);
        assert_true(coord_journal_damaged(j) > 0);
        assert_true(s.count == ENTRIES - 1 || (f->bytes[bit / 8] == '\n' && s.count >= ENTRIES - 2));
        for (size_t i = 1; i < s.count; i++) assert_true(s.n[i] > s.n[i - 1] && s.n[i] < ENTRIES);
        coord_journal_close(&j);
    }
}

/* ---- chained ----------------------------------------------------------------------------------------------------------------------------- */

static const coord_journal_opts chained = {.chained = true, .grouped = true, .alone = true};

static fw_status open_chained(coord_journal **j, const char *path, seen *s, fw_error *err)
{
    *s = (seen){0};
    *j = NULL;
    return coord_journal_open(j, path, &chained, note, s, err);
}

static int begin_chained(void **state)
{
    seen s;
    coord_journal *j;
    if (begin(state) != 0) return -1;
    fixture *f = *state;
    free(f->bytes);
    f->bytes = NULL;
    if (unlink(f->path) != 0 || open_chained(&j, f->path, &s, NULL) != FW_OK) return -1;
    for (int i = 0; i < ENTRIES; i++) add(j, i);
    coord_journal_close(&j);
    return fw_read_file(&f->bytes, &f->len, f->path, 1 << 20, NULL) == FW_OK ? 0 : -1;
}

static void a_chained_one_that_is_torn_goes_on(void **state)
{
    fixture *f = *state;
    for (size_t cut = 0; cut <= f->len; cut++) {
        seen s;
        coord_journal *j;
        size_t whole = 0;
        for (size_t i = 0; i < cut; i++) whole += f->bytes[i] == '\n';
        assert_int_equal(fw_write_file(f->path, f->bytes, cut, NULL), FW_OK);
        assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
        assert_int_equal(s.count, whole);
        add(j, 99);
        assert_int_equal(coord_journal_lines(j), whole + 1);
        coord_journal_close(&j);
        assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
        assert_int_equal(s.count, whole + 1);
        assert_int_equal(coord_journal_damaged(j), 0);
        coord_journal_close(&j);
    }
}

/* Which line holds the byte, and where it begins. */
static size_t line_of(const fixture *f, size_t byte, size_t *begins)
{
    size_t line = 1;
    *begins = 0;
    for (size_t i = 0; i < byte; i++)
        if (f->bytes[i] == '\n') {
            line++;
            *begins = i + 1;
        }
    return line;
}

static void refuses(const fixture *f, const char *bytes, size_t len, size_t at)
{
    seen s;
    coord_journal *j;
    fw_error err = {0};
    char where[64];
    size_t begins;
    const size_t line = line_of(f, at, &begins);
    snprintf(where, sizeof where, "line %zu (byte %zu) is damaged", line, begins);
    assert_int_equal(fw_write_file(f->path, bytes, len, NULL), FW_OK);
    assert_int_equal(open_chained(&j, f->path, &s, &err), FW_ERR_FORMAT);
    assert_null(j);
    assert_int_equal(s.count, line - 1);
    assert_non_null(strstr(err.text, where));
}

static void every_changed_bit_of_a_chained_one_is_found_and_named(void **state)
{
    fixture *f = *state;
    for (size_t bit = 0; bit < 8 * f->len; bit++) {
        FW_FREE char *changed = malloc(f->len);
        memcpy(changed, f->bytes, f->len);
        changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << (bit % 8)));
        refuses(f, changed, f->len, bit / 8);
    }
}

static void a_line_that_is_taken_out_or_moved_is_found(void **state)
{
    fixture *f = *state;
    size_t begins[ENTRIES + 1] = {0};
    for (size_t i = 0, line = 1; i < f->len; i++)
        if (f->bytes[i] == '\n') begins[line++] = i + 1;
    for (size_t i = 0; i + 1 < ENTRIES; i++) {
        FW_AUTO(fw_text) without = {0}, swapped = {0};
        fw_text_add_bytes(&without, f->bytes, begins[i]);
        fw_text_add_bytes(&without, f->bytes + begins[i + 1], f->len - begins[i + 1]);
        refuses(f, without.data, without.len, begins[i]);
        fw_text_add_bytes(&swapped, f->bytes, begins[i]);
        fw_text_add_bytes(&swapped, f->bytes + begins[i + 1], begins[i + 2] - begins[i + 1]);
        fw_text_add_bytes(&swapped, f->bytes + begins[i], begins[i + 1] - begins[i]);
        refuses(f, swapped.data, swapped.len, begins[i]);
    }
}

/* A process that is killed loses nothing: what was appended is with the kernel before the disk has it. */
static void what_was_appended_by_a_process_that_is_killed_is_there(void **state)
{
    fixture *f = *state;
    seen s;
    coord_journal *j;
    int status;
    const pid_t child = fork();
    if (child == 0) {
        if (open_chained(&j, f->path, &s, NULL) == FW_OK && coord_journal_add(j, "lost", json_pack("{s:i}", "n", 50), NULL) == FW_OK) raise(SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    assert_int_equal(s.count, ENTRIES + 1);
    assert_int_equal(coord_journal_sync(j, NULL), FW_OK);
    coord_journal_close(&j);
}

static void one_process_alone_has_it(void **state)
{
    fixture *f = *state;
    seen s;
    coord_journal *j, *second;
    fw_error err = {0};
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    assert_int_equal(open_chained(&second, f->path, &s, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "another process is at work on it"));
    const coord_journal_opts look = {.chained = true, .read_only = true};
    assert_int_equal(coord_journal_open(&second, f->path, &look, note, &s, &err), FW_OK);
    assert_int_equal(s.count, ENTRIES);
    coord_journal_close(&second);
    coord_journal_close(&j);
}

/* The limit on the size of a file stands for a full disk: a part of the line still goes in. */
static void without_room_nothing_of_a_line_stays(void **state)
{
    fixture *f = *state;
    seen s;
    coord_journal *j;
    fw_error err = {0};
    struct rlimit before, small;
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = f->len + 20, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(coord_journal_add(j, "lost", NULL, &err), FW_ERR_IO);
    assert_non_null(strstr(err.text, "appending"));
    uint64_t bytes;
    assert_int_equal(fw_file_size(&bytes, f->path, NULL), FW_OK);
    assert_int_equal(bytes, f->len);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    add(j, 60);
    coord_journal_close(&j);
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    assert_int_equal(s.count, ENTRIES + 1);
    coord_journal_close(&j);
}

static void put(coord_journal *j, const char *json) { assert_int_equal(coord_journal_put_text(j, json, strlen(json), false, NULL), FW_OK); }

static uint64_t bytes_of(const fixture *f)
{
    uint64_t bytes;
    assert_int_equal(fw_file_size(&bytes, f->path, NULL), FW_OK);
    return bytes;
}

static void lines_that_are_put_go_in_one_write(void **state)
{
    fixture *f = *state;
    seen s;
    coord_journal *j;
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    put(j, "{\"n\":60}");
    put(j, "{\"n\":61}");
    assert_int_equal(bytes_of(f), f->len);
    assert_int_equal(coord_journal_write(j, NULL), FW_OK);
    const uint64_t written = bytes_of(f);
    assert_true(written > f->len);
    put(j, "{\"n\":62}");
    assert_int_equal(bytes_of(f), written);
    coord_journal_close(&j);                        /* nothing is forgotten */
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    assert_int_equal(s.count, ENTRIES + 3);
    for (int i = 0; i < 3; i++) assert_int_equal(s.n[ENTRIES + i], 60 + i);
    coord_journal_close(&j);
}

static void without_room_nothing_of_what_was_put_stays(void **state)
{
    fixture *f = *state;
    seen s;
    coord_journal *j;
    struct rlimit before, small;
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = f->len + 40, .rlim_max = before.rlim_max};      /* the first of them, and a piece of the second */
    put(j, "{\"n\":60}");
    put(j, "{\"n\":61}");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(coord_journal_write(j, NULL), FW_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(bytes_of(f), f->len);
    assert_int_equal(coord_journal_lines(j), ENTRIES);
    add(j, 62);
    coord_journal_close(&j);
    assert_int_equal(open_chained(&j, f->path, &s, NULL), FW_OK);
    assert_int_equal(s.count, ENTRIES + 1);
    assert_int_equal(s.n[ENTRIES], 62);
    coord_journal_close(&j);
}

static fw_status refuse_third(void *context, const coord_journal_line *line, fw_error *err)
{
    (void)context;
    return line->number < 3 ? FW_OK : fw_fail(err, FW_ERR_CHECK, "no");
}

static void a_reader_that_refuses_ends_it(void **state)
{
    fixture *f = *state;
    coord_journal *j = NULL;
    assert_int_equal(coord_journal_open(&j, f->path, &chained, refuse_third, NULL, NULL), FW_ERR_CHECK);
    assert_null(j);
}

/* Threads of this process that wait for a free core when they wake. */
static int threads_behind(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') n += sched_getscheduler(atoi(e->d_name)) == SCHED_BATCH;
    closedir(d);
    return n;
}

static void who_appends_loses_no_core_to_the_thread_that_waits_for_the_disk(void **state)
{
    fixture *f = *state;
    coord_journal *j = NULL;
    const int before = threads_behind();
    const coord_journal_opts grouped = {.chained = true, .grouped = true};
    assert_int_equal(coord_journal_open(&j, f->path, &grouped, NULL, NULL, NULL), FW_OK);
    add(j, 1);
    assert_int_equal(coord_journal_sync(j, NULL), FW_OK);          /* so that it has begun */
    assert_int_equal(threads_behind(), before + 1);
    coord_journal_close(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read_again_and_added_to, begin, finish),
        cmocka_unit_test_setup_teardown(cut_at_any_byte_it_goes_on, begin, finish),
        cmocka_unit_test_setup_teardown(no_changed_bit_is_believed, begin, finish),
        cmocka_unit_test_setup_teardown(a_chained_one_that_is_torn_goes_on, begin_chained, finish),
        cmocka_unit_test_setup_teardown(every_changed_bit_of_a_chained_one_is_found_and_named, begin_chained, finish),
        cmocka_unit_test_setup_teardown(a_line_that_is_taken_out_or_moved_is_found, begin_chained, finish),
        cmocka_unit_test_setup_teardown(what_was_appended_by_a_process_that_is_killed_is_there, begin_chained, finish),
        cmocka_unit_test_setup_teardown(one_process_alone_has_it, begin_chained, finish),
        cmocka_unit_test_setup_teardown(without_room_nothing_of_a_line_stays, begin_chained, finish),
        cmocka_unit_test_setup_teardown(lines_that_are_put_go_in_one_write, begin_chained, finish),
        cmocka_unit_test_setup_teardown(without_room_nothing_of_what_was_put_stays, begin_chained, finish),
        cmocka_unit_test_setup_teardown(a_reader_that_refuses_ends_it, begin_chained, finish),
        cmocka_unit_test_setup_teardown(who_appends_loses_no_core_to_the_thread_that_waits_for_the_disk, begin_chained, finish),
    };
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);      /* thousands of journals are opened; no disk is tested */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
