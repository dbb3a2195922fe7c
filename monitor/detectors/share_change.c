#include "monitor/detectors/parts.h"

static double share(const uint64_t *count, size_t n, size_t place, bool *any)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++) rows += count[i];
    *any = *any && rows > 0;
    return rows > 0 ? (double)count[place] / (double)rows : 0;
}

bool monitor_share_change(monitor_reading *out, const monitor_pair *p, size_t place)
{
    bool any = true;
    double before = share(p->reference, fw_bins_counts(p->bins), place, &any), now = share(p->current, fw_bins_counts(p->bins), place, &any);
    if (any) *out = (monitor_reading){.statistic = now - before};
    return any;
}
