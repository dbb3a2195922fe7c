/** The likelihood ratio G of homogeneity and its p. G grows with the rows, so what is held against the threshold is the effect size in it, Cohen's w:
 *  sqrt(G (1/n + 1/m)); 0.1 is small, 0.3 medium, 0.5 large.  Source  J. Cohen, Statistical Power Analysis (1988), ch. 7. */
#include <math.h>

#include "monitor/detectors/parts.h"

static double inverse_rows(const uint64_t *count, size_t n)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++) rows += count[i];
    return 1 / (double)rows;
}

static bool measure(monitor_reading *out, const monitor_pair *p)
{
    fw_drift_pair pair = ordinary(p);
    fw_drift_test t;
    if (!fw_drift_g(&t, &pair)) return false;
    double per_row = inverse_rows(pair.reference, pair.n) + inverse_rows(pair.current, pair.n);
    *out = (monitor_reading){.statistic = sqrt(t.statistic * per_row), .p = t.p, .has_p = true};
    return true;
}

const monitor_detector monitor_detector_chi_square = {.name = "chi_square", .unit = "Cohen's w of the G-test", .measure = measure};
