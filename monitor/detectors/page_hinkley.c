/** Page-Hinkley: sums of deviations from the running mean, faded; a drift when one has come `threshold` above its lowest or below its highest point.
 *  delta 0.005, threshold 50, fading 1 - 0.0001, not before 30 values.  Source  E. S. Page, Biometrika 41 (1954) 100; River's PageHinkley, both directions. */
#include <string.h>

#include "common/core/size.h"
#include "monitor/detectors/stream.h"

enum { N, MEAN, RISE, FALL, LOWEST, HIGHEST, DRIFTED, NUMBERS };

#define DELTA     0.005
#define THRESHOLD 50.0
#define FADE      (1 - 0.0001)
#define FIRST     30

static void start(double *s)
{
    memset(s, 0, NUMBERS * sizeof *s);
    s[HIGHEST] = -1;                       /* River begins there; LOWEST counts from the first value on */
}

static monitor_signal add(double *s, double x)
{
    if (s[DRIFTED] > 0) start(s);
    s[N]++;
    s[MEAN] += (x - s[MEAN]) / s[N];
    double off = x - s[MEAN];
    s[RISE] = FADE * s[RISE] + off - DELTA;
    s[FALL] = FADE * s[FALL] + off + DELTA;
    s[LOWEST] = s[N] == 1 ? s[RISE] : FW_MIN(s[LOWEST], s[RISE]);
    s[HIGHEST] = FW_MAX(s[HIGHEST], s[FALL]);
    s[DRIFTED] = s[N] >= FIRST && (s[RISE] - s[LOWEST] > THRESHOLD || s[HIGHEST] - s[FALL] > THRESHOLD);
    return s[DRIFTED] > 0 ? MONITOR_DRIFT : MONITOR_QUIET;
}

static bool valid(const double *s)
{
    return s[N] >= 0 && s[HIGHEST] >= -1 && (s[N] == 0 || (s[LOWEST] <= s[RISE] && s[HIGHEST] >= s[FALL])) && (s[DRIFTED] == 0 || s[DRIFTED] == 1);
}

const monitor_stream monitor_stream_page_hinkley = {
    .name = "page_hinkley", .help = "the mean has moved by more than small steps explain", .numbers = NUMBERS, .start = start, .add = add, .valid = valid,
};
