/** The study's side of the runner: what is asked and told when. All of it under the lock. */
#include <math.h>
#include <stdio.h>

#include "common/core/size.h"
#include "coordinator/study/runner_parts.h"

static uint32_t number_of(const runner *r, const runner_slot *slot) { return (uint32_t)(slot - r->slot); }

/* ---- what is said ----------------------------------------------------------------------------------------------------------------------- */

static coord_runner_counts counts(const runner *r)
{
    const fw_mono now = fw_mono_now();
    coord_runner_counts c = {.rounds = r->rounds, .seconds = fw_mono_seconds(r->started, now)};
    double busy_s = 0.0;
    for (uint32_t i = 0; i < r->o->source->n; i++) {
        const runner_group *g = &r->group[i];
        busy_s += g->busy_s + (g->busy ? fw_mono_seconds(g->job_since, now) : 0.0);
        c.groups += !g->gone;
    }
    c.busy = c.seconds > 0.0 ? busy_s / (c.seconds * (double)r->o->source->n) : 0.0;
    return c;
}

void runner_event(runner *r, coord_runner_event_kind kind, const runner_slot *slot, uint64_t rounds, double value, coord_verdict_on verdict)
{
    if (r->o->tell == NULL) return;
    const coord_runner_event e = {.kind = kind, .trial = coord_study_trial(r->o->study, slot->job.trial), .slot = number_of(r, slot), .rounds = rounds,
                                  .value = value, .verdict = verdict};
    const coord_runner_counts c = counts(r);
    r->o->tell(r->o->context, &e, &c);
}

void runner_fail(runner *r, fw_status s, const fw_error *err)
{
    if (r->status == FW_OK) {
        r->status = s;
        r->error = *err;
    }
    r->stopping = true;
    coord_study_stop(r->o->study);
    pthread_cond_broadcast(&r->changed);
}

void runner_write(runner *r)
{
    fw_error err = {0};
    const fw_status s = coord_study_write(r->o->study, &err);
    if (s < 0) runner_fail(r, s, &err);
}

static bool is_signalled(const runner *r)
{
    const coord_source *source = r->o->source;
    return source->stop_wanted != NULL && source->stop_wanted(source->context);
}

static bool is_late(const runner *r) { return r->o->timeout_s > 0.0 && fw_mono_passed(r->deadline); }

bool runner_has_to_look(const runner *r) { return r->stopping || is_signalled(r) || is_late(r); }

void runner_look_for_stop(runner *r)
{
    const bool signal = is_signalled(r);
    if (r->stopping || (!signal && !is_late(r))) return;
    fw_error why = {0};
    r->timed_out = !signal;
    if (signal) fw_fail(&why, FW_ERR_STOPPED, "stopped by a signal");
    else fw_fail(&why, FW_ERR_STOPPED, "the timeout of %.6g s is over", r->o->timeout_s);
    runner_fail(r, FW_ERR_STOPPED, &why);
}

/* ---- telling ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status throw_away(runner *r, uint64_t trial, fw_error *err)
{
    FW_TRY(fw_grow((void **)&r->trash, &r->trash_capacity, r->n_trash + 1, sizeof *r->trash, "trials", err));
    r->trash[r->n_trash++] = trial;
    return FW_OK;
}

static fw_status tell_round(runner *r, runner_slot *slot, fw_error *err)
{
    coord_verdict_on verdict;
    FW_TRY(coord_study_report(r->o->study, &slot->job, slot->out.rounds, slot->out.value, slot->out.error, &verdict, err));
    r->rounds++;
    slot->state = verdict == COORD_GO_ON ? SLOT_IS_READY : SLOT_IS_FREE;
    runner_event(r, COORD_RUNNER_VERDICT, slot, slot->out.rounds, slot->out.value, verdict);
    if (verdict != COORD_PRUNE) return FW_OK;
    runner_event(r, COORD_RUNNER_END, slot, slot->out.rounds, slot->out.value, verdict);
    return throw_away(r, slot->job.trial, err);
}

/* A better one takes the place of the best, whose model is no longer wanted. */
static fw_status tell_complete(runner *r, runner_slot *slot, fw_error *err)
{
    const coord_trial *before = coord_study_best(r->o->study);
    FW_TRY(coord_study_complete(r->o->study, &slot->job, slot->out.value, slot->out.error, slot->out.rounds, err));
    slot->state = SLOT_IS_FREE;
    runner_event(r, COORD_RUNNER_END, slot, slot->out.rounds, slot->out.value, COORD_GO_ON);
    if (before != NULL && before != coord_study_best(r->o->study)) FW_TRY(throw_away(r, before->number, err));
    return throw_away(r, slot->job.trial, err);
}

static fw_status tell_fail(runner *r, runner_slot *slot, fw_error *err)
{
    const fw_status s = coord_study_fail(r->o->study, &slot->job, slot->out.reason, err);
    slot->state = SLOT_IS_FREE;
    if (coord_study_trial(r->o->study, slot->job.trial)->state != COORD_FAIL) return s;
    runner_event(r, COORD_RUNNER_END, slot, slot->job.from, NAN, COORD_GO_ON);
    FW_TRY(throw_away(r, slot->job.trial, err));
    return s;
}

static fw_status tell_outcome(runner *r, runner_slot *slot, fw_error *err)
{
    switch (slot->out.kind) {
    case OUT_ROUND: return tell_round(r, slot, err);
    case OUT_COMPLETE: return tell_complete(r, slot, err);
    case OUT_FAIL: return tell_fail(r, slot, err);
    }
    return fw_fail(err, FW_ERR_INTERNAL, "an outcome of no known kind");
}

fw_status runner_report(runner *r, runner_slot *slot, uint64_t round, double value, double error, fw_error *err)
{
    coord_verdict_on verdict;
    const bool known = round <= coord_study_trial(r->o->study, slot->job.trial)->rounds;
    FW_TRY(coord_study_report(r->o->study, &slot->job, round, value, error, &verdict, err));
    if (known) return FW_OK;
    r->rounds++;
    runner_event(r, COORD_RUNNER_ROUND, slot, round, value, verdict);
    return FW_OK;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------------------- */

static fw_status ask(runner *r, runner_slot *slot, fw_error *err)
{
    coord_answer_kind kind;
    FW_TRY(coord_study_ask(r->o->study, number_of(r, slot), &kind, &slot->job, err));
    if (kind == COORD_DONE) r->over = true;
    if (kind != COORD_JOB) return FW_OK;
    slot->state = SLOT_IS_READY;
    runner_event(r, COORD_RUNNER_BEGIN, slot, slot->job.from, NAN, COORD_GO_ON);
    return FW_OK;
}

/* The slot that has to say something now: in lockstep the one whose turn it is, asks too; else any whose job has ended. */
static runner_slot *next_to_speak(const runner *r)
{
    const int64_t turn = r->o->lockstep ? coord_study_turn(r->o->study) : -1;
    if (turn >= 0) {
        runner_slot *slot = &r->slot[turn];
        return slot->state == SLOT_IS_OUT || slot->state == SLOT_IS_FREE ? slot : NULL;
    }
    for (uint32_t i = 0; i < r->o->slots; i++)
        if (r->slot[i].state == SLOT_IS_OUT) return &r->slot[i];
    if (r->o->lockstep && !r->stopping) return r->slot[0].state == SLOT_IS_FREE ? &r->slot[0] : NULL;       /* all have ended: so it is said */
    return NULL;
}

void runner_pump(runner *r)
{
    bool any = false;
    while (!r->over && r->status == FW_OK) {
        fw_error err = {0};
        runner_slot *slot = next_to_speak(r);
        if (slot == NULL) break;
        any = true;
        const fw_status s = slot->state == SLOT_IS_OUT ? tell_outcome(r, slot, &err) : ask(r, slot, &err);
        if (s < 0) runner_fail(r, s, &err);
    }
    if (!any) return;
    r->version++;
    pthread_cond_broadcast(&r->changed);
}

/* ---- jobs for groups ------------------------------------------------------------------------------------------------------------------------ */

static bool held_elsewhere(const runner *r, const runner_group *g, uint64_t trial)
{
    for (uint32_t i = 0; i < r->o->source->n; i++)
        if (&r->group[i] != g && r->group[i].held != NULL && r->group[i].held->trial == trial) return true;
    return false;
}

static runner_slot *ready_slot(const runner *r, const runner_group *g)
{
    runner_slot *first = NULL;
    for (uint32_t i = 0; i < r->o->slots; i++) {
        runner_slot *slot = &r->slot[i];
        if (slot->state != SLOT_IS_READY) continue;
        if (g->held != NULL && g->held->trial == slot->job.trial) return slot;
        if (first == NULL && !held_elsewhere(r, g, slot->job.trial)) first = slot;
    }
    return first;
}

static runner_slot *free_slot(const runner *r, const runner_group *g)
{
    if (g->number < r->o->slots && r->slot[g->number].state == SLOT_IS_FREE) return &r->slot[g->number];
    for (uint32_t i = 0; i < r->o->slots; i++)
        if (r->slot[i].state == SLOT_IS_FREE) return &r->slot[i];
    return NULL;
}

runner_slot *runner_take(runner *r, runner_group *g)
{
    fw_error err = {0};
    runner_slot *slot = ready_slot(r, g);
    if (slot == NULL && !r->o->lockstep && g->asked != r->version && (slot = free_slot(r, g)) != NULL) {
        const fw_status s = ask(r, slot, &err);
        if (s < 0) runner_fail(r, s, &err);
        if (slot->state != SLOT_IS_READY) g->asked = r->version;
        if (r->over || slot->state == SLOT_IS_READY) pthread_cond_broadcast(&r->changed);      /* it may be another group's to take */
        slot = ready_slot(r, g);
    }
    if (r->over || r->stopping || slot == NULL) return NULL;
    slot->state = SLOT_IS_TAKEN;
    return slot;
}
