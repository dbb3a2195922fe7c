#include "worker/ingest_buckets.h"

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
    int fd;                            /* -1: no file yet */
    uint64_t end;                      /* bytes written, those on the stage included */
    size_t n;
    chain *chains;                     /* n */
    char *stage;                       /* STAGE_BYTES on their way to the file */
    size_t staged;
    placed *extents;                   /* finished: by bucket */
    size_t n_extents, capacity;
    size_t *first;                     /* (n + 1) finished: of each bucket's extents; NULL: there are none */
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
    if ((*b)->fd >= 0) {
        close((*b)->fd);
        unlink((*b)->path);
    }
    free((*b)->chains);
    free((*b)->stage);
    free((*b)->extents);
    free((*b)->first);
    free((*b)->path);
    free(*b);
    *b = NULL;
}

/* ---- to the file ---- */

static fw_status make_file(worker_buckets *b, fw_error *err)
{
    if (b->fd >= 0) return FW_OK;
    if (b->stage == NULL && (b->stage = malloc(STAGE_BYTES)) == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", b->path);
    return worker_file_create(&b->fd, b->path, err);
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

/* ---- the end ---- */

static int by_bucket(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->bucket != y->bucket) return x->bucket < y->bucket ? -1 : 1;
    return x->at.offset < y->at.offset ? -1 : x->at.offset > y->at.offset;
}

fw_status worker_buckets_finish(worker_buckets *b, fw_error *err)
{
    if (b->fd < 0) return FW_OK;
    if ((b->first = calloc(b->n + 1, sizeof *b->first)) == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", b->path);
    if (b->n_extents > 0) qsort(b->extents, b->n_extents, sizeof *b->extents, by_bucket);
    for (size_t i = 0; i < b->n_extents; i++) b->first[b->extents[i].bucket + 1]++;
    for (size_t i = 0; i < b->n; i++) b->first[i + 1] += b->first[i];
    return clear_stage(b, err);
}

fw_status worker_buckets_load(char **bytes, size_t *len, size_t *capacity, const worker_buckets *b, size_t bucket, fw_error *err)
{
    for (size_t i = b->first != NULL ? b->first[bucket] : 0; b->first != NULL && i < b->first[bucket + 1]; i++) {
        const extent e = b->extents[i].at;
        void *grown = *bytes;
        size_t need;
        FW_TRY(fw_size_add(&need, *len, (size_t)e.length, "a block", err));
        FW_TRY(fw_grow(&grown, capacity, need, 1, "a block", err));
        *bytes = grown;
        FW_TRY(worker_file_read(b->fd, *bytes + *len, (size_t)e.length, e.offset, b->path, err));
        *len = need;
    }
    return FW_OK;
}
