/** One generation of a gang: launched, heard, watched and ended. A thread of its own serves the desk to which the ranks come, so leases go out while
 *  the coordinator writes a report. Orders and answers pass through an ordinary line: when the gang is lost, the order at hand is answered with
 *  FW_ERR_LOST. */
#ifndef COORD_GANG_GANG_H
#define COORD_GANG_GANG_H

#include <sys/types.h>

#include "common/bus/bus.h"
#include "coordinator/gang/watch.h"

#define COORD_GANG_MARK "FW_GANG"      /* in the environment of all processes of a gang: <mark>.<generation> */

typedef struct coord_gang_opts {
    const char *folder;                /* absolute; the files gang.* are in it */
    const char *card;                  /* path of the card: <folder>/gang.json */
    const char *mark;
    uint64_t generation;
    uint32_t ranks;
    char **command, **environment;     /* of the launcher; NULL at the end. command NULL: the ranks are there already (groups.h) and get the card in */
                                       /* another way; there is no launcher then, and folder, card and mark are not used */
    bool local;                        /* the ranks are on this host: the desk listens on loopback alone */
    coord_watch_limits limits;
} coord_gang_opts;

typedef enum coord_loss_kind {
    COORD_LOSS_NONE,
    COORD_LOSS_ENDED,                  /* the launcher ended; without one: a rank's process is gone */
    COORD_LOSS_NOT_READY, COORD_LOSS_SILENT, COORD_LOSS_STALLED, COORD_LOSS_STUCK,      /* what the watch found */
    COORD_LOSS_STOPPED,                /* a signal came before the ranks were there */
    COORD_LOSS_FORCED,                 /* a signal came, and the gang did not end in time, or a second one came */
    COORD_LOSS_BROKEN                  /* the coordinator's own end: the desk failed; or the ranks said themselves that they are lost */
} coord_loss_kind;

typedef struct coord_loss {
    coord_loss_kind kind;
    fw_mono at;
    bool ready, training;
    bool unseen;                       /* the leader, who alone writes, was on another host that went silent: its lease has to run out */
    int rank;                          /* -1: it is not known which */
    uint32_t pid;                      /* of that rank, and */
    char host[FW_GANG_HOST_TEXT];
    uint64_t round, step;              /* where the gang stood */
    int exit_code;                     /* of the launcher, when it ended by itself; else -1 */
    char how[256];                     /* "killed by signal 9" */
    char lines[1024];                  /* of what launcher and ranks printed: the first when nothing had begun, else the last */
    bool *silent;                      /* by rank: its host was silent while others were heard; (ranks) */
} coord_loss;

typedef struct coord_gang coord_gang;

/** Launches. FW_ERR_CONFIG: the command can't be executed. */
fw_status coord_gang_start(coord_gang **out, const coord_gang_opts *opts, fw_error *err);
/** Until all ranks are there. FW_ERR_LOST: see coord_gang_loss. FW_ERR_STOPPED: a signal came. */
fw_status coord_gang_await(coord_gang *g, fw_error *err);
/** Orders and answers; the caller's to destroy, before coord_gang_end. */
fw_line  *coord_gang_line(coord_gang *g);
/** by_order: after the order to close; waits for its end, 10 s at most. Else ends it at once. When it returns no process of the gang is left on this
 *  host (FW_ERR_TIMEOUT: one hangs in the kernel). */
fw_status coord_gang_end(coord_gang **g, bool by_order, fw_error *err);

/** The card as text, malloc'ed; for ranks that are there already. */
fw_status coord_gang_card(char **text, const coord_gang *g, fw_error *err);
/** Orders the ranks to close, whoever holds the line; coord_gang_end by order then waits until that was sent. leave: see fw_order. */
void      coord_gang_dismiss(coord_gang *g, int exit_code, bool leave);

const coord_loss *coord_gang_loss(coord_gang *g);        /* kind COORD_LOSS_NONE: it is not lost */
pid_t             coord_gang_launcher(const coord_gang *g);
const coord_watched *coord_gang_rank(const coord_gang *g, uint32_t rank);      /* once it is lost: until then it changes */
bool              coord_gang_leader_elsewhere(const coord_gang *g);            /* once it is ready: on another host than this */
bool              coord_gang_first_step(const coord_gang *g, fw_mono *when);   /* false: none was made yet, or it is not known */

#endif
