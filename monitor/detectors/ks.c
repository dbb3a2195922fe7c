/** Kolmogorov-Smirnov distance of numbers and scores on their bins; NannyML's default threshold is 0.2. */
#include "monitor/detectors/parts.h"

static bool measure(monitor_reading *out, const monitor_pair *p)
{
    fw_drift_pair pair = ordinary(p);
    fw_drift_test t;
    if (!fw_bins_has_cuts(p->bins) || !fw_drift_ks(&t, &pair)) return false;
    *out = (monitor_reading){.statistic = t.statistic, .p = t.p, .has_p = true};
    return true;
}

const monitor_detector monitor_detector_ks = {.name = "ks", .unit = "largest distance of the distribution functions, 0 to 1", .measure = measure};
