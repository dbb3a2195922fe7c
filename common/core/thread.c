#include "common/core/thread.h"

#include <errno.h>
#include <signal.h>

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
