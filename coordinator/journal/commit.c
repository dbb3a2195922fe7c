#include "coordinator/journal/commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/core/thread.h"

struct coord_commit {
    int fd;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;              /* guards what follows */
    pthread_cond_t wanted, done;
    uint64_t due, safe;                /* changes; those that are on the disk */
    bool urgent, awaited, end;         /* awaited: somebody waits until it is on the disk */
    int error;                         /* errno of the first failure */
};

static struct timespec slice_from_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += COORD_COMMIT_URGENT_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    return t;
}

/* With the lock held. Who appends wakes this thread for the first change alone, and goes on undisturbed: it finds by itself that one is urgent. */
static void wait_until_due(coord_commit *c)
{
    for (int ms = 0; ms < COORD_COMMIT_DELAY_MS && !c->awaited && !c->end; ms += COORD_COMMIT_URGENT_MS) {
        const struct timespec until = slice_from_now();
        while (!c->awaited && !c->end && pthread_cond_timedwait(&c->wanted, &c->lock, &until) != ETIMEDOUT) continue;
        if (c->urgent) return;
    }
}

/* With the lock held, which is let go during the call. */
static void commit(coord_commit *c)
{
    const uint64_t upto = c->due;
    c->urgent = c->awaited = false;
    pthread_mutex_unlock(&c->lock);
    const int error = fdatasync(c->fd) == 0 ? 0 : errno;
    pthread_mutex_lock(&c->lock);
    if (error == 0) c->safe = upto;
    else if (c->error == 0) c->error = error;
    pthread_cond_broadcast(&c->done);
}

static void *serve(void *context)
{
    coord_commit *c = context;
    fw_thread_step_back(0);            /* an urgent change wakes it, and whoever made that has better to do than to wait for a disk */
    pthread_mutex_lock(&c->lock);
    while (c->error == 0) {
        while (c->safe == c->due && !c->end) pthread_cond_wait(&c->wanted, &c->lock);
        if (c->safe == c->due) break;
        wait_until_due(c);
        commit(c);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void set_up(coord_commit *c)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->done, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wanted, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

fw_status coord_commit_create(coord_commit **out, int fd, fw_error *err)
{
    coord_commit *c = calloc(1, sizeof *c);
    if (c == NULL) return fw_fail(err, FW_ERR_NOMEM, "journal: commit");
    c->fd = fd;
    set_up(c);
    const fw_status s = fw_thread_start(&c->thread, serve, c, "the thread of the journal", err);
    c->running = s == FW_OK;
    if (!c->running) coord_commit_destroy(&c);
    *out = c;
    return s;
}

void coord_commit_destroy(coord_commit **c)
{
    if (*c == NULL) return;
    pthread_mutex_lock(&(*c)->lock);
    (*c)->end = true;
    pthread_cond_signal(&(*c)->wanted);
    pthread_mutex_unlock(&(*c)->lock);
    if ((*c)->running) pthread_join((*c)->thread, NULL);
    pthread_cond_destroy(&(*c)->wanted);
    pthread_cond_destroy(&(*c)->done);
    pthread_mutex_destroy(&(*c)->lock);
    free(*c);
    *c = NULL;
}

static fw_status failed(int error, fw_error *err)
{
    errno = error;
    return error == 0 ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "what was appended did not reach the disk");
}

fw_status coord_commit_due(coord_commit *c, bool urgent, fw_error *err)
{
    pthread_mutex_lock(&c->lock);
    const bool wake = c->safe == c->due;
    c->due++;
    c->urgent |= urgent;
    if (wake) pthread_cond_signal(&c->wanted);
    const int error = c->error;
    pthread_mutex_unlock(&c->lock);
    return failed(error, err);
}

fw_status coord_commit_wait(coord_commit *c, fw_error *err)
{
    pthread_mutex_lock(&c->lock);
    const uint64_t upto = c->due;
    if (c->safe < upto) {
        c->awaited = true;
        pthread_cond_signal(&c->wanted);
    }
    while (c->safe < upto && c->error == 0) pthread_cond_wait(&c->done, &c->lock);
    const int error = c->error;
    pthread_mutex_unlock(&c->lock);
    return failed(error, err);
}
