/** Rows as features that several groups on a host share: a file in memory (below /dev/shm) that the first of them makes and all map. The one mechanism
 *  serves groups of one MPI job and gangs of several: a window of MPI ends at the job. Only for a group on one node.
 *
 *  <folder>/<key>           whole: every user holds a shared lock on it (flock), which the kernel takes from who dies; the last one removes it
 *  <folder>/<key>.making    locked by its maker; of a maker that died it is thrown away, never gone on with
 *  Every look at the folder and every change in it is made under a lock on the folder itself, held for a moment.
 *  What a kill leaves behind is removed by the next one that comes, unless it is the very file that it needs.
 *
 *     0 magic u64   8 bytes of the file u64   16 key   32 digest of all behind the header   48 figures (worker_rows_figures)   .. digest of the header
 *  4096 what the maker wrote */
#ifndef WORKER_ROWS_FILE_H
#define WORKER_ROWS_FILE_H

#include "common/core/hash.h"
#include "worker/group.h"

/** What is to be known of the rows beside them. */
typedef struct worker_rows_figures { uint64_t n[2], missing[2], unseen[2], width, pipeline_bytes; } worker_rows_figures;      /* 0: train, 1: validation */

typedef struct worker_rows_file worker_rows_file;

/** Collective. *found: it is there, whole and as it was made. Else this group is to make it. Waits while another one makes it. *out NULL: it can't be shared
 *  (no such folder, another's, or who makes it does not get on for FW_STALL_SECONDS, 600): everybody for himself, no error. */
fw_status worker_rows_file_open(worker_rows_file **out, worker_group *g, fw_digest key, bool *found, fw_error *err);
/** Collective: memory of so many bytes to fill, the same at all ranks. *room false: there is none; the file is then to be released. */
fw_status worker_rows_file_make(worker_rows_file *f, size_t bytes, bool *room, fw_error *err);
/** Collective, when all have filled it: it is there for others, and can't be written any more. Cost: a hash of it by one rank, 37 GB/s. */
fw_status worker_rows_file_commit(worker_rows_file *f, const worker_rows_figures *figures, fw_error *err);
/** Collective. */
void      worker_rows_file_release(worker_rows_file **f);

void                      *worker_rows_file_base(const worker_rows_file *f);        /* FW_ALIGN-aligned */
size_t                     worker_rows_file_bytes(const worker_rows_file *f);
const worker_rows_figures *worker_rows_file_figures(const worker_rows_file *f);

#endif
