/** How bad a metric may be before it has fallen: the reference's value, less what its own rows leave open, less the drop. What evidence of a fall (fall.h) is held against.
 *
 *      accuracy            a share of the rows: 1 - it is the mean of misses (0 or 1)
 *      precision, recall   the same over the rows that were said to be positive, or are
 *      f1                  F = 2 J / (1 + J) rises with J, the share of hits among the rows that were said to be positive or are: the same again
 *      log_loss, mae, rmse means of a row's loss: -ln p, |e|, e^2 (rmse^2)
 *      auc, macro_f1       no means of rows: figures of blocks of as many rows as the reference's chunks have, whose mean and spread it tells
 *
 *  Exact: the shares' bounds (Clopper-Pearson), whatever the number of rows. Asymptotic in the reference's rows: bounds of other means, by their standard error. */
#ifndef MONITOR_LIMIT_H
#define MONITOR_LIMIT_H

#include "common/stats/quality.h"
#include "common/stats/reference.h"

typedef enum monitor_limit_kind {
    MONITOR_LIMIT_NONE,        /* the reference does not have the metric, or too few rows to say how sure it is */
    MONITOR_LIMIT_LOSS,        /* on the mean of a row's loss: from above */
    MONITOR_LIMIT_BLOCK        /* on the metric of a block: from below */
} monitor_limit_kind;

typedef struct monitor_limit {
    monitor_limit_kind kind;
    double value;              /* a share of misses, nats, the target's unit or its square; of blocks the metric */
    double deviation;          /* blocks: of the metric from one to the other */
    uint64_t block_rows;
} monitor_limit;

/** drop: as in performance.h. But for a chance of e^-strength, a model that is worse than the limit is worse than the reference's population by more than the drop. */
monitor_limit monitor_limit_of(fw_quality_metric metric, double drop, const fw_reference *r, double strength);

/** The metric of a reference; NULL: it has none. */
const fw_reference_metric *monitor_reference_metric(const fw_reference *r, fw_quality_metric m);

#endif
