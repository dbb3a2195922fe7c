/** Jensen-Shannon distance to base 2, as NannyML has it, whose default threshold is 0.1. */
#include "monitor/detectors/parts.h"

static bool measure(monitor_reading *out, const monitor_pair *p)
{
    fw_drift_pair pair = ordinary(p);
    monitor_reading r = {0};
    if (!fw_drift_js(&r.statistic, &pair)) return false;
    *out = r;
    return true;
}

const monitor_detector monitor_detector_js = {.name = "js", .unit = "Jensen-Shannon distance, 0 to 1", .measure = measure};
