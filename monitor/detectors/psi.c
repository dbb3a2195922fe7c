/** Population stability index; the field calls 0.1 a moderate and 0.2 (or 0.25) a large change.  Source  N. Siddiqi, Credit Risk Scorecards (2006). */
#include "monitor/detectors/parts.h"

static bool measure(monitor_reading *out, const monitor_pair *p)
{
    fw_drift_pair pair = ordinary(p);
    monitor_reading r = {0};
    if (!fw_drift_psi(&r.statistic, &pair)) return false;
    *out = r;
    return true;
}

const monitor_detector monitor_detector_psi = {.name = "psi", .unit = "population stability index", .measure = measure};
