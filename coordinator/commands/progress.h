/** How a training shows itself while it runs: one line on a terminal, a line every 10 s elsewhere, and events on the bus. */
#ifndef COORD_COMMANDS_PROGRESS_H
#define COORD_COMMANDS_PROGRESS_H

#include "common/project/project.h"
#include "proto/command.h"

typedef struct coord_progress_line coord_progress_line;

/** The bus is opened when the project names one; when that fails, it is said and training goes on without. */
fw_status coord_progress_open(coord_progress_line **out, const fw_project *p, const char *run_dir, uint32_t ranks, uint64_t rounds, fw_error *err);
void      coord_progress_close(coord_progress_line **l);

void coord_progress_step(coord_progress_line *l, const fw_answer *step);
void coord_progress_round(coord_progress_line *l, const fw_round_result *r, const char *metric);
void coord_progress_end(coord_progress_line *l);              /* leaves the terminal on a fresh line */
void coord_progress_publish(coord_progress_line *l, const char *event, const fw_round_result *r);    /* r may be NULL */

#endif
