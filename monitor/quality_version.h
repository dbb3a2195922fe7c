/** One version of a model whose quality is followed: its outcomes, its estimator, and what is looked at for alerts. For monitor/watch_quality.c. */
#ifndef MONITOR_QUALITY_VERSION_H
#define MONITOR_QUALITY_VERSION_H

#include "common/stats/estimator.h"
#include "monitor/alert_desk.h"
#include "monitor/doubt.h"
#include "monitor/fall.h"
#include "monitor/store_outcomes.h"
#include "monitor/watch_models.h"

#define MONITOR_VERSION_MEMORY ((size_t)16 << 20)      /* of the windows of outcomes that are open; at least MONITOR_VERSION_WINDOWS are */
#define MONITOR_VERSION_WINDOWS 16u

/** What is known of a version. known NULL: nobody told of its reference. */
typedef struct monitor_version_told {
    const char *name, *digest;
    const char *const *classes; size_t n_classes;      /* 0: regression */
    const monitor_known *known;
    int64_t model;
} monitor_version_told;

/** How it is judged, and where to; of a metric that its models don't have the task's own takes the place, which is logged. desk, store NULL: none. */
typedef struct monitor_version_opts {
    const char *metric;
    double drop, deviations, false_alarms;
    monitor_store *store;
    monitor_alert_desk *desk;
} monitor_version_opts;

typedef struct monitor_version {
    char *name, *digest;
    int64_t model, predicted_us;           /* predicted_us: when predictions of it came last, by our clock */
    const monitor_known *known;
    monitor_outcomes *outcomes;
    monitor_alert_desk *desk;
    monitor_store_shelf shelf;
    monitor_shape shape;
    monitor_performance_opts judged;
    monitor_fall *fall;                    /* the evidence that is judged by; NULL: no reference yet, or nobody to tell */
    monitor_proof parted;                  /* that the estimate is wrong */
    const monitor_known *estimated;        /* that the estimator is of; NULL: none yet */
    fw_estimator *estimator;               /* NULL: its reference has no row with outputs */
} monitor_version;

/** Whether quality of such a model can be followed: regression, or at least two classes. */
bool      monitor_version_can(const monitor_version_told *t);
fw_status monitor_version_create(monitor_version **out, const monitor_version_told *told, const monitor_version_opts *opts, fw_error *err);
void      monitor_version_destroy(monitor_version **v);

/** Of the watch: its reference, from now on. */
fw_status monitor_version_know(monitor_version *v, const monitor_known *known, fw_error *err);
/** What the store has of it, into one that was just created. States that are damaged are left out, and that is logged. */
fw_status monitor_version_restore(monitor_version *v, monitor_reader *from, fw_error *err);
/** The evidence alone: of one whose reference has only now become known. */
fw_status monitor_version_restore_fall(monitor_version *v, monitor_reader *from, fw_error *err);
/** Tells the windows that have changed, and puts their states and the evidence: before every commit. */
fw_status monitor_version_flush(monitor_version *v, fw_error *err);
/** A window of summaries that was closed, or amended: it is estimated, and looked at when it is new. */
fw_status monitor_version_close(monitor_version *v, const monitor_closed *c, fw_error *err);

#endif
