#include "worker/checkpoint_writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/thread.h"

#define NICER 10                       /* the ranks may fill all cores: about a tenth of one while they compute */

enum { IDLE, RUNS, ENDED, LEAVE };      /* of the thread; IDLE -> RUNS and ENDED -> IDLE by the owner, RUNS -> ENDED by the thread */

struct worker_checkpoint_writer {
    worker_checkpoint_job job;
    void *context;
    double limit_s;
    fw_mono began;                     /* the owner's */
    pthread_t thread;
    pthread_mutex_t mutex;             /* guards changes of state; the state is read without it */
    pthread_cond_t changed;            /* on CLOCK_MONOTONIC */
    atomic_int state;
    fw_status status;                  /* of the job: the thread's until ENDED, then the owner's */
    fw_error error;
};

static void set_state(worker_checkpoint_writer *w, int state)
{
    pthread_mutex_lock(&w->mutex);
    atomic_store(&w->state, state);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}

static int next_task(worker_checkpoint_writer *w)
{
    pthread_mutex_lock(&w->mutex);
    while (atomic_load(&w->state) != RUNS && atomic_load(&w->state) != LEAVE) pthread_cond_wait(&w->changed, &w->mutex);
    const int state = atomic_load(&w->state);
    pthread_mutex_unlock(&w->mutex);
    return state;
}

static void *write_on_demand(void *argument)
{
    worker_checkpoint_writer *w = argument;
    fw_thread_step_back(NICER);
    while (next_task(w) == RUNS) {
        w->error = (fw_error){0};
        w->status = w->job(w->context, &w->error);
        set_state(w, ENDED);
    }
    return NULL;
}

fw_status worker_checkpoint_writer_create(worker_checkpoint_writer **out, worker_checkpoint_job job, void *context, fw_error *err)
{
    const char *limit = getenv("FW_CHECKPOINT_SECONDS");
    pthread_condattr_t monotonic;
    worker_checkpoint_writer *w = calloc(1, sizeof *w);
    if (w == NULL) return fw_fail(err, FW_ERR_NOMEM, "the writer of checkpoints");
    w->job = job;
    w->context = context;
    w->limit_s = limit != NULL && atof(limit) > 0.0 ? atof(limit) : WORKER_CHECKPOINT_S;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    const fw_status s = fw_thread_start(&w->thread, write_on_demand, w, "the thread that writes checkpoints", err);
    if (s != FW_OK) {
        pthread_cond_destroy(&w->changed);
        pthread_mutex_destroy(&w->mutex);
        free(w);
        return s;
    }
    *out = w;
    return FW_OK;
}

void worker_checkpoint_writer_destroy(worker_checkpoint_writer **writer)
{
    worker_checkpoint_writer *w = *writer;
    if (w == NULL) return;
    worker_checkpoint_writer_wait(w, w->limit_s);
    if (worker_checkpoint_writer_state(w) == WORKER_WRITE_STUCK) {
        fw_log_error("a checkpoint has been in writing for more than %g s: the file system does not answer; the one before it stands", w->limit_s);
        _exit(fw_status_exit_code(FW_ERR_TIMEOUT));
    }
    set_state(w, LEAVE);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    *writer = NULL;
}

worker_write_state worker_checkpoint_writer_state(const worker_checkpoint_writer *w)
{
    switch (atomic_load(&w->state)) {
    case RUNS: return fw_mono_passed(fw_mono_after(w->began, w->limit_s)) ? WORKER_WRITE_STUCK : WORKER_WRITE_RUNS;
    case ENDED: return WORKER_WRITE_ENDED;
    default: return WORKER_WRITE_NONE;
    }
}

void worker_checkpoint_writer_begin(worker_checkpoint_writer *w)
{
    w->began = fw_mono_now();
    set_state(w, RUNS);
}

void worker_checkpoint_writer_wait(worker_checkpoint_writer *w, double at_most_s)
{
    const int64_t limit = fw_mono_after(w->began, w->limit_s).ns, enough = fw_mono_after(fw_mono_now(), at_most_s).ns;
    const int64_t at = FW_MIN(limit, enough);
    const struct timespec until = {.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)};
    int rc = 0;
    pthread_mutex_lock(&w->mutex);
    while (atomic_load(&w->state) == RUNS && rc == 0) rc = pthread_cond_timedwait(&w->changed, &w->mutex, &until);
    pthread_mutex_unlock(&w->mutex);
}

fw_status worker_checkpoint_writer_take(worker_checkpoint_writer *w, fw_error *err)
{
    if (atomic_load(&w->state) != ENDED)
        return fw_fail(err, FW_ERR_TIMEOUT, "a checkpoint has been in writing for more than %g s: the file system does not answer; the one before it stands",
                       w->limit_s);
    const fw_status s = w->status;
    if (s < 0 && err != NULL) *err = w->error;
    set_state(w, IDLE);
    return s;
}
