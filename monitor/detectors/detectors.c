#include <math.h>
#include <string.h>

#include "monitor/detectors/detector.h"

const monitor_detector *const monitor_detectors[MONITOR_N_DETECTORS] = {
    [MONITOR_PSI] = &monitor_detector_psi,
    [MONITOR_JS] = &monitor_detector_js,
    [MONITOR_KS] = &monitor_detector_ks,
    [MONITOR_CHI_SQUARE] = &monitor_detector_chi_square,
    [MONITOR_WASSERSTEIN] = &monitor_detector_wasserstein,
    [MONITOR_MISSING_RATE] = &monitor_detector_missing_rate,
    [MONITOR_UNSEEN_RATE] = &monitor_detector_unseen_rate,
};

bool monitor_detector_find(monitor_detector_id *out, const char *name)
{
    for (monitor_detector_id i = 0; i < MONITOR_N_DETECTORS; i++)
        if (strcmp(monitor_detectors[i]->name, name) == 0) {
            *out = i;
            return true;
        }
    return false;
}

bool monitor_detector_reaches(const monitor_reading *r, double threshold)
{
    return fabs(r->statistic) >= threshold;
}
