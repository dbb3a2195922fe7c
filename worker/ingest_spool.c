#include "worker/ingest_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/size.h"

#define STREAM_BYTES    ((size_t)1 << 20)
#define ALL_BUFFERS     ((size_t)64 << 20)      /* over all buckets of one file */
#define BUFFER_MIN      ((size_t)4 << 10)
#define BUFFER_MAX      ((size_t)1 << 20)

/* ---- spool ---- */

struct worker_spool {
    char *path;
    FILE *stream;
};

fw_status worker_spool_create(worker_spool **out, const char *path, fw_error *err)
{
    FW_AUTO(worker_spool) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", path);
    FW_TRY(fw_copy_text(&s->path, path, err));
    s->stream = fopen(path, "w+be");
    if (s->stream == NULL) {
        fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", path);
        return FW_ERR_IO;
    }
    setvbuf(s->stream, NULL, _IOFBF, STREAM_BYTES);
    *out = s;
    s = NULL;
    return FW_OK;
}

void worker_spool_destroy(worker_spool **s)
{
    if (*s == NULL) return;
    if ((*s)->stream != NULL) {
        fclose((*s)->stream);
        unlink((*s)->path);
    }
    free((*s)->path);
    free(*s);
    *s = NULL;
}

fw_status worker_spool_write(worker_spool *s, const void *bytes, size_t len, fw_error *err)
{
    if (len > 0 && fwrite(bytes, 1, len, s->stream) != len) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", s->path);
    return FW_OK;
}

fw_status worker_spool_rewind(worker_spool *s, fw_error *err)
{
    if (fflush(s->stream) != 0 || fseeko(s->stream, 0, SEEK_SET) != 0)
        return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", s->path);
    return FW_OK;
}

fw_status worker_spool_read(worker_spool *s, void *bytes, size_t len, fw_error *err)
{
    if (len == 0 || fread(bytes, 1, len, s->stream) == len) return FW_OK;
    if (ferror(s->stream)) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be read", s->path);
    return fw_fail(err, FW_ERR_IO, "temporary file '%s' ends too early: something else changed it", s->path);
}

/* ---- buckets ---- */

typedef struct extent { uint64_t offset, length; } extent;
typedef struct placed { uint64_t bucket; extent at; } placed;

struct worker_buckets {
    char *path;
    int fd;                            /* -1 once finished */
    bool made;                         /* the file is ours to remove */
    uint64_t end;                      /* bytes written */
    size_t n, buffer_bytes;
    char **buffer;                     /* n, allocated at first use */
    size_t *fill;                      /* n */
    placed *extents;
    size_t n_extents, capacity;
};

fw_status worker_buckets_create(worker_buckets **out, const char *path, size_t n_buckets, fw_error *err)
{
    FW_AUTO(worker_buckets) *b = calloc(1, sizeof *b);
    if (b == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", path);
    b->fd = -1;
    b->n = n_buckets;
    b->buffer_bytes = FW_MIN(FW_MAX(ALL_BUFFERS / FW_MAX(n_buckets, 1), BUFFER_MIN), BUFFER_MAX);
    b->buffer = calloc(n_buckets + 1, sizeof *b->buffer);
    b->fill = calloc(n_buckets + 1, sizeof *b->fill);
    if (b->buffer == NULL || b->fill == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s': %zu buckets", path, n_buckets);
    FW_TRY(fw_copy_text(&b->path, path, err));
    b->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    b->made = b->fd >= 0;
    if (!b->made) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", path);
    *out = b;
    b = NULL;
    return FW_OK;
}

static void free_buffers(worker_buckets *b)
{
    for (size_t i = 0; b->buffer != NULL && i < b->n; i++) free(b->buffer[i]);
    free(b->buffer);
    free(b->fill);
    free(b->extents);
    b->buffer = NULL;
    b->fill = NULL;
    b->extents = NULL;
}

void worker_buckets_destroy(worker_buckets **b)
{
    if (*b == NULL) return;
    free_buffers(*b);
    if ((*b)->fd >= 0) close((*b)->fd);
    if ((*b)->made) unlink((*b)->path);
    free((*b)->path);
    free(*b);
    *b = NULL;
}

static fw_status append(worker_buckets *b, const void *bytes, size_t len, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(b->fd, (const char *)bytes + done, len - done, (off_t)(b->end + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", b->path);
        done += (size_t)n;
    }
    b->end += len;
    return FW_OK;
}

static fw_status append_extent(worker_buckets *b, size_t bucket, const void *bytes, size_t len, fw_error *err)
{
    void *list = b->extents;
    FW_TRY(fw_grow(&list, &b->capacity, b->n_extents + 1, sizeof *b->extents, "extents", err));
    b->extents = list;
    b->extents[b->n_extents] = (placed){bucket, {b->end, len}};
    FW_TRY(append(b, bytes, len, err));
    b->n_extents++;
    return FW_OK;
}

fw_status worker_buckets_add(worker_buckets *b, size_t bucket, const void *bytes, size_t len, fw_error *err)
{
    if (bucket >= b->n) return fw_fail(err, FW_ERR_INTERNAL, "bucket %zu of %zu", bucket, b->n);
    if (b->fill[bucket] + len > b->buffer_bytes) {
        FW_TRY(append_extent(b, bucket, b->buffer[bucket], b->fill[bucket], err));
        b->fill[bucket] = 0;
    }
    if (len > b->buffer_bytes) return append_extent(b, bucket, bytes, len, err);
    if (b->buffer[bucket] == NULL && (b->buffer[bucket] = malloc(b->buffer_bytes)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "buffer of %zu bytes for a temporary file", b->buffer_bytes);
    memcpy(b->buffer[bucket] + b->fill[bucket], bytes, len);
    b->fill[bucket] += len;
    return FW_OK;
}

static int by_bucket(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->bucket != y->bucket) return x->bucket < y->bucket ? -1 : 1;
    return x->at.offset < y->at.offset ? -1 : x->at.offset > y->at.offset;
}

static fw_status write_table(worker_buckets *b, fw_error *err)
{
    uint64_t start = b->end;
    if (b->n_extents > 0) qsort(b->extents, b->n_extents, sizeof *b->extents, by_bucket);
    FW_FREE uint64_t *first = calloc(b->n + 2, sizeof *first);
    FW_FREE extent *list = malloc((b->n_extents + 1) * sizeof *list);
    if (first == NULL || list == NULL) return fw_fail(err, FW_ERR_NOMEM, "table of %zu extents", b->n_extents);
    for (size_t i = 0; i < b->n_extents; i++) {
        list[i] = b->extents[i].at;
        first[b->extents[i].bucket + 1]++;
    }
    for (size_t i = 0; i < b->n; i++) first[i + 1] += first[i];
    first[b->n + 1] = start;
    FW_TRY(append(b, list, b->n_extents * sizeof *list, err));
    return append(b, first, (b->n + 2) * sizeof *first, err);
}

fw_status worker_buckets_finish(worker_buckets *b, fw_error *err)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->fill[i] > 0) FW_TRY(append_extent(b, i, b->buffer[i], b->fill[i], err));
    FW_TRY(write_table(b, err));
    free_buffers(b);
    int fd = b->fd;
    b->fd = -1;
    if (close(fd) != 0) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", b->path);    /* NFS: now others see it */
    return FW_OK;
}

static fw_status read_at(int fd, void *bytes, size_t len, uint64_t offset, const char *path, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be read", path);
        if (n == 0) return fw_fail(err, FW_ERR_IO, "temporary file '%s' ends too early: are all ranks on one shared file system?", path);
        done += (size_t)n;
    }
    return FW_OK;
}

static fw_status load_extents(char **bytes, size_t *len, size_t *capacity, int fd, const char *path, uint64_t table, uint64_t first, uint64_t last,
                              fw_error *err)
{
    for (uint64_t i = first; i < last; i++) {
        extent e;
        FW_TRY(read_at(fd, &e, sizeof e, table + i * sizeof e, path, err));
        void *grown = *bytes;
        size_t need;
        FW_TRY(fw_size_add(&need, *len, (size_t)e.length, "a block", err));
        FW_TRY(fw_grow(&grown, capacity, need, 1, "a block", err));
        *bytes = grown;
        FW_TRY(read_at(fd, *bytes + *len, (size_t)e.length, e.offset, path, err));
        *len = need;
    }
    return FW_OK;
}

fw_status worker_buckets_load(char **bytes, size_t *len, size_t *capacity, const char *path, size_t n_buckets, size_t bucket, fw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' of another rank cannot be read: are all ranks on one shared file system?", path);
    off_t end = lseek(fd, 0, SEEK_END);
    uint64_t tail = (uint64_t)(n_buckets + 2) * sizeof(uint64_t), start, range[2];
    fw_status s = end < (off_t)tail ? fw_fail(err, FW_ERR_IO, "temporary file '%s' ends too early", path) : FW_OK;
    if (s == FW_OK) s = read_at(fd, &start, sizeof start, (uint64_t)end - sizeof start, path, err);
    if (s == FW_OK) s = read_at(fd, range, sizeof range, (uint64_t)end - tail + bucket * sizeof(uint64_t), path, err);
    if (s == FW_OK) s = load_extents(bytes, len, capacity, fd, path, start, range[0], range[1], err);
    close(fd);
    return s;
}
