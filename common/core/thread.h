/** Threads beside the main one. */
#ifndef FW_CORE_THREAD_H
#define FW_CORE_THREAD_H

#include <pthread.h>

#include "common/core/status.h"

/** Starts run(context) in a thread that takes no signals: they are the main thread's. FW_ERR_NOMEM: "<what> did not start" and why. */
fw_status fw_thread_start(pthread_t *out, void *(*run)(void *), void *context, const char *what, fw_error *err);

#endif
