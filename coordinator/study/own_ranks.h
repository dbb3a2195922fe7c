/** Groups of ranks that are there already: those of this MPI job, as one group or cut into several. One that is lost stays lost. */
#ifndef COORD_STUDY_OWN_RANKS_H
#define COORD_STUDY_OWN_RANKS_H

#include "coordinator/gang/groups.h"
#include "coordinator/study/source.h"

typedef struct coord_own_ranks {
    coord_group *one;                  /* borrowed; closed with the job */
    coord_groups *several;             /* NULL: there is one */
} coord_own_ranks;

/** Of several, signals that ask for a stop are remembered from here on; the one group hears them itself. */
coord_source coord_own_ranks_source(coord_own_ranks *own);

#endif
