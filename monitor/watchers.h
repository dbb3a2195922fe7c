/** All that watches what comes, as one: models and their drift, live quality, KPIs, trainings and sweeps. What the intake takes is led to the one whose kind it is;
 *  what each of them wants kept goes into the store, for the commit that has the positions. One owner. */
#ifndef MONITOR_WATCHERS_H
#define MONITOR_WATCHERS_H

#include "monitor/experiments.h"
#include "monitor/watch_kpi.h"
#include "monitor/watch_models.h"
#include "monitor/watch_quality.h"

/** How quality is judged, and the goal: of a project, monitor.performance and goal.kpi. Texts outlive the watchers. */
typedef struct monitor_judging {
    const char *metric; double drop, deviations, false_alarms;      /* NULL, 0: defaults (performance.h) */
    const char *project;                               /* NULL: any */
    monitor_kpi_opts kpi;                              /* name NULL: none */
} monitor_judging;

typedef struct monitor_watchers_opts {
    monitor_watch_opts watch;          /* with the store and the desk of all of them */
    const char *store_path;            /* NULL: nothing is kept */
    monitor_judging judging;
    monitor_sink next;                 /* of the intake's windows, behind quality */
} monitor_watchers_opts;

typedef struct monitor_watchers monitor_watchers;
fw_status monitor_watchers_create(monitor_watchers **out, const monitor_watchers_opts *opts, fw_error *err);
void      monitor_watchers_destroy(monitor_watchers **w);
/** Into new ones, from the file of their store. */
fw_status monitor_watchers_restore(monitor_watchers *w, fw_mono now, fw_error *err);

/** What the intake is given. */
monitor_sink   monitor_watchers_sink(monitor_watchers *w);
monitor_others monitor_watchers_others(monitor_watchers *w);
/** Whose message the intake takes next, and where it is; good until then. */
void           monitor_watchers_from(monitor_watchers *w, const char *publisher, const char *address);
/** Whether the windows of a model are those of its summaries: then the intake's are not stored. */
bool           monitor_watchers_has(const monitor_watchers *w, const monitor_model *m);

/** Models that are held against a reference. */
size_t         monitor_watchers_n(const monitor_watchers *w);

/** Closes the windows whose time has come; all of them. */
fw_status monitor_watchers_tick(monitor_watchers *w, fw_mono now, fw_error *err);
fw_status monitor_watchers_finish(monitor_watchers *w, fw_error *err);
/** Before every commit. */
fw_status monitor_watchers_save(monitor_watchers *w, int64_t now_us, fw_error *err);

#endif
