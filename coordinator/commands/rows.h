/** A list of flat objects on stdout, as people and programs want it. */
#ifndef COORD_COMMANDS_ROWS_H
#define COORD_COMMANDS_ROWS_H

#include <jansson.h>
#include <stdio.h>

#include "coordinator/commands/command.h"

typedef enum coord_rows_format { COORD_ROWS_TABLE, COORD_ROWS_JSON, COORD_ROWS_JSONL, COORD_ROWS_CSV } coord_rows_format;

#define COORD_ROWS_FORMATS "table|json|jsonl|csv"

/** --format of the call; default table. FW_ERR_CONFIG. */
fw_status coord_rows_format_of(coord_rows_format *out, const coord_call *call, fw_error *err);

/** rows: an array of objects. json: one array; jsonl: an object a line; csv (RFC 4180, with a header) and table: columns in the order in which they first
 *  appear, members of a member object `x` as columns of their own. digits of reals in the table, 17 elsewhere. FW_ERR_IO. */
fw_status coord_rows_print(FILE *out, const json_t *rows, coord_rows_format format, int digits, fw_error *err);

#endif
