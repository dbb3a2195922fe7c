/** Points of a space that are tried on the project before a search begins. Used by coord_space_create alone. */
#ifndef COORD_STUDY_SPACE_TRY_H
#define COORD_STUDY_SPACE_TRY_H

#include "coordinator/study/space.h"

/** Reads the project anew with each choice and each end of a range (the others at their first value), as a trial would: what breaks a rule between
 *  keys, can't be trained by this version, or needs another dataset is told, with the place of the parameter. order (s->n): the index in tune.space
 *  of each parameter. FW_ERR_CONFIG: all of it. Cost: 0.1 ms a choice; at most COORD_MAX_TRIES are tried, and a trial that is wrong all the same fails. */
fw_status coord_space_try(const coord_space *s, const fw_project *p, const size_t *order, fw_error *err);

#define COORD_MAX_TRIES 4096u

#endif
