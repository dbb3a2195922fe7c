#include "worker/rows_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fault.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "worker/machine.h"

#define MAGIC       UINT64_C(0x3253574f52574600)      /* "\0FWROWS2" */
#define HEADER      4096
#define FOLDER_S    10.0       /* the folder is locked for a moment only: longer, and its holder is stopped */
#define MAKER_S     600.0
#define LOOK_MS     10
#define PATH_TEXT   320

typedef struct header {
    uint64_t magic, bytes;
    fw_digest key, content;
    worker_rows_figures figures;
    uint64_t own;                  /* hash of all before it */
} header;
_Static_assert(sizeof(header) <= HEADER, "it fits");

struct worker_rows_file {
    worker_group *group;
    fw_digest key;
    char folder[PATH_TEXT - 64], path[PATH_TEXT], making[PATH_TEXT];
    int lock;                      /* rank 0: the file, locked; -1: none */
    bool made;                     /* it is this group's to make, and not yet whole */
    header *map;
    size_t bytes;                  /* of the file */
};

static bool is_leader(const worker_rows_file *f) { return worker_group_rank(f->group) == 0; }

/* ---- the folder (rank 0) -------------------------------------------------------------------------------------------------------------- */

/* FW_ROWS_FOLDER is for tests. */
static void name_files(worker_rows_file *f)
{
    const char *folder = getenv("FW_ROWS_FOLDER");
    char key[FW_DIGEST_TEXT];
    fw_digest_text(key, f->key);
    if (folder != NULL) snprintf(f->folder, sizeof f->folder, "%s", folder);
    else snprintf(f->folder, sizeof f->folder, "/dev/shm/flywheel-rows-%lu", (unsigned long)geteuid());
    snprintf(f->path, sizeof f->path, "%s/%s", f->folder, key);
    snprintf(f->making, sizeof f->making, "%s/%s.making", f->folder, key);
}

static bool take_lock(int fd, int kind, double at_most_s)
{
    const fw_mono deadline = fw_mono_after(fw_mono_now(), at_most_s);
    while (flock(fd, kind | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || fw_mono_passed(deadline)) return false;
        fw_sleep_ms(1);
    }
    return true;
}

/* -1: it is not to be had. Whoever removed it in between is followed by a new one. */
static int lock_folder(const worker_rows_file *f)
{
    for (int tries = 0; tries < 100; tries++) {
        struct stat st;
        mkdir(f->folder, S_IRWXU);
        const int fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) return -1;
        const bool ours = fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 && take_lock(fd, LOCK_EX, FOLDER_S);
        if (ours && fstat(fd, &st) == 0 && st.st_nlink > 0) return fd;
        close(fd);
        if (!ours) return -1;
    }
    return -1;
}

/* Files that nobody uses and that are not this one: their users were killed. */
static void remove_unused(const worker_rows_file *f, int folder)
{
    const char *own = f->path + strlen(f->folder) + 1;
    DIR *dir = opendir(f->folder);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || strncmp(e->d_name, own, strlen(own)) == 0) continue;
        const int fd = openat(folder, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(folder, e->d_name, 0);
        if (fd >= 0) close(fd);
    }
    if (dir != NULL) closedir(dir);
}

/* A new file, never the one of a maker that died: its ranks may live and write for a moment. -1: somebody lives who makes it, or no file can be made. */
static int begin_making(const worker_rows_file *f, bool *busy)
{
    const int old = open(f->making, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    *busy = old >= 0 && flock(old, LOCK_EX | LOCK_NB) != 0;
    if (old >= 0) close(old);
    if (*busy) return -1;
    unlink(f->making);
    const int fd = open(f->making, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* ---- whole, and as it was made -------------------------------------------------------------------------------------------------------- */

static uint64_t own_hash(const header *h) { return fw_hash64(h, offsetof(header, own), 0); }

static fw_digest content_digest(const header *map, size_t bytes) { return fw_hash128((const char *)map + HEADER, bytes - HEADER, 0); }

static bool map_file(worker_rows_file *f, int fd, int protection)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < HEADER) return false;
    void *base = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return false;
    f->map = base;
    f->bytes = (size_t)st.st_size;
    return true;
}

static void unmap(worker_rows_file *f)
{
    if (f->map != NULL) munmap(f->map, f->bytes);
    f->map = NULL;
}

static bool is_whole(const worker_rows_file *f)
{
    const header *h = f->map;
    return h->magic == MAGIC && h->bytes == f->bytes && h->own == own_hash(h) && fw_digest_equal(h->key, f->key) &&
           fw_digest_equal(h->content, content_digest(h, f->bytes));
}

/* ---- getting it (rank 0) ---------------------------------------------------------------------------------------------------------------- */

enum { NOT_TO_BE_HAD, TO_MAKE, FOUND, BUSY };

/* What cannot be believed is taken away; who has mapped it keeps what he has. */
static void discard(worker_rows_file *f)
{
    const int folder = lock_folder(f);
    fw_log_warn("%s: not what was made; it is made again", f->path);
    unmap(f);
    close(f->lock);
    f->lock = -1;
    if (folder >= 0) unlink(f->path);
    if (folder >= 0) close(folder);
}

static int look(worker_rows_file *f)
{
    bool busy = false;
    const int folder = lock_folder(f);
    if (folder < 0) return NOT_TO_BE_HAD;
    remove_unused(f, folder);
    f->lock = open(f->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    const bool there = f->lock >= 0 && flock(f->lock, LOCK_SH | LOCK_NB) == 0;
    if (f->lock < 0) f->lock = begin_making(f, &busy);
    close(folder);
    if (there && map_file(f, f->lock, PROT_READ) && is_whole(f)) return FOUND;
    if (there) {
        discard(f);
        return BUSY;
    }
    return f->lock >= 0 ? TO_MAKE : busy ? BUSY : NOT_TO_BE_HAD;
}

static int get(worker_rows_file *f)
{
    const char *stall = getenv("FW_STALL_SECONDS");
    const fw_mono deadline = fw_mono_after(fw_mono_now(), stall != NULL && atof(stall) > 0.0 ? atof(stall) : MAKER_S);
    int state;
    while ((state = look(f)) == BUSY && !fw_mono_passed(deadline)) {
        worker_tick();
        fw_sleep_ms(LOOK_MS);
    }
    return state == BUSY ? NOT_TO_BE_HAD : state;
}

/* ---- what all ranks do ------------------------------------------------------------------------------------------------------------------ */

static bool all_say(worker_group *g, bool yes, fw_status *s, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    int64_t no = !yes;
    *s = reduce->sum_i64(reduce->context, &no, 1, err);
    return *s == FW_OK && no == 0;
}

/* The others map what rank 0 has. */
static bool follow(worker_rows_file *f, const char *path, int protection)
{
    if (is_leader(f)) return true;
    const int fd = open(path, (protection & PROT_WRITE ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
    const bool good = map_file(f, fd, protection);
    if (fd >= 0) close(fd);
    return good;
}

fw_status worker_rows_file_open(worker_rows_file **out, worker_group *g, fw_digest key, bool *found, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    worker_rows_file *f = calloc(1, sizeof *f);
    fw_status s = reduce->agree(reduce->context, f == NULL ? fw_fail(err, FW_ERR_NOMEM, "rows") : FW_OK, err);
    *out = NULL;
    *found = false;
    if (s != FW_OK) {
        free(f);
        return s;
    }
    *f = (worker_rows_file){.group = g, .key = key, .lock = -1};
    name_files(f);
    int64_t state = is_leader(f) ? get(f) : 0;
    s = reduce->sum_i64(reduce->context, &state, 1, err);
    f->made = s == FW_OK && state == TO_MAKE;
    const bool mapped = s == FW_OK && all_say(g, state != FOUND || follow(f, f->path, PROT_READ), &s, err);
    if (s != FW_OK || state == NOT_TO_BE_HAD || !mapped) {
        worker_rows_file_release(&f);
        return s;
    }
    *found = state == FOUND;
    *out = f;
    return FW_OK;
}

/* Room is taken now: memory that is not there would end the process that touches it. */
static bool take_room(worker_rows_file *f, size_t bytes)
{
    return bytes < machine_memory_room("") && posix_fallocate(f->lock, 0, (off_t)bytes) == 0 && map_file(f, f->lock, PROT_READ | PROT_WRITE);
}

fw_status worker_rows_file_make(worker_rows_file *f, size_t bytes, bool *room, fw_error *err)
{
    size_t all = 0;
    fw_status s = FW_OK;
    FW_TRY(fw_size_add(&all, bytes, HEADER, "rows in memory", err));
    *room = all_say(f->group, !is_leader(f) || take_room(f, all), &s, err);
    FW_TRY(s);
    if (*room) *room = all_say(f->group, follow(f, f->making, PROT_READ | PROT_WRITE), &s, err);
    return s;
}

/* Others find it from here on. */
static fw_status publish(worker_rows_file *f, const worker_rows_figures *figures, fw_error *err)
{
    *f->map = (header){.magic = MAGIC, .bytes = f->bytes, .key = f->key, .content = content_digest(f->map, f->bytes), .figures = *figures};
    f->map->own = own_hash(f->map);
    FW_TRY(fw_fault("rows.before_rename", err));
    const int folder = lock_folder(f);
    const bool good = folder >= 0 && rename(f->making, f->path) == 0 && flock(f->lock, LOCK_SH | LOCK_NB) == 0;
    if (!good) fw_fail_errno(err, FW_ERR_IO, "%s", f->path);
    if (folder >= 0) close(folder);
    return good ? FW_OK : FW_ERR_IO;
}

fw_status worker_rows_file_commit(worker_rows_file *f, const worker_rows_figures *figures, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(f->group);
    FW_TRY(worker_group_barrier(f->group, err));
    FW_TRY(reduce->agree(reduce->context, is_leader(f) ? publish(f, figures, err) : FW_OK, err));
    f->made = false;
    mprotect(f->map, f->bytes, PROT_READ);
    return FW_OK;
}

/* Rank 0: the last one takes the file away. */
static void leave(worker_rows_file *f)
{
    const int folder = lock_folder(f);
    if (folder >= 0 && flock(f->lock, LOCK_EX | LOCK_NB) == 0) unlink(f->made ? f->making : f->path);
    close(f->lock);
    if (folder >= 0) rmdir(f->folder);                 /* not while there are others */
    if (folder >= 0) close(folder);
}

void worker_rows_file_release(worker_rows_file **file)
{
    worker_rows_file *f = *file;
    if (f == NULL) return;
    unmap(f);
    if (f->lock >= 0) leave(f);
    free(f);
    *file = NULL;
}

void *worker_rows_file_base(const worker_rows_file *f) { return (char *)f->map + HEADER; }
size_t worker_rows_file_bytes(const worker_rows_file *f) { return f->bytes - HEADER; }
const worker_rows_figures *worker_rows_file_figures(const worker_rows_file *f) { return &f->map->figures; }
