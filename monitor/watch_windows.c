/** Windows of a model: which one rows are counted in, when it is closed, what late rows amend. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/watch_parts.h"

#define AHEAD_US   INT64_C(3600000000)      /* of this clock: what is further is a clock that jumped */
#define GRACE_US   INT64_C(2000000)         /* behind a window's end, for publishers that are a little behind others */
#define MOST_HELD  64u                      /* closed windows of a model */
#define HELD_BYTES ((size_t)16 << 20)       /* of them */
#define MOST_OPEN  64u                      /* more of them, and those that are due are closed before the next tick */

/* ---- the windows at hand ---- */

static void pane_release(monitor_pane *p)
{
    free(p->count);
    free(p->log_e);
    *p = (monitor_pane){0};
}

void monitor_panes_release(watched *t)
{
    for (size_t i = 0; i < t->n; i++) pane_release(&t->pane[i]);
    free(t->pane);
    t->pane = NULL;
    t->n = t->capacity = 0;
}

static size_t columns_of(const watched *t) { return fw_summary_n(t->shown) * MONITOR_N_QUESTIONS; }

/* The first one that is not before it. */
static size_t place_of(const watched *t, uint64_t number)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (t->pane[middle].number < number) low = middle + 1;
        else high = middle;
    }
    return low;
}

fw_status monitor_pane_make(monitor_pane **out, watched *t, uint64_t number, int64_t length_us, fw_error *err)
{
    monitor_pane p = {.number = number, .length_us = length_us, .changed = true};
    FW_TRY(fw_grow((void **)&t->pane, &t->capacity, t->n + 1, sizeof *t->pane, "windows", err));
    fw_status s = fw_alloc_zeroed((void **)&p.count, fw_summary_total(t->shown), sizeof *p.count, "counts of a window", err);
    if (s >= 0) s = fw_alloc_zeroed((void **)&p.log_e, columns_of(t), sizeof *p.log_e, "evidence of a window", err);
    if (s < 0) {
        pane_release(&p);
        return s;
    }
    const size_t at = place_of(t, number);
    memmove(t->pane + at + 1, t->pane + at, (t->n - at) * sizeof *t->pane);
    t->pane[at] = p;
    t->n++;
    *out = &t->pane[at];
    return FW_OK;
}

static fw_status take_away(const monitor_watch *w, watched *t, size_t at, fw_error *err)
{
    FW_TRY(monitor_watch_forget(w, t, &t->pane[at], err));
    pane_release(&t->pane[at]);
    memmove(t->pane + at, t->pane + at + 1, (--t->n - at) * sizeof *t->pane);
    return FW_OK;
}

static size_t most_held(const watched *t)
{
    const size_t bytes = fw_summary_total(t->shown) * sizeof(uint64_t) + columns_of(t) * sizeof(double) + sizeof(monitor_pane);
    return FW_MIN((size_t)MOST_HELD, HELD_BYTES / FW_MAX(bytes, (size_t)1));
}

/** How many are closed, and the oldest of them; *first is t->n when there is none. */
static size_t closed_of(size_t *first, const watched *t)
{
    size_t n = 0;
    *first = t->n;
    for (size_t i = t->n; i-- > 0;)
        if (t->pane[i].reason != MONITOR_OPEN) {
            n++;
            *first = i;
        }
    return n;
}

/* ---- what is told of a window ---- */

static fw_status show(const watched *t, const uint64_t *count, uint64_t rows, fw_error *err)
{
    fw_summary_reset(t->shown);
    return fw_summary_add_counts(t->shown, count, fw_summary_total(t->shown), rows, err);
}

static fw_status tell(const monitor_watch *w, const watched *t, const monitor_pane *p, fw_error *err)
{
    const monitor_closed c = {.place = {t->known, t->model, p->number}, .rows = p->rows, .revised = p->revised, .from_us = p->from_us, .to_us = p->to_us,
                              .counts = t->shown};
    return w->hearer.closed != NULL ? w->hearer.closed(w->hearer.context, &c, err) : FW_OK;
}

static fw_status put_and_tell(const monitor_watch *w, watched *t, const monitor_pane *p, bool anew, fw_error *err)
{
    if (w->opts.store != NULL) FW_TRY(monitor_watch_put_window(w, t, p, anew, err));
    return tell(w, t, p, err);
}

/** Takes the rows that wait for a look into it, beside the counts that are shown. */
static fw_status look(watched *t, int64_t stamp_us, fw_error *err)
{
    if (t->late_rows > 0) FW_TRY(fw_summary_add_counts(t->shown, t->late, fw_summary_total(t->shown), t->late_rows, err));
    FW_TRY(monitor_drift_look(t->drift, t->shown, (uint64_t)FW_MAX(stamp_us, 0), err));
    if (t->late_rows > 0) memset(t->late, 0, fw_summary_total(t->shown) * sizeof *t->late);
    t->late_rows = 0;
    t->changed = true;
    return FW_OK;
}

/** Rows came of windows that were closed, and no other window will take them to a look. */
static fw_status look_at_late(const monitor_watch *w, watched *t, fw_error *err)
{
    fw_summary_reset(t->shown);
    FW_TRY(look(t, t->newest_us, err));
    return w->opts.desk != NULL ? monitor_watch_look(w, t, err) : FW_OK;
}

static void keep_evidence(const watched *t, monitor_pane *p)
{
    for (size_t i = 0; i < fw_summary_n(t->shown); i++)
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) p->log_e[i * MONITOR_N_QUESTIONS + q] = monitor_drift_feature(t->drift, i)->answer[q].log_evidence;
}

static fw_status amend(const monitor_watch *w, watched *t, monitor_pane *p, fw_error *err)
{
    p->revised++;
    p->amended = false;
    p->changed = true;
    FW_TRY(show(t, p->count, p->rows, err));
    return put_and_tell(w, t, p, true, err);
}

/* ---- closing ---- */

/** The oldest leave while there are too many. */
static fw_status trim(const monitor_watch *w, watched *t, fw_error *err)
{
    size_t first;
    while (closed_of(&first, t) > most_held(t)) {
        if (t->pane[first].amended) FW_TRY(amend(w, t, &t->pane[first], err));
        t->gone = FW_MAX(t->gone, t->pane[first].number);
        FW_TRY(take_away(w, t, first, err));
    }
    return FW_OK;
}

static fw_status close_pane(const monitor_watch *w, watched *t, size_t at, monitor_reason reason, fw_error *err)
{
    monitor_pane *p = &t->pane[at];
    const bool late = t->late_rows > 0;
    FW_TRY(show(t, p->count, p->rows, err));
    FW_TRY(look(t, p->from_us, err));
    if (late) FW_TRY(show(t, p->count, p->rows, err));
    p->reason = reason;
    p->changed = true;
    p->gaps = t->gaps;
    t->gaps = 0;
    keep_evidence(t, p);
    FW_TRY(put_and_tell(w, t, p, late, err));
    if (w->opts.desk != NULL) FW_TRY(monitor_watch_look(w, t, err));
    t->number = FW_MAX(monitor_watch_next_number(w, t->model), p->number + 1);
    return p->length_us == 0 || p->length_us != w->length_us ? take_away(w, t, at, err) : trim(w, t, err);
}

static monitor_reason due(const monitor_watch *w, const watched *t, const monitor_pane *p, fw_mono now, bool end)
{
    const monitor_window_opts *o = &w->opts.window;
    if (p->reason != MONITOR_OPEN || p->rows == 0) return MONITOR_OPEN;
    const int64_t end_us = (int64_t)(p->number + 1) * p->length_us + GRACE_US;
    if (p->length_us == 0 && w->length_us == 0 && p->rows >= o->predictions) return MONITOR_FULL;
    if (p->length_us > 0 && t->newest_us >= end_us) return MONITOR_TIME;
    if (end || p->length_us != w->length_us) return MONITOR_END;
    const bool idle = o->idle_s > 0 && fw_mono_seconds(t->last, now) >= o->idle_s;
    return idle && (p->length_us == 0 || fw_utc_now_us() >= end_us) ? MONITOR_IDLE : MONITOR_OPEN;
}

static fw_status close_due(const monitor_watch *w, watched *t, fw_mono now, bool end, fw_error *err)
{
    for (size_t i = 0; i < t->n;) {
        const size_t n = t->n;
        const monitor_reason reason = due(w, t, &t->pane[i], now, end);
        if (reason != MONITOR_OPEN) FW_TRY(close_pane(w, t, i, reason, err));
        i = t->n < n ? 0 : i + 1;                /* some have left: what was behind them stands elsewhere */
    }
    return FW_OK;
}

fw_status monitor_watch_close(monitor_watch *w, watched *t, fw_mono now, bool end, fw_error *err)
{
    size_t first;
    if (t->drift == NULL) return FW_OK;
    FW_TRY(close_due(w, t, now, end, err));
    for (size_t i = 0; i < t->n; i++) {
        if (t->pane[i].amended) FW_TRY(amend(w, t, &t->pane[i], err));
    }
    const size_t open = t->n - closed_of(&first, t);
    const bool idle = open == 0 && w->opts.window.idle_s > 0 && fw_mono_seconds(t->last, now) >= w->opts.window.idle_s;
    return t->late_rows > 0 && (end || idle) ? look_at_late(w, t, err) : FW_OK;
}

/* ---- counting ---- */

int64_t monitor_watch_moment(const monitor_watch *w, int64_t at_us, int64_t now_us)
{
    return at_us < FW_MAX(w->length_us, 1) || at_us > now_us + AHEAD_US ? now_us : at_us;
}

typedef struct span { int64_t from_us, to_us; } span;

/** When its rows were, as it counts. */
static span judge(const monitor_watch *w, watched *t, const fw_telemetry_summary *s)
{
    char told[FW_UTC_LEN];
    const int64_t now_us = fw_utc_now_us(), from_us = monitor_watch_moment(w, s->from_us, now_us), to_us = monitor_watch_moment(w, s->to_us, now_us);
    if (from_us == s->from_us && to_us == s->to_us) return (span){from_us, to_us};
    fw_utc_format(told, s->to_us);
    if (t->jumped_rows == 0)
        fw_log_warn("model %s: a publisher tells of %s, which is before 1970 or more than an hour ahead: that is taken as now, here and from now on; look at its clock",
                    t->known->name, told);
    t->jumped_rows += s->rows;
    t->misplaced = true;
    return (span){FW_MIN(from_us, to_us), to_us};
}

/** *out NULL: its window is not held any more. */
static fw_status find_pane(monitor_pane **out, const monitor_watch *w, watched *t, int64_t to_us, fw_error *err)
{
    const uint64_t number = w->length_us > 0 ? fw_utc_window(to_us, w->length_us) : t->number;
    const size_t at = place_of(t, number);
    *out = at < t->n && t->pane[at].number == number ? &t->pane[at] : NULL;
    if (*out != NULL) return FW_OK;
    if (w->length_us > 0 && number <= t->gone) return FW_OK;
    return monitor_pane_make(out, t, number, w->length_us, err);
}

static void add_counts(uint64_t *to, const uint64_t *count, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] += count[i];
}

/** Rows of a window that was closed: what it says is amended, the next look has them. */
static fw_status add_late(watched *t, monitor_pane *p, const fw_telemetry_summary *s, fw_error *err)
{
    if (t->late == NULL) FW_TRY(fw_alloc_zeroed((void **)&t->late, s->n, sizeof *t->late, "late rows", err));
    add_counts(t->late, s->count, s->n);
    t->late_rows += s->rows;
    if (p != NULL) {
        p->amended = true;
        return FW_OK;
    }
    if (t->lost_rows == 0)
        fw_log_warn("model %s: rows came of a window that is not held any more: they count for drift and in the model's total, and the window stays as it is", t->known->name);
    t->lost_rows += s->rows;
    t->misplaced = true;
    return FW_OK;
}

static void add_rows(monitor_pane *p, const fw_telemetry_summary *s, span when)
{
    const int64_t begin_us = (int64_t)p->number * p->length_us;                /* a summary that began in the window before */
    if (p->length_us > 0) when.from_us = FW_MAX(when.from_us, begin_us);
    add_counts(p->count, s->count, s->n);
    if (s->n_latency > 0) fw_times_merge(&p->times, s->latency);
    p->from_us = p->rows == 0 ? when.from_us : FW_MIN(p->from_us, when.from_us);
    p->to_us = p->rows == 0 ? when.to_us : FW_MAX(p->to_us, when.to_us);
    p->rows += s->rows;
    p->changed = true;
}

fw_status monitor_watch_count(monitor_watch *w, watched *t, const fw_telemetry_summary *s, fw_mono now, fw_error *err)
{
    monitor_pane *p = NULL;
    if (s->rows == 0) return FW_OK;
    const span when = judge(w, t, s);
    if (w->length_us == 0 || t->n >= MOST_HELD + MOST_OPEN) FW_TRY(close_due(w, t, now, false, err));
    FW_TRY(find_pane(&p, w, t, when.to_us, err));
    if (p == NULL || p->reason != MONITOR_OPEN) FW_TRY(add_late(t, p, s, err));
    if (p != NULL) add_rows(p, s, when);
    t->last = now;
    t->newest_us = FW_MAX(t->newest_us, when.to_us);
    t->all_rows += s->rows;
    t->changed = true;
    return w->length_us == 0 ? close_due(w, t, now, false, err) : FW_OK;
}
