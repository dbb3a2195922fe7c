/** What makes an estimate, or the business figure, doubtful: windows and events -> the wagers of a proof (proof.h). Each window and event counts once; what amends them later doesn't.
 *
 *  KPI         every event, exactly, whatever the law of its values: to be minimized, while they are not negative; to be maximized, while they are at most 1 (shares, yes or no). From the
 *              first event that is neither on, windows that are over: their figure is held to be normal, by its interval. Wrong: worse than the baseline by the tolerance.
 *  Estimate    windows whose outcomes are in: what is realised less what was estimated is held to be normal, by both intervals. Wrong, to either side: by more than the drop, and
 *              what the reference's own rows leave open, of which an estimate is made: by the spread of its metric over chunks. */
#ifndef MONITOR_DOUBT_H
#define MONITOR_DOUBT_H

#include "monitor/performance.h"

/** A tenth of the way from the baseline to the target. NaN or 0: there is none. */
double        monitor_doubt_tolerance(double baseline, double target);

/** budget: the chance of it ever being evident while nothing is wrong. n 0: there is no such evidence, as there is no baseline, or the reference has no chunks. */
monitor_proof monitor_doubt_of_kpi(const monitor_kpi_opts *goal, double budget);
void          monitor_doubt_event(monitor_proof *p, const monitor_kpi_opts *goal, double value);
void          monitor_doubt_window(monitor_proof *p, const monitor_kpi_window *w);

monitor_proof monitor_doubt_of_estimate(const monitor_performance_opts *o, const fw_reference *r, double budget);
void          monitor_doubt_estimate(monitor_proof *p, const monitor_performance_opts *o, const fw_reference *r, const monitor_quality_window *w, double budget);

#endif
