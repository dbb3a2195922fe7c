/** Trainings and sweeps as they are told on the bus (topic "progress/PROJECT"): loss curves, trials. Each is a JSON object, kept as a state of the store and
 *  shown by monitor/web as it is. A run named "trial N" is a trial of its project's sweep; any other run is a training.
 *  Training {"kind": "training", "project", "run", "publisher", "event", "ranks", "started_us", "updated_us", "round", "step", "rows", "rows_per_s",
 *            "metrics": [names], "rounds": [[round, train_loss, metric...], ...]}; at most 512 rounds, then every second, fourth, ... of them.
 *  Study    {"kind": "study", "project", "publisher", "metric", "started_us", "updated_us", "left_out",
 *            "trials": [{"trial", "state", "round", "value", "curve": [[round, value], ...]}]}; at most 500 trials of 32 points.
 *  64 of them are kept; the one that was silent longest goes. Pure but for the store that is handed in; one owner. */
#ifndef MONITOR_EXPERIMENTS_H
#define MONITOR_EXPERIMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "monitor/store.h"
#include "monitor/store_reader.h"
#include "proto/telemetry.h"

#define MONITOR_MAX_EXPERIMENTS 64u
#define MONITOR_EXPERIMENTS_INDEX "experiments"      /* the state that lists them: [{"key", "kind", "updated_us"}], the newest first */

typedef struct monitor_experiments monitor_experiments;

fw_status monitor_experiments_create(monitor_experiments **out, fw_error *err);
void      monitor_experiments_destroy(monitor_experiments **e);
/** What an earlier life has saved. A damaged one is left out. */
fw_status monitor_experiments_load(monitor_experiments *e, monitor_reader *r, fw_error *err);

/** One event, checked by proto/telemetry. at_us: when it was sent. */
fw_status monitor_experiments_take(monitor_experiments *e, const char *publisher, int64_t at_us, const fw_progress *p, fw_error *err);
/** Puts what has changed since the last call, for the next commit. Cost: the JSON of each that has changed (some 100 KB at most); once a second will do. */
fw_status monitor_experiments_save(monitor_experiments *e, monitor_store *s, fw_error *err);

#endif
