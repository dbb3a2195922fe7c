/** What a study holds, read from its journal: `flywheel sweep list | trials | best | show | export | replay`. Needs no ranks and changes nothing. */
#ifndef COORD_COMMANDS_SWEEP_SHOW_H
#define COORD_COMMANDS_SWEEP_SHOW_H

#include <jansson.h>

#include "coordinator/commands/command.h"
#include "coordinator/study/study.h"

/** Whether the call begins with one of these words. */
bool      coord_sweep_shows(const coord_call *call);
fw_status coord_sweep_show(coord_call *call, fw_error *err);

/** report.html into the study's folder. */
fw_status coord_sweep_report(const coord_study *s, const char *name, fw_error *err);

/** {trial, state, value, rounds, params, reason} of one; the caller's. NULL: no memory. */
json_t   *coord_sweep_trial_json(const coord_study *s, const coord_trial *t);

#endif
