/** How a training shows itself while it runs: one line on a terminal, a line every 10 s elsewhere, and events on the bus. */
#ifndef COORD_COMMANDS_PROGRESS_H
#define COORD_COMMANDS_PROGRESS_H

#include "common/bus/bus.h"
#include "common/project/project.h"
#include "proto/command.h"

typedef struct coord_progress_line coord_progress_line;

/** The bus is opened when the project names one; when that fails, it is said and training goes on without. */
fw_status coord_progress_open(coord_progress_line **out, const fw_project *p, const fw_bus_identity *identity, const char *run_dir, uint32_t ranks, uint64_t rounds,
                              fw_error *err);
void      coord_progress_close(coord_progress_line **l);

/** From where this process trains on: rounds done so far, with the part of the round at hand. Time left is told from here. */
void coord_progress_from(coord_progress_line *l, double rounds_done);
void coord_progress_step(coord_progress_line *l, const fw_answer *step);
void coord_progress_round(coord_progress_line *l, const fw_round_result *r, const char *metric);
void coord_progress_end(coord_progress_line *l);              /* leaves the terminal on a fresh line */
/** What happened where; r: the round that ended, or NULL. */
void coord_progress_publish(coord_progress_line *l, const char *event, const fw_position *at, const fw_round_result *r);

#endif
