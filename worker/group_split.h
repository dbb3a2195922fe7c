/** An MPI job that is cut into groups: rank 0 coordinates and is in none; the others train, `each` to a group, those of a node together where they fit.
 *  Ranks that do not fill a group make a smaller one behind the others, which waits asleep for the end. */
#ifndef WORKER_GROUP_SPLIT_H
#define WORKER_GROUP_SPLIT_H

#include "worker/group.h"

typedef struct worker_split {
    int rank, size;                /* this one; of the job */
    int groups, each, left_over;   /* groups of `each` ranks; ranks in the one behind them, 0: there is none */
    int mine;                      /* number of this rank's group; -1: rank 0 */
    int nodes;
} worker_split;

/** node[r]: any number, the same for ranks of one node. Sets group_of[r] (size), groups and left_over. each >= 1. Pure. */
void worker_split_assign(worker_split *s, int *group_of, const int *node, int size, int each);

/** Collective over the job, after worker_mpi_start. *group: this rank's; NULL at rank 0. FW_ERR_CONFIG: fewer ranks than one group and rank 0 need. */
fw_status worker_split_create(worker_split *out, worker_group **group, int each, fw_error *err);

/** Collective over the job: rank 0's bytes at all, malloc'ed there. The others sleep until they come. */
fw_status worker_split_share(void **bytes, size_t *len, fw_error *err);

#endif
