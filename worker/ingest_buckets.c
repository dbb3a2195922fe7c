#include "worker/ingest_buckets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/size.h"
#include "worker/ingest_file.h"

#define STAGE_BYTES ((size_t)1 << 20)

struct worker_piece { worker_piece *next; size_t len; };     /* its bytes behind it */

typedef struct extent { uint64_t offset, length; } extent;
typedef struct placed { uint64_t bucket; extent at; } placed;
typedef struct chain { worker_piece *first, *last; } chain;

struct worker_buckets {
    worker_memory *memory;
    char *path;
    int fd;                            /* -1: no file yet, or finished */
    bool made;                         /* the file is ours to remove */
    uint64_t end;                      /* bytes written, those on the stage included */
    size_t n;
    chain *chains;                     /* n */
    char *stage;                       /* STAGE_BYTES on their way to the file */
    size_t staged;
    placed *extents;
    size_t n_extents, capacity;
};

fw_status worker_buckets_create(worker_buckets **out, const char *path, size_t n_buckets, worker_memory *memory, fw_error *err)
{
    FW_AUTO(worker_buckets) *b = calloc(1, sizeof *b);
    if (b == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", path);
    b->fd = -1;
    b->n = n_buckets;
    b->memory = memory;
    b->chains = calloc(n_buckets + 1, sizeof *b->chains);
    if (b->chains == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s': %zu buckets", path, n_buckets);
    FW_TRY(fw_copy_text(&b->path, path, err));
    *out = b;
    b = NULL;
    return FW_OK;
}

void worker_buckets_destroy(worker_buckets **b)
{
    if (*b == NULL) return;
    if ((*b)->fd >= 0) close((*b)->fd);
    if ((*b)->made) unlink((*b)->path);
    free((*b)->chains);
    free((*b)->stage);
    free((*b)->extents);
    free((*b)->path);
    free(*b);
    *b = NULL;
}

/* ---- to the file ---- */

static fw_status make_file(worker_buckets *b, fw_error *err)
{
    if (b->made) return FW_OK;
    if ((b->stage = malloc(STAGE_BYTES)) == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", b->path);
    FW_TRY(worker_file_create(&b->fd, b->path, err));
    b->made = true;
    return FW_OK;
}

static fw_status clear_stage(worker_buckets *b, fw_error *err)
{
    size_t len = b->staged;
    b->staged = 0;
    return worker_file_write(b->fd, b->stage, len, b->end - len, b->path, err);
}

static fw_status append(worker_buckets *b, const void *bytes, size_t len, fw_error *err)
{
    if (len > STAGE_BYTES - b->staged) FW_TRY(clear_stage(b, err));
    if (len > STAGE_BYTES) {
        FW_TRY(worker_file_write(b->fd, bytes, len, b->end, b->path, err));
    } else {
        memcpy(b->stage + b->staged, bytes, len);
        b->staged += len;
    }
    b->end += len;
    return FW_OK;
}

static fw_status append_extent(worker_buckets *b, size_t bucket, uint64_t from, fw_error *err)
{
    void *list = b->extents;
    FW_TRY(fw_grow(&list, &b->capacity, b->n_extents + 1, sizeof *b->extents, "extents", err));
    b->extents = list;
    b->extents[b->n_extents++] = (placed){bucket, {from, b->end - from}};
    return FW_OK;
}

static fw_status flush_bucket(worker_buckets *b, size_t bucket, fw_error *err)
{
    chain *c = &b->chains[bucket];
    if (c->first == NULL) return FW_OK;
    uint64_t from = b->end;
    for (const worker_piece *p = c->first; p != NULL; p = p->next) FW_TRY(append(b, p + 1, p->len, err));
    *c = (chain){0};
    return append_extent(b, bucket, from, err);
}

fw_status worker_buckets_flush(worker_buckets *b, fw_error *err)
{
    FW_TRY(make_file(b, err));
    for (size_t i = 0; i < b->n; i++) FW_TRY(flush_bucket(b, i, err));
    worker_memory_take_back(b->memory);
    return FW_OK;
}

/* ---- pieces ---- */

void *worker_buckets_room(worker_buckets *b, size_t bucket, size_t len)
{
    worker_piece *p = len < SIZE_MAX - sizeof *p ? worker_memory_take(b->memory, sizeof *p + len) : NULL;
    if (p == NULL) return NULL;
    chain *c = &b->chains[bucket];
    *p = (worker_piece){.len = len};
    if (c->last != NULL) c->last->next = p;
    else c->first = p;
    c->last = p;
    return p + 1;
}

fw_status worker_buckets_add(worker_buckets *b, size_t bucket, const void *bytes, size_t len, fw_error *err)
{
    void *to = worker_buckets_room(b, bucket, len);
    if (to == NULL) {
        FW_TRY(worker_buckets_flush(b, err));
        to = worker_buckets_room(b, bucket, len);
    }
    if (to != NULL) {
        memcpy(to, bytes, len);
        return FW_OK;
    }
    uint64_t from = b->end;
    FW_TRY(append(b, bytes, len, err));
    return append_extent(b, bucket, from, err);
}

const worker_piece *worker_buckets_next(const worker_buckets *b, size_t bucket, const worker_piece *before)
{
    return before != NULL ? before->next : b->chains[bucket].first;
}

const void *worker_piece_bytes(const worker_piece *p, size_t *len)
{
    *len = p->len;
    return p + 1;
}

bool worker_buckets_have_file(const worker_buckets *b) { return b->made; }

/* ---- the end ---- */

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

fw_status worker_buckets_finish(worker_buckets *b, int rank, int size, fw_error *err)
{
    if (size > 1) FW_TRY(make_file(b, err));
    if (!b->made) return FW_OK;
    const size_t first = worker_buckets_first(b->n, rank, size), behind = worker_buckets_first(b->n, rank + 1, size);
    for (size_t i = 0; i < b->n; i++)
        if (i < first || i >= behind) FW_TRY(flush_bucket(b, i, err));
    FW_TRY(write_table(b, err));
    FW_TRY(clear_stage(b, err));
    int fd = b->fd;
    b->fd = -1;
    if (close(fd) != 0) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", b->path);    /* NFS: now others see it */
    return FW_OK;
}

static fw_status load_extents(char **bytes, size_t *len, size_t *capacity, int fd, const char *path, uint64_t table, uint64_t first, uint64_t last,
                              fw_error *err)
{
    for (uint64_t i = first; i < last; i++) {
        extent e;
        FW_TRY(worker_file_read(fd, &e, sizeof e, table + i * sizeof e, path, err));
        void *grown = *bytes;
        size_t need;
        FW_TRY(fw_size_add(&need, *len, (size_t)e.length, "a block", err));
        FW_TRY(fw_grow(&grown, capacity, need, 1, "a block", err));
        *bytes = grown;
        FW_TRY(worker_file_read(fd, *bytes + *len, (size_t)e.length, e.offset, path, err));
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
    if (s == FW_OK) s = worker_file_read(fd, &start, sizeof start, (uint64_t)end - sizeof start, path, err);
    if (s == FW_OK) s = worker_file_read(fd, range, sizeof range, (uint64_t)end - tail + bucket * sizeof(uint64_t), path, err);
    if (s == FW_OK) s = load_extents(bytes, len, capacity, fd, path, start, range[0], range[1], err);
    close(fd);
    return s;
}
