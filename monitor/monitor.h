/** The monitor's loop: subscribe, take in, watch, show and tell, until told to stop. No MPI in this folder. */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/bus/bus.h"
#include "monitor/alerts.h"
#include "monitor/deliver.h"
#include "monitor/drift.h"
#include "monitor/store.h"
#include "monitor/windows.h"

typedef struct monitor_opts {
    const char *const *endpoints; size_t n_endpoints;
    fw_bus_identity identity;                 /* who it is for the publishers */
    const char *name;                         /* by which publishers know what was taken */
    monitor_window_opts window;
    monitor_drift_opts drift;
    monitor_alert_opts alerts;
    monitor_deliver_opts deliver;             /* its publish is the monitor's: what it prints */
    bool once;                                /* ends with the first publisher that ends */
    bool jsonl;
    FILE *out;
    const monitor_store_opts *store;          /* NULL: nothing is kept */
    const volatile sig_atomic_t *stop;        /* set by a signal: totals are printed, then FW_OK */
} monitor_opts;

fw_status monitor_run(const monitor_opts *opts, fw_error *err);

#endif
