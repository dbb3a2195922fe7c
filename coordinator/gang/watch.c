#include "coordinator/gang/watch.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define SAMPLES       64        /* of the time of a step; the median is of the latest */
#define GAP_S         2.0       /* between two judgements: longer ones are the coordinator's own absence */
#define HOST_SILENT_S 2.5

struct coord_watch {
    coord_watch_limits limits;
    fw_mono started, judged, ready_at, progressed, stepped;
    bool ready, at_hand;
    uint64_t steps;                    /* sum over ranks when a step was last seen */
    double sample[SAMPLES];
    size_t n_samples;                  /* all so far; the ring holds the latest */
    uint32_t ranks;
    coord_watched rank[];
};

static double limit_of(const char *name, double fallback)
{
    const char *text = getenv(name);
    const double value = text != NULL ? atof(text) : 0.0;
    return value > 0.0 ? value : fallback;
}

coord_watch_limits coord_watch_limits_default(void)
{
    return (coord_watch_limits){.start_s = limit_of("FW_START_SECONDS", 60.0), .silent_s = 8.0, .stall_s = 10.0, .stall_steps = 5.0,
                                .stuck_s = limit_of("FW_STALL_SECONDS", 600.0)};
}

fw_status coord_watch_create(coord_watch **out, uint32_t ranks, const coord_watch_limits *limits, fw_mono now, fw_error *err)
{
    coord_watch *w = calloc(1, sizeof *w + (size_t)ranks * sizeof *w->rank);
    if (w == NULL) return fw_fail(err, FW_ERR_NOMEM, "the watch over %u ranks", ranks);
    w->limits = *limits;
    w->ranks = ranks;
    w->started = w->judged = w->ready_at = w->progressed = w->stepped = now;
    *out = w;
    return FW_OK;
}

void coord_watch_destroy(coord_watch **w)
{
    free(*w);
    *w = NULL;
}

static bool trains(const coord_watched *r) { return strcmp(r->phase, "train") == 0; }

/* The leader's heartbeats tell the time of a step: how many it made between two of them, or before its first one. What it did beside steps counts in, so
 * that a step is never taken to be shorter than it is, and known as soon as one is made. */
static void take_sample(coord_watch *w, const coord_watched *before, const fw_gang_message *m, fw_mono now)
{
    const double seconds = fw_mono_seconds(before->heard ? before->last : w->started, now);
    if (m->made > before->made && seconds > 0.0) w->sample[w->n_samples++ % SAMPLES] = seconds / (double)(m->made - before->made);
}

void coord_watch_beat(coord_watch *w, const fw_gang_message *m, fw_mono now)
{
    if (m->rank >= w->ranks) return;
    coord_watched *r = &w->rank[m->rank];
    if (m->rank == 0) take_sample(w, r, m, now);
    if (!r->heard || strcmp(r->phase, m->phase) != 0 || r->step != m->step || r->round != m->round) w->progressed = now;
    r->heard = true;
    r->last = now;
    r->pid = m->pid;
    r->started = m->started;
    r->round = m->round;
    r->step = m->step;
    r->made = m->made;
    memcpy(r->host, m->host, sizeof r->host);
    memcpy(r->phase, m->phase, sizeof r->phase);
}

void coord_watch_ready(coord_watch *w, fw_mono now)
{
    w->ready = true;
    w->ready_at = w->progressed = w->stepped = now;
}

void coord_watch_order(coord_watch *w, bool at_hand, fw_mono now)
{
    w->at_hand = at_hand;
    w->progressed = w->stepped = now;
}

void coord_watch_progress(coord_watch *w, fw_mono now) { w->progressed = now; }

static void shift(fw_mono *t, double seconds) { *t = fw_mono_after(*t, seconds); }

/* The coordinator itself was away: what the ranks sent meanwhile has yet to be read. */
static void forgive(coord_watch *w, double gap_s)
{
    fw_mono *all[] = {&w->started, &w->ready_at, &w->progressed, &w->stepped};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) shift(all[i], gap_s);
    for (uint32_t i = 0; i < w->ranks; i++) shift(&w->rank[i].last, gap_s);
}

static int most_silent(const coord_watch *w, fw_mono now, double *for_s)
{
    int silent = -1;
    *for_s = 0.0;
    for (uint32_t i = 0; i < w->ranks; i++) {
        const coord_watched *r = &w->rank[i];
        const double s = fw_mono_seconds(r->heard && r->last.ns > w->ready_at.ns ? r->last : w->ready_at, now);
        if (s <= *for_s) continue;
        *for_s = s;
        silent = (int)i;
    }
    return silent;
}

static coord_watch_finding look_at_steps(coord_watch *w, fw_mono now, double *for_s)
{
    uint64_t steps = 0;
    bool all_train = w->at_hand;
    for (uint32_t i = 0; i < w->ranks; i++) {
        steps += w->rank[i].step;
        all_train = all_train && w->rank[i].heard && trains(&w->rank[i]);
    }
    if (!all_train || steps != w->steps) {
        w->steps = steps;
        w->stepped = now;
    }
    const double median = coord_watch_median_step(w);
    const bool known = all_train && median > 0.0;
    const double limit = known ? FW_MAX(w->limits.stall_s, w->limits.stall_steps * median) : w->limits.stuck_s;
    *for_s = fw_mono_seconds(known ? w->stepped : w->progressed, now);
    if (!w->at_hand || *for_s <= limit) return COORD_WATCH_WELL;
    return known ? COORD_WATCH_STALLED : COORD_WATCH_STUCK;
}

coord_watch_finding coord_watch_judge(coord_watch *w, fw_mono now, int *rank, double *for_s)
{
    const double gap = fw_mono_seconds(w->judged, now);
    w->judged = now;
    *rank = -1;
    *for_s = 0.0;
    if (gap > GAP_S) forgive(w, gap);
    if (!w->ready) {
        *for_s = fw_mono_seconds(w->started, now);
        return *for_s > w->limits.start_s ? COORD_WATCH_NOT_READY : COORD_WATCH_WELL;
    }
    *rank = most_silent(w, now, for_s);
    if (*for_s > w->limits.silent_s) return COORD_WATCH_SILENT;
    *rank = -1;
    return look_at_steps(w, now, for_s);
}

uint32_t coord_watch_ranks(const coord_watch *w) { return w->ranks; }

const coord_watched *coord_watch_rank(const coord_watch *w, uint32_t rank) { return &w->rank[rank]; }

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double coord_watch_median_step(const coord_watch *w)
{
    double sorted[SAMPLES];
    const size_t n = FW_MIN(w->n_samples, (size_t)SAMPLES);
    if (n == 0) return 0.0;
    memcpy(sorted, w->sample, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    return sorted[n / 2];
}

bool coord_watch_host_silent(const coord_watch *w, const char *host)
{
    fw_mono here = {0}, elsewhere = {0};
    for (uint32_t i = 0; i < w->ranks; i++) {
        const coord_watched *r = &w->rank[i];
        fw_mono *latest = strcmp(r->host, host) == 0 ? &here : &elsewhere;
        if (r->heard && r->last.ns > latest->ns) *latest = r->last;
    }
    return here.ns != 0 && elsewhere.ns != 0 && fw_mono_seconds(here, elsewhere) > HOST_SILENT_S;
}
