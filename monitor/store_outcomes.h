/** The shelf of outcomes and KPI events in the store: rows that wait, states, and what is told of windows. No SQL; it goes with the next commit. */
#ifndef MONITOR_STORE_OUTCOMES_H
#define MONITOR_STORE_OUTCOMES_H

#include "common/stats/reference.h"
#include "monitor/kpi.h"
#include "monitor/outcomes.h"
#include "monitor/store.h"
#include "monitor/store_reader.h"

/** What tell needs beside the window. store NULL: nothing is kept, and heard alone is told. reference may be NULL: its figures are then not known. heard, when set, gets each window after it was put. */
typedef struct monitor_store_shelf {
    monitor_store *store;
    const fw_reference *reference;
    int64_t now_us;                /* of the states that are kept: the owner's to set */
    void *context;
    fw_status (*heard)(void *context, const monitor_quality_window *w, fw_error *err);
    fw_status (*heard_kpi)(void *context, const monitor_kpi_window *w, fw_error *err);
} monitor_store_shelf;

/** s must outlive what uses them. */
monitor_shelf      monitor_store_shelf_of(monitor_store_shelf *s);
monitor_kpi_teller monitor_store_teller_of(monitor_store_shelf *s);

/** Into ones that were just created, from what is in the store. States and rows that are damaged, or of nothing that is known here, are left out and counted
 *  in *left_out; the reason of the first one is in *why, which may be NULL. */
fw_status monitor_outcomes_restore(monitor_outcomes *o, int64_t model, monitor_reader *r, int64_t now_us, size_t *left_out, fw_error *why, fw_error *err);
fw_status monitor_kpi_restore(monitor_kpi *k, monitor_reader *r, int64_t now_us, size_t *left_out, fw_error *why, fw_error *err);

#endif
