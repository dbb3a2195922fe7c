/** Drift of one model: takes the counts of one window after the other, says which columns drift, by how much, since when, and how sure that is.
 *
 *  An alarm needs two keys. Effect: a figure that a person can read has reached its threshold (monitor.drift.<detector>, for those in alert_on), over the rows since
 *  the change or the last 4,000 to 8,000 of them. Evidence: an e-value that holds at every look (common/stats/evidence.h), by e-BH over all columns and questions.
 *  Together: while nothing drifts, the chance of any alarm in the whole life of a model is at most false_alarms: 9/10 of it are e-BH's level, 1/10 is given to
 *  prices that come from a finite reference. It holds for rows that are independent of each other: a window should cover the cycle (day, week) that the rows have.
 *  An alarm ends after 3 windows whose figures are below 0.8 of their thresholds; then its evidence begins anew, with less at stake.
 *
 *  A row counts once: one that comes after its window was looked at belongs to a later one. No files, no clock: pure state, 8 KiB for a column of 32 bins, which can be
 *  saved as 2 KiB of bytes, together with the position that it belongs to. Not thread-safe. A look at 1,000 columns of 32 bins: below 5 ms. */
#ifndef MONITOR_DRIFT_H
#define MONITOR_DRIFT_H

#include "common/core/text.h"
#include "common/project/project.h"
#include "common/stats/summary.h"
#include "monitor/detectors/detector.h"

typedef struct monitor_drift_opts {
    double threshold[MONITOR_N_DETECTORS];
    bool   opens[MONITOR_N_DETECTORS];         /* in alert_on: what it reaches is an effect; the others are for reading */
    double false_alarms;                       /* in (0, 1) */
} monitor_drift_opts;

monitor_drift_opts monitor_drift_opts_of(const fw_project *p);

/** What is asked of a column: each has evidence of its own. */
typedef enum monitor_question { MONITOR_SHARES, MONITOR_MISSING, MONITOR_UNSEEN, MONITOR_N_QUESTIONS } monitor_question;
const char      *monitor_question_name(monitor_question q);      /* "shares", "missing", "unseen" */
monitor_question monitor_question_of(monitor_detector_id id);   /* which one its figures answer */

typedef struct monitor_figure {
    monitor_reading reading;
    bool said, reached;                        /* it applies and there are rows; it has reached its threshold */
} monitor_figure;

typedef struct monitor_answer {
    double log_evidence;                       /* ln e */
    bool evident, effect;                      /* the two keys, as they are now */
    bool alarm;                                /* both were there at once, and it has not ended */
    uint64_t since, rows_since;                /* the stamp of the window where the change seems to have begun; rows looked at since then */
} monitor_answer;

typedef struct monitor_feature {
    const fw_bins *bins;
    monitor_figure window[MONITOR_N_DETECTORS];      /* of the last window */
    monitor_figure recent[MONITOR_N_DETECTORS];      /* since the change: those of evident questions, others are not said */
    monitor_answer answer[MONITOR_N_QUESTIONS];
    bool alarm;                                      /* of any question */
} monitor_feature;

typedef struct monitor_drift monitor_drift;

/** reference: the model's, whose bins and counts are kept as a copy. FW_ERR_ARG: options out of range. About 0.3 ms a column. */
fw_status monitor_drift_create(monitor_drift **out, const fw_summary *reference, const monitor_drift_opts *opts, fw_error *err);
void      monitor_drift_destroy(monitor_drift **d);

/** The counts of one more window. stamp: whatever tells the caller which window it is (its number, its time). FW_ERR_DATA, and nothing is changed: counts on other bins; nothing else fails. */
fw_status monitor_drift_look(monitor_drift *d, const fw_summary *current, uint64_t stamp, fw_error *err);

/** The figures of one column's counts, as a look has them of its window; nothing is changed. figure: MONITOR_N_DETECTORS. */
void      monitor_drift_measure(monitor_figure *figure, const monitor_drift *d, size_t column, const uint64_t *count);

size_t                 monitor_drift_n(const monitor_drift *d);
const monitor_feature *monitor_drift_feature(const monitor_drift *d, size_t column);      /* good until the next look */
size_t                 monitor_drift_alarms(const monitor_drift *d);                      /* columns with one */

/** The state as bytes, added to out: after restoring it, looks go on to the same bits. FW_ERR_DATA: damaged, or of another reference; d is then as it was created. */
fw_status monitor_drift_save(const monitor_drift *d, fw_text *out, fw_error *err);
fw_status monitor_drift_restore(monitor_drift *d, const void *bytes, size_t len, fw_error *err);

#endif
