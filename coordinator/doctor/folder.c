#include "coordinator/doctor/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "common/core/size.h"

#define WRITE_BYTES (64u << 10)
#define RDONLY_FLAG 1            /* statfs f_flags: ST_RDONLY */

static const char *const step_names[COORD_FOLDER_STEPS] = {"open the folder", "create", "write 64 KiB", "fsync", "rename over", "fsync the folder",
                                                           "read back", "lock"};
const char *coord_folder_step_name(coord_folder_step s) { return step_names[s]; }

/* ---- in the child: async-signal-safe ---------------------------------------------------------------------------------------------------- */

/** What the child is given; made before it starts. */
typedef struct trial { const char *dir, *temp, *path, *token; char bytes[WRITE_BYTES], again[WRITE_BYTES]; } trial;

/** What it says after each step; the facts of the folder come with the first. */
typedef struct step_report { int32_t step, error; double seconds; uint64_t free_bytes, size_bytes; uint32_t kind, mode, owner, read_only; } step_report;

typedef struct handles { int dir, file, target; struct stat st; struct statfs fs; } handles;

static int write_all(int fd, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        const ssize_t n = write(fd, bytes + at, len - at);
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0) at += (size_t)n;
    }
    return 0;
}

static int read_same(const trial *t, int fd)
{
    size_t at = 0;
    for (ssize_t n = 1; n != 0 && at < WRITE_BYTES;) {
        n = read(fd, (char *)t->again + at, WRITE_BYTES - at);
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0) at += (size_t)n;
    }
    if (at == WRITE_BYTES && memcmp(t->bytes, t->again, WRITE_BYTES) == 0) return 0;
    errno = EBADMSG;
    return -1;
}

/* An older file stands where the new one is renamed to. */
static int create_both(const trial *t, handles *h)
{
    const int old = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (old < 0) return -1;
    close(old);
    h->file = open(t->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return h->file < 0 ? -1 : 0;
}

static int open_dir(const trial *t, handles *h)
{
    h->dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (h->dir < 0 || fstat(h->dir, &h->st) != 0) return -1;
    return fstatfs(h->dir, &h->fs);
}

/* The new file is there by name, and is what was written. */
static int read_back(const trial *t, handles *h)
{
    h->target = open(t->path, O_RDWR | O_CLOEXEC);
    return h->target < 0 ? -1 : read_same(t, h->target);
}

static int do_step(const trial *t, handles *h, int step)
{
    switch ((coord_folder_step)step) {
    case COORD_FOLDER_OPEN: return open_dir(t, h);
    case COORD_FOLDER_CREATE: return create_both(t, h);
    case COORD_FOLDER_WRITE: return write_all(h->file, t->bytes, WRITE_BYTES);
    case COORD_FOLDER_SYNC: return fsync(h->file);
    case COORD_FOLDER_RENAME: return rename(t->temp, t->path);
    case COORD_FOLDER_SYNC_DIR: return fsync(h->dir);
    case COORD_FOLDER_READ: return read_back(t, h);
    case COORD_FOLDER_LOCK: return flock(h->target, LOCK_EX | LOCK_NB);
    case COORD_FOLDER_STEPS: break;
    }
    return 0;
}

static void try_out(void *context, int say, int parent)
{
    const trial *t = context;
    handles h = {-1, -1, -1, {0}, {0}};
    char byte;
    int failed = 0;
    for (int step = 0; step < COORD_FOLDER_STEPS && !failed; step++) {
        struct timespec from, to;
        step_report r = {.step = step};
        clock_gettime(CLOCK_MONOTONIC, &from);
        if (do_step(t, &h, step) != 0) r.error = errno;
        clock_gettime(CLOCK_MONOTONIC, &to);
        r.seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
        if (h.dir >= 0) {
            r.free_bytes = (uint64_t)h.fs.f_bavail * (uint64_t)h.fs.f_bsize;
            r.size_bytes = (uint64_t)h.fs.f_blocks * (uint64_t)h.fs.f_bsize;
            r.kind = (uint32_t)h.fs.f_type;
            r.mode = h.st.st_mode;
            r.owner = h.st.st_uid;
            r.read_only = (h.fs.f_flags & RDONLY_FLAG) != 0;
        }
        failed = r.error != 0;
        if (write_all(say, (const char *)&r, sizeof r) != 0) break;
    }
    while (!failed && read(parent, &byte, 1) != 0) {}      /* the others look for the file and try the lock */
    unlink(t->temp);
    unlink(t->path);
}

/* ---- in the parent ---------------------------------------------------------------------------------------------------------------------- */

static void take_report(coord_folder *f, const step_report *r)
{
    f->error[r->step] = r->error;
    f->seconds[r->step] = r->seconds;
    f->done = r->step + 1;
    f->free_bytes = r->free_bytes;
    f->size_bytes = r->size_bytes;
    f->kind = r->kind;
    f->mode = r->mode;
    f->owner = r->owner;
    f->read_only = r->read_only != 0;
}

static void hear_steps(coord_folder *f, double deadline_s)
{
    const fw_mono deadline = fw_mono_after(fw_mono_now(), deadline_s);
    step_report r = {0};
    while (f->done < COORD_FOLDER_STEPS && fw_child_read(f->child, &r, sizeof r, deadline, NULL) == FW_OK) {
        take_report(f, &r);
        f->answered = r.error != 0 || f->done == COORD_FOLDER_STEPS;
        if (f->answered) return;
    }
}

/* Names that nobody else has: the file's name ends with what the file begins with. */
static fw_status name_files(coord_folder *f, trial *t, char temp[static 4368], char token[static 17], fw_error *err)
{
    uint64_t draw = 0;
    char here[2048] = "";
    if (getrandom(&draw, sizeof draw, 0) != sizeof draw) return fw_fail_errno(err, FW_ERR_IO, "doctor: no random number");
    snprintf(token, 17, "%016llx", (unsigned long long)draw);
    if (f->dir[0] != '/' && getcwd(here, sizeof here) == NULL) return fw_fail_errno(err, FW_ERR_IO, "doctor: the working folder has no path");
    const int n = snprintf(f->probe, sizeof f->probe, "%s%s%s/.flywheel-doctor-%s", here, here[0] != '\0' ? "/" : "", f->dir, token);
    if (n < 0 || (size_t)n >= sizeof f->probe) return fw_fail(err, FW_ERR_ARG, "doctor: the path of %.100s... is too long", f->dir);
    snprintf(temp, 4368, "%s.new", f->probe);
    *t = (trial){.dir = f->dir, .temp = temp, .path = f->probe, .token = token};
    return FW_OK;
}

fw_status coord_folder_try(coord_folder *f, const char *dir, double deadline_s, fw_error *err)
{
    char temp[4368], token[17];
    *f = (coord_folder){0};
    if (strlen(dir) >= sizeof f->dir) return fw_fail(err, FW_ERR_ARG, "doctor: the path of %.100s... is too long", dir);
    snprintf(f->dir, sizeof f->dir, "%s", dir);
    FW_FREE trial *t = calloc(1, sizeof *t);
    if (t == NULL) return fw_fail(err, FW_ERR_NOMEM, "doctor");
    FW_TRY(name_files(f, t, temp, token, err));
    for (size_t i = 0; i < WRITE_BYTES; i++) t->bytes[i] = token[i % 16];
    FW_TRY(fw_child_start(&f->child, try_out, t, err));
    hear_steps(f, deadline_s);
    if (!coord_folder_works(f)) coord_folder_leave(f);
    return FW_OK;
}

bool coord_folder_works(const coord_folder *f)
{
    for (int s = 0; s < COORD_FOLDER_LOCK; s++)
        if (s >= f->done || f->error[s] != 0) return false;
    return true;
}

void coord_folder_leave(coord_folder *f)
{
    fw_child_destroy(&f->child);
    f->probe[0] = '\0';
}

/* ---- kinds of file systems -------------------------------------------------------------------------------------------------------------- */

/* Numbers of statfs(2) and of the file systems' own headers. */
static const struct { uint32_t kind; const char *name; bool network; } kinds[] = {
    {0x0000EF53, "ext4", false}, {0x58465342, "xfs", false}, {0x9123683E, "btrfs", false}, {0x2FC12FC1, "zfs", false}, {0x01021994, "tmpfs", false},
    {0x858458F6, "ramfs", false}, {0x794C7630, "overlay", false}, {0xF2F52010, "f2fs", false}, {0x73717368, "squashfs", false},
    {0x00006969, "nfs", true}, {0x0BD00BD0, "lustre", true}, {0x47504653, "gpfs", true}, {0x19830326, "beegfs", true}, {0x00C36400, "ceph", true},
    {0x65735546, "fuse", true}, {0xFF534D42, "cifs", true}, {0xFE534D42, "smb2", true}, {0x01021997, "9p", true}, {0x20030528, "orangefs", true},
    {0x5346414F, "afs", true}, {0x6A656A63, "virtiofs", true},
};

const char *coord_folder_kind(uint32_t kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind) return kinds[i].name;
    return "";
}

bool coord_folder_is_network(uint32_t kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind) return kinds[i].network;
    return false;
}
