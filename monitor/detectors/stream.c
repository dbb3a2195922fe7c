#include "monitor/detectors/stream.h"

#include <math.h>
#include <string.h>

const monitor_stream *const monitor_streams[] = {&monitor_stream_page_hinkley, &monitor_stream_adwin, &monitor_stream_ddm, NULL};

const monitor_stream *monitor_stream_find(const char *name)
{
    for (size_t i = 0; monitor_streams[i] != NULL; i++)
        if (strcmp(monitor_streams[i]->name, name) == 0) return monitor_streams[i];
    return NULL;
}

monitor_signal monitor_stream_add(const monitor_stream *s, double *state, double x, size_t *refused)
{
    if (isfinite(x) && (s->low == s->high || (x >= s->low && x <= s->high))) return s->add(state, x);
    if (refused != NULL) ++*refused;
    return MONITOR_QUIET;
}

bool monitor_stream_restore(const monitor_stream *s, double *state, const double *saved)
{
    for (size_t i = 0; i < s->numbers; i++)
        if (!isfinite(saved[i])) return false;
    if (!s->valid(saved)) return false;
    memcpy(state, saved, s->numbers * sizeof *saved);
    return true;
}
