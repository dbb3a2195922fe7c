#include "monitor/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

struct monitor_window {
    monitor_window_opts opts;
    uint64_t number, predictions, gaps;
    double confidence, value;                     /* running means */
    bool opened; fw_mono opened_at, last;
    uint64_t *counts, *closed;                    /* this window's; those that the last summary points to */
    size_t n_classes;
};

const char *monitor_reason_text(monitor_reason r)
{
    switch (r) {
    case MONITOR_OPEN: return "open";
    case MONITOR_FULL: return "full";
    case MONITOR_TIME: return "time";
    case MONITOR_IDLE: return "idle";
    case MONITOR_END: return "end";
    }
    return "unknown";
}

fw_status monitor_window_create(monitor_window **out, const monitor_window_opts *opts, size_t n_classes, fw_error *err)
{
    if (opts->predictions == 0 && !(opts->seconds > 0)) return fw_fail(err, FW_ERR_ARG, "window: a number of predictions or of seconds must be given");
    FW_AUTO(monitor_window) *w = calloc(1, sizeof *w);
    if (w == NULL) return fw_fail(err, FW_ERR_NOMEM, "window");
    FW_TRY(fw_alloc_zeroed((void **)&w->counts, n_classes, sizeof *w->counts, "class counts", err));
    FW_TRY(fw_alloc_zeroed((void **)&w->closed, n_classes, sizeof *w->closed, "class counts", err));
    w->opts = *opts;
    w->n_classes = n_classes;
    w->number = 1;
    *out = w;
    w = NULL;
    return FW_OK;
}

void monitor_window_destroy(monitor_window **w)
{
    if (w == NULL || *w == NULL) return;
    free((*w)->counts);
    free((*w)->closed);
    free(*w);
    *w = NULL;
}

void monitor_window_add(monitor_window *w, uint32_t label, double confidence, double value, fw_mono now)
{
    if (!w->opened) {
        w->opened = true;
        w->opened_at = now;
    }
    w->last = now;
    w->predictions++;
    w->confidence += (confidence - w->confidence) / (double)w->predictions;
    w->value += (value - w->value) / (double)w->predictions;
    if (label < w->n_classes) w->counts[label]++;
}

void monitor_window_note(monitor_window *w, uint64_t gaps) { w->gaps += gaps; }

bool monitor_window_empty(const monitor_window *w) { return w->predictions == 0; }

monitor_reason monitor_window_due(const monitor_window *w, fw_mono now)
{
    if (w->predictions == 0) return MONITOR_OPEN;
    if (w->opts.predictions > 0 && w->predictions >= w->opts.predictions) return MONITOR_FULL;
    if (w->opts.seconds > 0 && fw_mono_seconds(w->opened_at, now) >= w->opts.seconds) return MONITOR_TIME;
    if (w->opts.idle_s > 0 && fw_mono_seconds(w->last, now) >= w->opts.idle_s) return MONITOR_IDLE;
    return MONITOR_OPEN;
}

monitor_summary monitor_window_close(monitor_window *w, monitor_reason reason)
{
    double seconds = w->predictions > 0 ? fw_mono_seconds(w->opened_at, w->last) : 0;
    uint64_t *counts = w->counts;
    w->counts = w->closed;
    w->closed = counts;
    memset(w->counts, 0, w->n_classes * sizeof *w->counts);
    monitor_summary s = {
        .number = w->number++, .predictions = w->predictions, .seconds = seconds, .rate = seconds > 0 ? (double)w->predictions / seconds : 0,
        .confidence = w->confidence, .value = w->value, .counts = counts, .n_classes = w->n_classes, .gaps = w->gaps,
        .reason = reason,
    };
    w->predictions = w->gaps = 0;
    w->confidence = w->value = 0;
    w->opened = reason == MONITOR_FULL;           /* the stream goes on: the next window begins where this one ended */
    w->opened_at = w->last;
    return s;
}

monitor_window_state monitor_window_save(const monitor_window *w)
{
    return (monitor_window_state){.number = w->number, .predictions = w->predictions, .gaps = w->gaps, .confidence = w->confidence,
                                  .value = w->value, .counts = w->counts, .n_classes = w->n_classes};
}

fw_status monitor_window_restore(monitor_window *w, const monitor_window_state *s, fw_mono now, fw_error *err)
{
    uint64_t counted = 0;
    bool fits = s->n_classes == w->n_classes && s->number > 0 && isfinite(s->confidence) && isfinite(s->value);
    for (size_t i = 0; fits && i < s->n_classes; i++) fits = !__builtin_add_overflow(counted, s->counts[i], &counted);
    if (!fits || (s->n_classes > 0 && counted != s->predictions)) return fw_fail(err, FW_ERR_FORMAT, "window: what was kept of it does not fit");
    w->number = s->number;
    w->predictions = s->predictions;
    w->gaps = s->gaps;
    w->confidence = s->confidence;
    w->value = s->value;
    if (s->n_classes > 0) memcpy(w->counts, s->counts, s->n_classes * sizeof *w->counts);
    w->opened = s->predictions > 0;
    w->opened_at = w->last = now;
    return FW_OK;
}
