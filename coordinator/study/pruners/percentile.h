/** Ends a trial whose best loss so far is worse than a percentile of what complete trials had after as many rounds. What median and percentile share. */
#ifndef COORD_STUDY_PRUNERS_PERCENTILE_H
#define COORD_STUDY_PRUNERS_PERCENTILE_H

#include "coordinator/study/pruner.h"

fw_status coord_percentile_create(void **state, const coord_pruner_opts *opts, double percentile, fw_error *err);
void      coord_percentile_destroy(void **state);
uint64_t  coord_percentile_milestone(const void *state, uint64_t trial, uint64_t rounds);
fw_status coord_percentile_judge(void *state, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err);
fw_status coord_percentile_ended(void *state, uint64_t trial, uint64_t rounds, double loss, fw_error *err);
bool      coord_percentile_promote(void *state, uint64_t *trial);      /* nobody waits */
void      coord_percentile_settle(void *state);

#endif
