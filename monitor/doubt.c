#include "monitor/doubt.h"

#include <math.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/stats/bound.h"
#include "common/stats/dmath.h"
#include "monitor/limit.h"

#define KPI_TOLERANCE 0.1      /* of the way from baseline to target */
#define LIMIT_SHARE   0.5      /* of an estimate's budget: for what the reference leaves open */
#define MARGIN        1e-9     /* on a limit: more than the rounding of a payoff can be, relative to the bet */

static uint64_t digest_of(const double *figures, size_t n) { return fw_hash64(figures, n * sizeof *figures, n); }

/* ---- KPI ---------------------------------------------------------------------------------------------------------------------------------- */

double monitor_doubt_tolerance(double baseline, double target)
{
    const double way = fabs(target - baseline);
    return KPI_TOLERANCE * (way > 0 ? way : fabs(baseline));
}

monitor_proof monitor_doubt_of_kpi(const monitor_kpi_opts *goal, double budget)
{
    const double figures[] = {goal->minimize, goal->baseline, goal->target};
    if (isnan(goal->baseline) || !(monitor_doubt_tolerance(goal->baseline, goal->target) > 0)) return (monitor_proof){0};
    return (monitor_proof){.n = 1, .least = -fw_log_double(budget), .digest = digest_of(figures, 3)};
}

void monitor_doubt_event(monitor_proof *p, const monitor_kpi_opts *goal, double value)
{
    const double tolerance = monitor_doubt_tolerance(goal->baseline, goal->target);
    const double limit = goal->minimize ? goal->baseline + tolerance : 1 - (goal->baseline - tolerance), loss = goal->minimize ? value : 1 - value;
    if (p->n == 0 || p->plain) return;
    p->changed = true;
    if (!(limit > 0) || !(loss >= 0)) p->plain = true;
    else fw_wager_loss(&p->wager[0], loss / (limit * (1 + MARGIN)));
}

void monitor_doubt_window(monitor_proof *p, const monitor_kpi_window *w)
{
    const double worse = (w->minimize ? 1 : -1) * (w->value.value - w->baseline), one = (w->value.high - w->value.low) / (2 * FW_INTERVAL_Z);
    if (p->n == 0 || !p->plain || !w->due || isnan(worse) || !(one > 0)) return;
    p->changed = true;
    fw_wager_normal(&p->wager[0], (worse - monitor_doubt_tolerance(w->baseline, w->target)) / one - MARGIN);
}

/* ---- estimates ---------------------------------------------------------------------------------------------------------------------------- */

/* How far they may be apart: the drop, in the metric's unit, and what the reference leaves open, to both sides. */
static double apart(const monitor_performance_opts *o, const fw_reference *r, double budget)
{
    const fw_reference_metric *m = monitor_reference_metric(r, o->metric);
    const double drop = o->drop > 0 ? o->drop : MONITOR_DROP;
    if (m == NULL || r->n_chunks < 2) return NAN;
    const double open = fw_student_bound(-fw_log_double(LIMIT_SHARE * budget / 2), (double)(r->n_chunks - 1)) * m->deviation / sqrt((double)r->n_chunks);
    return open + (fw_metrics_smaller_is_better(fw_quality_name(o->metric)) && m->value > 0 ? drop * m->value : drop);
}

monitor_proof monitor_doubt_of_estimate(const monitor_performance_opts *o, const fw_reference *r, double budget)
{
    const double figures[] = {o->metric, apart(o, r, budget)};
    return isnan(figures[1]) ? (monitor_proof){0} : (monitor_proof){.n = 2, .least = -fw_log_double((1 - LIMIT_SHARE) * budget), .digest = digest_of(figures, 2)};
}

void monitor_doubt_estimate(monitor_proof *p, const monitor_performance_opts *o, const fw_reference *r, const monitor_quality_window *w, double budget)
{
    const fw_interval *got = &w->realised.of[o->metric], *said = &w->estimated.of[o->metric];
    const double one = hypot(got->high - got->low, said->high - said->low) / (2 * FW_INTERVAL_Z), off = got->value - said->value;
    if (p->n == 0 || !w->due || isnan(off) || !(one > 0)) return;
    const double allowed = apart(o, r, budget) + MARGIN * one;
    p->changed = true;
    fw_wager_normal(&p->wager[0], (off - allowed) / one);
    fw_wager_normal(&p->wager[1], (-off - allowed) / one);
}
