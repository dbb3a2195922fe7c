/** What the detectors share: the ordinary bins of a column as a pair of counts. */
#ifndef MONITOR_DETECTORS_PARTS_H
#define MONITOR_DETECTORS_PARTS_H

#include "common/stats/drift.h"
#include "monitor/detectors/detector.h"

static inline fw_drift_pair ordinary(const monitor_pair *p)
{
    return (fw_drift_pair){.reference = p->reference, .current = p->current, .point = p->bins->centre, .n = fw_bins_n(p->bins)};
}

/** The change of the share of one place among all rows of a column. */
bool monitor_share_change(monitor_reading *out, const monitor_pair *p, size_t place);

#endif
