/** The board: a page a node on which each rank writes what it does, and the watcher thread that looks whether the ranks still live.
 *  A rank that dies under Open MPI 4.1 leaves the others hanging in a collective until mpirun kills them a second later: the watcher
 *  says in that second which rank was lost, where, and which checkpoint is valid (one block, by the lowest living rank of the node).
 *  A rank that lives but makes no step for WORKER_STALL_S while it trains is as good as lost: stopped, swapped out, or stuck in a file system. */
#ifndef WORKER_GROUP_BOARD_H
#define WORKER_GROUP_BOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct worker_board_slot {
    _Atomic int32_t pid;              /* 0: not there yet; -1: left in good order */
    int32_t rank;
    _Atomic uint64_t round, step;
    _Atomic uint32_t waiting;         /* number of the meeting at which it waits for others; 0: it does not wait */
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

/** Seconds without a step after which a training rank counts as lost; FW_STALL_SECONDS in the environment overrides it. */
#define WORKER_STALL_S 600.0

typedef struct worker_watcher {
    pthread_t thread;
    _Atomic bool stop;
    bool running;
    worker_board *board;
    int node_size, node_rank;
    const char *host;
    double stall_s;
} worker_watcher;

/** Up to 16 bytes. A reader in between sees the old text, the new one, or the new one's first half before an old second: "train" is never seen by mistake. */
void worker_slot_set_phase(worker_board_slot *s, const char *phase);
void worker_slot_phase(char out[static WORKER_PHASE_TEXT], const worker_board_slot *s);

int  worker_watcher_start(worker_watcher *w, worker_board *board, int node_rank, int node_size, const char *host);   /* 0: running */
void worker_watcher_stop(worker_watcher *w);

#endif
