/** The rounds of a training as reports see them: one metric of validation a round. */
#ifndef COORD_COMMANDS_HISTORY_H
#define COORD_COMMANDS_HISTORY_H

#include "coordinator/report/report.h"
#include "proto/command.h"

/** Rows (n) for a report, malloc'ed. *metric becomes NULL when a round has no value of it: nothing was validated. */
fw_status coord_history_rows(coord_history_row **out, const char **metric, const fw_round_result *rounds, size_t n, fw_error *err);

#endif
