/** How a sweep shows itself while it runs: trials by state, the best, speed, how busy the groups are; and events of trials on the bus. */
#ifndef COORD_COMMANDS_SWEEP_PROGRESS_H
#define COORD_COMMANDS_SWEEP_PROGRESS_H

#include "common/bus/bus.h"
#include "common/project/project.h"
#include "coordinator/study/runner.h"

typedef struct coord_sweep_progress coord_sweep_progress;

fw_status coord_sweep_progress_open(coord_sweep_progress **out, const fw_project *p, const fw_bus_identity *identity, const coord_study *s, fw_error *err);
void      coord_sweep_progress_close(coord_sweep_progress **p);

void coord_sweep_progress_event(coord_sweep_progress *p, const coord_runner_event *e, const coord_runner_counts *c);
/** The trials have ended: what comes now speaks for itself, on the same endpoint too. */
void coord_sweep_progress_end(coord_sweep_progress *p);
const coord_runner_counts *coord_sweep_progress_counts(const coord_sweep_progress *p);       /* the last ones told */

/** "12 COMPLETE, 50 PRUNED, 2 FAIL" */
void coord_sweep_states(char *out, size_t len, const coord_study *s);

#endif
