/** What the outcomes of one window say of its predictions: counts and exact sums, so that a row can be taken out again and the order of the rows doesn't matter.
 *  Knows no ids and no joining; outcomes.h does that. A window of C classes takes 4 KiB + 24 C bytes, and 12 KiB for each score. Not thread-safe.
 *
 *  For auc a score falls into one of MONITOR_SCORE_PLACES places, 32 for each halving of its distance from 0 or 1 (3 % of that distance; 0.008 in the middle); rows at one place
 *  are ties, which moves auc by less than 1e-3 (by 1e-4 for scores that are spread out). */
#ifndef MONITOR_REALISED_H
#define MONITOR_REALISED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "common/stats/metrics.h"      /* fw_task */
#include "common/stats/quality.h"
#include "monitor/words.h"

#define MONITOR_SCORE_PLACES   1536
#define MONITOR_SCORED_CLASSES 32u       /* with more, there is no auc and no log_loss */
#define MONITOR_JUDGED_CLASSES 1024u     /* with more, there is accuracy alone */

/** What a window's rows are of. */
typedef struct monitor_shape { fw_task task; size_t n_classes, positive; } monitor_shape;      /* positive: of two classes */
/** Scores of a row that are kept: of two classes the positive one's, else all; 0: none. */
size_t monitor_shape_scores(const monitor_shape *s);

/** One prediction with its outcome. Classification: said, truth < n_classes; score (monitor_shape_scores), or NULL: not told. Regression: value, actual. */
typedef struct monitor_judged { uint32_t said, truth; const float *score; double value, actual, lag_s; } monitor_judged;
/** -ln of the probability that was told for the truth, as metrics.h has it. False: no scores were told. */
bool monitor_judged_log_loss(double *loss, const monitor_shape *s, const monitor_judged *row);

typedef struct monitor_realised monitor_realised;

fw_status monitor_realised_create(monitor_realised **out, const monitor_shape *shape, fw_error *err);
void      monitor_realised_destroy(monitor_realised **r);
void      monitor_realised_reset(monitor_realised *r);      /* as created */

/** FW_ERR_NUMERIC, and nothing is changed: an error whose fourth power is no double. lag_s below 0 counts as 0. */
fw_status monitor_realised_add(monitor_realised *r, const monitor_judged *row, fw_error *err);
/** Takes out a row that was added. */
fw_status monitor_realised_take_out(monitor_realised *r, const monitor_judged *row, fw_error *err);

uint64_t     monitor_realised_rows(const monitor_realised *r);
double       monitor_realised_lag(const monitor_realised *r);      /* mean seconds from prediction to outcome; NaN: no row */
/** Two classes: all but macro_f1. More: accuracy, macro_f1, auc (mean over the classes against the rest; its deviations are added, which is rather too wide), log_loss.
 *  Regression: rmse, mae. auc and log_loss are of the rows that told their scores. */
fw_qualities monitor_realised_figures(const monitor_realised *r);

/** As bytes, added to out; and back into one that was created with the same shape. FW_ERR_DATA: damaged, or of another shape; r is then as it was created. */
void      monitor_realised_save(const monitor_realised *r, fw_text *out);
fw_status monitor_realised_restore(monitor_realised *r, monitor_words *in, fw_error *err);

#endif
