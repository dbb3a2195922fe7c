#include "worker/ingest_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/core/thread.h"

#define PAGE         ((size_t)4096)
#define BUFFER_MOST  ((size_t)1 << 20)
#define BUFFER_LEAST ((size_t)8 << 10)
#define MEMORY       ((size_t)8 << 20)    /* of the runs' buffers */
#define SPARE        ((size_t)8)           /* buffers on their way to the disk while all runs have one */
#define FLUSH_BYTES  ((uint64_t)32 << 20)  /* through the cache: the disk works while the next bytes are put together */

typedef struct run { char *buffer; uint64_t at; size_t len; } run;       /* bytes [at, at + len) of the file lie from buffer + at % PAGE on */
typedef struct job { char *buffer; uint64_t at; size_t len; } job;

struct ingest_streams {
    const char *path;
    int fd, direct;                    /* direct: -1 where the file system has none; the thread's while it runs */
    uint64_t unflushed;
    run *runs;                         /* n */
    size_t n, buffer_bytes;            /* buffer_bytes 0: there are none */
    char *memory;                      /* n_buffers of them */
    size_t n_buffers;

    pthread_t thread;
    bool runs_thread;
    pthread_mutex_t mutex;             /* guards what follows */
    pthread_cond_t changed;
    char **idle;                       /* n_idle buffers that hold nothing */
    size_t n_idle;
    job *queue;                        /* (n_buffers) ring of n_queued jobs from first on */
    size_t first, n_queued;
    bool busy, leave;
    fw_status status;                  /* of the first write that failed */
    fw_error error;
};

/* ---- bytes to the file ---- */

static bool may_go_direct(const ingest_streams *s, uint64_t at, size_t len)
{
    return s->direct >= 0 && at % PAGE == 0 && len >= PAGE;
}

static void give_up_direct(ingest_streams *s)
{
    close(s->direct);
    s->direct = -1;
}

static fw_status write_bytes(ingest_streams *s, const char *bytes, uint64_t at, size_t len, fw_error *err)
{
    while (len > 0) {
        const bool direct = may_go_direct(s, at, len);
        size_t some = direct ? len - len % PAGE : s->direct >= 0 ? FW_MIN(len, PAGE - (size_t)(at % PAGE)) : len;
        ssize_t n = pwrite(direct ? s->direct : s->fd, bytes, some, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && direct && errno == EINVAL) {          /* wants other alignments */
            give_up_direct(s);
            continue;
        }
        if (n <= 0) return fw_fail_errno(err, FW_ERR_IO, "'%s' cannot be written", s->path);
        bytes += n;
        at += (uint64_t)n;
        len -= (size_t)n;
        s->unflushed += direct ? 0 : (uint64_t)n;
    }
    if (s->direct >= 0 || s->unflushed < FLUSH_BYTES) return FW_OK;
    s->unflushed = 0;
    sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE);   /* a wish; errors are told by fsync */
    return FW_OK;
}

/* ---- the thread ---- */

static bool next_job(ingest_streams *s, job *j)
{
    pthread_mutex_lock(&s->mutex);
    while (s->n_queued == 0 && !s->leave) pthread_cond_wait(&s->changed, &s->mutex);
    const bool there = !s->leave;
    if (there) {
        *j = s->queue[s->first];
        s->first = (s->first + 1) % s->n_buffers;
        s->n_queued--;
        s->busy = true;
    }
    pthread_mutex_unlock(&s->mutex);
    return there;
}

static void end_job(ingest_streams *s, const job *j, fw_status status, const fw_error *error)
{
    pthread_mutex_lock(&s->mutex);
    if (status != FW_OK && s->status == FW_OK) {
        s->status = status;
        s->error = *error;
    }
    s->idle[s->n_idle++] = j->buffer;
    s->busy = false;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void *write_jobs(void *argument)
{
    ingest_streams *s = argument;
    for (job j; next_job(s, &j);) {
        fw_error error = {0};
        fw_status status = write_bytes(s, j.buffer + j.at % PAGE, j.at, j.len, &error);
        end_job(s, &j, status, &error);
    }
    return NULL;
}

static fw_status start_thread(ingest_streams *s, fw_error *err)
{
    FW_AUTO(fw_text) what = {0};
    fw_text_format(&what, "the thread that writes '%s'", s->path);
    FW_TRY(fw_text_check(&what, err));
    FW_TRY(fw_thread_start(&s->thread, write_jobs, s, what.data, err));
    s->runs_thread = true;
    return FW_OK;
}

/* ---- buffers ---- */

static fw_status told(const ingest_streams *s, fw_error *err)
{
    return s->status == FW_OK ? FW_OK : fw_fail(err, s->status, "%s", s->error.text);
}

static fw_status take_buffer(char **out, ingest_streams *s, fw_error *err)
{
    pthread_mutex_lock(&s->mutex);
    while (s->n_idle == 0 && s->status == FW_OK) pthread_cond_wait(&s->changed, &s->mutex);
    fw_status status = told(s, err);
    if (status == FW_OK) *out = s->idle[--s->n_idle];
    pthread_mutex_unlock(&s->mutex);
    return status;
}

static void send(ingest_streams *s, job j)
{
    pthread_mutex_lock(&s->mutex);
    s->queue[(s->first + s->n_queued++) % s->n_buffers] = j;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* All of a run's bytes, or those of whole pages, on their way to the disk. */
static fw_status flush(ingest_streams *s, run *r, bool all, fw_error *err)
{
    const uint64_t end = r->at + r->len, cut = all ? end : end - end % PAGE;
    if (r->len == 0 || cut <= r->at) return FW_OK;
    job j = {r->buffer, r->at, (size_t)(cut - r->at)};
    run next = {.at = cut, .len = (size_t)(end - cut)};
    if (!all) {
        FW_TRY(take_buffer(&next.buffer, s, err));
        memcpy(next.buffer, r->buffer + r->at % PAGE + j.len, next.len);
    }
    send(s, j);
    *r = next;
    return FW_OK;
}

static size_t left(const ingest_streams *s, const run *r)
{
    return s->buffer_bytes - (size_t)(r->at % PAGE) - r->len;
}

/* The run goes on at `at`, with a buffer in which there is room for some bytes. */
static fw_status turn_to(ingest_streams *s, run *r, uint64_t at, fw_error *err)
{
    if (r->buffer != NULL && at != r->at + r->len) FW_TRY(flush(s, r, true, err));
    if (r->buffer == NULL) {
        FW_TRY(take_buffer(&r->buffer, s, err));
        r->len = 0;
    }
    if (r->len == 0) r->at = at;
    return FW_OK;
}

fw_status ingest_streams_room(ingest_streams *s, size_t stream, uint64_t at, size_t len, void **to, fw_error *err)
{
    run *r = &s->runs[stream];
    *to = NULL;
    if (s->buffer_bytes < PAGE || len > s->buffer_bytes - PAGE) return FW_OK;
    FW_TRY(turn_to(s, r, at, err));
    if (left(s, r) < len) FW_TRY(flush(s, r, false, err));
    *to = r->buffer + r->at % PAGE + r->len;
    r->len += len;
    return FW_OK;
}

fw_status ingest_streams_put(ingest_streams *s, size_t stream, uint64_t at, const void *bytes, size_t len, fw_error *err)
{
    const char *from = bytes;
    if (s->buffer_bytes == 0) return write_bytes(s, from, at, len, err);
    while (len > 0) {
        run *r = &s->runs[stream];
        FW_TRY(turn_to(s, r, at, err));
        if (left(s, r) == 0) FW_TRY(flush(s, r, false, err));
        size_t some = FW_MIN(left(s, r), len);
        memcpy(r->buffer + r->at % PAGE + r->len, from, some);
        r->len += some;
        from += some;
        at += some;
        len -= some;
    }
    return FW_OK;
}

fw_status ingest_streams_finish(ingest_streams *s, fw_error *err)
{
    for (size_t i = 0; i < s->n; i++) FW_TRY(flush(s, &s->runs[i], true, err));
    pthread_mutex_lock(&s->mutex);
    while ((s->n_queued > 0 || s->busy) && s->status == FW_OK) pthread_cond_wait(&s->changed, &s->mutex);
    fw_status status = told(s, err);
    pthread_mutex_unlock(&s->mutex);
    FW_TRY(status);
    int fd = s->fd;
    if (fsync(fd) != 0) return fw_fail_errno(err, FW_ERR_IO, "'%s' cannot be written", s->path);
    s->fd = -1;
    if (close(fd) != 0) return fw_fail_errno(err, FW_ERR_IO, "'%s' cannot be written", s->path);
    return FW_OK;
}

/* ---- life ---- */

static fw_status make_buffers(ingest_streams *s, size_t n_used, fw_error *err)
{
    size_t bytes = FW_MIN(MEMORY / FW_MAX(n_used, 1u), BUFFER_MOST);
    if (bytes < BUFFER_LEAST) return FW_OK;
    bytes -= bytes % PAGE;
    s->n_buffers = n_used + SPARE;
    s->idle = calloc(s->n_buffers, sizeof *s->idle);
    s->queue = calloc(s->n_buffers, sizeof *s->queue);
    s->memory = mmap(NULL, s->n_buffers * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->memory == MAP_FAILED) s->memory = NULL;
    if (s->idle == NULL || s->queue == NULL || s->memory == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu buffers of %zu bytes", s->n_buffers, bytes);
    madvise(s->memory, s->n_buffers * bytes, MADV_HUGEPAGE);              /* a wish: fewer page faults */
    s->buffer_bytes = bytes;
    for (size_t i = s->n_buffers; i > 0; i--) s->idle[s->n_idle++] = s->memory + (i - 1) * bytes;
    return start_thread(s, err);
}

fw_status ingest_streams_create(ingest_streams **out, const char *path, size_t n, size_t n_used, fw_error *err)
{
    FW_AUTO(ingest_streams) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu columns", n);
    *s = (ingest_streams){.path = path, .fd = -1, .direct = -1, .n = n};
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    if ((s->runs = calloc(n + 1, sizeof *s->runs)) == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu columns", n);
    s->fd = open(path, O_WRONLY | O_CLOEXEC);
    if (s->fd < 0) return fw_fail_errno(err, FW_ERR_IO, "'%s' cannot be written: are all ranks on one shared file system?", path);
    if (MEMORY / FW_MAX(n_used, 1u) >= BUFFER_MOST / 16) s->direct = open(path, O_WRONLY | O_CLOEXEC | O_DIRECT);      /* smaller writes: the cache is better */
    FW_TRY(make_buffers(s, n_used, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

void ingest_streams_destroy(ingest_streams **streams)
{
    ingest_streams *s = *streams;
    if (s == NULL) return;
    if (s->runs_thread) {
        pthread_mutex_lock(&s->mutex);
        s->leave = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
    }
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    if (s->fd >= 0) close(s->fd);
    if (s->direct >= 0) close(s->direct);
    if (s->memory != NULL) munmap(s->memory, s->n_buffers * s->buffer_bytes);
    free(s->runs);
    free(s->idle);
    free(s->queue);
    free(s);
    *streams = NULL;
}
