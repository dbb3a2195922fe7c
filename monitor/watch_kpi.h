/** Business figures: their events on the bus -> windows (monitor_kpi) -> rows of the store. The one that the project file tells of (goal.kpi) has a baseline, and each
 *  of its windows is a look for alerts; others are counted alone. That of another project than the file's is called "PROJECT:NAME".
 *  At most MONITOR_KPIS of them; events of one more are refused. What is put goes with the next commit. One owner. */
#ifndef MONITOR_WATCH_KPI_H
#define MONITOR_WATCH_KPI_H

#include "monitor/alert_desk.h"
#include "monitor/kpi.h"
#include "monitor/store_outcomes.h"

#define MONITOR_KPIS 16u

typedef struct monitor_kpis_opts {
    const char *project;               /* copied; NULL: names stand as they are */
    monitor_kpi_opts goal;             /* name NULL: none. Its name is copied */
    monitor_store *store;              /* NULL: nothing is kept */
    const char *store_path;
    monitor_alert_desk *desk;          /* NULL: nobody is told */
    double false_alarms;               /* chance of any false alarm on the goal, ever; 0: as in performance.h */
} monitor_kpis_opts;

typedef struct monitor_kpis monitor_kpis;
/** FW_ERR_ARG: a goal whose name can't be. */
fw_status monitor_kpis_create(monitor_kpis **out, const monitor_kpis_opts *opts, fw_error *err);
void      monitor_kpis_destroy(monitor_kpis **k);

/** Events of a KPI; other kinds are passed over. Those that can't be are counted, the reason of the first is in *why. */
fw_status monitor_kpis_take(monitor_kpis *k, const fw_telemetry_batch *b, fw_error *why, fw_error *err);
/** Puts what has changed, and looks at windows that are over: before every commit. */
fw_status monitor_kpis_save(monitor_kpis *k, int64_t now_us, fw_error *err);
/** As the last monitor of the store left them. */
fw_status monitor_kpis_restore(monitor_kpis *k, fw_error *err);

#endif
