/** Keeps a gang at work through losses: starts a generation, judges a loss, starts the next one, and remembers it all in a journal, so that a coordinator
 *  that was killed and started again goes on. Knows nothing of what the ranks do, but for one file: the one they go on from.
 *
 *  life:  create -> start -> (orders over the line) -> finish -> destroy
 *                     ^            | an order was answered FW_ERR_LOST
 *                     +--- lost <--+ */
#ifndef COORD_GANG_KEEPER_H
#define COORD_GANG_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus/bus.h"

typedef struct coord_keeper_opts {
    const char *folder;            /* of the run; there, and locked by the caller */
    const char *from;              /* the file that a new generation goes on from when it is there; for what is told */
    const char *launch, *hosts;    /* template, "a:2,b:2"; NULL: mpirun on this host */
    uint32_t ranks;                /* 0: all slots of the hosts */
    int max_restarts;              /* without progress */
    bool neighbours;               /* other gangs share the hosts: ranks are not bound to cores */
    bool anew;                     /* what was counted for an earlier training in this folder does not count */
} coord_keeper_opts;

typedef struct coord_keeper coord_keeper;

/** Checks the launch template and the hosts. FW_ERR_CONFIG. */
fw_status coord_keeper_check(const coord_keeper_opts *opts, fw_error *err);
/** Ends what lives of an earlier coordinator's gang in this folder, after which none of it can write. Signals that ask for a stop are remembered
 *  from here on (coord_stop_wanted). */
fw_status coord_keeper_create(coord_keeper **out, const coord_keeper_opts *opts, fw_error *err);
/** Ends what lives of the gang. */
void      coord_keeper_destroy(coord_keeper **k);

/** Starts the next generation, and another if that one is lost before it is there. *line: the caller's. FW_ERR_STOPPED: a signal came; else as lost. */
fw_status coord_keeper_start(coord_keeper *k, fw_line **line, fw_error *err);
/** What will not have to be done again: the highest step of a checkpoint or of a finished round. */
void      coord_keeper_progress(coord_keeper *k, uint64_t step);
/** After FW_ERR_LOST: ends what is left and judges. FW_OK: it was told, the time to wait is over, start again. FW_ERR_LOST: it is given up;
 *  FW_ERR_STOPPED: a signal came; other status: the ranks ended with that exit code. */
fw_status coord_keeper_lost(coord_keeper *k, fw_error *err);
/** After the order to close was sent. done: nothing is left to do in this folder. */
fw_status coord_keeper_finish(coord_keeper *k, bool done, fw_error *err);

uint64_t    coord_keeper_generation(const coord_keeper *k);
uint32_t    coord_keeper_ranks(const coord_keeper *k);
bool        coord_keeper_crash_loop(const coord_keeper *k);         /* it was given up because it was lost at the same step again and again */
const char *coord_keeper_reason(const coord_keeper *k);             /* of the last loss: a sentence without an end */
/** Seconds from the last loss to the first step after it, by the page; negative: there was none yet. */
double      coord_keeper_back_s(const coord_keeper *k);

#endif
