/** By how much the share of values has changed that training has not seen: categories without a bin, numbers that are not finite. */
#include "monitor/detectors/parts.h"

static bool measure(monitor_reading *out, const monitor_pair *p)
{
    return monitor_share_change(out, p, fw_bins_unseen(p->bins));
}

const monitor_detector monitor_detector_unseen_rate = {.name = "unseen_rate", .unit = "change of the share of unseen values; 0.01 is a percentage point", .measure = measure};
