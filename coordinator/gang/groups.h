/** The groups of the MPI job whose rank 0 this process is: ranks that are there already, with a gang (gang.h) for each group, which hears them, passes orders
 *  and answers, and finds losses. A group that is lost stays lost: with `mpirun --enable-recovery` the others go on, without it the job ends. */
#ifndef COORD_GANG_GROUPS_H
#define COORD_GANG_GROUPS_H

#include "coordinator/gang/gang.h"

typedef struct coord_groups_opts {
    uint32_t n, ranks;             /* groups, and ranks in each */
    uint32_t left_over;            /* ranks in one more that gets no orders; 0: there is none */
    bool local;                    /* all ranks are on this host */
} coord_groups_opts;

typedef struct coord_groups coord_groups;

/** Opens the desks to which the ranks are to come. */
fw_status coord_groups_create(coord_groups **out, const coord_groups_opts *opts, fw_error *err);
/** The cards for the ranks, group by group (the left-over one too), as texts with a NUL behind each; malloc'ed. */
fw_status coord_groups_cards(const coord_groups *g, void **bytes, size_t *len, fw_error *err);

uint32_t  coord_groups_count(const coord_groups *g);
uint32_t  coord_groups_ranks(const coord_groups *g);      /* of each */
/** Waits until the ranks of group i are there; orders and answers. Once a group; the caller's to destroy, before coord_groups_end. FW_ERR_LOST: they did not
 *  come in time (FW_START_SECONDS), or are gone. Any thread, one at a time for a group. */
fw_status coord_groups_line(coord_groups *g, uint32_t i, fw_line **line, fw_error *err);
const coord_loss *coord_groups_loss(coord_groups *g, uint32_t i);      /* kind COORD_LOSS_NONE: it is not lost */

/** Tells all that live to end with this exit code. *lost: ranks of the job were lost, so MPI can't be ended in good order, here neither. */
void      coord_groups_end(coord_groups **g, int exit_code, bool *lost);

#endif
