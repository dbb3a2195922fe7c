/** The monitor's store when something goes wrong: a process that is killed, a disk that is full, a lock, a damaged file. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fault.h"
#include "common/core/fs.h"
#include "tests/unit/store_fixture.h"

/* ---- one transaction ---- */

static void nothing_is_there_without_a_commit(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    put_window(s, 1, 1, 100);
    put_position(s, 100);
    assert_int_equal(look(NULL).n, 0);
    commit(s);
    assert_int_equal(look(NULL).rows, 100);
    put_window(s, 1, 2, 100);
    put_position(s, 200);
    monitor_store_close(&s);
    assert_int_equal(look(NULL).position, 100);
}

static void a_commit_that_fails_at_its_end_is_made_again(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    fw_error err = {0};
    put_window(s, 1, 1, 100);
    commit(s);
    put_window(s, 1, 2, 100);
    put_position(s, 200);
    assert_int_equal(setenv("FW_FAULTS", "store.before_commit@hit=1,fail", 1), 0);
    assert_int_equal(fw_fault_init(0, NULL), FW_OK);
    assert_int_equal(monitor_store_commit(s, &err), FW_ERR_IO);
    unsetenv("FW_FAULTS");
    assert_int_equal(fw_fault_init(0, NULL), FW_OK);
    assert_int_equal(look(NULL).rows, 100);
    assert_string_equal(monitor_store_check(s).why, err.text);
    fw_sleep_ms(1100);
    commit(s);
    assert_string_equal(monitor_store_check(s).why, "");
    assert_int_equal(look(NULL).rows, 200);
    assert_int_equal(look(NULL).position, 200);
}

/** Puts windows and the position of their sum and commits, for ever; the first commit is told. Killed at a random moment. */
static void write_for_ever(int tell)
{
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    const seen v = look(NULL);
    int64_t position = v.position;
    for (int64_t n = v.last + 1;; n++) {
        const int64_t rows = n % 97 + 1;
        put_window(s, 1, n, rows);
        put_position(s, position += rows);
        commit(s);
        if (n == v.last + 1 && write(tell, "", 1) != 1) _exit(1);
    }
}

static void assert_sound(const char *file)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void killed_at_any_moment_it_is_as_after_its_last_commit(void **state)
{
    (void)state;
    const char *asked = getenv("FW_STORE_KILLS");
    const int rounds = asked != NULL ? atoi(asked) : 25;
    int64_t last = 0;
    for (int i = 0; i < rounds; i++) {
        int told[2];
        assert_int_equal(pipe(told), 0);
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            write_for_ever(told[1]);
            _exit(1);
        }
        if (i % 2 == 1) assert_int_equal(poll(&(struct pollfd){.fd = told[0], .events = POLLIN}, 1, 60000), 1);      /* else also while the store is made */
        usleep((useconds_t)(1000 + i * 7919 % 40000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(told[0]);
        close(told[1]);
        monitor_store *s = open_with((monitor_store_opts){0});
        const seen v = look(NULL);
        assert_int_equal(v.rows, v.position);
        assert_int_equal(v.n, v.last);
        assert_true(v.last >= last);
        last = v.last;
        monitor_store_close(&s);
        assert_sound(path);
    }
    assert_true(last >= rounds / 2);
    print_message("%d kills, %ld commits\n", rounds, (long)last);
}

/* ---- bad files ---- */

static void write_bytes(const char *file, long at, const char *bytes, size_t len)
{
    const int fd = open(file, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, at), len);
    close(fd);
}

static fw_status try_open(fw_error *err, bool put_aside)
{
    FW_AUTO(monitor_store) *s = NULL;
    const fw_status status = monitor_store_open(&s, &(monitor_store_opts){.path = path, .put_aside = put_aside}, err);
    if (put_aside && status == FW_OK) {
        assert_non_null(monitor_store_aside(s));
        put_window(s, 1, 1, 5);
        commit(s);
    }
    return status;
}

static void fill(void)
{
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    for (int64_t n = 1; n <= 500; n++) put_window(s, 1, n, 1);
    commit(s);
}

static void a_damaged_store_is_refused_and_put_aside_when_asked(void **state)
{
    (void)state;
    static const char zeros[4096];
    static const struct { const char *what; long at; size_t len; const char *bytes; } table[] = {
        {"no database", 0, 16, "project: adult\n\n"},
        {"a page of zeros", 4096 * 6, sizeof zeros, zeros},
        {"a page of another", 4096 * 4, 8, "\x05\xff\xff\xff\xff\xff\xff\xff"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char aside[700];
        fw_error err = {0};
        FW_FREE char *before = NULL, *after = NULL;
        size_t len = 0, len_after = 0;
        fill();
        write_bytes(path, table[i].at, table[i].bytes, table[i].len);
        assert_int_equal(fw_read_file(&before, &len, path, 1 << 24, NULL), FW_OK);
        if (try_open(&err, false) != FW_ERR_FORMAT) fail_msg("%s: %s", table[i].what, err.text);
        assert_non_null(strstr(err.text, "--new-store"));
        assert_non_null(strstr(err.text, path));
        assert_int_equal(try_open(&err, true), FW_OK);
        snprintf(aside, sizeof aside, i == 0 ? "%s.corrupt" : "%s.corrupt.%zu", path, i + 1);
        assert_int_equal(fw_read_file(&after, &len_after, aside, 1 << 24, NULL), FW_OK);
        assert_int_equal(len, len_after);
        assert_memory_equal(before, after, len);
        assert_int_equal(look(NULL).rows, 5);
        unlink(path);
    }
}

static void what_is_not_ours_is_left_alone(void **state)
{
    (void)state;
    static const struct { const char *sql; fw_status status; const char *says; } table[] = {
        {"PRAGMA user_version = 99", FW_ERR_VERSION, "newer flywheel-monitor (schema 99"},
        {"PRAGMA user_version = 0", FW_ERR_FORMAT, "never was"},
        {"PRAGMA application_id = 1", FW_ERR_CONFIG, "another program"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        fw_error err = {0};
        fill();
        run_sql(table[i].sql);
        assert_int_equal(try_open(&err, table[i].status != FW_ERR_FORMAT), table[i].status);      /* and --new-store is no way around */
        if (strstr(err.text, table[i].says) == NULL) fail_msg("%s", err.text);
        monitor_reader *r = NULL;
        assert_int_equal(monitor_reader_open(&r, path, &err), table[i].status);
        unlink(path);
    }
    fw_error err = {0};
    monitor_reader *r = NULL;
    assert_int_equal(monitor_reader_open(&r, path, &err), FW_ERR_NOTFOUND);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(try_open(&err, false), FW_ERR_CONFIG);
    rmdir(path);
}

static void one_monitor_at_a_time(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    fw_error err = {0};
    char number[32];
    assert_int_equal(try_open(&err, false), FW_ERR_CONFIG);
    snprintf(number, sizeof number, "process %ld)", (long)getpid());
    assert_non_null(strstr(err.text, number));
    monitor_store_close(&s);
    assert_int_equal(try_open(&err, false), FW_OK);
}

/* ---- the disk, the lock ---- */

static void behind_a_lock_it_waits_in_memory(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    sqlite3 *other = NULL;
    fw_error err = {0};
    bool touched = true;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE; INSERT INTO kpi VALUES ('k', 0, 1, 1, 1, 1)", NULL, NULL, NULL), SQLITE_OK);
    put_window(s, 1, 1, 3);
    const fw_mono before = fw_mono_now();
    assert_int_equal(monitor_store_commit(s, &err), FW_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "lock"));
    for (int64_t n = 2; n <= 50; n++) {                       /* does not wait again at once */
        put_window(s, 1, n, 3);
        put_position(s, n * 3);
        assert_int_equal(monitor_store_commit(s, NULL), FW_ERR_TIMEOUT);
    }
    assert_true(fw_mono_seconds(before, fw_mono_now()) < 0.9);
    assert_false(monitor_store_check(s).writing);
    assert_int_equal(monitor_store_check(s).failures, 1);
    assert_int_equal(monitor_store_check(s).waiting_rows, 51);      /* 50 windows, and the position once */
    assert_int_equal(monitor_store_touched(s, &touched, NULL), FW_OK);
    assert_false(touched);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(monitor_store_touched(s, &touched, NULL), FW_OK);
    assert_true(touched);
    while (monitor_store_commit(s, NULL) != FW_OK) {
        assert_true(fw_mono_seconds(before, fw_mono_now()) < 10);
        fw_sleep_ms(20);
    }
    assert_true(monitor_store_check(s).writing);
    assert_int_equal(look(NULL).rows, 150);
    assert_int_equal(look(NULL).position, 150);
    assert_int_equal(monitor_store_touched(s, &touched, NULL), FW_OK);
    assert_false(touched);                                          /* its own commits are none */
}

static void without_room_it_goes_on_in_memory_and_writes_when_there_is_some(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){.max_wait_bytes = 64 << 10});
    put_window(s, 1, 1, 1);
    put_position(s, 1);
    commit(s);
    allow_bytes(400 << 10);
    fw_error err = {0};
    int64_t n = 1;
    while (monitor_store_commit(s, &err) == FW_OK) {
        put_window(s, 1, ++n, 1);
        put_position(s, n);
        assert_true(n < 100000);
    }
    assert_int_equal(err.status, FW_ERR_IO);
    const seen full = look(NULL);
    assert_int_equal(full.rows, full.position);                     /* as after the last commit */
    const int64_t much = n + 2000;
    while (n < much) {
        put_window(s, 1, ++n, 1);
        put_position(s, n);
        assert_int_equal(monitor_store_commit(s, NULL), FW_ERR_IO);
    }
    const monitor_store_health h = monitor_store_check(s);
    assert_true(h.waiting_bytes <= 64 << 10);
    assert_true(h.dropped_rows > 0);
    assert_int_equal(look(NULL).rows, full.rows);
    allow_bytes(RLIM_INFINITY);
    const fw_mono before = fw_mono_now();
    while (monitor_store_commit(s, NULL) != FW_OK) {
        assert_true(fw_mono_seconds(before, fw_mono_now()) < 10);
        fw_sleep_ms(20);
    }
    const seen after = look(NULL);
    assert_int_equal(after.position, n);
    assert_int_equal(after.rows + (int64_t)h.dropped_rows, n);      /* what had to go is counted */
    assert_int_equal(after.last, n);                                /* and it was the oldest */
    monitor_store_close(&s);
    assert_sound(path);
}

static void a_store_that_was_taken_away_is_told(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    put_window(s, 1, 1, 1);
    commit(s);
    bool more = false;
    fw_error err = {0};
    assert_int_equal(unlink(path), 0);
    assert_int_equal(monitor_store_tidy(s, 0, &more, &err), FW_ERR_NOTFOUND);
    assert_non_null(strstr(err.text, "moved or removed"));
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        STORE_TEST(nothing_is_there_without_a_commit),
        STORE_TEST(a_commit_that_fails_at_its_end_is_made_again),
        STORE_TEST(killed_at_any_moment_it_is_as_after_its_last_commit),
        STORE_TEST(a_damaged_store_is_refused_and_put_aside_when_asked),
        STORE_TEST(what_is_not_ours_is_left_alone),
        STORE_TEST(one_monitor_at_a_time),
        STORE_TEST(behind_a_lock_it_waits_in_memory),
        STORE_TEST(without_room_it_goes_on_in_memory_and_writes_when_there_is_some),
        STORE_TEST(a_store_that_was_taken_away_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
