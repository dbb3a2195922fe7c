/** What the files of the metrics share: which parts of the work a metric needs. Private to common/stats. */
#ifndef FW_STATS_METRICS_PARTS_H
#define FW_STATS_METRICS_PARTS_H

#include "common/stats/metrics.h"

typedef enum fw_metric_parts {
    FW_PART_COUNTS = 1,          /* of each class, and what follows from them */
    FW_PART_LOSS = 2,
    FW_PART_CALIBRATION = 4,
    FW_PART_RANK = 8,            /* auc and average precision of every class */
    FW_PART_RANK_POSITIVE = 16,  /* the same, of the positive class alone when binary */
    FW_PART_ERRORS = 32,         /* regression */
    FW_PART_CONFUSION = 64,      /* with the counts; the square of the classes: for the one who shows it */
    FW_PART_ALL = FW_PART_COUNTS | FW_PART_LOSS | FW_PART_CALIBRATION | FW_PART_RANK | FW_PART_ERRORS | FW_PART_CONFUSION
} fw_metric_parts;

/** As fw_metrics_compute, but what belongs to parts that are not asked for stays 0 or NULL. */
fw_status fw_metrics_compute_parts(fw_metrics **out, const fw_predictions *p, unsigned parts, fw_error *err);

/** Fills auc and average precision, of all classes or (positive_only) of m->positive. support of each class may still be unknown. */
fw_status fw_metrics_rank(fw_metrics *m, const fw_predictions *p, bool positive_only, fw_error *err);

/** FW_ERR_DATA or FW_ERR_NUMERIC, with the first row that is wrong. */
fw_status fw_predictions_check(const fw_predictions *p, fw_error *err);

/** The class of the highest probability; the lowest code among equals. */
static inline size_t fw_predicted_class(const float *p, size_t n_classes)
{
    size_t best = 0;
    for (size_t c = 1; c < n_classes; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

#endif
