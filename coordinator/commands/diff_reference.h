/** What differs between the references of two models, for `flywheel diff`. */
#ifndef COORD_COMMANDS_DIFF_REFERENCE_H
#define COORD_COMMANDS_DIFF_REFERENCE_H

#include <jansson.h>

#include "common/stats/reference.h"

/** A list, the caller's: {"column", "differs": "bins", "counts", "hits", "only in a", "only in b", "jensen_shannon": the distance of the counts, with the same
 *  bins; else null}. Either may be NULL: none of its columns is there. */
json_t *coord_diff_reference(const fw_reference *a, const fw_reference *b);

#endif
