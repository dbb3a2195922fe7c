#include "coordinator/gang/policy.h"

#include "common/core/size.h"

void coord_policy_ready(coord_policy *p) { p->ever_ready = true; }

/* How often the gang was lost at this step; the leader may be one ahead of the rank that breaks. Elsewhere, or while it did not train, the count
 * begins anew. */
static int count_crash(coord_policy *p, const coord_loss_facts *f)
{
    const bool same = f->training && p->crashes > 0 && f->step + 1 >= p->crash_step && f->step <= p->crash_step + 1;
    p->crashes = same ? p->crashes + 1 : f->training ? 1 : 0;
    if (!same) p->crash_step = f->step;
    return p->crashes;
}

/* 0, 0.5, 1, 2, 4, 8, 10, 10 ... seconds */
static double backoff(int without)
{
    double s = 0.5;
    if (without <= 1) return 0.0;
    for (int i = 2; i < without && s < COORD_BACKOFF_MAX_S; i++) s *= 2.0;
    return FW_MIN(s, COORD_BACKOFF_MAX_S);
}

coord_verdict coord_policy_lost(coord_policy *p, const coord_loss_facts *f)
{
    const int crashes = count_crash(p, f);
    if (f->ready) p->ever_ready = true;
    p->without = f->progress > p->progress ? 0 : p->without + 1;
    p->progress = FW_MAX(p->progress, f->progress);
    if (f->exit_code == 2 || f->exit_code == 4) return (coord_verdict){COORD_REFUSED, 0.0};
    if (!p->ever_ready && f->exit_code >= 0 && f->exit_code < 128) return (coord_verdict){COORD_NEVER_STARTED, 0.0};
    if (crashes >= COORD_CRASHES_AT_ONE_STEP) return (coord_verdict){COORD_CRASH_LOOP, 0.0};
    if (p->max_restarts == 0 || p->without > p->max_restarts) return (coord_verdict){COORD_TOO_OFTEN, 0.0};
    return (coord_verdict){COORD_START_AGAIN, backoff(p->without)};
}
