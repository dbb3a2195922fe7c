#include "common/core/fs.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"

static scratch here;

static int begin(void **state)
{
    (void)state;
    unsetenv("FW_FAULTS");
    return fw_fault_init(0, NULL) == FW_OK && scratch_make(&here) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    scratch_remove(&here);
    return 0;
}

static char *path_of(const char *name)
{
    char *path = strdup(scratch_path(&here, name));
    assert_non_null(path);
    return path;
}

static void holds(const char *path, const char *content)
{
    FW_FREE char *text = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&text, &len, path, 1000, NULL), FW_OK);
    assert_int_equal(len, strlen(content));
    assert_string_equal(text, content);
}

static int files_in(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    int n = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void a_file_appears_on_commit_alone(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("a.json");
    FW_AUTO(fw_atomic_file) *f = NULL;
    assert_int_equal(fw_atomic_file_create(&f, path, NULL), FW_OK);
    assert_true(fprintf(fw_atomic_file_stream(f), "new") == 3);
    assert_false(fw_path_exists(path));
    assert_true(fw_path_exists(fw_atomic_file_temp_path(f)));
    assert_int_equal(fw_atomic_file_commit(f, NULL), FW_OK);
    holds(path, "new");
    fw_atomic_file_destroy(&f);
    assert_null(f);
    assert_int_equal(files_in(here.dir), 1);
}

static void destroy_without_commit_leaves_nothing(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("a.json");
    assert_int_equal(fw_write_file(path, "old", 3, NULL), FW_OK);
    fw_atomic_file *f = NULL;
    assert_int_equal(fw_atomic_file_create(&f, path, NULL), FW_OK);
    assert_true(fputs("new", fw_atomic_file_stream(f)) >= 0);
    fw_atomic_file_destroy(&f);
    fw_atomic_file_destroy(&f);
    holds(path, "old");
    assert_int_equal(files_in(here.dir), 1);
}

static void another_writer_may_fill_the_temporary_file(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("m.h5");
    FW_AUTO(fw_atomic_file) *f = NULL;
    assert_int_equal(fw_atomic_file_create(&f, path, NULL), FW_OK);
    assert_int_equal(fw_atomic_file_release(f, NULL), FW_OK);
    assert_null(fw_atomic_file_stream(f));
    FILE *own = fopen(fw_atomic_file_temp_path(f), "w");
    assert_non_null(own);
    assert_true(fputs("theirs", own) >= 0);
    assert_int_equal(fclose(own), 0);
    assert_int_equal(fw_atomic_file_commit(f, NULL), FW_OK);
    holds(path, "theirs");
}

static void write_keeping(const char *path, const char *previous, const char *text)
{
    FW_AUTO(fw_atomic_file) *f = NULL;
    assert_int_equal(fw_atomic_file_create(&f, path, NULL), FW_OK);
    assert_true(fputs(text, fw_atomic_file_stream(f)) >= 0);
    assert_int_equal(fw_atomic_file_commit_keeping(f, previous, NULL), FW_OK);
}

static void two_generations_are_kept(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("checkpoint.h5"), *previous = path_of("checkpoint.previous.h5");
    write_keeping(path, previous, "one");
    assert_false(fw_path_exists(previous));
    write_keeping(path, previous, "two");
    holds(previous, "one");
    write_keeping(path, previous, "three");
    holds(path, "three");
    holds(previous, "two");
    /* killed between the two renames: both names are one file */
    assert_int_equal(unlink(previous), 0);
    assert_int_equal(link(path, previous), 0);
    write_keeping(path, previous, "four");
    holds(path, "four");
    holds(previous, "three");
    assert_int_equal(files_in(here.dir), 2);
}

/* At each point, for each way to go wrong: what stood there before is whole, or the new file is. */
static void a_fault_never_leaves_half_a_file(void **state)
{
    (void)state;
    static const struct { const char *point, *after; } rows[] = {
        {"fs.before_write", "old"}, {"fs.before_fsync", "old"}, {"fs.before_rename", "old"}, {"fs.after_rename", "new"}};
    FW_FREE char *path = path_of("a");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char     rule[64];
        fw_error err = {0};
        assert_int_equal(fw_write_file(path, "old", 3, NULL), FW_OK);
        snprintf(rule, sizeof rule, "%s@fail", rows[i].point);
        setenv("FW_FAULTS", rule, 1);
        assert_int_equal(fw_fault_init(0, NULL), FW_OK);
        assert_int_equal(fw_write_file(path, "new", 3, &err), FW_ERR_IO);
        assert_non_null(strstr(err.text, rows[i].point));
        holds(path, rows[i].after);
        assert_int_equal(files_in(here.dir), 1);
        unsetenv("FW_FAULTS");
        assert_int_equal(fw_fault_init(0, NULL), FW_OK);
        assert_int_equal(fw_write_file(path, "old", 3, NULL), FW_OK);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            snprintf(rule, sizeof rule, "%s@kill", rows[i].point);
            setenv("FW_FAULTS", rule, 1);
            fw_fault_init(0, NULL);
            fw_write_file(path, "new", 3, NULL);
            _exit(0);
        }
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        holds(path, rows[i].after);
        scratch_remove(&here);
        assert_int_equal(fw_make_dirs(here.dir, NULL), FW_OK);
    }
}

/* A file size limit stands for a full disk: the write fails in the flush at the end. */
static void a_full_disk_is_an_error_and_the_old_file_stays(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("a");
    assert_int_equal(fw_write_file(path, "old", 3, NULL), FW_OK);
    struct rlimit before, small = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    char     bytes[1000] = {0};
    fw_error err = {0};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fw_status s = fw_write_file(path, bytes, sizeof bytes, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(s, FW_ERR_IO);
    assert_non_null(strstr(err.text, strerror(EFBIG)));
    holds(path, "old");
    assert_int_equal(files_in(here.dir), 1);
}

/* Stands in front of the C library's fsync: call number fsync_fails_at fails with EIO, and the size at the first call is noted. */
static int     fsync_calls, fsync_fails_at;
static int64_t size_at_first_fsync;

int fsync(int fd)
{
    struct stat st;
    if (++fsync_calls == 1 && fstat(fd, &st) == 0) size_at_first_fsync = st.st_size;
    if (fsync_calls == fsync_fails_at) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void file_and_folder_are_synced_and_failures_told(void **state)
{
    (void)state;
    static const struct { int fails_at; fw_status status; const char *after; } rows[] = {
        {0, FW_OK, "new text"}, {1, FW_ERR_IO, "old"}, {2, FW_ERR_IO, "new text"}};
    FW_FREE char *path = path_of("a");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fw_error err = {0};
        fsync_fails_at = 0;
        assert_int_equal(fw_write_file(path, "old", 3, NULL), FW_OK);
        fsync_calls = 0;
        fsync_fails_at = rows[i].fails_at;
        assert_int_equal(fw_write_file(path, "new text", 8, &err), rows[i].status);
        if (rows[i].status < 0) assert_non_null(strstr(err.text, strerror(EIO)));
        else assert_int_equal(fsync_calls, 2);      /* the file, its folder */
        assert_int_equal(size_at_first_fsync, 8);
        holds(path, rows[i].after);
        assert_int_equal(files_in(here.dir), 1);
    }
    fsync_fails_at = 0;
}

static void after_a_commit_the_temporary_name_is_nobodys(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("a"), *temp = NULL;
    fw_atomic_file *f = NULL;
    assert_int_equal(fw_atomic_file_create(&f, path, NULL), FW_OK);
    assert_int_equal(fw_copy_text(&temp, fw_atomic_file_temp_path(f), NULL), FW_OK);
    assert_int_equal(fw_atomic_file_commit(f, NULL), FW_OK);
    fclose(fopen(temp, "w"));
    fw_atomic_file_destroy(&f);
    assert_true(fw_path_exists(temp));
}

static void what_cannot_be_written_is_said(void **state)
{
    (void)state;
    FW_FREE char *missing = path_of("no/such/folder/a"), *folder = path_of("folder"), *pipe = path_of("pipe");
    struct stat s;
    fw_error err = {0};
    assert_int_equal(fw_write_file(missing, "x", 1, &err), FW_ERR_IO);
    assert_non_null(strstr(err.text, "no/such/folder/a"));
    assert_int_equal(fw_make_dirs(folder, NULL), FW_OK);
    assert_int_equal(fw_write_file(folder, "x", 1, &err), FW_ERR_IO);      /* a folder stands there */
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(fw_write_file(pipe, "x", 1, &err), FW_ERR_IO);        /* as /dev/null: it must stay what it is */
    assert_non_null(strstr(err.text, "no regular file"));
    assert_true(stat(pipe, &s) == 0 && S_ISFIFO(s.st_mode));
    assert_int_equal(files_in(here.dir), 2);
}

static void leftovers_go_and_nothing_else(void **state)
{
    (void)state;
    static const struct { const char *name; bool goes; } rows[] = {
        {"a.tmp.123", true}, {"a.tmp.1", true}, {"a.tmp.", false}, {"a.tmp.12x", false}, {"a.tmp.1.rows", false}, {"b.tmp.7", false}, {"aa.tmp.7", false},
        {"a", false},
    };
    FW_FREE char *a = path_of("a"), *nowhere = path_of("no/such/folder/a");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FW_FREE char *path = path_of(rows[i].name);
        fclose(fopen(path, "w"));
    }
    fw_remove_leftovers(a);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FW_FREE char *path = path_of(rows[i].name);
        if (fw_path_exists(path) == rows[i].goes) fail_msg("%s", rows[i].name);
    }
    fw_remove_leftovers(nowhere);
}

static void a_dead_writers_leftover_is_no_obstacle(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("a"), *victim = path_of("victim");
    char temp[600];
    snprintf(temp, sizeof temp, "%s.tmp.%ld", path, (long)getpid());
    assert_int_equal(fw_write_file(victim, "precious", 8, NULL), FW_OK);
    assert_int_equal(symlink(victim, temp), 0);
    assert_int_equal(fw_write_file(path, "new", 3, NULL), FW_OK);
    holds(path, "new");
    holds(victim, "precious");
}

static void reading_has_a_limit(void **state)
{
    (void)state;
    FW_FREE char *path = path_of("a"), *missing = path_of("b");
    char  *text = NULL;
    size_t len = 77;
    fw_error err = {0};
    assert_int_equal(fw_write_file(path, "ab\0cd", 5, NULL), FW_OK);
    assert_int_equal(fw_read_file(&text, &len, path, 4, &err), FW_ERR_DATA);
    assert_null(text);
    assert_int_equal(len, 77);
    assert_int_equal(fw_read_file(&text, &len, path, 5, NULL), FW_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(text, "ab\0cd", 6);
    free(text);
    text = NULL;
    assert_int_equal(fw_read_file(&text, &len, missing, 5, &err), FW_ERR_IO);
    assert_int_equal(fw_read_file(&text, &len, here.dir, 5, &err), FW_ERR_IO);
    assert_null(text);
    assert_int_equal(fw_write_file(path, "", 0, NULL), FW_OK);
    assert_int_equal(fw_read_file(&text, &len, path, 0, NULL), FW_OK);
    assert_string_equal(text, "");
    free(text);
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    FW_FREE char *deep = path_of("a/b//c/"), *file = path_of("f"), *below = path_of("f/g");
    assert_int_equal(fw_make_dirs(deep, NULL), FW_OK);
    assert_true(fw_path_is_dir(deep));
    assert_int_equal(fw_make_dirs(deep, NULL), FW_OK);
    assert_int_equal(fw_write_file(file, "x", 1, NULL), FW_OK);
    assert_false(fw_path_is_dir(file));
    assert_int_equal(fw_make_dirs(file, NULL), FW_ERR_IO);
    assert_int_equal(fw_make_dirs(below, NULL), FW_ERR_IO);
    uint64_t bytes = 0;
    assert_int_equal(fw_file_size(&bytes, file, NULL), FW_OK);
    assert_int_equal(bytes, 1);
    assert_int_equal(fw_file_size(&bytes, below, NULL), FW_ERR_IO);
}

static void paths_join_and_split(void **state)
{
    (void)state;
    static const struct { const char *dir, *name, *joined; } joins[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {NULL, "b", "b"}, {"a", "/b", "/b"}, {"/", "b", "/b"}, {"a/b", "../c", "a/b/../c"}};
    for (size_t i = 0; i < sizeof joins / sizeof joins[0]; i++) {
        FW_FREE char *joined = NULL;
        assert_int_equal(fw_path_join(&joined, joins[i].dir, joins[i].name, NULL), FW_OK);
        assert_string_equal(joined, joins[i].joined);
    }
    static const struct { const char *path, *dir; } dirs[] = {{"a", "."}, {"a/b", "a"}, {"/a", "/"}, {"/a/b", "/a"}, {"a//b", "a"}, {"//b", "/"}, {"a/b/", "a/b"}};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        FW_FREE char *dir = NULL;
        assert_int_equal(fw_path_dir(&dir, dirs[i].path, NULL), FW_OK);
        assert_string_equal(dir, dirs[i].dir);
    }
}

static void a_link_is_replaced(void **state)
{
    (void)state;
    FW_FREE char *link_path = path_of("latest"), *folder = path_of("folder");
    char target[64] = {0};
    assert_int_equal(fw_link_replace(link_path, "one", NULL), FW_OK);
    assert_int_equal(fw_link_replace(link_path, "two", NULL), FW_OK);
    assert_int_equal(readlink(link_path, target, sizeof target - 1), 3);
    assert_string_equal(target, "two");
    assert_int_equal(fw_make_dirs(folder, NULL), FW_OK);
    assert_int_equal(fw_link_replace(folder, "three", NULL), FW_ERR_IO);
    assert_int_equal(files_in(here.dir), 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_appears_on_commit_alone),
        CASE(destroy_without_commit_leaves_nothing),
        CASE(another_writer_may_fill_the_temporary_file),
        CASE(two_generations_are_kept),
        CASE(a_fault_never_leaves_half_a_file),
        CASE(a_full_disk_is_an_error_and_the_old_file_stays),
        CASE(file_and_folder_are_synced_and_failures_told),
        CASE(after_a_commit_the_temporary_name_is_nobodys),
        CASE(what_cannot_be_written_is_said),
        CASE(leftovers_go_and_nothing_else),
        CASE(a_dead_writers_leftover_is_no_obstacle),
        CASE(reading_has_a_limit),
        CASE(folders_are_made_with_their_parents),
        CASE(paths_join_and_split),
        CASE(a_link_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
