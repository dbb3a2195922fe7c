/** Progress events of one command on the bus. That one can't be sent is said, and stops nothing. */
#ifndef COORD_COMMANDS_ANNOUNCER_H
#define COORD_COMMANDS_ANNOUNCER_H

#include "common/bus/bus.h"
#include "proto/telemetry.h"

typedef struct coord_announcer coord_announcer;

/** NULL: the endpoint can't be had, which was said, or is NULL itself. */
coord_announcer *coord_announcer_open(const char *endpoint, const fw_bus_identity *identity, const char *project);
void             coord_announcer_close(coord_announcer **a);          /* *a may be NULL; waits up to 2 s for readers */
/** p->project is the announcer's. last: nothing follows under this topic. a may be NULL. */
void             coord_announce(coord_announcer *a, fw_progress p, bool last);

#endif
