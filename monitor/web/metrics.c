/** GET /metrics. The names are those of deploy/grafana and deploy/prometheus; labels are models, versions, features and publishers: each within a bound. */
#include <math.h>
#include <string.h>

#include "monitor/web/exposition.h"
#include "monitor/web/metrics_rows.h"
#include "monitor/web/process.h"
#include "monitor/web/route.h"

#define US 1e-6

static void gauge(fw_text *out, const char *name, const char *help, double v)
{
    monitor_exposition_family(out, name, "gauge", help);
    monitor_exposition_sample(out, name, NULL, 0, v);
}

static void counter(fw_text *out, const char *name, const char *help, double v)
{
    monitor_exposition_family(out, name, "counter", help);
    monitor_exposition_sample(out, name, NULL, 0, v);
}

/* ---- the program ---- */

static void add_program(fw_text *out, const monitor_web_figures *f)
{
    const monitor_process p = monitor_process_now();
    monitor_exposition_family(out, "flywheel_build_info", "gauge", "The program that answers; always 1.");
    monitor_exposition_sample(out, "flywheel_build_info", MONITOR_LABELS({"version", FW_VERSION}), 1);
    gauge(out, "process_start_time_seconds", "When the dashboard was started, in seconds since 1970.", (double)f->started_us * US);
    counter(out, "process_cpu_seconds_total", "Processor time that the monitor has used.", p.cpu_s);
    gauge(out, "process_resident_memory_bytes", "Memory that the monitor has now.", p.resident_bytes);
    gauge(out, "process_open_fds", "Descriptors that the monitor has open.", p.open_fds);
    gauge(out, "process_max_fds", "Descriptors that the monitor may have open.", p.max_fds);
}

static void add_http(fw_text *out, const monitor_web_figures *f)
{
    static const char *const codes[] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};
    monitor_exposition_family(out, "flywheel_http_requests_total", "counter", "Requests that were answered, by the class of their status code.");
    for (size_t i = 2; i < 6; i++) monitor_exposition_sample(out, "flywheel_http_requests_total", MONITOR_LABELS({"code", codes[i]}), (double)f->answers[i]);
    monitor_exposition_family(out, "flywheel_http_turned_away_total", "counter", "Connections without an answer from the table of routes, by what was wrong.");
    const struct { const char *why; uint64_t n; } away[] = {{"refused", f->refused}, {"head_too_slow", f->timed_out}, {"crowded_out", f->crowded_out},
                                                            {"reader_too_slow", f->cut}, {"body_too_slow", f->cut_bodies}, {"listener_too_slow", f->lost_listeners}};
    for (size_t i = 0; i < sizeof away / sizeof *away; i++)
        monitor_exposition_sample(out, "flywheel_http_turned_away_total", MONITOR_LABELS({"reason", away[i].why}), (double)away[i].n);
    gauge(out, "flywheel_http_connections", "Connections that are served now.", (double)f->connections);
    gauge(out, "flywheel_http_listeners", "Pages that listen for news.", (double)f->listeners);
}

static void add_posts(fw_text *out, const monitor_web_figures *f)
{
    static const char posts[] = "flywheel_posts_total", refused[] = "flywheel_posts_refused_total";
    static const char *const kinds[] = {[MONITOR_POST_ACTS] = "act", [MONITOR_POST_OUTCOMES] = "outcome", [MONITOR_POST_KPI] = "kpi_event"};
    monitor_exposition_family(out, posts, "counter", "What was written over HTTP: acts on alerts, true outcomes, events of a KPI.");
    for (size_t i = 0; i < MONITOR_N_POST_KINDS; i++) monitor_exposition_sample(out, posts, MONITOR_LABELS({"kind", kinds[i]}), (double)f->posted[i]);
    monitor_exposition_family(out, refused, "counter", "Requests to write that were refused, by reason.");
    for (size_t i = 0; i < MONITOR_N_REFUSALS; i++) monitor_exposition_sample(out, refused, MONITOR_LABELS({"reason", monitor_refusals[i].reason}), (double)f->posts_refused[i]);
}

/* ---- models ---- */

typedef double (*model_value)(const monitor_metrics_model *m);
static double m_predictions(const monitor_metrics_model *m) { return (double)m->predictions; }
static double m_last(const monitor_metrics_model *m) { return (double)m->last_us * US; }

static void per_version(fw_text *out, const char *name, const char *kind, const char *help, const monitor_metrics_rows *rows, model_value value)
{
    monitor_exposition_family(out, name, kind, help);
    for (size_t i = 0; i < rows->n_models; i++) {
        const monitor_metrics_model *m = &rows->models[i];
        monitor_exposition_sample(out, name, MONITOR_LABELS({"model", m->name}, {"version", m->version}), value(m));
    }
}

static double m_windows(const monitor_metrics_model *m) { return (double)m->window; }
static double m_rows(const monitor_metrics_model *m) { return m->window > 0 ? (double)m->window_rows : NAN; }
static double m_rate(const monitor_metrics_model *m) { return m->rate; }
static double m_confidence(const monitor_metrics_model *m) { return m->confidence; }

/** Of the newest version of each name alone. A figure that is not known is left out. */
static void per_model(fw_text *out, const char *name, const char *help, const monitor_metrics_rows *rows, model_value value)
{
    monitor_exposition_family(out, name, "gauge", help);
    for (size_t i = 0; i < rows->n_models; i++)
        if (rows->models[i].newest && !isnan(value(&rows->models[i])))
            monitor_exposition_sample(out, name, MONITOR_LABELS({"model", rows->models[i].name}), value(&rows->models[i]));
}

static void add_latency(fw_text *out, const monitor_metrics_rows *rows)
{
    static const char name[] = "flywheel_prediction_latency_seconds";
    static const char *const percentiles[] = {"50", "90", "99"};
    monitor_exposition_family(out, name, "gauge", "Time of a prediction at a percentile of the newest window.");
    for (size_t i = 0; i < rows->n_models; i++)
        for (size_t k = 0; k < 3; k++)
            if (rows->models[i].newest && !isnan(rows->models[i].latency_s[k]))
                monitor_exposition_sample(out, name, MONITOR_LABELS({"model", rows->models[i].name}, {"percentile", percentiles[k]}), rows->models[i].latency_s[k]);
}

static void add_misplaced(fw_text *out, const monitor_metrics_rows *rows)
{
    static const char name[] = "flywheel_window_misplaced_predictions_total";
    monitor_exposition_family(out, name, "counter",
                              "Predictions that are not in the window of their time: too late to amend it, or of a clock that can't be and counted as of now.");
    for (size_t i = 0; i < rows->n_models; i++) {
        const monitor_metrics_model *m = &rows->models[i];
        const struct { const char *reason; double n; } values[] = {{"late", m->late}, {"clock", m->clock}};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            if (!isnan(values[k].n))
                monitor_exposition_sample(out, name, MONITOR_LABELS({"model", m->name}, {"version", m->version}, {"reason", values[k].reason}), values[k].n);
    }
}

static void add_models(fw_text *out, const monitor_metrics_rows *rows)
{
    per_version(out, "flywheel_predictions_total", "counter", "Predictions that were counted.", rows, m_predictions);
    per_version(out, "flywheel_model_last_prediction_timestamp_seconds", "gauge", "When a version was last heard of.", rows, m_last);
    per_model(out, "flywheel_window_number", "The number of the newest window that was closed.", rows, m_windows);
    per_model(out, "flywheel_window_predictions", "Predictions in the newest window.", rows, m_rows);
    per_model(out, "flywheel_window_predictions_per_second", "Rate of predictions in the newest window.", rows, m_rate);
    per_model(out, "flywheel_window_confidence_ratio", "Mean confidence in the newest window.", rows, m_confidence);
    add_latency(out, rows);
    add_misplaced(out, rows);
}

static void add_drift(fw_text *out, const monitor_metrics_rows *rows)
{
    const struct { const char *name, *help; size_t at; } families[] = {
        {"flywheel_drift_statistic", "Distance of the newest window from the reference.", offsetof(monitor_metrics_drift, statistic)},
        {"flywheel_drift_threshold", "The statistic that is an effect large enough for an alert.", offsetof(monitor_metrics_drift, threshold)},
        {"flywheel_drift_evidence_log10", "Logarithm (base 10) of the e-value against no drift.", offsetof(monitor_metrics_drift, evidence)},
    };
    for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
        monitor_exposition_family(out, families[k].name, "gauge", families[k].help);
        for (size_t i = 0; i < rows->n_drift; i++) {
            const monitor_metrics_drift *d = &rows->drift[i];
            double v;
            memcpy(&v, (const char *)d + families[k].at, sizeof v);
            if (!isnan(v)) monitor_exposition_sample(out, families[k].name, MONITOR_LABELS({"model", d->model}, {"feature", d->feature}, {"test", d->test}), v);
        }
    }
}

static void add_performance(fw_text *out, const monitor_metrics_rows *rows)
{
    static const char name[] = "flywheel_performance_value", labelled[] = "flywheel_performance_labelled_ratio";
    monitor_exposition_family(out, name, "gauge", "A metric of the newest window: realised from outcomes, estimated without them, and its reference.");
    for (size_t i = 0; i < rows->n_performance; i++) {
        const monitor_metrics_performance *p = &rows->performance[i];
        const struct { const char *kind; double v; } values[] = {{"realised", p->realised}, {"estimated", p->estimated}, {"reference", p->reference}};
        for (size_t k = 0; k < 3; k++)
            if (!isnan(values[k].v))
                monitor_exposition_sample(out, name, MONITOR_LABELS({"model", p->model}, {"metric", p->metric}, {"kind", values[k].kind}), values[k].v);
    }
    monitor_exposition_family(out, labelled, "gauge", "Share of the newest window's predictions whose outcome is known.");
    for (size_t i = 0; i < rows->n_performance; i++) {
        const monitor_metrics_performance *p = &rows->performance[i];
        if (!isnan(p->labelled)) monitor_exposition_sample(out, labelled, MONITOR_LABELS({"model", p->model}, {"metric", p->metric}), p->labelled);
    }
}

static void add_kpi(fw_text *out, const monitor_metrics_rows *rows)
{
    static const char name[] = "flywheel_kpi_value";
    monitor_exposition_family(out, name, "gauge", "The business figure: as it was last reported, its baseline, and its target.");
    for (size_t i = 0; i < rows->n_kpi; i++) {
        const monitor_metrics_kpi *k = &rows->kpi[i];
        const struct { const char *kind; double v; } values[] = {{"reported", k->value}, {"baseline", k->baseline}, {"target", k->target}};
        for (size_t j = 0; j < 3; j++)
            if (!isnan(values[j].v)) monitor_exposition_sample(out, name, MONITOR_LABELS({"kpi", k->name}, {"kind", values[j].kind}), values[j].v);
    }
}

/* ---- alerts ---- */

static void add_alerts(fw_text *out, const monitor_metrics_rows *rows)
{
    static const char raised[] = "flywheel_alerts_total", open[] = "flywheel_alerts_open";
    monitor_exposition_family(out, raised, "counter", "Alerts that were raised and are still kept.");
    for (size_t i = 0; i < rows->n_alerts; i++)
        monitor_exposition_sample(out, raised, MONITOR_LABELS({"model", rows->alerts[i].model}, {"kind", rows->alerts[i].kind}), (double)rows->alerts[i].raised);
    monitor_exposition_family(out, open, "gauge", "Alerts that are not resolved.");
    for (size_t i = 0; i < rows->n_alerts; i++)
        monitor_exposition_sample(out, open, MONITOR_LABELS({"model", rows->alerts[i].model}, {"kind", rows->alerts[i].kind}), (double)rows->alerts[i].open);
}

/* ---- publishers ---- */

static void add_outcomes(fw_text *out, const monitor_metrics_rows *rows)
{
    static const char name[] = "flywheel_telemetry_events_total";
    monitor_exposition_family(out, name, "counter", "Messages of a publisher: produced = delivered + spooled + dropped, by its own account; the rest as seen here.");
    for (size_t i = 0; i < rows->n_publishers; i++) {
        const monitor_metrics_publisher *p = &rows->publishers[i];
        const struct { const char *outcome; int64_t n; } values[] = {{"produced", p->produced}, {"delivered", p->delivered}, {"dropped", p->dropped},
                                                                     {"missing", p->missing}, {"duplicate", p->duplicates}, {"malformed", p->malformed}};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            monitor_exposition_sample(out, name, MONITOR_LABELS({"publisher", p->name}, {"outcome", values[k].outcome}), (double)values[k].n);
    }
}

static void add_reasons(fw_text *out, const char *name, const char *help, const monitor_metrics_rows *rows, bool refused)
{
    monitor_exposition_family(out, name, "counter", help);
    for (size_t i = 0; i < rows->n_reasons; i++) {
        const monitor_metrics_reason *r = &rows->reasons[i];
        if (r->refused == refused) monitor_exposition_sample(out, name, MONITOR_LABELS({"publisher", r->publisher}, {"reason", r->reason}), (double)r->n);
    }
}

static void add_publishers(fw_text *out, const monitor_metrics_rows *rows)
{
    static const char spooled[] = "flywheel_telemetry_spooled_events", heard[] = "flywheel_publisher_last_heard_timestamp_seconds";
    add_outcomes(out, rows);
    add_reasons(out, "flywheel_telemetry_dropped_total", "Messages that a publisher has dropped, by its reason.", rows, false);
    add_reasons(out, "flywheel_telemetry_refused_total",
                "Messages of a publisher that were not taken or not believed here: a frame or stream that can't be, a batch that breaks the contract, a claim about a model, an account that does not add up.", rows, true);
    monitor_exposition_family(out, spooled, "gauge", "Messages that a publisher holds until they are acknowledged.");
    for (size_t i = 0; i < rows->n_publishers; i++)
        monitor_exposition_sample(out, spooled, MONITOR_LABELS({"publisher", rows->publishers[i].name}), (double)rows->publishers[i].spooled);
    monitor_exposition_family(out, heard, "gauge", "When a publisher was last heard.");
    for (size_t i = 0; i < rows->n_publishers; i++)
        monitor_exposition_sample(out, heard, MONITOR_LABELS({"publisher", rows->publishers[i].name}), (double)rows->publishers[i].heard_us * US);
}

MONITOR_ANSWER(metrics)
{
    FW_AUTO(monitor_metrics_rows) *rows = NULL;
    FW_TRY(monitor_metrics_read(&rows, ask->reader, err));
    out->type = MONITOR_EXPOSITION_TYPE;
    add_program(&out->text, ask->figures);
    add_http(&out->text, ask->figures);
    add_posts(&out->text, ask->figures);
    gauge(&out->text, "flywheel_store_up", "Whether the monitor's store can be read.", ask->reader != NULL);
    if (ask->reader != NULL) gauge(&out->text, "flywheel_store_size_bytes", "Size of the monitor's store.", (double)rows->store_bytes);
    gauge(&out->text, "flywheel_metrics_left_out", "Rows of the store for which there was no room here.", (double)rows->left_out);
    add_models(&out->text, rows);
    add_drift(&out->text, rows);
    add_performance(&out->text, rows);
    add_kpi(&out->text, rows);
    add_alerts(&out->text, rows);
    add_publishers(&out->text, rows);
    return FW_OK;
}
