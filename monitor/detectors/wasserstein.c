/** Wasserstein-1 between the bins' centres, in standard deviations of the reference; Evidently's default threshold is 0.1. A constant reference has no such unit. */
#include "monitor/detectors/parts.h"

static bool measure(monitor_reading *out, const monitor_pair *p)
{
    fw_drift_pair pair = ordinary(p);
    double distance = 0, spread = p->spread;
    if (!fw_bins_has_cuts(p->bins) || !fw_drift_wasserstein(&distance, &pair)) return false;
    if (spread <= 0 && (!fw_drift_spread(&spread, pair.reference, pair.point, pair.n) || spread <= 0)) return false;
    *out = (monitor_reading){.statistic = distance / spread};
    return true;
}

const monitor_detector monitor_detector_wasserstein = {.name = "wasserstein", .unit = "Wasserstein-1 distance in standard deviations of the reference", .measure = measure};
