/** A job on a group: orders and reports in turn, until something is to be told. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "coordinator/study/runner_parts.h"

/* ---- under the lock, in short ---------------------------------------------------------------------------------------------------------- */

static void put_out(runner_group *g, runner_slot *slot, const runner_outcome *out)
{
    pthread_mutex_lock(&g->r->mutex);
    slot->out = *out;
    slot->state = SLOT_IS_OUT;
    pthread_mutex_unlock(&g->r->mutex);
}

static void put_failure(runner_group *g, runner_slot *slot, const char *reason)
{
    runner_outcome out = {.kind = OUT_FAIL};
    snprintf(out.reason, sizeof out.reason, "%s", reason);
    put_out(g, slot, &out);
}

/* In lockstep a slot's clock has moved on: it may be another one's turn. */
static fw_status report(runner_group *g, runner_slot *slot, uint64_t round, double value, double error, fw_error *err)
{
    pthread_mutex_lock(&g->r->mutex);
    const fw_status s = runner_report(g->r, slot, round, value, error, err);
    if (s == FW_OK && g->r->o->lockstep) runner_pump(g->r);
    runner_write(g->r);
    pthread_mutex_unlock(&g->r->mutex);
    return s;
}

/* The ranks have their order: time for the lines that led to it. */
static void write_lines(void *group)
{
    runner_group *g = group;
    pthread_mutex_lock(&g->r->mutex);
    runner_write(g->r);
    pthread_mutex_unlock(&g->r->mutex);
}

static bool has_to_stop(runner_group *g)
{
    if (!runner_has_to_look(g->r)) return false;
    pthread_mutex_lock(&g->r->mutex);
    runner_look_for_stop(g->r);
    const bool stop = g->r->stopping;
    pthread_mutex_unlock(&g->r->mutex);
    return stop;
}

static bool would_be_best(const runner_group *g, uint64_t trial, double value)
{
    pthread_mutex_lock(&g->r->mutex);
    const bool best = coord_study_would_be_best(g->r->o->study, trial, value);
    pthread_mutex_unlock(&g->r->mutex);
    return best;
}

static void set_held(runner_group *g, coord_trial_run *held)
{
    pthread_mutex_lock(&g->r->mutex);
    g->held = held;
    pthread_cond_broadcast(&g->r->changed);            /* who waits for its checkpoint */
    pthread_mutex_unlock(&g->r->mutex);
}

/* ---- what the ranks hold ------------------------------------------------------------------------------------------------------------------ */

void runner_forget(runner_group *g)
{
    coord_trial_run *held = g->held;
    if (held == NULL) return;
    set_held(g, NULL);
    coord_trial_run_destroy(&g->before);
    g->before = held;
}

static bool may_go_on(const runner_group *g, uint64_t trial)
{
    pthread_mutex_lock(&g->r->mutex);
    const coord_trial_state state = coord_study_trial(g->r->o->study, trial)->state;
    pthread_mutex_unlock(&g->r->mutex);
    return state == COORD_WAITING || state == COORD_RUNNING;
}

fw_status runner_release(runner_group *g, fw_error *err)
{
    if (g->held == NULL) return FW_OK;
    if (g->line != NULL) FW_TRY(coord_trial_run_written(g->held, g->line, err));
    if (g->line != NULL && may_go_on(g, g->held->trial)) FW_TRY(coord_trial_run_checkpoint(g->held, g->line, err));
    runner_forget(g);
    return FW_OK;
}

static void tell_progress(const runner_group *g)
{
    const coord_source *source = g->r->o->source;
    if (source->progress != NULL) source->progress(source->context, g->number, g->steps);
}

/* The ranks are at work for a while: time for what nobody waits for. */
static fw_status send_round(runner_group *g, coord_trial_run *run, fw_error *err)
{
    FW_TRY(coord_trial_run_send_round(run, g->line, err));
    write_lines(g);
    coord_trial_run_destroy(&g->before);
    return FW_OK;
}

static fw_status take_round(runner_group *g, coord_trial_run *run, fw_error *err)
{
    const uint64_t before = run->step;
    FW_TRY(coord_trial_run_take_round(run, g->line, err));
    g->steps += run->step - before;
    tell_progress(g);
    return FW_OK;
}

/* ---- more ranks --------------------------------------------------------------------------------------------------------------------------- */

/* A share of the ranks that other groups gave up; 0: none. */
static uint32_t spare_share(runner_group *g)
{
    runner *r = g->r;
    uint32_t working = 0, share = 0;
    if (!r->o->elastic) return 0;
    pthread_mutex_lock(&r->mutex);
    for (uint32_t i = 0; i < r->o->source->n; i++) working += r->group[i].busy;
    if (r->spare_ranks > 0) share = (r->spare_ranks + working - 1) / FW_MAX(working, 1u);
    r->spare_ranks -= share;
    pthread_mutex_unlock(&r->mutex);
    return share;
}

/* At the end of a round: saved, ended, and to be started again with more ranks, where it goes on from the checkpoint. FW_END. */
static fw_status grow(runner_group *g, uint32_t more, fw_error *err)
{
    const coord_source *source = g->r->o->source;
    const uint64_t trial = g->held->trial, round = g->held->rounds.n;
    FW_TRY(coord_trial_run_checkpoint(g->held, g->line, err));
    runner_forget(g);
    FW_TRY(source->end(source->context, g->number, &g->line, err));
    FW_TRY(source->grow(source->context, g->number, more, err));
    fw_log_info("elastic: group %u goes on with trial %llu after round %llu on %u ranks", g->number, (unsigned long long)trial, (unsigned long long)round,
                source->ranks(source->context, g->number));
    return FW_END;
}

/* ---- one training ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status hold(runner_group *g, const coord_job *job, fw_error *err)
{
    coord_trial_run *run = NULL;
    if (g->held != NULL && g->held->writing) write_lines(g);
    if (g->held != NULL && g->held->trial == job->trial) return coord_trial_run_written(g->held, g->line, err);
    FW_TRY(runner_release(g, err));
    FW_TRY(coord_trial_run_open(&run, g->r->o->trials, g->line, job->trial, job->x, 0, &(coord_meanwhile){write_lines, g}, err));
    g->reported = 0;
    set_held(g, run);
    return FW_OK;
}

static fw_status complete(runner_group *g, runner_slot *slot, fw_error *err)
{
    coord_trial_run *run = g->held;
    const fw_round_result *kept = coord_rounds_kept(&run->rounds, run->project);
    runner_outcome out = {.kind = OUT_COMPLETE, .rounds = kept != NULL ? kept->position.round : 0, .error = NAN};
    out.value = coord_trial_run_value(run, out.rounds);
    if (isnan(out.value)) {
        snprintf(out.reason, sizeof out.reason, "validation gave no %s", run->all->metric);
        out.kind = OUT_FAIL;
    } else if (would_be_best(g, run->trial, out.value)) {
        FW_TRY(coord_trial_run_save(run, g->line, err));
    }
    put_out(g, slot, &out);
    return FW_OK;
}

/* What is to be told now decides what the ranks do next. */
static bool ends_here(const runner_group *g, const coord_job *job)
{
    return job->to < job->max_rounds && g->reported < job->to && job->to <= g->held->rounds.n;
}

/* Tells the rounds that the study does not know; the one that ends the job stands in the slot. */
static fw_status tell_rounds(runner_group *g, runner_slot *slot, fw_error *err)
{
    const coord_job *job = &slot->job;
    bool at_end = false;
    while (g->reported < g->held->rounds.n && !at_end) {
        const uint64_t round = ++g->reported;
        const double value = coord_trial_run_value(g->held, round);
        at_end = round == job->to && round < job->max_rounds;
        if (at_end) put_out(g, slot, &(runner_outcome){.kind = OUT_ROUND, .rounds = round, .value = value, .error = NAN});
        else FW_TRY(report(g, slot, round, value, NAN, err));
    }
    return FW_OK;
}

/* Nothing hangs on the values of a job's rounds but the last: the ranks train the next one while they are told. */
static fw_status tell_and_train(runner_group *g, runner_slot *slot, fw_error *err)
{
    fw_error unheard = {0};
    FW_TRY(send_round(g, g->held, err));
    const fw_status told = tell_rounds(g, slot, err);
    const fw_status taken = take_round(g, g->held, told < 0 ? &unheard : err);
    return told < 0 ? told : taken;
}

static fw_status train_one(runner_group *g, runner_slot *slot, fw_error *err)
{
    FW_TRY(hold(g, &slot->job, err));
    for (;;) {
        if (ends_here(g, &slot->job)) return tell_rounds(g, slot, err);
        const bool finished = coord_trial_run_finished(g->held), stop = !finished && has_to_stop(g);
        const uint32_t more = finished || stop ? 0 : spare_share(g);
        if (!finished && !stop && more == 0) {
            FW_TRY(tell_and_train(g, slot, err));
            continue;
        }
        FW_TRY(tell_rounds(g, slot, err));
        if (finished) return complete(g, slot, err);
        return stop ? fw_fail(err, FW_ERR_STOPPED, "stopped") : grow(g, more, err);
    }
}

/* ---- several trainings, whose mean counts ------------------------------------------------------------------------------------------------------ */

typedef struct parts { uint32_t n; uint64_t rounds, wanted; double *value, *judge; } parts;       /* value, judge: (n, to) the objective, early stopping's metric */

static fw_status train_part(runner_group *g, const coord_job *job, parts *p, uint32_t part, fw_error *err)
{
    coord_trial_run *run = NULL;
    FW_TRY(runner_release(g, err));
    FW_TRY(coord_trial_run_open(&run, g->r->o->trials, g->line, job->trial, job->x, part, &(coord_meanwhile){write_lines, g}, err));
    set_held(g, run);
    p->wanted = run->rounds_wanted;
    p->rounds = FW_MIN(job->to, run->rounds_wanted);
    while (run->rounds.n < p->rounds) {
        if (has_to_stop(g)) return fw_fail(err, FW_ERR_STOPPED, "stopped");
        FW_TRY(send_round(g, run, err));
        FW_TRY(take_round(g, run, err));
    }
    for (uint64_t i = 0; i < p->rounds; i++) {
        const double *judge = coord_round_metric(&run->rounds.round[i], coord_rounds_metric(run->project));
        p->value[part * job->to + i] = coord_trial_run_value(run, i + 1);
        p->judge[part * job->to + i] = judge != NULL ? *judge : (double)NAN;
    }
    return FW_OK;
}

/* Mean over the parts in their order, and its standard error. */
static double mean_of(const parts *p, const double *of, uint64_t stride, uint64_t round, double *error)
{
    double sum = 0.0, squares = 0.0;
    for (uint32_t k = 0; k < p->n; k++) sum += of[k * stride + round];
    const double mean = sum / p->n;
    for (uint32_t k = 0; k < p->n; k++) squares += (of[k * stride + round] - mean) * (of[k * stride + round] - mean);
    *error = sqrt(squares / ((double)p->n * (double)(p->n - 1)));
    return mean;
}

static void complete_parts(runner_group *g, runner_slot *slot, const parts *p, const coord_best *best, uint64_t rounds, fw_project *project)
{
    runner_outcome out = {.kind = OUT_COMPLETE, .rounds = project->train.early_stopping.patience > 0 && best->round > 0 ? best->round : rounds};
    out.value = mean_of(p, p->value, slot->job.to, out.rounds - 1, &out.error);
    if (isnan(out.value)) put_failure(g, slot, "validation gave no objective in one of the folds");
    else put_out(g, slot, &out);
}

static fw_status tell_parts(runner_group *g, runner_slot *slot, const parts *p, fw_error *err)
{
    fw_project *project = g->held->project;
    coord_best best = {0};
    const uint64_t stride = slot->job.to;
    for (uint64_t round = 1; round <= p->rounds; round++) {
        double error, unused;
        const double value = mean_of(p, p->value, stride, round - 1, &error), judge = mean_of(p, p->judge, stride, round - 1, &unused);
        coord_best_add(&best, isnan(judge) ? NULL : &judge, project);
        if (round == stride && round < slot->job.max_rounds && round > slot->job.from) {
            put_out(g, slot, &(runner_outcome){.kind = OUT_ROUND, .rounds = round, .value = value, .error = error});
            return FW_OK;
        }
        FW_TRY(report(g, slot, round, value, error, err));
        if (!coord_best_stops(&best, project) && round < p->wanted) continue;
        complete_parts(g, slot, p, &best, round, project);
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_INTERNAL, "trial %llu: its parts ended without an end", (unsigned long long)slot->job.trial);
}

static fw_status train_parts(runner_group *g, runner_slot *slot, fw_error *err)
{
    FW_FREE double *value = NULL;
    FW_FREE double *judge = NULL;
    parts p = {.n = coord_trials_parts(g->r->o->trials)};
    FW_TRY(fw_alloc_zeroed((void **)&value, p.n * slot->job.to, sizeof *value, "rounds of folds", err));
    FW_TRY(fw_alloc_zeroed((void **)&judge, p.n * slot->job.to, sizeof *judge, "rounds of folds", err));
    p.value = value;
    p.judge = judge;
    for (uint32_t k = 0; k < p.n; k++) FW_TRY(train_part(g, &slot->job, &p, k, err));
    return tell_parts(g, slot, &p, err);
}

/* ---- a job ---------------------------------------------------------------------------------------------------------------------------------- */

/* The settings of the trial did it, not the ranks nor the disk: another trial may do well. */
static bool is_its_own(fw_status s) { return s == FW_ERR_NUMERIC || s == FW_ERR_NOMEM || s == FW_ERR_CONFIG || s == FW_ERR_DATA; }

fw_status runner_job(runner_group *g, runner_slot *slot, fw_error *err)
{
    fw_error why = {0};
    const bool several = coord_trials_parts(g->r->o->trials) > 1;
    const fw_status s = several ? train_parts(g, slot, &why) : train_one(g, slot, &why);
    if (s >= 0) return s;
    if (!is_its_own(s)) return fw_fail(err, s, "%s", why.text);
    put_failure(g, slot, why.text);
    runner_forget(g);
    return FW_OK;
}
