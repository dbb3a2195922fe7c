#include "common/core/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

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
