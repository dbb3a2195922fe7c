/** The entry of the worker: what every rank runs. It obeys orders and decides nothing. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "common/bus/bus.h"
#include "worker/group.h"

/** Collective. Obeys orders that rank 0 gets on `line` (NULL at the others) until it is told to close; *exit_code is what close carried. */
fw_status worker_serve(worker_group *g, fw_line *line, int *exit_code, fw_error *err);

/** Collective, once, before the first order: each rank takes the kernels that its FW_KERNELS names. FW_ERR_CONFIG, with the rank, at all of them. */
fw_status worker_choose_kernels(worker_group *g, fw_error *err);

/** A rank of a gang, from start to end: starts MPI, learns from the card where the coordinator is (rank 0 reads it), and obeys. The process ends with
 *  the returned code, or earlier by itself: its launcher is gone, or the coordinator is not heard any more (5). */
int worker_run_gang(int *argc, char ***argv, const char *card_path, uint64_t generation);

#endif
