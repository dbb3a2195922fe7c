/** After a loss: start again, and after how long, or give up. Pure; what a coordinator decided, another one decides from the same journal. */
#ifndef COORD_GANG_POLICY_H
#define COORD_GANG_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define COORD_CRASHES_AT_ONE_STEP 3
#define COORD_BACKOFF_MAX_S       10.0

/** What is known of one loss. */
typedef struct coord_loss_facts {
    bool ready;            /* the ranks were all there before */
    bool training;         /* and trained */
    uint64_t step;         /* where they stood */
    uint64_t progress;     /* the highest step that will not have to be done again: of a checkpoint, or of a finished round */
    int exit_code;         /* of the launcher, when it ended by itself; -1: it did not */
} coord_loss_facts;

typedef enum coord_verdict_kind {
    COORD_START_AGAIN,
    COORD_REFUSED,           /* the ranks say that configuration or data are wrong: exit code 2 or 4 */
    COORD_NEVER_STARTED,     /* the launcher failed before any rank was there, and no gang of this run was ever ready */
    COORD_CRASH_LOOP,        /* the same step for the third time */
    COORD_TOO_OFTEN          /* more restarts without progress than allowed */
} coord_verdict_kind;

typedef struct coord_verdict { coord_verdict_kind kind; double wait_s; } coord_verdict;

typedef struct coord_policy {
    int max_restarts;        /* without progress; 0: none at all */
    int without;             /* losses without progress so far, one behind the other */
    int crashes;             /* at this very step, one behind the other */
    uint64_t crash_step, progress;
    bool ever_ready;
} coord_policy;

coord_verdict coord_policy_lost(coord_policy *p, const coord_loss_facts *f);
void          coord_policy_ready(coord_policy *p);

#endif
