/** What a person or a program reads about a trained model: a table on the terminal, one JSON object, and a self-contained model card in HTML.
 *  Everything shown comes in through coord_report; nothing is computed from rows here, and nothing is read from disk. */
#ifndef COORD_REPORT_REPORT_H
#define COORD_REPORT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/core/status.h"
#include "common/model/model.h"
#include "common/project/project.h"
#include "common/stats/metrics.h"

/** One round of training. validation is the value of coord_report.history_metric. */
typedef struct coord_history_row {
    uint64_t round, step;
    double train_loss;
    double validation;
} coord_history_row;

typedef struct coord_gate_result {
    const char *metric;                  /* the project's */
    fw_gate_op op;
    double bound, value;
    bool has_value;                      /* false: the metric has no value on these rows (auc with one class only); then it has not passed */
    bool passed;
} coord_gate_result;

typedef struct coord_fairness {
    const char *attribute;
    const char *const *group_names;      /* result->n_groups - 1 names; the last group of the result is "missing" */
    const fw_fairness *result;
    const char *positive;                /* name of the class that counts as selected; NULL: that of a binary problem */
} coord_fairness;

/** Everything a report shows; nothing is owned. NULL and 0 leave a part out, but model, project, split and metrics must be there. */
typedef struct coord_report {
    const fw_model *model;
    const fw_project *project;
    const char *dataset_digest;
    const char *split;                   /* that the metrics are on: "train", "validation", "test" */
    uint64_t rows;                       /* in it */
    uint64_t split_rows[3];              /* train, validation, test; all 0: not known */
    const fw_metrics *metrics;
    const coord_history_row *history;
    size_t n_history;
    const char *history_metric;          /* NULL: no validation was made */
    const coord_fairness *fairness;
    size_t n_fairness;
    const coord_gate_result *gates;
    size_t n_gates;
    uint64_t kept_round;                 /* whose weights the model holds; 0: not known */
    double train_metric;                 /* history_metric on (a sample of) the training split */
    bool has_train_metric;
    uint64_t missing, unseen;            /* cells, counted by the pipeline on this split */
} coord_report;

/** problem.success against the metrics. *out (n) is the caller's, to free(); its texts are the project's. class_names: m->n_classes, or NULL.
 *  FW_ERR_CONFIG: a gate whose metric does not exist for this task, or names a class that is none. */
fw_status coord_report_gates(coord_gate_result **out, size_t *n, const fw_project *p, const fw_metrics *m, const char *const *class_names, fw_error *err);

/** Over- or under-fitting in words with its evidence, as plain text of some sentences. malloc'ed; NULL when out of memory. */
char *coord_report_fit_words(const coord_report *r);

/** For a terminal of 100 columns; colour only where fw_log_colour allows it. FW_ERR_IO. */
fw_status coord_report_table(FILE *out, const coord_report *r, fw_error *err);

/** *out is the caller's, to json_decref. A metric that has no value on these rows is null. */
fw_status coord_report_json(json_t **out, const coord_report *r, fw_error *err);

/** One file without script or links: style and pictures are in it. FW_ERR_IO. */
fw_status coord_report_html(FILE *out, const coord_report *r, fw_error *err);

#endif
