#include "common/core/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHORT_TURN_NS 100000u          /* the least that Linux gives */

/* sched_setattr(2), which the C library does not have: the kernel's struct sched_attr in its first form. */
typedef struct scheduling { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; } scheduling;

fw_status fw_thread_start(pthread_t *out, void *(*run)(void *), void *context, const char *what, fw_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int rc = pthread_create(out, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) return FW_OK;
    errno = rc;
    return fw_fail_errno(err, FW_ERR_NOMEM, "%s did not start", what);
}

void fw_thread_step_back(int nicer)
{
    const struct sched_param usual = {0};
    const id_t thread = (id_t)gettid();
    (void)sched_setscheduler((pid_t)thread, SCHED_BATCH, &usual);
    if (nicer > 0) (void)setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + nicer);
}

void fw_thread_be_prompt(void)
{
    scheduling a = {.size = sizeof a};
    const long thread = gettid();
    if (syscall(SYS_sched_getattr, thread, &a, (unsigned)sizeof a, 0u) != 0 || a.policy != SCHED_OTHER) return;
    a.runtime = SHORT_TURN_NS;
    (void)syscall(SYS_sched_setattr, thread, &a, 0u);
}
