/** What a path on the command line names: a model, a dataset, a checkpoint, or a run folder that holds them. And how a description of it, one
 *  JSON object, is shown to people. */
#ifndef COORD_COMMANDS_THING_H
#define COORD_COMMANDS_THING_H

#include <jansson.h>
#include <stdio.h>

#include "common/core/status.h"
#include "common/core/text.h"

typedef enum coord_thing { COORD_MODEL, COORD_DATASET, COORD_CHECKPOINT } coord_thing;
const char *coord_thing_name(coord_thing t);

/** path (malloc'ed): the file itself; a run folder: its model.h5, or its checkpoint.h5 as long as there is no model. The kind is read from the
 *  file's head, which is not checked further here. FW_ERR_CONFIG: nothing there; FW_ERR_FORMAT: not one of our files. */
fw_status coord_thing_find(coord_thing *what, char **path, const char *given, fw_error *err);

/** A description as text: first scalars and lists of scalars as "name  value", then objects and lists of objects under a heading, the latter as a
 *  table. `digits` of reals: 17 for the shortest text that reads back the same. Control characters become '?'. FW_ERR_IO. */
fw_status coord_description_print(FILE *out, const json_t *description, int digits, fw_error *err);
/** A list of objects as a table with a heading. */
void      coord_description_table(fw_text *out, const json_t *rows, int digits);
/** The members of the rows, in the order in which they first appear: an object, the caller's. */
json_t   *coord_description_columns(const json_t *rows);
/** As one line of JSON. */
fw_status coord_description_print_json(FILE *out, const json_t *description, fw_error *err);
/** One scalar, or "n values" for what is none. */
void      coord_description_value(fw_text *out, const json_t *value, int digits);

#endif
