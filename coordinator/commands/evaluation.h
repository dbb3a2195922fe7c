/** Judging a model on one split of a dataset, by the group: predictions in row order -> metrics, fairness, gates -> table, metrics.json, report.html. */
#ifndef COORD_COMMANDS_EVALUATION_H
#define COORD_COMMANDS_EVALUATION_H

#include "common/data/dataset.h"
#include "coordinator/gang/group.h"
#include "coordinator/report/report.h"

typedef struct coord_evaluation coord_evaluation;

/** Tells the group to load the model and predict the split. model_path: model.h5. history (may be NULL) goes into the report. */
typedef struct coord_evaluation_opts {
    const char *model_path, *dataset_path;
    const fw_project *project;     /* goal, success, fairness */
    fw_split split;
    const coord_history_row *history; size_t n_history;
    const char *history_metric;
    bool gates;                    /* judge problem.success */
} coord_evaluation_opts;

fw_status coord_evaluation_run(coord_evaluation **out, coord_group *g, const coord_evaluation_opts *opts, fw_error *err);
void      coord_evaluation_destroy(coord_evaluation **e);

const coord_report *coord_evaluation_report(const coord_evaluation *e);
bool coord_evaluation_passed(const coord_evaluation *e);              /* all gates, and fairness where a limit is set */
char *coord_evaluation_failures(const coord_evaluation *e);           /* "accuracy 0.81, wanted >= 0.85"; malloc'ed; NULL when all passed */

/** DIR/metrics.json and DIR/report.html, atomically. */
fw_status coord_evaluation_write(const coord_evaluation *e, const char *dir, fw_error *err);

#endif
