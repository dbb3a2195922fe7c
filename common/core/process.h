/** Processes of this host by number and time of start: the two together are one process for ever, while a number alone comes back. From /proc. */
#ifndef FW_CORE_PROCESS_H
#define FW_CORE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/core/clock.h"
#include "common/core/status.h"

/** Clock ticks from the start of the host to the start of the process; 0: there is none, or it has ended and only waits to be reaped. */
uint64_t fw_process_started(pid_t pid);

/** Processes of this user whose environment has `name` set to a text that begins with `prefix`, this process left out. A mark in the environment
 *  goes to all descendants, whoever starts them and whatever group or session they move to. *pids malloc'ed. */
fw_status fw_processes_marked(pid_t **pids, size_t *n, const char *name, const char *prefix, fw_error *err);

/** SIGKILL to all so marked, again and again until none is left. FW_ERR_TIMEOUT: one is still there at the deadline (its number in err). */
fw_status fw_processes_kill_marked(const char *name, const char *prefix, fw_mono deadline, fw_error *err);

#endif
