/* The thread that writes checkpoints: one job after the other, its error told, a stuck one given up after the limit, signals left to the others. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/clock.h"
#include "worker/checkpoint_writer.h"

typedef struct work {
    int payload, seen;         /* the job's from begin to take: a sanitizer sees whether that is held */
    int fails;
    atomic_int gate;           /* 0: the job waits */
    int signals_blocked;
} work;

static fw_status job(void *context, fw_error *err)
{
    work *w = context;
    sigset_t blocked;
    while (atomic_load(&w->gate) == 0) fw_sleep_ms(1);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    w->signals_blocked = sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGTERM);
    w->seen = w->payload;
    return w->fails ? fw_fail(err, FW_ERR_IO, "job %d failed", w->payload) : FW_OK;
}

static worker_checkpoint_writer *make(work *w)
{
    worker_checkpoint_writer *out = NULL;
    assert_int_equal(worker_checkpoint_writer_create(&out, job, w, NULL), FW_OK);
    return out;
}

static void jobs_run_one_after_the_other(void **context)
{
    (void)context;
    work w = {.gate = 1};
    worker_checkpoint_writer *writer = make(&w);
    for (int i = 1; i <= 1000; i++) {
        assert_int_equal(worker_checkpoint_writer_state(writer), WORKER_WRITE_NONE);
        w.payload = i;
        worker_checkpoint_writer_begin(writer);
        worker_checkpoint_writer_wait(writer, 60.0);
        assert_int_equal(worker_checkpoint_writer_state(writer), WORKER_WRITE_ENDED);
        assert_int_equal(worker_checkpoint_writer_take(writer, NULL), FW_OK);
        assert_int_equal(w.seen, i);
    }
    assert_true(w.signals_blocked);
    worker_checkpoint_writer_destroy(&writer);
    assert_null(writer);
    worker_checkpoint_writer_destroy(&writer);
}

static void an_error_is_the_owners_once(void **context)
{
    (void)context;
    work w = {.gate = 1, .fails = 1, .payload = 7};
    fw_error err = {0};
    worker_checkpoint_writer *writer = make(&w);
    worker_checkpoint_writer_begin(writer);
    worker_checkpoint_writer_wait(writer, 60.0);
    assert_int_equal(worker_checkpoint_writer_take(writer, &err), FW_ERR_IO);
    assert_string_equal(err.text, "job 7 failed");
    w.fails = 0;
    worker_checkpoint_writer_begin(writer);
    worker_checkpoint_writer_wait(writer, 60.0);
    assert_int_equal(worker_checkpoint_writer_take(writer, NULL), FW_OK);
    worker_checkpoint_writer_destroy(&writer);
}

static void the_owner_goes_on_meanwhile_and_destroy_waits(void **context)
{
    (void)context;
    work w = {.payload = 3};
    worker_checkpoint_writer *writer = make(&w);
    worker_checkpoint_writer_begin(writer);
    worker_checkpoint_writer_wait(writer, 0.01);
    assert_int_equal(worker_checkpoint_writer_state(writer), WORKER_WRITE_RUNS);
    atomic_store(&w.gate, 1);
    worker_checkpoint_writer_destroy(&writer);
    assert_int_equal(w.seen, 3);
}

static void a_stuck_job_is_given_up(void **context)
{
    (void)context;
    work w = {0};
    fw_error err = {0};
    setenv("FW_CHECKPOINT_SECONDS", "0.05", 1);
    worker_checkpoint_writer *writer = make(&w);
    unsetenv("FW_CHECKPOINT_SECONDS");
    worker_checkpoint_writer_begin(writer);
    worker_checkpoint_writer_wait(writer, 60.0);
    assert_int_equal(worker_checkpoint_writer_state(writer), WORKER_WRITE_STUCK);
    assert_int_equal(worker_checkpoint_writer_take(writer, &err), FW_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "0.05 s"));
    atomic_store(&w.gate, 1);
    while (worker_checkpoint_writer_state(writer) != WORKER_WRITE_ENDED) fw_sleep_ms(1);
    worker_checkpoint_writer_destroy(&writer);
}

/* In a process of its own: the memory of a job that never ends can't be freed. */
static void a_job_that_never_ends_ends_the_process(void **context)
{
    (void)context;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static work w;
        setenv("FW_CHECKPOINT_SECONDS", "0.05", 1);
        worker_checkpoint_writer *writer = make(&w);
        worker_checkpoint_writer_begin(writer);
        worker_checkpoint_writer_destroy(&writer);
        _exit(99);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_one_after_the_other),
        cmocka_unit_test(an_error_is_the_owners_once),
        cmocka_unit_test(the_owner_goes_on_meanwhile_and_destroy_waits),
        cmocka_unit_test(a_stuck_job_is_given_up),
        cmocka_unit_test(a_job_that_never_ends_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
