/** The entry of the worker: what every rank runs. It obeys orders and decides nothing. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "common/bus/bus.h"
#include "worker/group_split.h"

/** What the order to close carried. leave: ranks of the job were lost, MPI is not to be ended: it would wait for them. */
typedef struct worker_end { int exit_code; bool leave; } worker_end;

/** Collective. Obeys orders that rank 0 gets on `line` (NULL at the others) until it is told to close. */
fw_status worker_serve(worker_group *g, fw_line *line, worker_end *end, fw_error *err);

/** Collective, once, before the first order: each rank takes the kernels that its FW_KERNELS names. FW_ERR_CONFIG, with the rank, at all of them. */
fw_status worker_choose_kernels(worker_group *g, fw_error *err);

/** A rank of a gang, from start to end: starts MPI, learns from the card where the coordinator is (rank 0 reads it), and obeys. The process ends with
 *  the returned code, or earlier by itself: its launcher is gone, or the coordinator is not heard any more (5). */
int worker_run_gang(int *argc, char ***argv, const char *card_path, uint64_t generation);

/** A rank of a job that is cut into groups (group_split.h), from there to its end; the same but for MPI, which has started, and the card, a text that
 *  came over MPI. Takes over the group. */
int worker_run_member(worker_group *g, const char *card, size_t len, int rank_of_job);

#endif
