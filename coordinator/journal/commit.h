/** Brings a file to the disk behind the back of who appends to it: a thread that calls fdatasync at the latest COORD_COMMIT_DELAY_MS after a change, or
 *  COORD_COMMIT_URGENT_MS when the change is urgent: not at once, since the line that follows on its heels would have to wait for the disk. What changes
 *  meanwhile goes with the next call. */
#ifndef COORD_JOURNAL_COMMIT_H
#define COORD_JOURNAL_COMMIT_H

#include <stdbool.h>

#include "common/core/status.h"

#define COORD_COMMIT_DELAY_MS  100
#define COORD_COMMIT_URGENT_MS 5

typedef struct coord_commit coord_commit;

/** fd stays the caller's, and open until destroy. */
fw_status coord_commit_create(coord_commit **out, int fd, fw_error *err);
/** What is due is brought to the disk first. */
void      coord_commit_destroy(coord_commit **c);

/** The file was changed. FW_ERR_IO: an earlier change did not reach the disk; nothing does from there on. */
fw_status coord_commit_due(coord_commit *c, bool urgent, fw_error *err);
/** Waits until all changes are on the disk. */
fw_status coord_commit_wait(coord_commit *c, fw_error *err);

#endif
