/** What /metrics shows, read from the store into bounded arrays: a family's samples must stand together, and several families show one row. */
#ifndef MONITOR_WEB_METRICS_ROWS_H
#define MONITOR_WEB_METRICS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "monitor/store_reader.h"

#define MONITOR_METRICS_MODELS      100u      /* versions; the newest */
#define MONITOR_METRICS_PUBLISHERS  200u
#define MONITOR_METRICS_REASONS     1000u
#define MONITOR_METRICS_DRIFT       5000u     /* features x tests, of all models */
#define MONITOR_METRICS_PERFORMANCE 500u
#define MONITOR_METRICS_KPI         50u
#define MONITOR_METRICS_ALERTS      500u      /* pairs of model and kind */
#define MONITOR_METRICS_LABEL       128u

typedef char monitor_label[MONITOR_METRICS_LABEL];

typedef struct monitor_metrics_model {
    int64_t model, predictions, last_us;
    monitor_label name, version;         /* the beginning of its digest */
    bool newest;                         /* of the versions of its name */
    int64_t window, window_rows;         /* the newest window; 0: none */
    double rate, confidence, latency_s[3];    /* of it; NaN: not known */
    double late, clock;                  /* rows that are not in the window of their time (monitor_misplaced_write); NaN: not known */
} monitor_metrics_model;

typedef struct monitor_metrics_drift { monitor_label model, feature, test; double statistic, threshold, evidence; } monitor_metrics_drift;
typedef struct monitor_metrics_performance { monitor_label model, metric; double realised, estimated, reference, labelled; } monitor_metrics_performance;
typedef struct monitor_metrics_kpi { monitor_label name; double value, baseline, target; } monitor_metrics_kpi;
typedef struct monitor_metrics_alerts { monitor_label model, kind; uint64_t raised, open; } monitor_metrics_alerts;
typedef struct monitor_metrics_reason { monitor_label publisher, reason; bool refused; int64_t n; } monitor_metrics_reason;      /* refused by us, else dropped by it */
typedef struct monitor_metrics_publisher {
    monitor_label name;                  /* with the beginning of its stream, when the name is not its own */
    char stream[9];
    int64_t produced, delivered, spooled, dropped, missing, duplicates, malformed, heard_us;
} monitor_metrics_publisher;

typedef struct monitor_metrics_rows {
    uint64_t store_bytes, left_out;
    monitor_metrics_model *models; size_t n_models, models_room;
    monitor_metrics_drift *drift; size_t n_drift, drift_room;
    monitor_metrics_performance *performance; size_t n_performance, performance_room;
    monitor_metrics_kpi *kpi; size_t n_kpi, kpi_room;
    monitor_metrics_alerts *alerts; size_t n_alerts, alerts_room;
    monitor_metrics_publisher *publishers; size_t n_publishers, publishers_room;
    monitor_metrics_reason *reasons; size_t n_reasons, reasons_room;
} monitor_metrics_rows;

/** r NULL: no rows. */
fw_status monitor_metrics_read(monitor_metrics_rows **out, monitor_reader *r, fw_error *err);
void      monitor_metrics_rows_destroy(monitor_metrics_rows **rows);

#endif
