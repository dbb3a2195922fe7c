/** Runs a program of the user's with a text on its standard input: no shell, a deadline, a process group of its own which is ended with it. */
#ifndef MONITOR_COMMAND_H
#define MONITOR_COMMAND_H

#include <stdatomic.h>

#include "common/core/status.h"

#define MONITOR_COMMAND_S      30.0
#define MONITOR_COMMAND_OUTPUT 4096      /* bytes of what it prints that are looked at; the rest is read and let go */

typedef struct monitor_command { char *const *argv; double deadline_s; } monitor_command;      /* argv: NULL at its end; [0] is looked for in PATH */

/** A monitor_send_fn; context: a monitor_command that outlives it. Its standard output and error are read; a failure tells their last line.
 *  FW_ERR_NOTFOUND: no such program; FW_ERR_TIMEOUT: the deadline passed, it was killed; FW_ERR_CHECK: it ended with another code than 0, or by a
 *  signal; FW_ERR_STOPPED: *stop was set. None of them but a timeout is worth another try. It need not read its input. The caller's thread must
 *  not be ended by SIGPIPE. */
fw_status monitor_command_run(void *context, const char *text, const atomic_bool *stop, fw_error *err);

#endif
