/** The single entry of the worker: what every rank runs. It obeys orders and decides nothing. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "common/bus/bus.h"
#include "worker/group.h"

/** Collective. Obeys orders that rank 0 gets on `line` (NULL at the others) until it is told to close; *exit_code is what close carried. */
fw_status worker_serve(worker_group *g, fw_line *line, int *exit_code, fw_error *err);

#endif
