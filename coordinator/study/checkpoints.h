/** Which of a training's two checkpoints it goes on from. */
#ifndef COORD_STUDY_CHECKPOINTS_H
#define COORD_STUDY_CHECKPOINTS_H

#include <stdbool.h>

#include "common/core/status.h"

/** The newest whole one of `latest` and the one before it (NULL: there is no such). *out: malloc'ed, NULL when neither is there; *damaged (may be NULL): the latest can't
 *  be read and the one before is used, which is logged. FW_ERR_FORMAT, FW_ERR_VERSION: what is there can't be read. */
fw_status coord_checkpoint_choose(char **out, bool *damaged, const char *latest, const char *previous, fw_error *err);

#endif
