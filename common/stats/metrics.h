/** Metrics of predictions against truth, computed in one place from all rows of a split in row order: exact, and the same on any
 *  number of ranks. Definitions follow scikit-learn. */
#ifndef FW_STATS_METRICS_H
#define FW_STATS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef enum fw_task { FW_TASK_CLASSIFICATION, FW_TASK_REGRESSION } fw_task;

#define FW_CALIBRATION_BINS 10

/** What was predicted for n rows. Classification: p (n, n_classes) row-major probabilities, label (n) in [0, n_classes).
 *  Regression: value (n), truth (n). Nothing is owned. */
typedef struct fw_predictions {
    fw_task task;
    size_t n, n_classes;
    const float *p;
    const int32_t *label;
    const double *value, *truth;
    bool positive_first;                /* binary: class 0 is the positive one (problem.positive names it); else class 1 is */
} fw_predictions;

typedef struct fw_class_metrics {
    uint64_t support, predicted, correct;
    double precision, recall, f1;       /* 0 where the denominator is 0 (scikit-learn's zero_division=0) */
    double auc;                         /* one against the rest; NaN-free: has_auc says whether both sides exist */
    double average_precision;
    bool has_auc;
} fw_class_metrics;

typedef struct fw_reliability_bin { uint64_t count; double confidence, accuracy; } fw_reliability_bin;

typedef struct fw_metrics {
    fw_task task;
    size_t n, n_classes;
    size_t positive;                    /* binary: code of the positive class */
    /* Classification. The predicted class is the one of the highest probability, the lowest code among equals. p is clipped to
     * [1e-15, 1 - 1e-15] in log_loss. Macro: mean over the classes that occur in truth or prediction; balanced_accuracy: mean recall over
     * those that occur in truth. auc, average_precision: of the positive class when binary, else the mean of one-vs-rest over the classes
     * that have it; has_auc: there is such a class. ece: 10 equal widths of confidence, each open below. */
    double accuracy, balanced_accuracy, macro_precision, macro_recall, macro_f1, weighted_precision, weighted_recall, weighted_f1;
    double log_loss, auc, average_precision, ece;
    bool has_auc;
    uint64_t *confusion;                /* (n_classes, n_classes), [truth][predicted]; only fw_metrics_compute makes it */
    fw_class_metrics *per_class;        /* n_classes */
    fw_reliability_bin reliability[FW_CALIBRATION_BINS];   /* by confidence of the predicted class, equal widths */
    /* regression; r2 of a constant truth: 1 when every prediction is exact, else 0 */
    double rmse, mae, r2;
} fw_metrics;

/** *out is the caller's, to end with fw_metrics_destroy. FW_ERR_DATA when n == 0 or a label is no class; FW_ERR_NUMERIC when a prediction,
 *  a truth or a result is not finite. Sums are exact (common/stats/exact_sum.h), logarithms our own (dmath.h): equal bits on every machine. */
fw_status fw_metrics_compute(fw_metrics **out, const fw_predictions *p, fw_error *err);
void      fw_metrics_destroy(fw_metrics **m);

/** A metric by its name in the project file ("accuracy", "macro_f1", "auc", "rmse", ..., "f1", "precision", "recall" = of the positive class
 *  when binary, macro otherwise; "f1:kindle" = of one class, whose names are given: n_classes of them, or NULL). FW_ERR_NOTFOUND: no such
 *  metric for this task, or no such class. FW_ERR_DATA: it has no value on these rows (auc with one class only). */
fw_status fw_metrics_get(double *value, const fw_metrics *m, const char *name, const char *const *class_names, fw_error *err);

/** All plain names for a task, NULL-terminated; and whether smaller is better. */
const char *const *fw_metrics_names(fw_task task);
bool fw_metrics_smaller_is_better(const char *name);

/** One metric alone by its plain name (the validation of a round): does only the work that metric needs. */
fw_status fw_metrics_compute_one(double *value, const fw_predictions *p, const char *name, fw_error *err);

/** Fairness of a decision over the groups of one attribute. Selection: predicted class == positive. */
typedef struct fw_group_rates {
    uint64_t count, positives /* truth */, selected, true_positive, false_positive;
    double selection_rate, true_positive_rate, false_positive_rate;
    bool too_small;                     /* fewer than min_count rows (or none): named, and left out of the differences */
} fw_group_rates;
typedef struct fw_fairness {
    size_t n_groups;
    fw_group_rates *groups;
    double demographic_parity_difference;   /* largest selection rate - smallest */
    double disparate_impact;                /* smallest / largest; 1 when nobody is selected at all */
    double equalized_odds_difference;       /* the larger of the spreads of the true and of the false positive rate, over groups that have one */
    bool comparable;                    /* at least two groups that are large enough; else the three above are 0, 1, 0 */
} fw_fairness;
/** group (n): code of the attribute in [0, n_groups), or -1: missing. The result has n_groups + 1 groups: the last one holds the missing.
 *  FW_ERR_DATA: a group or a label that is none; FW_ERR_ARG: not a classification, or positive is no class. */
fw_status fw_fairness_compute(fw_fairness **out, const fw_predictions *p, int32_t positive, const int32_t *group, size_t n_groups,
                              uint64_t min_count, fw_error *err);
void      fw_fairness_destroy(fw_fairness **f);

#endif
