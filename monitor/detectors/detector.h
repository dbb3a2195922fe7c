/** How far current rows lie from the reference in one column: a figure that a person can read, and whether it reaches the threshold that makes it matter.
 *  Whether it could be chance is another question: common/stats/evidence.h. To add one: a file, a line in detectors.c, a key monitor.drift.<name>. */
#ifndef MONITOR_DETECTORS_DETECTOR_H
#define MONITOR_DETECTORS_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/stats/bins.h"

typedef struct monitor_pair {
    const fw_bins *bins;
    const uint64_t *reference, *current;      /* fw_bins_counts each: ordinary bins, unseen, missing */
    double spread;                            /* of the reference at the bins' centres (fw_drift_spread), for who looks again and again; 0: not computed yet */
} monitor_pair;

typedef struct monitor_reading {
    double statistic;
    double p; bool has_p;          /* of a plain test at one look: for reading, never for alarms */
} monitor_reading;

typedef enum monitor_detector_id {
    MONITOR_PSI, MONITOR_JS, MONITOR_KS, MONITOR_CHI_SQUARE, MONITOR_WASSERSTEIN, MONITOR_MISSING_RATE, MONITOR_UNSEEN_RATE, MONITOR_N_DETECTORS
} monitor_detector_id;

typedef struct monitor_detector {
    const char *name;              /* the key monitor.drift.<name>, the label of the metric */
    const char *unit;              /* what the statistic counts, in words */
    /** false: it says nothing about such a column, or a side has no rows. Then *out is untouched. */
    bool (*measure)(monitor_reading *out, const monitor_pair *p);
} monitor_detector;

extern const monitor_detector *const monitor_detectors[MONITOR_N_DETECTORS];      /* by id */
bool monitor_detector_find(monitor_detector_id *out, const char *name);

/** Whether a statistic is as large as the threshold; rates count in both directions. */
bool monitor_detector_reaches(const monitor_reading *r, double threshold);

extern const monitor_detector monitor_detector_psi, monitor_detector_js, monitor_detector_ks, monitor_detector_chi_square, monitor_detector_wasserstein,
    monitor_detector_missing_rate, monitor_detector_unseen_rate;

#endif
