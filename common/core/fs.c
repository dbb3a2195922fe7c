#include "common/core/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/fault.h"
#include "common/core/fence.h"
#include "common/core/size.h"
#include "common/core/text.h"

struct fw_atomic_file {
    char *path, *temp;
    FILE *stream;        /* NULL after release */
    bool  renamed;       /* temp is no more */
};

/* "<path>.tmp.<pid>" */
static fw_status temp_name(char **out, const char *path, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    fw_text_format(&t, "%s.tmp.%ld", path, (long)getpid());
    FW_TRY(fw_text_check(&t, err));
    *out = fw_text_take(&t);
    return FW_OK;
}

/* A name that was left by a dead process with our number is ours to take; a link is never followed. */
static FILE *open_temp(const char *temp)
{
    int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0 && errno == EEXIST && unlink(temp) == 0) fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return NULL;
    FILE *stream = fdopen(fd, "w+");
    if (stream == NULL) {
        int why = errno;
        close(fd);
        unlink(temp);
        errno = why;
    }
    return stream;
}

/* A rename would put a regular file where a folder, a pipe or /dev/null stands. */
static fw_status check_place(const char *path, fw_error *err)
{
    struct stat s;
    if (stat(path, &s) != 0 || S_ISREG(s.st_mode)) return FW_OK;
    return fw_fail(err, FW_ERR_IO, "%s cannot be written: it is %s", path, S_ISDIR(s.st_mode) ? "a folder" : "no regular file; choose another name");
}

fw_status fw_atomic_file_create(fw_atomic_file **out, const char *path, fw_error *err)
{
    FW_AUTO(fw_atomic_file) *f = calloc(1, sizeof *f);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to write it", path);
    FW_TRY(check_place(path, err));
    FW_TRY(fw_copy_text(&f->path, path, err));
    FW_TRY(temp_name(&f->temp, path, err));
    f->stream = open_temp(f->temp);
    if (f->stream == NULL) {
        f->renamed = true;      /* nothing of ours stands there */
        return fw_fail_errno(err, FW_ERR_IO, "%s cannot be written", path);
    }
    *out = f;
    f = NULL;
    return FW_OK;
}

void fw_atomic_file_destroy(fw_atomic_file **f)
{
    if (*f == NULL) return;
    if ((*f)->stream != NULL) fclose((*f)->stream);
    if (!(*f)->renamed && (*f)->temp != NULL) unlink((*f)->temp);
    free((*f)->temp);
    free((*f)->path);
    free(*f);
    *f = NULL;
}

/* "<file>.tmp.<digits>", as temp_name makes it. */
static bool is_temp_of(const char *name, const char *file)
{
    const size_t len = strlen(file);
    if (strncmp(name, file, len) != 0 || strncmp(name + len, ".tmp.", 5) != 0) return false;
    const char *number = name + len + 5;
    return *number != '\0' && number[strspn(number, "0123456789")] == '\0';
}

void fw_remove_leftovers(const char *path)
{
    FW_FREE char *dir = NULL;
    if (fw_path_dir(&dir, path, NULL) != FW_OK) return;
    const char *slash = strrchr(path, '/');
    DIR *d = opendir(dir);
    if (d == NULL) return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        if (is_temp_of(e->d_name, slash != NULL ? slash + 1 : path)) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}

FILE *fw_atomic_file_stream(fw_atomic_file *f)
{
    return f->stream;
}

const char *fw_atomic_file_temp_path(const fw_atomic_file *f)
{
    return f->temp;
}

fw_status fw_atomic_file_release(fw_atomic_file *f, fw_error *err)
{
    FILE *stream = f->stream;
    f->stream = NULL;
    if (stream != NULL && fclose(stream) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be written", f->temp);
    return FW_OK;
}

/* Some network file systems know no fsync of a folder and say EINVAL: there is nothing more to ask of them. */
static fw_status sync_path(const char *path, int flags, fw_error *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened for fsync", path);
    if (fsync(fd) != 0 && !((flags & O_DIRECTORY) != 0 && errno == EINVAL)) {
        fw_fail_errno(err, FW_ERR_IO, "fsync of %s", path);
        close(fd);
        return FW_ERR_IO;
    }
    if (close(fd) != 0) return fw_fail_errno(err, FW_ERR_IO, "close of %s", path);
    return FW_OK;
}

static fw_status sync_folder_of(const char *path, fw_error *err)
{
    FW_FREE char *dir = NULL;
    FW_TRY(fw_path_dir(&dir, path, err));
    return sync_path(dir, O_RDONLY | O_DIRECTORY, err);
}

/* All bytes of the temporary file on the disk, and every code looked at. */
static fw_status settle(fw_atomic_file *f, fw_error *err)
{
    FW_TRY(fw_fault("fs.before_write", err));
    if (f->stream == NULL) {      /* another writer closed it */
        FW_TRY(fw_fault("fs.before_fsync", err));
        return sync_path(f->temp, O_RDWR, err);
    }
    if (fflush(f->stream) != 0 || ferror(f->stream) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be written whole", f->temp);
    FW_TRY(fw_fault("fs.before_fsync", err));
    if (fsync(fileno(f->stream)) != 0) return fw_fail_errno(err, FW_ERR_IO, "fsync of %s", f->temp);
    return fw_atomic_file_release(f, err);
}

/* A second name for the file at path, so that path itself is never missing. Where a file system has no hard links, it is moved:
 * a reader then finds the previous generation alone for an instant. */
static fw_status keep_previous(const char *path, const char *previous, fw_error *err)
{
    FW_FREE char *temp = NULL;
    FW_TRY(temp_name(&temp, previous, err));
    unlink(temp);
    if (link(path, temp) == 0) {
        int failed = rename(temp, previous);
        int why = errno;
        unlink(temp);      /* rename leaves it when both are one file already */
        errno = why;
        return failed ? fw_fail_errno(err, FW_ERR_IO, "%s cannot be kept as %s", path, previous) : FW_OK;
    }
    if (errno == ENOENT) return FW_OK;      /* the first generation */
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return fw_fail_errno(err, FW_ERR_IO, "%s cannot be kept as %s", path, previous);
    if (rename(path, previous) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be kept as %s", path, previous);
    return FW_OK;
}

fw_status fw_atomic_file_commit_keeping(fw_atomic_file *f, const char *previous_path, fw_error *err)
{
    FW_TRY(settle(f, err));
    FW_TRY(fw_fault("fs.before_rename", err));
    FW_TRY(fw_fence_check(err));
    if (previous_path != NULL) FW_TRY(keep_previous(f->path, previous_path, err));
    if (rename(f->temp, f->path) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be put in place", f->path);
    f->renamed = true;
    FW_TRY(fw_fault("fs.after_rename", err));
    return sync_folder_of(f->path, err);
}

fw_status fw_atomic_file_commit(fw_atomic_file *f, fw_error *err)
{
    return fw_atomic_file_commit_keeping(f, NULL, err);
}

/* Reads to the end; one byte more than max_bytes is one too many. */
static fw_status read_all(fw_text *t, int fd, const char *path, size_t max_bytes, fw_error *err)
{
    char buffer[16384];
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be read", path);
        if (n == 0) return fw_text_check(t, err);
        if ((size_t)n > max_bytes - t->len) return fw_fail(err, FW_ERR_DATA, "%s is longer than the %zu bytes allowed", path, max_bytes);
        fw_text_add_bytes(t, buffer, (size_t)n);
        FW_TRY(fw_text_check(t, err));
    }
}

fw_status fw_read_file(char **out, size_t *len, const char *path, size_t max_bytes, fw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", path);
    FW_AUTO(fw_text) t = {0};
    fw_status status = read_all(&t, fd, path, max_bytes, err);
    close(fd);
    if (status < 0) return status;
    size_t n = t.len;
    char  *bytes = fw_text_take(&t);
    if (bytes == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to read it", path);
    *out = bytes;
    if (len != NULL) *len = n;
    return FW_OK;
}

fw_status fw_write_file(const char *path, const void *bytes, size_t len, fw_error *err)
{
    FW_AUTO(fw_atomic_file) *f = NULL;
    FW_TRY(fw_atomic_file_create(&f, path, err));
    if (len > 0 && fwrite(bytes, 1, len, f->stream) != len) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be written whole", f->temp);
    return fw_atomic_file_commit(f, err);
}

static fw_status make_dir(const char *path, fw_error *err)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && fw_path_is_dir(path))) return FW_OK;
    return fw_fail_errno(err, FW_ERR_IO, "the folder %s cannot be made", path);
}

fw_status fw_make_dirs(const char *path, fw_error *err)
{
    FW_FREE char *partial = NULL;
    FW_TRY(fw_copy_text(&partial, path, err));
    for (char *p = partial; *p != '\0'; p++) {
        if (*p != '/' || p == partial) continue;
        *p = '\0';
        if (!fw_path_is_dir(partial)) FW_TRY(make_dir(partial, err));
        *p = '/';
    }
    return make_dir(path, err);
}

bool fw_path_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

bool fw_path_is_dir(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

fw_status fw_file_size(uint64_t *bytes, const char *path, fw_error *err)
{
    struct stat s;
    if (stat(path, &s) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be looked at", path);
    *bytes = (uint64_t)s.st_size;
    return FW_OK;
}

fw_status fw_path_join(char **out, const char *dir, const char *name, fw_error *err)
{
    if (dir == NULL || dir[0] == '\0' || name[0] == '/') return fw_copy_text(out, name, err);
    FW_AUTO(fw_text) t = {0};
    fw_text_format(&t, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
    FW_TRY(fw_text_check(&t, err));
    *out = fw_text_take(&t);
    return FW_OK;
}

fw_status fw_path_dir(char **out, const char *path, fw_error *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return fw_copy_text(out, ".", err);
    while (slash > path && slash[-1] == '/') slash--;
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    char  *dir = strndup(path, len);
    if (dir == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory for its folder's name", path);
    *out = dir;
    return FW_OK;
}

fw_status fw_link_replace(const char *link_path, const char *target, fw_error *err)
{
    FW_FREE char *temp = NULL;
    FW_TRY(temp_name(&temp, link_path, err));
    unlink(temp);
    if (symlink(target, temp) != 0) return fw_fail_errno(err, FW_ERR_IO, "the link %s cannot be made", link_path);
    if (rename(temp, link_path) != 0) {
        fw_fail_errno(err, FW_ERR_IO, "the link %s cannot be put in place", link_path);
        unlink(temp);
        return FW_ERR_IO;
    }
    return sync_folder_of(link_path, err);
}
