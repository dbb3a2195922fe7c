/** The file of rows that groups share: made by one, found by others, waited for, removed by the last; what is not whole is never believed. Users are told apart
 *  by their open files, so that one group can be several of them. */
#include "worker/rows_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fault.h"
#include "common/core/fs.h"
#include "common/core/random.h"
#include "tests/ranks/folder.h"

#define BYTES 300000

static worker_group *g;
static scratch place;
static char folder[400], path[500], making[520];
static const fw_digest key = {0x1234, 0x5678}, other_key = {9, 9};
static const worker_rows_figures figures = {.n = {700, 80}, .missing = {3, 1}, .width = 12};

static void sync_ranks(void) { CHECK(worker_group_barrier(g, NULL) == FW_OK, "barrier"); }
static bool leads(void) { return worker_group_rank(g) == 0; }

static worker_rows_file *open_file(fw_digest k, bool expect_found)
{
    worker_rows_file *f = NULL;
    bool found = false;
    fw_error err = {0};
    CHECK(worker_rows_file_open(&f, g, k, &found, &err) == FW_OK && f != NULL && found == expect_found, "%s, found %d", err.text, found);
    if (f == NULL) abort();
    return f;
}

static char byte_at(size_t i) { return (char)(i * 7 + i / 1000); }

static bool holds(const worker_rows_file *f)
{
    const char *base = worker_rows_file_base(f);
    for (size_t i = 0; i < BYTES; i++)
        if (base[i] != byte_at(i)) return false;
    return worker_rows_file_bytes(f) == BYTES && memcmp(worker_rows_file_figures(f), &figures, sizeof figures) == 0;
}

static void fill(worker_rows_file *f)
{
    bool room = false;
    CHECK(worker_rows_file_make(f, BYTES, &room, NULL) == FW_OK && room, "no room");
    char *base = worker_rows_file_base(f);
    const size_t rank = (size_t)worker_group_rank(g), size = (size_t)worker_group_size(g);
    for (size_t i = rank; i < BYTES; i += size) base[i] = byte_at(i);
}

static worker_rows_file *make(fw_digest k)
{
    worker_rows_file *f = open_file(k, false);
    fill(f);
    CHECK(worker_rows_file_commit(f, &figures, NULL) == FW_OK, "commit");
    return f;
}

static void expect_files(bool whole, bool half)
{
    sync_ranks();
    CHECK(fw_path_exists(path) == whole && fw_path_exists(making) == half, "whole %d, half made %d", fw_path_exists(path), fw_path_exists(making));
    sync_ranks();
}

static void the_last_user_removes_it(void)
{
    worker_rows_file *first = make(key), *second = open_file(key, true);
    CHECK(holds(first) && holds(second), "other bytes");
    expect_files(true, false);
    worker_rows_file_release(&first);
    expect_files(true, false);
    CHECK(holds(second), "other bytes");
    worker_rows_file_release(&second);
    expect_files(false, false);
    CHECK(!fw_path_exists(folder), "the folder is left");
}

/* Given up before it was whole, and left by a maker that was killed. */
static void what_is_half_made_is_made_anew(void)
{
    worker_rows_file *f = open_file(key, false);
    fill(f);
    expect_files(false, true);
    worker_rows_file_release(&f);
    expect_files(false, false);
    if (leads()) CHECK(mkdir(folder, 0700) == 0 && fw_write_file(making, "half", 4, NULL) == FW_OK, "no file");
    sync_ranks();
    f = make(key);
    CHECK(holds(f), "other bytes");
    worker_rows_file_release(&f);
}

/* It fails at rank 0, when all is written: an error at every rank, nothing is left, and the next one makes it. */
static void what_cannot_be_named_at_its_end_is_made_anew(void)
{
    fw_error err = {0};
    worker_rows_file *f = open_file(key, false);
    fill(f);
    setenv("FW_FAULTS", "rows.before_rename@rank=0,hit=1,fail", 1);
    CHECK(fw_fault_init(worker_group_rank(g), &err) == FW_OK, "%s", err.text);
    CHECK(worker_rows_file_commit(f, &figures, &err) == FW_ERR_IO && strstr(err.text, "rows.before_rename") != NULL, "%s", err.text);
    unsetenv("FW_FAULTS");
    CHECK(fw_fault_init(worker_group_rank(g), &err) == FW_OK, "%s", err.text);
    expect_files(false, true);
    worker_rows_file_release(&f);
    expect_files(false, false);
    f = make(key);
    CHECK(holds(f), "other bytes");
    worker_rows_file_release(&f);
}

/* A kill leaves the whole file; then a bit of it, of its head, or its end is lost. */
static void what_is_damaged_is_made_anew(void)
{
    static const struct { off_t at, cut; } damages[] = {{100000, 0}, {9, 0}, {20, 0}, {50, 0}, {0, 4096}, {0, 100}};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        worker_rows_file *f = make(key);
        if (leads()) {
            char command[1200];
            snprintf(command, sizeof command, "%s.kept", path);
            CHECK(link(path, command) == 0, "no second name");
        }
        worker_rows_file_release(&f);
        if (leads()) {
            char kept[600];
            snprintf(kept, sizeof kept, "%s.kept", path);
            CHECK(mkdir(folder, 0700) == 0 || fw_path_is_dir(folder), "no folder");
            CHECK(rename(kept, path) == 0, "not back");
            const int fd = open(path, O_RDWR);
            char c = 0;
            if (damages[i].cut > 0) CHECK(ftruncate(fd, damages[i].cut) == 0, "not cut");
            else CHECK(pread(fd, &c, 1, damages[i].at) == 1 && (c = (char)(c ^ 4), pwrite(fd, &c, 1, damages[i].at) == 1), "not damaged");
            close(fd);
        }
        sync_ranks();
        f = make(key);
        CHECK(holds(f), "other bytes");
        worker_rows_file_release(&f);
    }
}

static void what_nobody_uses_is_removed_by_the_next(void)
{
    char stray[600];
    snprintf(stray, sizeof stray, "%s/%s", folder, "00000000000000000000000000000001");
    worker_rows_file *used = make(other_key);
    if (leads()) CHECK(fw_write_file(stray, "x", 1, NULL) == FW_OK, "no file");
    sync_ranks();
    worker_rows_file *f = make(key), *again = open_file(other_key, true);
    CHECK(!fw_path_exists(stray), "it is left");
    worker_rows_file_release(&again);
    worker_rows_file_release(&f);
    worker_rows_file_release(&used);
}

/* A maker that lives is waited for; when it dies its lock goes, and the next one makes it. */
static void *die_later(void *lock)
{
    fw_sleep_ms(150);
    close(*(int *)lock);
    return NULL;
}

static void a_maker_is_waited_for(void)
{
    int lock = -1;
    pthread_t thread;
    if (leads()) {
        CHECK(mkdir(folder, 0700) == 0, "no folder");
        lock = open(making, O_RDWR | O_CREAT, 0600);
        CHECK(flock(lock, LOCK_EX | LOCK_NB) == 0 && pthread_create(&thread, NULL, die_later, &lock) == 0, "no maker");
    }
    const fw_mono begin = fw_mono_now();
    worker_rows_file *f = make(key);
    CHECK(fw_mono_seconds(begin, fw_mono_now()) > 0.1, "it was not waited for");
    if (leads()) pthread_join(thread, NULL);
    worker_rows_file_release(&f);
}

static void one_that_does_not_get_on_is_done_without(void)
{
    int lock = -1;
    worker_rows_file *f = NULL;
    bool found = true;
    setenv("FW_STALL_SECONDS", "0.2", 1);
    if (leads()) {
        CHECK(mkdir(folder, 0700) == 0 || fw_path_is_dir(folder), "no folder");
        lock = open(making, O_RDWR | O_CREAT, 0600);
        CHECK(flock(lock, LOCK_EX | LOCK_NB) == 0, "no maker");
    }
    CHECK(worker_rows_file_open(&f, g, key, &found, NULL) == FW_OK && f == NULL && !found, "a file, all the same");
    unsetenv("FW_STALL_SECONDS");
    if (lock >= 0) close(lock);
    if (leads()) CHECK(chmod(folder, 0755) == 0, "chmod");
    sync_ranks();
    CHECK(worker_rows_file_open(&f, g, key, &found, NULL) == FW_OK && f == NULL, "in a folder that is open to others");
    sync_ranks();
    if (leads()) CHECK(unlink(making) == 0 && rmdir(folder) == 0, "left");
}

int main(int argc, char **argv)
{
    char digest[FW_DIGEST_TEXT];
    if (!checks_start(&g, &argc, &argv)) return 1;
    folder_make(&place, g);
    fw_digest_text(digest, key);
    snprintf(folder, sizeof folder, "%s/rows", place.dir);
    snprintf(path, sizeof path, "%s/%s", folder, digest);
    snprintf(making, sizeof making, "%s.making", path);
    setenv("FW_ROWS_FOLDER", folder, 1);
    static void (*const tests[])(void) = {the_last_user_removes_it, what_is_half_made_is_made_anew, what_cannot_be_named_at_its_end_is_made_anew, what_is_damaged_is_made_anew,
                                          what_nobody_uses_is_removed_by_the_next, a_maker_is_waited_for, one_that_does_not_get_on_is_done_without};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tests[i]();
        sync_ranks();
    }
    if (leads()) scratch_remove(&place);
    return checks_end(g);
}
