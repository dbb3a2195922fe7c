/** The command line of a gang: a template with {ranks} and {hosts}, and the hosts with their slots. */
#ifndef COORD_GANG_LAUNCH_H
#define COORD_GANG_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct coord_host {
    char *name;
    uint32_t slots;
    uint64_t out_until;      /* not used by generations below this one */
    uint64_t out_for;        /* how many it was left out for the last time */
} coord_host;

typedef struct coord_hosts { coord_host *host; size_t n; } coord_hosts;

/** "a:2,b:2,c" (one slot without a number); NULL: no hosts, the launcher chooses. FW_ERR_CONFIG: malformed, or a host twice. */
fw_status coord_hosts_parse(coord_hosts **out, const char *text, fw_error *err);
void      coord_hosts_destroy(coord_hosts **h);
/** Slots of the hosts that this generation may use; FW_ERR_CONFIG never: 0 when all are left out. */
uint32_t  coord_hosts_slots(const coord_hosts *h, uint64_t generation);
/** The host, by its name with or without a domain; NULL: not one of these. */
coord_host *coord_hosts_find(const coord_hosts *h, const char *name);

/** template NULL: mpirun. FW_ERR_CONFIG: no {ranks} in it, or {hosts} without hosts or hosts without {hosts}, or an open quote. */
fw_status coord_launch_check(const char *template, const coord_hosts *h, fw_error *err);

/** The words of the command, NULL at the end, with `more` (NULL at its end) behind them; malloc'ed, to end with coord_launch_free.
 *  Words are parted by blanks; '...' and "..." keep blanks. */
fw_status coord_launch_words(char ***out, const char *template, uint32_t ranks, const coord_hosts *h, uint64_t generation, const char *const *more, fw_error *err);
void      coord_launch_free(char **words);

/** This process's environment for the launcher: with what Open MPI needs to end a broken job at once and to notice a lost host (unless the user has set it),
 *  and name=value. session: a folder of this launcher's own for what mpirun keeps while it runs, or NULL: the one of all jobs of a user can't be
 *  made by two at once, and holds what a killed one leaves. neighbours: other gangs share the hosts, of which a launcher does not know, so that it would bind its ranks to the cores that theirs are
 *  bound to: it binds none. malloc'ed, to end with coord_launch_free. */
fw_status coord_launch_environment(char ***out, const char *name, const char *value, const char *session, bool neighbours, fw_error *err);

/** Whether the ranks can only be on this host: no hosts, no template, and no batch system that might spread them. */
bool      coord_launch_is_local(const char *template, const coord_hosts *h);

#endif
