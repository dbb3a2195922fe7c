/** Who a command is on the bus: --keys FOLDER or --insecure, else monitor.keys of the project file, else nobody, who stays on this host. */
#ifndef COORD_COMMANDS_ACCESS_H
#define COORD_COMMANDS_ACCESS_H

#include "common/bus/bus.h"
#include "common/project/project.h"
#include "coordinator/commands/command.h"

typedef struct coord_access {
    fw_bus_identity identity;
    char *folder;                      /* what identity.keys is when it came from a project */
} coord_access;

/** The two lines of a command's table of options. */
#define COORD_ACCESS_OPTIONS                                                                                                   \
    {"keys", 0, "FOLDER", "keys for the bus, as `flywheel keys` makes them: encrypted, and for those alone who are allowed"}, \
    {"insecure", 0, NULL, "no keys, also to and from other hosts: in plain text, for whoever comes"}

/** FW_ERR_CONFIG: both at once. */
fw_status coord_access_options(coord_access *out, const coord_call *call, fw_error *err);
/** What the options left open, from the project (NULL: there is none); then keys and endpoint are looked at, so that it is told before work starts.
 *  endpoint NULL: the bus is not used. FW_ERR_CONFIG. */
fw_status coord_access_complete(coord_access *a, const fw_project *p, const char *endpoint, bool publishes, fw_error *err);
void      coord_access_release(coord_access *a);

#endif
