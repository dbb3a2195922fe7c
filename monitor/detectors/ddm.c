/** Drift Detection Method over errors (0 right, 1 wrong): the error rate p with s = sqrt(p (1 - p) / n) has left its best value p_min + s_min by 2 (warning) or
 *  3 (drift) s_min. Not before 30 values.  Source  J. Gama and others, Learning with drift detection, SBIA 2004; River's DDM. */
#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/detectors/stream.h"

enum { N, P, P_MIN, S_MIN, DRIFTED, NUMBERS };

#define FIRST   30
#define WARNING 2.0
#define DRIFT   3.0

static void start(double *s) { memset(s, 0, NUMBERS * sizeof *s); }

static monitor_signal add(double *s, double x)
{
    if (s[DRIFTED] > 0) start(s);
    s[N]++;
    s[P] += (x - s[P]) / s[N];
    double deviation = sqrt(FW_MAX(s[P] * (1 - s[P]), 0) / s[N]), now = s[P] + deviation;
    if (s[N] <= FIRST) return MONITOR_QUIET;
    if (s[N] == FIRST + 1 || now <= s[P_MIN] + s[S_MIN]) {
        s[P_MIN] = s[P];
        s[S_MIN] = deviation;
    }
    s[DRIFTED] = now > s[P_MIN] + DRIFT * s[S_MIN];
    return s[DRIFTED] > 0 ? MONITOR_DRIFT : now > s[P_MIN] + WARNING * s[S_MIN] ? MONITOR_WARNING : MONITOR_QUIET;
}

static bool valid(const double *s)
{
    return s[N] >= 0 && s[P] >= 0 && s[P] <= 1 && s[P_MIN] >= 0 && s[P_MIN] <= 1 && s[S_MIN] >= 0 && (s[DRIFTED] == 0 || s[DRIFTED] == 1);
}

const monitor_stream monitor_stream_ddm = {
    .name = "ddm", .help = "the error rate has left its best value by three standard deviations", .numbers = NUMBERS, .low = 0, .high = 1,
    .start = start, .add = add, .valid = valid,
};
