/** One scratch folder for all ranks of a test. */
#ifndef FW_TESTS_RANKS_FOLDER_H
#define FW_TESTS_RANKS_FOLDER_H

#include <stdlib.h>
#include <string.h>

#include "tests/ranks/checks.h"
#include "tests/unit/scratch.h"

/** Collective: made by rank 0, known to all; rank 0 ends it with scratch_remove. */
static inline void folder_make(scratch *place, worker_group *g)
{
    void *bytes = place;
    size_t len = sizeof *place;
    if (worker_group_rank(g) == 0 && !scratch_make(place)) abort();
    CHECK(worker_group_broadcast(g, &bytes, &len, NULL) == FW_OK, "broadcast");
    if (bytes == place) return;
    memcpy(place, bytes, sizeof *place);
    free(bytes);
}

#endif
