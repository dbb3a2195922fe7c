/** The space of a search: parameters, each a key of the project file, and the points in it. */
#ifndef COORD_STUDY_SPACE_H
#define COORD_STUDY_SPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "common/project/project.h"

#define COORD_MAX_PARAMS  FW_SPACE_MAX_PARAMS
#define COORD_MAX_CHOICES FW_SPACE_MAX_CHOICES

typedef enum coord_param_kind { COORD_PARAM_FLOAT, COORD_PARAM_INT, COORD_PARAM_CATEGORICAL } coord_param_kind;

/** A parameter is active when the parent has one of the named choices, and is active itself. */
typedef struct coord_condition {
    size_t parent;                 /* index of a categorical parameter that stands before this one */
    bool *choice;                  /* (n_choices of the parent) with which of them */
} coord_condition;

typedef struct coord_param {
    char *name;                    /* the key: train.learning_rate */
    coord_param_kind kind;
    double low, high;              /* both belong to it; INT: whole; of a stepped one high = low + k step */
    double step;                   /* 0: none; INT: at least 1 */
    bool log;                      /* uniform in the logarithm; FLOAT: without step; INT: step 1 */
    char **choice; size_t n_choices;   /* CATEGORICAL: YAML in flow form, as written behind key= on the command line */
    coord_condition *condition; size_t n_conditions;   /* all must hold */
} coord_param;

typedef struct coord_space { coord_param *param; size_t n; } coord_space;

/** A point: one double a parameter. FLOAT and INT its value, CATEGORICAL the index of its choice, NaN where it is not active. */

/** From tune.space of the project; parents come to stand before their children, else the order of the file. A condition on a key outside of the space is
 *  judged by its value in the project: the parameter is then unconditional, or left out. Each choice and each end of a range is tried on the project, as
 *  a trial would. FW_ERR_CONFIG: all problems, with file:line:column. Cost: 0.1 ms a choice. */
fw_status coord_space_create(coord_space **out, const fw_project *p, fw_error *err);
void      coord_space_destroy(coord_space **s);

/** Whether parameter i is active at x, of which the parameters before i are set. */
bool   coord_space_active(const coord_space *s, const double *x, size_t i);
/** Sets what is not active to NaN. */
void   coord_space_mask(const coord_space *s, double *x);
/** Whether every value is of its parameter, and NaN just where it is not active. */
bool   coord_space_holds(const coord_space *s, const double *x);
bool   coord_space_same(const coord_space *s, const double *a, const double *b);
/** Whether any parameter has a condition. */
bool   coord_space_conditional(const coord_space *s);
/** Number of points when every parameter is stepped, whole or categorical; 0: without end, more than 2^53, or too
 *  entangled to count (a million combinations of parents that hang together). */
double coord_space_points(const coord_space *s);

/** The unit interval, as samplers see it: FLOAT and INT even in value or logarithm, cells of equal width for what is stepped or whole (its middle),
 *  CATEGORICAL (index + 0.5) / n_choices. from_unit clamps, rounds to the grid and is the inverse of to_unit
 *  (to some ulp on a continuum; for whole numbers up to 2^50 of them). NaN stays NaN. */
double coord_param_to_unit(const coord_param *p, double value);
double coord_param_from_unit(const coord_param *p, double u);
/** Number of values; 0: a continuum. */
double coord_param_values(const coord_param *p);
bool   coord_param_holds(const coord_param *p, double value);

/** "train.learning_rate=0.01", exact to the bit when read again. */
fw_status coord_param_override(fw_text *out, const coord_param *p, double value, fw_error *err);
/** The value alone. */
fw_status coord_param_text(fw_text *out, const coord_param *p, double value, fw_error *err);

#endif
