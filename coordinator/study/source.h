/** Where groups of ranks come from, as the runner of a study sees it: ranks of this job, or gangs that are started again. */
#ifndef COORD_STUDY_SOURCE_H
#define COORD_STUDY_SOURCE_H

#include "coordinator/gang/group.h"

/** A source of groups. All of one group is called by one thread, of different groups by several at a time. */
typedef struct coord_source {
    void *context;
    uint32_t n;                        /* groups */
    /** The group is there and takes orders; after a loss its next generation. FW_ERR_STOPPED: a signal came. Other: it can't be had. */
    fw_status (*start)(void *context, uint32_t number, coord_group **out, fw_error *err);
    /** An order was answered FW_ERR_LOST: *g is gone. FW_OK: start it again. Other: it is given up, and why. */
    fw_status (*lost)(void *context, uint32_t number, coord_group **g, fw_error *err);
    /** Something will not have to be done again: `progress` grows. */
    void      (*progress)(void *context, uint32_t number, uint64_t progress);
    /** Ends it; *g may be NULL, and is afterwards. */
    fw_status (*end)(void *context, uint32_t number, coord_group **g, fw_error *err);
    /** From its next start on it has `more` ranks more. NULL: the ranks are where they are. */
    fw_status (*grow)(void *context, uint32_t number, uint32_t more, fw_error *err);
    uint32_t  (*ranks)(void *context, uint32_t number);
    /** The signal that asks for a stop came, and the ranks know of it too. NULL: the ranks alone are asked. */
    bool      (*stop_wanted)(void *context);
} coord_source;

#endif
