/** The best trial of a study as an ordinary run, in <study>/best. */
#ifndef COORD_COMMANDS_BEST_RUN_H
#define COORD_COMMANDS_BEST_RUN_H

#include "common/bus/bus.h"
#include "coordinator/gang/group.h"
#include "coordinator/study/study.h"
#include "coordinator/study/trial_run.h"

/** model.h5, resolved.yaml (which `train` takes), metrics.json, report.html, progress.jsonl. Does nothing when they are there, or no trial is complete. The
 *  model that the trial left is taken; where it left none (folds or seeds), the point is trained on the whole training split. FW_ERR_STOPPED: a signal; it
 *  goes on from its checkpoint when it is called again. */
fw_status coord_best_run(coord_group *g, const coord_study *s, const coord_trials *t, const fw_bus_identity *identity, fw_error *err);
/** Whether there is nothing left to do for it. */
fw_status coord_best_run_is_there(bool *out, const coord_study *s, const coord_trials *t, fw_error *err);

#endif
