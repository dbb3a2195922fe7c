/** What a model was made on and how it did, as counts: the reference against which its use is held later. Features: the training split's raw cells. Outputs:
 *  the predictions for a split that it was not trained on. It is in model.h5, and it is published beside predictions.
 *  Bounds, whatever the data: the constants below; so at most 3 MiB in memory and 10 MiB as text. What is beyond them is left out, and counted. */
#ifndef FW_STATS_REFERENCE_H
#define FW_STATS_REFERENCE_H

#include "common/stats/summary.h"

#define FW_REFERENCE_MAX_FEATURES 1000
#define FW_REFERENCE_MAX_LABELS   64           /* of a category: the most frequent ones */
#define FW_REFERENCE_MAX_CLASSES  256          /* bins of "prediction" */
#define FW_REFERENCE_MAX_SCORES   32           /* classes whose scores are counted */
#define FW_REFERENCE_TEXT_BYTES   (1u << 20)   /* names and labels of all features */
#define FW_REFERENCE_MAX_METRICS  64

/** The columns of outputs, in this order. Classification: "prediction" (a bin for each class), "confidence" (the probability of the predicted class), and
 *  "score=CLASS": its probability; of two classes the positive one alone. Regression: "prediction" with cut points, in the target's unit. */
#define FW_REFERENCE_PREDICTION "prediction"
#define FW_REFERENCE_CONFIDENCE "confidence"
#define FW_REFERENCE_SCORE      "score="

/** One metric of the outputs' rows: of all of them; mean and standard deviation (n - 1) over chunks of chunk_rows rows, 0 without chunks. */
typedef struct fw_reference_metric { char *name; double value, mean, deviation; } fw_reference_metric;

/** Of a regression: the errors e of the outputs' rows in each ordinary bin of "prediction": means of |e|, e^2 and e^4 (n each), 0 in a bin without rows.
 *  n 0: not known, as in models that were made before this was counted. */
typedef struct fw_reference_errors { double *absolute, *square, *fourth; size_t n; } fw_reference_errors;

typedef struct fw_reference {
    fw_summary *summary;                       /* n_features columns of features, then the outputs */
    size_t n_features;
    size_t features_left_out, scores_left_out; /* pictures, too many, names too long; classes without a score column */
    uint64_t *hits;                            /* laid out as the counts; "confidence": rows that were right, "score=": rows of the class; else 0 */
    fw_reference_errors errors;
    char *split;                               /* of the outputs: "validation", "test", "train" */
    fw_reference_metric *metrics; size_t n_metrics;
    uint64_t chunk_rows, n_chunks;             /* 0: too few rows */
} fw_reference;

fw_status fw_reference_create(fw_reference **out, const fw_bins *columns, size_t n, size_t n_features, const char *split, fw_error *err);   /* all else is 0 */
void      fw_reference_destroy(fw_reference **r);
fw_status fw_reference_add_metric(fw_reference *r, const char *name, double value, double mean, double deviation, fw_error *err);

/** Copies them (n). FW_ERR_DATA: n is not the bins of "prediction". */
fw_status fw_reference_set_errors(fw_reference *r, const double *absolute, const double *square, const double *fourth, size_t n, fw_error *err);

/** A copy without the features: for who may not tell of them. */
fw_status fw_reference_outputs(fw_reference **out, const fw_reference *r, fw_error *err);

uint64_t       *fw_reference_hits(const fw_reference *r, size_t column);        /* fw_bins_counts of them */
/** The class of a score column; NULL: it is none. */
const char     *fw_reference_score_class(const fw_bins *b);

/** FW_ERR_DATA: columns that are not as above, columns of one part with different numbers of rows, more hits than rows, a metric that is not finite, errors that can't be,
 *  something beyond the bounds. */
fw_status fw_reference_check(const fw_reference *r, fw_error *err);

#endif
