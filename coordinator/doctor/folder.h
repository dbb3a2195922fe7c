/** A folder tried out as a place for runs: a file is written, made durable, renamed over another, read back and locked. A child process does it, so
 *  that a file system that does not answer costs a deadline and no more; it takes its two files away when it is let go, or when its parent dies. */
#ifndef COORD_DOCTOR_FOLDER_H
#define COORD_DOCTOR_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/core/child.h"

#define COORD_FOLDER_DEADLINE_S 10.0

typedef enum coord_folder_step {
    COORD_FOLDER_OPEN, COORD_FOLDER_CREATE, COORD_FOLDER_WRITE, COORD_FOLDER_SYNC, COORD_FOLDER_RENAME, COORD_FOLDER_SYNC_DIR, COORD_FOLDER_READ,
    COORD_FOLDER_LOCK, COORD_FOLDER_STEPS
} coord_folder_step;
const char *coord_folder_step_name(coord_folder_step s);      /* "write 64 KiB" */

typedef struct coord_folder {
    char dir[4096];                    /* as given; the start folder's path stands before a relative one in `probe` */
    char probe[4352];                  /* the file that other hosts should see, while it is there */
    fw_child *child;
    int done;                          /* steps that were answered */
    int error[COORD_FOLDER_STEPS];     /* errno; 0: it went well. Behind the first that failed only the lock is tried */
    double seconds[COORD_FOLDER_STEPS];
    uint64_t free_bytes, size_bytes;
    uint32_t kind, mode, owner;        /* statfs f_type; of the folder */
    bool read_only, answered;          /* answered: to the end, before the deadline */
} coord_folder;

/** FW_ERR_ARG: the path is too long; FW_ERR_NOMEM: no child. What the file system refuses or leaves unanswered is no failure: it stands in *f. */
fw_status   coord_folder_try(coord_folder *f, const char *dir, double deadline_s, fw_error *err);
bool        coord_folder_works(const coord_folder *f);                     /* every step but the lock */
void        coord_folder_leave(coord_folder *f);                           /* its files are gone afterwards */
const char *coord_folder_kind(uint32_t kind);                              /* "ext4", "nfs"; "" when it is not known */
bool        coord_folder_is_network(uint32_t kind);

#endif
