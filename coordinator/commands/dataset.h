/** Is the dataset there, and is it this project's? */
#ifndef COORD_COMMANDS_DATASET_H
#define COORD_COMMANDS_DATASET_H

#include "common/core/hash.h"
#include "common/project/project.h"

/** FW_ERR_CONFIG: not there, or made with other data settings: says what to run. */
fw_status coord_dataset_check(const char *path, const fw_project *p, fw_error *err);

/** Its content digest. */
fw_status coord_dataset_digest(char out[static FW_DIGEST_TEXT], const char *path, fw_error *err);

/** Whether the file begins as a flywheel file does; everything else is a table. */
bool coord_is_flywheel_file(const char *path);

#endif
