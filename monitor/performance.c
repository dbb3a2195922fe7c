#include "monitor/performance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "monitor/doubt.h"
#include "monitor/limit.h"

#define ONE_SIDE      0.975    /* beyond one end of a 95 % interval */
#define LN_10         2.302585092994046

fw_status monitor_performance_opts_of(monitor_performance_opts *out, const char *metric, double drop, fw_task task, fw_error *err)
{
    const bool regression = task == FW_TASK_REGRESSION;
    *out = (monitor_performance_opts){.metric = regression ? FW_QUALITY_RMSE : FW_QUALITY_ACCURACY, .drop = drop};
    if (metric == NULL) return FW_OK;
    if (!fw_quality_find(&out->metric, metric))
        return fw_fail(err, FW_ERR_CONFIG, "monitor.performance.metric: '%.100s' is not followed in use; write accuracy, precision, recall, f1, macro_f1, auc, log_loss, rmse or mae", metric);
    if (!fw_quality_fits(out->metric, task))
        return fw_fail(err, FW_ERR_CONFIG, "monitor.performance.metric: %s is no metric of %s", metric, regression ? "regression" : "classification");
    return FW_OK;
}

/* How much worse than `from` a value is, as the drop is told; negative: better. */
static double worse_by(fw_quality_metric m, double value, double from)
{
    const bool smaller = fw_metrics_smaller_is_better(fw_quality_name(m));
    if (!smaller) return from - value;
    return from > 0 ? (value - from) / from : value - from;
}

/* The end of the interval that is nearer to what is good. */
static double best_end(fw_quality_metric m, const fw_interval *i) { return fw_metrics_smaller_is_better(fw_quality_name(m)) ? i->low : i->high; }

static void fill(monitor_finding *v, monitor_alert_kind kind, double level, double threshold, bool evidence, double certainty)
{
    v->look = (monitor_look){.kind = kind, .subject = v->subject, .level = level, .threshold = threshold, .evidence = evidence, .certainty = certainty, .measure = v->measure,
                             .detail = v->detail};
}

/* With what everything so far says, which is told too. */
static void fill_sure(monitor_finding *v, monitor_alert_kind kind, double level, double threshold, monitor_sure sure)
{
    const size_t n = strlen(v->detail);
    if (sure.log_e > 0) snprintf(v->detail + n, sizeof v->detail - n, "; with all before it, e-value 10^%.1f", sure.log_e / LN_10);
    fill(v, kind, level, threshold, sure.evident, sure.log_e > 0 ? -expm1(-sure.log_e) : 0);
}

bool monitor_performance_realised(monitor_finding *out, const monitor_performance_opts *o, const fw_reference *r, const monitor_quality_window *w, monitor_sure sure)
{
    const fw_reference_metric *m = monitor_reference_metric(r, o->metric);
    const fw_interval *got = &w->realised.of[o->metric];
    const double drop = o->drop > 0 ? o->drop : MONITOR_DROP;
    const char *name = fw_quality_name(o->metric);
    if (!w->due || m == NULL || isnan(got->value) || isnan(got->low)) return false;
    snprintf(out->subject, sizeof out->subject, "%s", name);
    snprintf(out->measure, sizeof out->measure, fw_metrics_smaller_is_better(name) ? "rise of %s as a share of the reference" : "drop of %s", name);
    snprintf(out->detail, sizeof out->detail, "%s is %.4g (%.4g to %.4g) in window %llu instead of %.4g; %.0f %% of its outcomes are in", name, got->value, got->low, got->high,
             (unsigned long long)w->window, m->value, w->rows > 0 ? 100 * (double)w->labelled / (double)w->rows : 0);
    fill_sure(out, MONITOR_ALERT_PERFORMANCE, worse_by(o->metric, got->value, m->value), drop, sure);
    return true;
}

bool monitor_performance_estimated(monitor_finding *out, const monitor_performance_opts *o, const fw_reference *r, const fw_qualities *estimated, uint64_t rows)
{
    const fw_reference_metric *m = monitor_reference_metric(r, o->metric);
    const fw_interval *got = &estimated->of[o->metric];
    const double limit = o->deviations > 0 ? o->deviations : MONITOR_DEVIATIONS;
    const char *name = fw_quality_name(o->metric);
    if (m == NULL || isnan(got->value) || isnan(got->low) || !(m->deviation > 0) || rows < MONITOR_OUTCOMES_LEAST) return false;
    const double one = m->deviation * sqrt(fmax(1, (double)r->chunk_rows / (double)rows)), sign = fw_metrics_smaller_is_better(name) ? -1 : 1;
    snprintf(out->subject, sizeof out->subject, "%s (estimated)", name);
    snprintf(out->measure, sizeof out->measure, "estimated %s, in standard deviations of the reference's chunks below their mean", name);
    if (sign < 0) snprintf(out->measure, sizeof out->measure, "estimated %s, in standard deviations of the reference's chunks above their mean", name);
    snprintf(out->detail, sizeof out->detail, "%s is estimated as %.4g (%.4g to %.4g), without outcomes, instead of %.4g, which varies by %.2g", name, got->value, got->low,
             got->high, m->mean, one);
    const bool beyond = sign * (m->mean - best_end(o->metric, got)) > 0;
    fill(out, MONITOR_ALERT_PERFORMANCE, sign * (m->mean - got->value) / one, limit, beyond, beyond ? ONE_SIDE : NAN);
    return true;
}

/* A difference as the drop is told: of losses and errors a share of the reference's value. */
static double as_drop(fw_quality_metric m, double difference, double from) { return fw_metrics_smaller_is_better(fw_quality_name(m)) && from > 0 ? difference / from : difference; }

bool monitor_performance_parted(monitor_finding *out, const monitor_performance_opts *o, const fw_reference *r, const monitor_quality_window *w, monitor_sure sure)
{
    const fw_reference_metric *m = monitor_reference_metric(r, o->metric);
    const fw_interval *got = &w->realised.of[o->metric], *said = &w->estimated.of[o->metric];
    const double drop = o->drop > 0 ? o->drop : MONITOR_DROP;
    const char *name = fw_quality_name(o->metric);
    if (!w->due || m == NULL || isnan(got->value) || isnan(got->low) || isnan(said->value) || isnan(said->low)) return false;
    snprintf(out->subject, sizeof out->subject, "%s" MONITOR_ALERT_ESTIMATE, name);
    snprintf(out->measure, sizeof out->measure, fw_metrics_smaller_is_better(name) ? "error of the estimate of %s as a share of the reference" : "error of the estimate of %s", name);
    snprintf(out->detail, sizeof out->detail, "%s is %.4g (%.4g to %.4g) in window %llu, estimated as %.4g (%.4g to %.4g)", name, got->value, got->low, got->high,
             (unsigned long long)w->window, said->value, said->low, said->high);
    fill_sure(out, MONITOR_ALERT_PERFORMANCE, as_drop(o->metric, fabs(got->value - said->value), m->value), drop, sure);
    return true;
}

bool monitor_performance_kpi(monitor_finding *out, const monitor_kpi_window *w, monitor_sure sure)
{
    const double sign = w->minimize ? 1 : -1, tolerance = monitor_doubt_tolerance(w->baseline, w->target);
    if (!w->due || isnan(w->baseline) || isnan(w->value.value) || isnan(w->value.low) || !(tolerance > 0)) return false;
    snprintf(out->subject, sizeof out->subject, "%.60s", w->name);
    snprintf(out->measure, sizeof out->measure, "%.40s worse than its baseline", w->name);
    snprintf(out->detail, sizeof out->detail, "%.40s is %.4g (%.4g to %.4g) over %llu events; the baseline is %.4g, the target %.4g", w->name, w->value.value, w->value.low,
             w->value.high, (unsigned long long)w->events, w->baseline, w->target);
    fill_sure(out, MONITOR_ALERT_KPI, sign * (w->value.value - w->baseline), tolerance, sure);
    out->look.since_us = w->from_us;
    return true;
}
