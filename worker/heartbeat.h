/** A rank's heartbeats to the coordinator of its gang, from a thread of their own, and the lease that comes back: a rank that hears nothing from the
 *  coordinator for FW_GANG_LEASE_S ends with exit code 5, and so does one whose parent is gone: it would train for nobody. */
#ifndef WORKER_HEARTBEAT_H
#define WORKER_HEARTBEAT_H

#include <sys/types.h>

#include "common/bus/bus.h"
#include "proto/card.h"

struct worker_board_slot;

typedef struct worker_heartbeat_opts {
    fw_bus *bus;
    const fw_card *card;                       /* must live as long as the heartbeats */
    const char *endpoint, *host;
    uint32_t rank;
    pid_t parent;                              /* 0: not watched */
    const struct worker_board_slot *slot;      /* what this rank does */
    const _Atomic uint64_t *made;              /* steps made by this process */
} worker_heartbeat_opts;

typedef struct worker_heartbeat worker_heartbeat;

/** Local. A lease that says stop asks this process for a checkpoint as SIGUSR1 does. */
fw_status worker_heartbeat_start(worker_heartbeat **out, const worker_heartbeat_opts *opts, fw_error *err);
void      worker_heartbeat_stop(worker_heartbeat **h);

#endif
