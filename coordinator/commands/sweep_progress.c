#include "coordinator/commands/sweep_progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/commands/announcer.h"
#include "coordinator/commands/status_line.h"

struct coord_sweep_progress {
    const coord_study *study;
    coord_status_line line;
    coord_announcer *announcer;        /* NULL: nothing is published */
    coord_runner_counts counts;
    uint64_t ended_before;             /* trials that had ended when this process began */
};

static uint64_t ended(const coord_study *s)
{
    return coord_study_count(s, COORD_COMPLETE) + coord_study_count(s, COORD_PRUNED) + coord_study_count(s, COORD_FAIL);
}

fw_status coord_sweep_progress_open(coord_sweep_progress **out, const fw_project *p, const fw_bus_identity *identity, const coord_study *s, fw_error *err)
{
    coord_sweep_progress *l = calloc(1, sizeof *l);
    if (l == NULL) return fw_fail(err, FW_ERR_NOMEM, "progress");
    *l = (coord_sweep_progress){.study = s, .announcer = coord_announcer_open(p->monitor.bus, identity, p->project), .ended_before = ended(s)};
    coord_status_begin(&l->line);
    *out = l;
    return FW_OK;
}

void coord_sweep_progress_close(coord_sweep_progress **progress)
{
    coord_sweep_progress *l = *progress;
    if (l == NULL) return;
    coord_sweep_progress_end(l);
    free(l);
    *progress = NULL;
}

void coord_sweep_progress_end(coord_sweep_progress *l)
{
    coord_status_end(&l->line);
    coord_announcer_close(&l->announcer);
}

const coord_runner_counts *coord_sweep_progress_counts(const coord_sweep_progress *p) { return &p->counts; }

void coord_sweep_states(char *out, size_t len, const coord_study *s)
{
    size_t at = 0;
    out[0] = '\0';
    for (coord_trial_state state = COORD_WAITING; state <= COORD_FAIL; state++) {
        const uint64_t n = coord_study_count(s, state);
        if (n > 0 && at < len) at += (size_t)snprintf(out + at, len - at, "%s%llu %s", at > 0 ? ", " : "", (unsigned long long)n, coord_trial_state_name(state));
    }
}

/* As the trials so far went. */
static void time_left(char *out, size_t len, const coord_sweep_progress *l)
{
    const uint64_t done = ended(l->study), here = done - l->ended_before, all = coord_study_budget(l->study);
    out[0] = '\0';
    if (here > 0 && done < all) coord_status_time_left(out, len, l->counts.seconds / (double)here * (double)(all - done));
}

static void show(coord_sweep_progress *l)
{
    char text[400], states[160], best[120] = "", left[64];
    const coord_trial *t = coord_study_best(l->study);
    const coord_runner_counts *c = &l->counts;
    if (!coord_status_due(&l->line)) return;
    coord_sweep_states(states, sizeof states, l->study);
    if (t != NULL) snprintf(best, sizeof best, "  best %s %.4f (trial %llu)", coord_study_metric(l->study), t->value, (unsigned long long)t->number);
    time_left(left, sizeof left, l);
    snprintf(text, sizeof text, "%zu/%llu trials: %s%s  %.1f epochs/s  groups %.0f %% busy  %s", coord_study_n_trials(l->study),
             (unsigned long long)coord_study_budget(l->study), states, best, c->seconds > 0.0 ? (double)c->rounds / c->seconds : 0.0, 100.0 * c->busy, left);
    coord_status_show(&l->line, text);
}

/* "begin", "round", "go_on" / "pause" / "prune" at a rung, and the state at the end. */
static const char *name_of(const coord_runner_event *e)
{
    switch (e->kind) {
    case COORD_RUNNER_BEGIN: return "begin";
    case COORD_RUNNER_ROUND: return "round";
    case COORD_RUNNER_VERDICT: return coord_verdict_on_name(e->verdict);
    case COORD_RUNNER_END: return coord_trial_state_name(e->trial->state);
    }
    return "round";
}

static void announce(const coord_sweep_progress *l, const coord_runner_event *e)
{
    char run[96];
    const fw_named_number value = {coord_study_metric(l->study), e->value};
    if (l->announcer == NULL) return;
    snprintf(run, sizeof run, "trial %llu", (unsigned long long)e->trial->number);
    coord_announce(l->announcer, (fw_progress){.run = run, .event = name_of(e), .round = e->rounds, .validation = &value, .n_validation = isnan(e->value) ? 0u : 1u}, false);
}

void coord_sweep_progress_event(coord_sweep_progress *l, const coord_runner_event *e, const coord_runner_counts *c)
{
    l->counts = *c;
    announce(l, e);
    show(l);
}
