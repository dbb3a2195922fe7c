/** A resolved project file as a list of dotted keys and their values, for comparing two of them line by line. It knows the canonical text that
 *  fw_project_resolved writes (maps by indentation, everything else on the key's line), also of programs with other keys than this one. */
#ifndef COORD_COMMANDS_YAML_LINES_H
#define COORD_COMMANDS_YAML_LINES_H

#include <stddef.h>

#include "common/core/status.h"

typedef struct coord_yaml_lines coord_yaml_lines;

fw_status   coord_yaml_lines_create(coord_yaml_lines **out, const char *yaml, fw_error *err);
void        coord_yaml_lines_destroy(coord_yaml_lines **l);
size_t      coord_yaml_lines_n(const coord_yaml_lines *l);
const char *coord_yaml_lines_key(const coord_yaml_lines *l, size_t i);       /* "train.optimizer" */
const char *coord_yaml_lines_value(const coord_yaml_lines *l, size_t i);
const char *coord_yaml_lines_find(const coord_yaml_lines *l, const char *key);   /* NULL: not there */

#endif
