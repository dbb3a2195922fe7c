/** Verdicts on quality: a look at a cause for monitor_alerts_look, from a window's figures and the model's reference.
 *
 *  Realised    a window that is due (outcomes.h), when the metric is worse than the reference's by `drop`. The evidence is not the window's: that of all outcomes
 *              that came in so far (fall.h), so that it holds at every window, for ever. Metrics from 0 to 1 fall by a difference; log_loss, rmse and mae rise by
 *              a share of the reference's value.
 *  Estimated   a window that was closed, when the estimate is more than `deviations` standard deviations of the reference's chunks worse than their mean (a smaller
 *              window varies more: by sqrt(chunk rows / rows)), and its whole interval is on that side. Better than expected is no alert: drift tells of it.
 *  Parted      a window that is due, when what is realised and what was estimated for it are apart by more than the drop, with evidence over all windows so far (doubt.h): what
 *              follows from a row has changed (estimate.h), and the estimate can't be believed any more.
 *  KPI         a window of the business figure that is over, when it is worse than the baseline by a tenth of the way to the target, with evidence over all events so far. */
#ifndef MONITOR_PERFORMANCE_H
#define MONITOR_PERFORMANCE_H

#include "common/stats/reference.h"
#include "monitor/alerts.h"
#include "monitor/kpi.h"
#include "monitor/outcomes.h"
#include "monitor/proof.h"

#define MONITOR_DROP         0.05
#define MONITOR_DEVIATIONS   3.0
#define MONITOR_FALSE_ALARMS 0.05
#define MONITOR_PARTED_SHARE 0.25      /* of false_alarms: for the estimate; the rest is for what is realised */

typedef struct monitor_performance_opts {
    fw_quality_metric metric;      /* that is judged */
    double drop, deviations;       /* 0: as above */
    double false_alarms;           /* chance of any false alarm on what is realised and on the estimate, over the whole life of a model; 0: as above */
} monitor_performance_opts;

/** Of a project: monitor.performance.metric and .drop; without a metric accuracy, or rmse. FW_ERR_CONFIG: a metric that is not followed in use. */
fw_status monitor_performance_opts_of(monitor_performance_opts *out, const char *metric, double drop, fw_task task, fw_error *err);

/** look: but for model, name, digest, which the caller knows. Its texts are in here. */
typedef struct monitor_finding {
    monitor_look look;
    char subject[64], measure[96], detail[256];
} monitor_finding;

/** False: nothing can be said (too few rows, a reference without the metric). Else *out is to be looked at, loud or not. */
bool monitor_performance_realised(monitor_finding *out, const monitor_performance_opts *o, const fw_reference *r, const monitor_quality_window *w, monitor_sure sure);
bool monitor_performance_estimated(monitor_finding *out, const monitor_performance_opts *o, const fw_reference *r, const fw_qualities *estimated, uint64_t rows);
bool monitor_performance_parted(monitor_finding *out, const monitor_performance_opts *o, const fw_reference *r, const monitor_quality_window *w, monitor_sure sure);
bool monitor_performance_kpi(monitor_finding *out, const monitor_kpi_window *w, monitor_sure sure);

#endif
