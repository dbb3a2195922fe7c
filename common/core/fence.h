/** The fence: a file with the number of the generation that may write. A process that belongs to an older one can't replace a file any more:
 *  fw_atomic_file_commit asks here immediately before its rename. It guards against a rank that was cut off, or stopped, and comes back when
 *  others have long gone on in its place. Without a fence set, everybody may write. */
#ifndef FW_CORE_FENCE_H
#define FW_CORE_FENCE_H

#include <stdint.h>

#include "common/core/status.h"

/** From here on this process writes as `generation` of the fence at path (copied; NULL: no fence). Once, before threads start. */
fw_status fw_fence_set(const char *path, uint64_t generation, fw_error *err);

/** FW_ERR_LOST: a newer generation has taken over. FW_ERR_IO: the fence that was set can't be read; nothing is to be written then either. */
fw_status fw_fence_check(fw_error *err);

/** The number in the file; 0 when there is none yet. FW_ERR_FORMAT: it is no number. */
fw_status fw_fence_read(uint64_t *generation, const char *path, fw_error *err);
/** Shuts out all generations below this one. Atomic. */
fw_status fw_fence_raise(const char *path, uint64_t generation, fw_error *err);

#endif
