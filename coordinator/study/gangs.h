/** Groups that are gangs: each kept in <study>/groups/<number>/, long-lived, trial after trial. */
#ifndef COORD_STUDY_GANGS_H
#define COORD_STUDY_GANGS_H

#include "coordinator/study/source.h"

typedef struct coord_gangs_opts {
    const char *folder;                /* of the study; there, and held by the caller */
    uint32_t groups, ranks;            /* ranks: of each */
    const char *launch, *hosts;        /* as of a keeper: template, "a:8,b:8", whose slots the groups share; NULL: mpirun on this host */
    int max_restarts;                  /* of each, without progress */
} coord_gangs_opts;

typedef struct coord_gangs coord_gangs;

/** Checks the template and the hosts. FW_ERR_CONFIG: wrong, or the hosts have too few slots. */
fw_status coord_gangs_check(const coord_gangs_opts *opts, fw_error *err);
/** Ends what lives of gangs that an earlier coordinator of this study started, after which none of them can write. */
fw_status coord_gangs_end_earlier(const char *folder, fw_error *err);
/** Starts nothing yet. Signals that ask for a stop are remembered from here on. */
fw_status coord_gangs_create(coord_gangs **out, const coord_gangs_opts *opts, fw_error *err);
void      coord_gangs_destroy(coord_gangs **g);

coord_source coord_gangs_source(coord_gangs *g);

#endif
