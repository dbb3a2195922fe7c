/** Watches the models that publishers tell of: summaries -> windows of a model, over all its publishers -> drift -> rows of the store and looks for alerts.
 *  A window of rows closes with monitor.window of them, or when nothing comes, or at the end; a row counts in the open one. A window of time holds the
 *  rows of its time, by the publishers' clocks, and is amended by those that come late (watch_windows.c). A row counts once. Windows of rows have numbers that a
 *  version of a model counts over all its sets of bins; windows of time have that of fw_utc_window. Without a store all is in memory, without a desk nobody is told. One owner. */
#ifndef MONITOR_WATCH_MODELS_H
#define MONITOR_WATCH_MODELS_H

#include "common/core/clock.h"
#include "monitor/alert_desk.h"
#include "monitor/drift.h"
#include "monitor/models.h"
#include "monitor/store.h"
#include "monitor/windows.h"
#include "proto/telemetry.h"

typedef struct monitor_watch_opts {
    monitor_window_opts window;        /* seconds: windows of time, in whole microseconds; else of so many rows */
    monitor_drift_opts drift;
    monitor_store *store;              /* NULL: nothing is kept. Both outlive the watch */
    monitor_alert_desk *desk;
} monitor_watch_opts;

typedef struct monitor_watch monitor_watch;
fw_status monitor_watch_create(monitor_watch **out, const monitor_watch_opts *opts, fw_error *err);
void      monitor_watch_destroy(monitor_watch **w);

/** The address of who gives what is taken next, for its share of models; good until then. "", as at first: nobody's. */
void      monitor_watch_from(monitor_watch *w, const char *address);
/** A decoded batch and the bytes it came as, which are kept of a new model. What is refused is no error: its reason is then in *why. Other kinds are
 *  passed over. FW_ERR_NOMEM, or an error of the store. */
fw_status monitor_watch_take(monitor_watch *w, fw_telemetry_batch *b, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err);
/** Messages of a publisher that told of this version of a model are lost: the open window says so. */
void      monitor_watch_lost(monitor_watch *w, const char *name, const char *digest, uint64_t messages);
/** Closes the windows whose time has come, and tells of those that late rows amended; all of them. */
fw_status monitor_watch_tick(monitor_watch *w, fw_mono now, fw_error *err);
fw_status monitor_watch_finish(monitor_watch *w, fw_error *err);

/** Where a prediction made at a moment is counted: the model's version and its window; the open one, or with windows of time the one of that moment.
 *  A version that is told of with several sets of bins: the first of them. */
typedef struct monitor_place { const monitor_known *known; int64_t model; uint64_t window; } monitor_place;
/** False: no publisher has told of the model, or it has no reference (then nothing is watched). */
bool      monitor_watch_place(monitor_place *out, const monitor_watch *w, const char *name, const char *digest, int64_t at_us);

/** Hears of each window when it is closed (revised 0) and each time that late rows amend it; the counts are good during the call. */
typedef struct monitor_closed { monitor_place place; uint64_t rows, revised; int64_t from_us, to_us; const fw_summary *counts; } monitor_closed;
typedef struct monitor_watch_hearer { void *context; fw_status (*closed)(void *context, const monitor_closed *c, fw_error *err); } monitor_watch_hearer;
void      monitor_watch_tell(monitor_watch *w, const monitor_watch_hearer *h);      /* copied; one hearer, behind the store and before the alerts */

/** Whether the windows of a model's version are those of its summaries. */
size_t    monitor_watch_n(const monitor_watch *w);       /* models with a reference */
bool      monitor_watch_has(const monitor_watch *w, const char *name, const char *digest);

/** Puts what has changed into the store, for its next commit: the one that has the positions too. */
fw_status monitor_watch_save(monitor_watch *w, fw_error *err);
/** Into a new watch, from the file of its store. Drift whose state is of other bins or damaged begins anew, and that is logged. */
fw_status monitor_watch_restore(monitor_watch *w, const char *path, fw_mono now, fw_error *err);

#endif
