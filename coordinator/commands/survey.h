/** What is seen in a table before there is a project: types, gaps, values; and the project file that follows from it. One process, no MPI. */
#ifndef COORD_COMMANDS_SURVEY_H
#define COORD_COMMANDS_SURVEY_H

#include <stdint.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "common/project/project.h"
#include "coordinator/commands/survey_table.h"

#define COORD_SURVEY_ROWS 200000      /* rows that are looked at */

typedef struct coord_survey coord_survey;

/** Reads the first rows of a table; form: what is known of its writing, zeros: nothing. FW_ERR_CONFIG: no such target ("did you mean"); else what
 *  fw_table_open says. */
fw_status coord_survey_create(coord_survey **out, const char *path, const coord_table_form *form, const char *target, fw_error *err);
void      coord_survey_destroy(coord_survey **s);
uint64_t  coord_survey_rows(const coord_survey *s);

/** The project file, as text. table_path: as it is to stand in the file. */
void coord_survey_project(fw_text *out, const coord_survey *s, const char *name, const char *table_path);

#endif
