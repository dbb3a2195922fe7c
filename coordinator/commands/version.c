/** flywheel version: the program, the libraries it runs with, the formats it reads. */
#include <stdio.h>

#include "common/data/dataset.h"
#include "common/model/checkpoint.h"
#include "common/model/model.h"
#include "coordinator/commands/command.h"

static fw_status run(coord_call *call, fw_error *err)
{
    (void)call;
    (void)err;
    printf("flywheel %s\n", FW_VERSION);
    printf("libraries  %s\n", FW_LIBRARIES);
    printf("formats    model %d, checkpoint %d, dataset %d\n", FW_MODEL_VERSION, FW_CHECKPOINT_VERSION, FW_DATASET_VERSION);
    return FW_OK;
}

const coord_command coord_command_version = {
    .name = "version",
    .arguments = "",
    .summary = "the program, its libraries, the formats it reads",
    .description = "",
    .run = run,
};
