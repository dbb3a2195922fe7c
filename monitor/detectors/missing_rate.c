/** By how much the share of missing values has changed. */
#include "monitor/detectors/parts.h"

static bool measure(monitor_reading *out, const monitor_pair *p)
{
    return monitor_share_change(out, p, fw_bins_missing(p->bins));
}

const monitor_detector monitor_detector_missing_rate = {.name = "missing_rate", .unit = "change of the share of missing values; 0.01 is a percentage point", .measure = measure};
