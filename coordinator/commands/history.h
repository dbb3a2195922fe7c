/** The rounds of a training as decisions and reports see them: one metric of validation a round. */
#ifndef COORD_COMMANDS_HISTORY_H
#define COORD_COMMANDS_HISTORY_H

#include "coordinator/report/report.h"
#include "proto/command.h"

/** The metric that decides and is shown: early stopping's, else log_loss or rmse. */
const char *coord_history_metric(const fw_project *p);

/** Of one round; NULL: it has none of that name. */
const double *coord_round_metric(const fw_round_result *r, const char *name);

/** Rows (n) for a report, malloc'ed. *metric becomes NULL when a round has no value of it: nothing was validated. */
fw_status coord_history_rows(coord_history_row **out, const char **metric, const fw_round_result *rounds, size_t n, fw_error *err);

#endif
