/** The board: a page a node on which each rank writes what it does, and the watcher thread that looks whether the ranks still live.
 *  A rank that dies under Open MPI 4.1 leaves the others hanging in a collective until mpirun kills them a second later: the watcher
 *  says in that second which rank was lost, where, and which checkpoint is valid (one block, by the lowest living rank of the node).
 *  When an order is at hand and no rank of the node shows a sign of progress for WORKER_STALL_S, a rank that lives is as good as lost: stopped, swapped
 *  out, or stuck in a file system. Signs are notes, steps, meetings, and ticks in loops over rows. A rank without an order waits for the coordinator, which may take its time. */
#ifndef WORKER_GROUP_BOARD_H
#define WORKER_GROUP_BOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct worker_board_slot {
    _Alignas(64) _Atomic int32_t pid;              /* 0: not there yet; -1: left in good order */
    int32_t rank;
    _Atomic uint64_t round, step;
    _Atomic uint32_t waiting;         /* number of the meeting at which it waits for others; 0: it does not wait */
    _Atomic uint64_t signs;           /* of progress, counted; one thread writes */
    _Atomic uint64_t phase[2];        /* its text, 16 bytes: two words, so that the watcher may read while it changes */
} worker_board_slot;

#define WORKER_PHASE_TEXT 17

typedef struct worker_board {
    _Atomic uint32_t arrived, generation;      /* of worker_group_meet */
    _Atomic uint32_t told;                     /* the block about a lost rank was printed */
    char padding[52];
    char checkpoint[1024];
    worker_board_slot slot[];                  /* node_size */
} worker_board;

/** Seconds without a sign of progress after which a rank counts as lost; FW_STALL_SECONDS in the environment overrides it. */
#define WORKER_STALL_S 600.0

typedef struct worker_watcher {
    pthread_t thread;
    _Atomic bool stop;
    bool running;
    worker_board *board;
    int node_size, node_rank;
    bool alone;                   /* the group has no other node */
    const char *host;
    double stall_s;
} worker_watcher;

/** Up to 16 bytes. A reader in between sees the old text, the new one, or the new one's first half before an old second: "train" is never seen by mistake. */
void worker_slot_set_phase(worker_board_slot *s, const char *phase);
void worker_slot_phase(char out[static WORKER_PHASE_TEXT], const worker_board_slot *s);

/** One more sign of progress. */
static inline void worker_slot_sign(worker_board_slot *s)
{
    atomic_store_explicit(&s->signs, atomic_load_explicit(&s->signs, memory_order_relaxed) + 1, memory_order_relaxed);
}

/** w: board, node_rank, node_size, alone, host are set. */
fw_status worker_watcher_start(worker_watcher *w, fw_error *err);
void worker_watcher_stop(worker_watcher *w);

#endif
