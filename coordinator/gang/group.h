/** The coordinator's end of the line to a group: one order at a time, answers with progress in between. */
#ifndef COORD_GANG_GROUP_H
#define COORD_GANG_GROUP_H

#include "common/bus/bus.h"
#include "proto/command.h"

typedef struct coord_group coord_group;

/** What comes before the answer: notes, steps, checkpoints, parts of predictions. */
typedef fw_status (*coord_progress)(void *context, const fw_answer *progress, fw_error *err);

/** Prints notes on stderr; for orders without other progress. */
fw_status coord_print_notes(void *context, const fw_answer *progress, fw_error *err);

/** Takes over the line. */
fw_status coord_group_create(coord_group **out, fw_line *line, fw_error *err);
void      coord_group_destroy(coord_group **g);

/** Sends the order. What the sender has to do while the group is at it may be done before the answer is taken, which has to be taken all the same. */
fw_status coord_group_send(coord_group *g, fw_order *order, fw_error *err);
/** Waits for the answer to the order that was sent. A negative status of the answer becomes the return value, its text err; *answer is then not set.
 *  progress may be NULL. */
fw_status coord_group_answer(coord_group *g, coord_progress progress, void *context, fw_answer **answer, fw_error *err);
/** Both. */
fw_status coord_group_order(coord_group *g, fw_order *order, coord_progress progress, void *context, fw_answer **answer, fw_error *err);

/** Tells the group to end with this exit code. */
fw_status coord_group_close(coord_group *g, int exit_code, fw_error *err);

#endif
