/** How well a model does on rows whose outcome nobody knows yet, from counts of its predictions alone: what is known of the reference, bin by bin, is carried
 *  over to the window's counts. Right under covariate shift (other rows, the same outcome for a row); blind for concept drift (another outcome for the
 *  same row): when outcomes come, what is realised is held against it.
 *
 *  Two classes (CBPE, from the bins of the positive class's score): p_b = share of positives in bin b, by isotonic regression on the reference;
 *      count_b p_b positives are expected in it. accuracy, precision, recall, f1, auc, log_loss are those of the expected counts. As positive are predicted as many
 *      rows as the window says, from the highest score down; within a bin rows are ties, and have the bin's centre as their score.
 *  More classes: accuracy from the bins of confidence (share that was right); auc and log_loss from the score bins of every class against the
 *      rest, as mean and sum, when no class was left out. Precision, recall and f1 are not estimated: these bins do not tell which class was mistaken for which.
 *  Regression (DLE): mae and rmse from the mean absolute and squared error in each bin of the prediction. NannyML fits a second model that predicts the error of a
 *      row from its features; a bin's mean is that model with one feature, the prediction, and needs no row.
 *
 *  Intervals are of what will be realised on this window: the draw of its outcomes (sum count_b p_b (1 - p_b) D_b^2, D_b: what one positive more in bin b changes)
 *  and the reference's own (a share of a pool of R rows varies by p (1 - p) / R, half a row added on each side). Not in them: drift of the concept.
 *  Over several classes deviations are added, as if they went together, which they never do more than that: rather too wide.
 *  Source  NannyML (CBPE: confidence-based performance estimation, estimate_roc_auc and its kin; DLE: direct loss estimation), on rows; here O(bins). */
#ifndef FW_STATS_ESTIMATE_H
#define FW_STATS_ESTIMATE_H

#include "common/core/status.h"
#include "common/stats/quality.h"

#define FW_ESTIMATE_BINS 256      /* bins of one score */

/** Score bin -> share of hits. */
typedef struct fw_calibration {
    size_t n;
    double *share, *at;            /* (n): of hits; the bin's centre */
    size_t *block, n_blocks;       /* (n): pools of bins with one share */
    double *variance;              /* (n_blocks): of a pool's share */
} fw_calibration;

/** hits, rows, at (n): of the reference. FW_ERR_DATA: no rows; FW_ERR_ARG: more than FW_ESTIMATE_BINS. fw_calibration_destroy works with FW_AUTO(fw_calibration) c = {0}; */
fw_status fw_calibration_fit(fw_calibration *out, const uint64_t *hits, const uint64_t *rows, const double *at, size_t n, fw_error *err);
void      fw_calibration_destroy(fw_calibration *c);

/** Two classes: count (n) of the window by score; `positive` rows of it are predicted to be. */
void fw_estimate_two_classes(fw_qualities *out, const fw_calibration *c, const uint64_t *count, uint64_t positive);
/** accuracy alone: count (n) of the window by confidence. */
void fw_estimate_accuracy(fw_qualities *out, const fw_calibration *confidence, const uint64_t *count);
/** auc and log_loss: score (n_classes), count[k] of each. */
void fw_estimate_classes(fw_qualities *out, const fw_calibration *score, const uint64_t *const *count, size_t n_classes);
/** Regression, n <= FW_ESTIMATE_BINS bins of the prediction: absolute, square, fourth (n): the reference's means of |e|, e^2, e^4 over a bin's `rows` rows; a bin without rows
 *  takes the means of all. A row's |e| varies by square - absolute^2, its e^2 by fourth - square^2. */
void fw_estimate_errors(fw_qualities *out, const double *absolute, const double *square, const double *fourth, const uint64_t *rows, const uint64_t *count, size_t n);

#endif
