/** The ranks that train one trial. With sums.c and ingest the only place that knows MPI: everybody else sees ranks, exact merges, broadcasts,
 *  and memory that the ranks of a node share. "Collective" functions are entered by every rank of the group. */
#ifndef WORKER_GROUP_H
#define WORKER_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/stats/reduce.h"

typedef struct worker_group worker_group;
struct worker_board_slot;      /* group_board.h */

/** Starts MPI, once a process, main thread. Collective. From here on SIGUSR1 ends no process: it asks for a checkpoint, and is remembered until there is
 *  something to save. */
fw_status worker_mpi_start(int *argc, char ***argv, fw_error *err);
int       worker_mpi_size(void);                          /* ranks of the job */
void      worker_mpi_end(void);                           /* Collective, for who is in no group */
/** The group of all ranks. Collective, after worker_mpi_start. */
fw_status worker_group_of_all(worker_group **out, fw_error *err);
/** Both. */
fw_status worker_group_start(worker_group **out, int *argc, char ***argv, fw_error *err);
/** Ends MPI. Collective, unless `lost`: then the process only forgets. */
void      worker_group_stop(worker_group **g, bool lost);

int  worker_group_rank(const worker_group *g);
int  worker_group_size(const worker_group *g);
int  worker_group_node_rank(const worker_group *g);       /* among the ranks of this node */
int  worker_group_node_size(const worker_group *g);
int  worker_group_nodes(const worker_group *g);
int  worker_group_node(const worker_group *g);            /* which of them, in the order of their lowest ranks */
int  worker_group_slots(const worker_group *g);           /* ranks of the smallest node: so many node ranks there are on every node */
const char *worker_group_host(const worker_group *g);
const fw_reduce *worker_group_reduce(const worker_group *g);

/** Collective: rank 0's bytes at every rank; *bytes malloc'ed on the others (rank 0 keeps its own pointer). */
fw_status worker_group_broadcast(worker_group *g, void **bytes, size_t *len, fw_error *err);
/** Collective: every rank's bytes at rank 0 in rank order; there *out is malloc'ed and offset (size + 1) filled. */
fw_status worker_group_gather(worker_group *g, const void *bytes, size_t len, char **out, size_t *offset, fw_error *err);
fw_status worker_group_barrier(worker_group *g, fw_error *err);
/** Collective: until rank 0 comes, the others sleep. For a wait that may be long: others, who train on the same cores, are not in its way. */
fw_status worker_group_await_leader(worker_group *g, fw_error *err);
/** Memory shared by the ranks of a node, zeroed, FW_ALIGN-aligned, one copy a node. Collective. Freed by release (Collective). */
typedef struct worker_shared worker_shared;
fw_status worker_shared_create(worker_shared **out, worker_group *g, size_t bytes, const char *what, fw_error *err);
/** The same, with anything in it: for who fills it whole. */
fw_status worker_shared_reserve(worker_shared **out, worker_group *g, size_t bytes, const char *what, fw_error *err);
void      worker_shared_release(worker_shared **s);
void     *worker_shared_base(const worker_shared *s);

/** Barrier of the ranks of a node in shared memory: about 0.2 us; yields when ranks outnumber cores. *waited_s grows by the time spent. */
void worker_group_meet(worker_group *g, double *waited_s);

/** What each rank is doing, where its node's watcher can see it. */
void worker_group_note(worker_group *g, const char *phase, uint64_t round, uint64_t step);
/** A sign of progress between notes and meetings: in loops over rows and blocks, and where a wait has a deadline of its own. A few ns; main thread. */
void worker_tick(void);
/** Text about the checkpoint to go on from, for the error block when a rank is lost. */
void worker_group_note_checkpoint(worker_group *g, const char *path);

/** Told at each worker_group_note of this rank, with what it says (phase NULL: as before). */
typedef void (*worker_note_listener)(void *context, const char *phase, uint64_t round, uint64_t step);
void worker_group_listen(worker_group *g, worker_note_listener listener, void *context);
/** This rank's place on the board; lives as long as the group. */
const struct worker_board_slot *worker_group_slot(const worker_group *g);

/** From here on SIGTERM and SIGINT, too, ask for a stop at the next step boundary and end no process. */
void worker_signals_install(void);
int  worker_signal_pending(void);     /* the signal's number, or 0 */

#endif
