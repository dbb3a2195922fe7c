/** What a long command says of itself on stderr while it works: one line that is written over on a terminal, a line every 10 s elsewhere. */
#ifndef COORD_COMMANDS_STATUS_LINE_H
#define COORD_COMMANDS_STATUS_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/clock.h"

typedef struct coord_status_line { bool terminal, open; fw_mono last; } coord_status_line;

void coord_status_begin(coord_status_line *l);
bool coord_status_due(const coord_status_line *l);
void coord_status_show(coord_status_line *l, const char *text);
void coord_status_end(coord_status_line *l);                  /* leaves the terminal on a fresh line */

/** "3 min 20 s left" */
void coord_status_time_left(char *out, size_t len, double seconds);

#endif
