/** Learning-rate range test (Smith 2017): raises the rate over 200 steps, prints the losses and a suggestion. Trains nothing that is kept. */
#ifndef COORD_COMMANDS_LEARNING_RATE_H
#define COORD_COMMANDS_LEARNING_RATE_H

#include "coordinator/commands/training.h"

/** The group is open. */
fw_status coord_find_rate(coord_training *t, fw_error *err);

#endif
