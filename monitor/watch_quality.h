/** Live quality: predictions, their later outcomes and the windows that close -> monitor_outcomes of each version of a model -> rows of the store and looks for alerts.
 *  A version with a reference has the windows of its summaries (monitor_watch), any other those of the intake, without estimate and verdict.
 *  Outcomes go to every version of their model; a new version gets those that wait for the others.
 *  Limits: MONITOR_QUALITY_VERSIONS versions. One more takes the place of one that has not predicted for MONITOR_QUALITY_IDLE_S, or is not followed, which is logged.
 *  What is put goes with the next commit, the one that has the positions. Without a store all is in memory. One owner. */
#ifndef MONITOR_WATCH_QUALITY_H
#define MONITOR_WATCH_QUALITY_H

#include "monitor/intake.h"
#include "monitor/quality_version.h"

#define MONITOR_QUALITY_VERSIONS 8u          /* each may hold MONITOR_OUTCOMES_IDS ids, about 150 MB */
#define MONITOR_QUALITY_IDLE_S   3600.0

typedef struct monitor_quality_opts {
    monitor_version_opts version;
    monitor_watch *watch;                    /* outlives it, and is told to tell it of closed windows */
    const char *store_path;                  /* of version.store */
    const monitor_sink *next;                /* who hears of the intake's windows behind it; copied */
} monitor_quality_opts;

typedef struct monitor_quality monitor_quality;
fw_status monitor_quality_create(monitor_quality **out, const monitor_quality_opts *opts, fw_error *err);
void      monitor_quality_destroy(monitor_quality **q);

/** Hears of the intake's windows, and tells the next sink. */
monitor_sink monitor_quality_sink(monitor_quality *q);
/** n predictions of the intake's open window, made at a moment. Those without an id are passed over. */
fw_status monitor_quality_predicted(monitor_quality *q, const monitor_model *m, uint64_t window, const fw_prediction *rows, size_t n, int64_t made_us, fw_error *err);
/** Outcomes; other kinds are passed over. Ones that can't be are counted, the reason of the first is in *why. */
fw_status monitor_quality_take(monitor_quality *q, const fw_telemetry_batch *b, fw_error *why, fw_error *err);

/** Lets go of what is older than the horizon, once a minute; and puts what has changed: before every commit. */
fw_status monitor_quality_save(monitor_quality *q, int64_t now_us, fw_error *err);
/** The versions that the store knows, as the last monitor left them; behind monitor_watch_restore. Damaged parts are left out, and that is logged. */
fw_status monitor_quality_restore(monitor_quality *q, fw_error *err);

size_t                 monitor_quality_n(const monitor_quality *q);
const monitor_version *monitor_quality_version(const monitor_quality *q, size_t i);

#endif
