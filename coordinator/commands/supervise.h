/** A training on a gang: the coordinator is outside MPI, starts the ranks itself, and starts them again from the last checkpoint when they are lost. */
#ifndef COORD_COMMANDS_SUPERVISE_H
#define COORD_COMMANDS_SUPERVISE_H

#include "coordinator/commands/command.h"
#include "coordinator/commands/training.h"

/** --ranks, --hosts or --launch was given. */
bool coord_supervised(const coord_call *call);

/** From the project to `done`. FW_ERR_STOPPED: a signal, and what the checkpoint is. FW_ERR_LOST: given up, and why. */
fw_status coord_supervise(coord_training *t, const coord_call *call, fw_error *err);

#endif
