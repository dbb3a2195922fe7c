/** How init opens a table of which nobody has said how it is written: the delimiter that gives several columns, names for those without a header. */
#ifndef COORD_COMMANDS_SURVEY_TABLE_H
#define COORD_COMMANDS_SURVEY_TABLE_H

#include <stdbool.h>

#include "common/core/status.h"
#include "common/data/table.h"

/** What is known of the writing; coord_table_form_open fills in what it found. */
typedef struct coord_table_form {
    char delimiter;                    /* 0: what the file's ending says */
    bool no_header;                    /* the columns are then named c1, c2, ... */
} coord_table_form;

/** "tab", "\t" or one character. FW_ERR_CONFIG: neither. */
fw_status coord_table_delimiter(char *out, const char *word, fw_error *err);

/** On error *form is as it was. Errors: fw_table_open's. */
fw_status coord_table_form_open(fw_table **out, coord_table_form *form, const char *path, fw_error *err);

#endif
