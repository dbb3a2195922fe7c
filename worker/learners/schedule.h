/** Learning rate of a step. */
#ifndef WORKER_LEARNERS_SCHEDULE_H
#define WORKER_LEARNERS_SCHEDULE_H

#include "common/project/project.h"

/** step: counted from 0 over the whole run. constant; step: times step_factor every step_epochs; cosine: from the rate to final_factor of it at the
 *  end of the last epoch (Loshchilov & Hutter 2017, one cycle). Warm-up rises linearly from 0 over warmup_epochs before all of them.
 *  Plain IEEE operations only: no libm, whose bits vary between CPUs. */
double worker_schedule_rate(const fw_project *p, uint64_t step, uint64_t steps_per_round);

#endif
