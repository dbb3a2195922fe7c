/** A child process that does what may hang: a file system that does not answer can't take its parent along. What it says comes through a pipe and is
 *  waited for with a deadline. The body runs after fork in a process that has threads: it may call async-signal-safe functions only, and returns. */
#ifndef FW_CORE_CHILD_H
#define FW_CORE_CHILD_H

#include <stddef.h>

#include "common/core/clock.h"
#include "common/core/status.h"

typedef struct fw_child fw_child;

/** What the child does: says by write(say), and sees at `parent` the end of file when its parent has ended or destroys it. Every other descriptor is
 *  closed, and it is in a session of its own, so that it can clear up after a parent that was killed. */
typedef void (*fw_child_body)(void *context, int say, int parent);

fw_status fw_child_start(fw_child **out, fw_child_body body, void *context, fw_error *err);
/** Exactly len bytes of what it says. FW_ERR_TIMEOUT; FW_ERR_LOST: it ended before. */
fw_status fw_child_read(fw_child *c, void *bytes, size_t len, fw_mono deadline, fw_error *err);
/** Lets it end, for up to a second; then it is killed. One that hangs in the kernel is left behind. */
void      fw_child_destroy(fw_child **c);

#endif
