/** How figures and metrics are said to people; shared by the forms of the report. Private to coordinator/report. */
#ifndef COORD_REPORT_WORDS_H
#define COORD_REPORT_WORDS_H

#include "common/core/text.h"
#include "coordinator/report/report.h"

#define COORD_FIGURE_TEXT 40

const char *coord_op_text(fw_gate_op op);                                    /* ">=" */
const char *coord_op_words(fw_gate_op op);                                   /* "at least" */
const char *coord_metric_title(const char *name);                            /* "Macro F1"; the name itself when it is unknown ("f1:kindle") */
/** The same as it stands within a sentence: "macro F1", "log loss", "AUC". */
void coord_metric_in_text(char out[static COORD_FIGURE_TEXT], const char *name);
/** One plain sentence about a metric's value on these rows; NULL when there is none to say. */
void coord_metric_meaning(fw_text *out, const char *name, double value, const coord_report *r);

void coord_figure(char out[static COORD_FIGURE_TEXT], double v);             /* "0.8712", "1.0000", "57.31", "1.204e+06" */
void coord_gate_figure(char out[static COORD_FIGURE_TEXT], const coord_gate_result *g);     /* in full where rounding would hide on which side of the bound it is */
void coord_count(char out[static COORD_FIGURE_TEXT], uint64_t n);            /* "16,281" */
void coord_percent(char out[static COORD_FIGURE_TEXT], double share);        /* "87.1 %" */

const char *coord_class_name(const coord_report *r, size_t c);
/** n_classes names; the array is to be freed, the names are not. */
fw_status coord_class_names(const char ***out, const coord_report *r, fw_error *err);
const char *coord_group_name(const coord_fairness *f, size_t group);
const char *coord_target_name(const coord_report *r);
/** The class that counts as selected. */
const char *coord_positive_name(const coord_fairness *f, const coord_report *r);

/** Text made harmless: bytes that are not UTF-8 become "?", control characters too. */
void coord_add_plain(fw_text *out, const char *s);

/** Pairs of classes taken for each other, most frequent first: fills up to n of *out and returns how many. */
typedef struct coord_confusion { size_t truth, predicted; uint64_t count; } coord_confusion;
size_t coord_top_confusions(coord_confusion *out, size_t n, const fw_metrics *m);

/** Adds the verdict of the gates in one sentence. */
void coord_gates_words(fw_text *out, const coord_report *r);
/** Adds what the fairness figures of one attribute say, with the groups that are too small. */
void coord_fairness_words(fw_text *out, const coord_fairness *f, const coord_report *r);
/** Adds whether the confidence can be taken at its word. */
void coord_calibration_words(fw_text *out, const fw_metrics *m);

#endif
