/** Bytes as a file that is never on a disk, under a name that can be opened; or in $TMPDIR, for libhdf5, which looks the name up. Aborts when
 *  there is no room for it. */
#ifndef FW_FUZZ_MEMORY_FILE_H
#define FW_FUZZ_MEMORY_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct memory_file { int fd; int named; char path[512]; } memory_file;

static inline void memory_file_fill(const memory_file *f, const void *bytes, size_t len)
{
    if (f->fd < 0 || write(f->fd, bytes, len) != (ssize_t)len) abort();
}

static inline void memory_file_make(memory_file *f, const void *bytes, size_t len)
{
    f->named = 0;
    f->fd = memfd_create("fuzz", MFD_CLOEXEC);
    memory_file_fill(f, bytes, len);
    snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
}

static inline void memory_file_make_named(memory_file *f, const void *bytes, size_t len)
{
    const char *folder = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/fuzz-XXXXXX", folder != NULL ? folder : "/tmp");
    f->named = 1;
    f->fd = mkstemp(f->path);
    memory_file_fill(f, bytes, len);
}

static inline void memory_file_close(memory_file *f)
{
    close(f->fd);
    if (f->named) unlink(f->path);
}

#endif
