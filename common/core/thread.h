/** Threads beside the main one. */
#ifndef FW_CORE_THREAD_H
#define FW_CORE_THREAD_H

#include <pthread.h>

#include "common/core/status.h"

/** Starts run(context) in a thread that takes no signals: they are the main thread's. FW_ERR_NOMEM: "<what> did not start" and why. */
fw_status fw_thread_start(pthread_t *out, void *(*run)(void *), void *context, const char *what, fw_error *err);

/** For the thread that calls: it waits for a free core when it wakes, and takes none away from a thread that runs; nicer > 0: it gets less of one, too, when
 *  cores are wanted by others. Where the system does not grant it, nothing changes. */
void      fw_thread_step_back(int nicer);
/** For the thread that calls, which sleeps mostly and has some microseconds of work when it wakes: it asks for short turns, and so comes before threads that
 *  compute for long, and is not interrupted by them (Linux 6.12 and later; before it, and where the system does not grant it, nothing changes). */
void      fw_thread_be_prompt(void);

#endif
