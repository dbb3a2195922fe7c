/** The monitor's loop: subscribe or read recordings, take in, watch, show and tell, until told to stop. No MPI in this folder. */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "monitor/alerts.h"
#include "monitor/deliver.h"
#include "monitor/drift.h"
#include "monitor/feed.h"
#include "monitor/intake.h"
#include "monitor/store.h"
#include "monitor/watchers.h"
#include "monitor/windows.h"

typedef struct monitor_opts {
    monitor_bus_opts bus;                     /* whom it listens to; not with recordings */
    const char *const *recordings; size_t n_recordings;      /* instead: it ends when they are read */
    monitor_window_opts window;
    monitor_drift_opts drift;
    monitor_judging judging;
    monitor_alert_opts alerts;
    monitor_deliver_opts deliver;             /* its show and bus are the monitor's own */
    monitor_alert_bus_opts publish;           /* alerts on the bus; endpoint NULL: not there */
    bool until_end;                           /* ends with the first publisher that ends */
    bool jsonl;
    FILE *out;
    const monitor_store_opts *store;          /* NULL: nothing is kept */
    const volatile sig_atomic_t *stop;        /* set by a signal: totals are printed, then FW_OK; of recordings FW_ERR_STOPPED */
} monitor_opts;

/** What a run has come to. */
typedef struct monitor_result {
    monitor_alert_counts alerts;
    monitor_counts messages;                  /* that belong to no model */
    size_t watched;                           /* models that were held against a reference */
    bool kept;                                /* all of it is in the store */
} monitor_result;

/** result may be NULL. */
fw_status monitor_run(const monitor_opts *opts, monitor_result *result, fw_error *err);

#endif
