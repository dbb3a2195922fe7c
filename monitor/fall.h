/** Whether the realised quality of a model has fallen, for sure: every row whose outcome has come in, evidence out that holds however often one looks at it.
 *
 *  While the model is not worse than its reference by more than the drop, the chance that this is ever evident in its whole life is at most 3/4 of false_alarms (1/4: doubt.h): a half
 *  of that is given to the limit (limit.h), which the reference's rows alone leave open, a half to the wager (common/stats/wager.h) on what came since.
 *  Exact, whatever the number of rows: accuracy, precision, recall, f1. Exact but for the limit, which is asymptotic in the reference's rows: log_loss, rmse, mae.
 *  Asymptotic in the rows of a block too: auc, macro_f1; a block's figure is held to be normal, with the larger of its own standard error and the chunks' deviation.
 *  It holds for rows that are independent of each other: outcomes that come in cycles (a bad hour each day) are only fair to judge by windows that cover one, and drops to match.
 *
 *  A row counts once, in the order in which the pairs were joined; windows don't matter. An outcome that comes again changes nothing; one that is corrected later amends its
 *  window, not the evidence: a bet that was lost or won stays so. The evidence begins anew when an alarm is over (proof.h).
 *  No files, no clock: pure state, 300 bytes (auc, macro_f1: and the window of a block), saved together with the outcomes that it has seen. Not thread-safe. */
#ifndef MONITOR_FALL_H
#define MONITOR_FALL_H

#include "common/core/text.h"
#include "monitor/performance.h"

typedef struct monitor_fall monitor_fall;

/** Of a metric that the reference says too little of nothing is ever evident; monitor_fall_can tells. FW_ERR_NOMEM alone. */
fw_status monitor_fall_create(monitor_fall **out, const monitor_performance_opts *o, const monitor_shape *shape, const fw_reference *r, fw_error *err);
void      monitor_fall_destroy(monitor_fall **f);
bool      monitor_fall_can(const monitor_fall *f);

/** A prediction with its outcome, for the first time. FW_ERR_NOMEM alone. Cost 30 ns; at the end of a block some 10 us. */
fw_status monitor_fall_take(monitor_fall *f, const monitor_judged *row, fw_error *err);

monitor_sure monitor_fall_sure(const monitor_fall *f);
/** A window was looked at, with how much worse it is, and the drop: an alarm begins, or comes to its end. */
void      monitor_fall_judge(monitor_fall *f, double level, double threshold);

/** The state as bytes, added to out; nothing when it has not changed since the last time. */
fw_status monitor_fall_save(monitor_fall *f, fw_text *out, fw_error *err);
/** Goes on to the same bits. FW_ERR_DATA: damaged, or of another metric, drop or reference; f is then as it was created. */
fw_status monitor_fall_restore(monitor_fall *f, monitor_bytes bytes, fw_error *err);

#endif
