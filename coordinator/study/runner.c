#include "coordinator/study/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/thread.h"
#include "coordinator/study/runner_parts.h"

#define LOOK_EVERY_S 0.1           /* for a signal or the timeout, while there is nothing to do */
#define IDLE_S       1.0           /* before the ranks of a group that has nothing to do join the others */

/* ---- a group's life: what is called with the lock held gives it back while it works -------------------------------------------------------- */

/* Lost: started again, or given up. FW_END: it is the trial that ends its ranks again and again. */
static fw_status come_back(runner_group *g, fw_error *err)
{
    const coord_source *source = g->r->o->source;
    runner_forget(g);
    return source->lost(source->context, g->number, &g->line, err);
}

static fw_status start(runner_group *g, fw_error *err)
{
    const coord_source *source = g->r->o->source;
    return g->line != NULL ? FW_OK : source->start(source->context, g->number, &g->line, err);
}

/* Until the job has an outcome, through losses. */
static fw_status work(runner_group *g, runner_slot *slot, fw_error *err)
{
    for (;;) {
        FW_TRY(start(g, err));
        fw_status s = runner_job(g, slot, err);
        if (s == FW_END) continue;                     /* to be started with more ranks */
        if (s != FW_ERR_LOST) return s;
        s = come_back(g, err);
        if (s < 0) return s;
        if (s == FW_OK) continue;
        pthread_mutex_lock(&g->r->mutex);
        slot->out = (runner_outcome){.kind = OUT_FAIL};
        snprintf(slot->out.reason, sizeof slot->out.reason, "%s", err->text);
        slot->state = SLOT_IS_OUT;
        pthread_mutex_unlock(&g->r->mutex);
        return FW_OK;
    }
}

static void give_up(runner_group *g, const fw_error *why)
{
    runner *r = g->r;
    g->gone = true;
    r->active--;
    if (++r->given_up == r->o->source->n) runner_fail(r, FW_ERR_LOST, why);
    else fw_log_warn("group %u is given up, the others go on: %s", g->number, why->text);
}

/* With the lock. What came of a job that has no outcome. */
static void job_failed(runner_group *g, runner_slot *slot, fw_status s, const fw_error *err)
{
    if (slot->state == SLOT_IS_TAKEN) slot->state = SLOT_IS_READY;
    if (s == FW_ERR_LOST) give_up(g, err);
    else if (s == FW_ERR_STOPPED) runner_look_for_stop(g->r);
    if (s != FW_ERR_LOST && !g->r->stopping) runner_fail(g->r, s, err);
}

static void do_job(runner_group *g, runner_slot *slot)
{
    fw_error err = {0};
    g->busy = true;
    g->job_since = fw_mono_now();
    if (g->line == NULL) runner_write(g->r);           /* it takes a while to start; else the lines wait until an order has left */
    pthread_mutex_unlock(&g->r->mutex);
    const fw_status s = work(g, slot, &err);
    pthread_mutex_lock(&g->r->mutex);
    g->busy = false;
    g->idle_since = fw_mono_now();
    g->busy_s += fw_mono_seconds(g->job_since, g->idle_since);
    if (s < 0) job_failed(g, slot, s, &err);
}

/* Files that nobody wants any more. */
static void clean(runner *r)
{
    fw_error err = {0};
    const uint64_t trial = r->trash[--r->n_trash];
    const coord_trial *best = coord_study_best(r->o->study);
    const bool keep = best != NULL && best->number == trial;
    runner_write(r);
    pthread_mutex_unlock(&r->mutex);
    if (coord_trial_clean(r->o->trials, trial, keep, &err) != FW_OK) fw_log_warn("%s", err.text);
    pthread_mutex_lock(&r->mutex);
}

static bool has_to_save(const runner_group *g)
{
    return g->held != NULL && g->held->dirty && g->line != NULL && coord_study_trial(g->r->o->study, g->held->trial)->state == COORD_WAITING;
}

static bool is_saving(const runner_group *g) { return g->held != NULL && g->held->writing && g->line != NULL; }

/* A paused trial is written by the ranks while the coordinator thinks of what they do next. step: the order, or its answer. */
static void save(runner_group *g, fw_status (*step)(coord_trial_run *, coord_group *, fw_error *))
{
    fw_error err = {0};
    pthread_mutex_unlock(&g->r->mutex);
    fw_status s = step(g->held, g->line, &err);
    if (s == FW_ERR_LOST) s = come_back(g, &err);
    pthread_mutex_lock(&g->r->mutex);
    if (s == FW_ERR_LOST) give_up(g, &err);
    else if (s < 0) runner_fail(g->r, s, &err);
}

/* Nothing new will come, and fewer trials are left than groups: its ranks are of more use elsewhere. */
static bool may_join(const runner_group *g)
{
    const runner *r = g->r;
    const coord_study *s = r->o->study;
    uint32_t busy = 0;
    if (!r->o->elastic || g->line == NULL || coord_study_n_trials(s) < coord_study_budget(s)) return false;
    for (uint32_t i = 0; i < r->o->source->n; i++) busy += r->group[i].busy;
    return busy > 0 && coord_study_count(s, COORD_RUNNING) < r->active && fw_mono_seconds(g->idle_since, fw_mono_now()) >= IDLE_S;
}

static void join(runner_group *g)
{
    runner *r = g->r;
    fw_error err = {0};
    const coord_source *source = r->o->source;
    const uint32_t ranks = source->ranks(source->context, g->number);
    pthread_mutex_unlock(&r->mutex);
    fw_log_info("elastic: group %u has nothing left to do; its %u rank%s join the others", g->number, ranks, ranks == 1 ? "" : "s");
    fw_status s = runner_release(g, &err);
    const fw_status ended = source->end(source->context, g->number, &g->line, s == FW_OK ? &err : NULL);
    if (s == FW_OK) s = ended;
    pthread_mutex_lock(&r->mutex);
    g->gone = true;
    r->active--;
    if (s == FW_OK) r->spare_ranks += ranks;
    else runner_fail(r, s, &err);
}

static void wait_for_change(runner *r)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(LOOK_EVERY_S * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&r->changed, &r->mutex, &until);
}

static void live(runner_group *g)
{
    runner *r = g->r;
    g->idle_since = fw_mono_now();
    while (!r->over && !r->stopping && !g->gone) {
        runner_pump(r);
        if (has_to_save(g)) save(g, coord_trial_run_send_checkpoint);
        runner_slot *slot = g->gone ? NULL : runner_take(r, g);
        if (slot == NULL) runner_write(r);
        if (slot != NULL) do_job(g, slot);
        else if (is_saving(g)) save(g, coord_trial_run_written);
        else if (r->n_trash > 0) clean(r);
        else if (may_join(g)) join(g);
        else if (!r->over) wait_for_change(r);
        runner_look_for_stop(r);
    }
}

/* ---- the end --------------------------------------------------------------------------------------------------------------------------------- */

/* One group, of those that are there the last, does what is left to do with the best. */
static fw_status finish(runner_group *g, fw_error *err)
{
    for (;;) {
        FW_TRY(start(g, err));
        fw_status s = g->r->o->finish(g->r->o->context, g->line, err);
        if (s != FW_ERR_LOST) return s;
        s = come_back(g, err);
        if (s != FW_OK) return s < 0 ? s : FW_ERR_LOST;
    }
}

static bool has_to_finish(const runner_group *g)
{
    const runner *r = g->r;
    return r->o->finish != NULL && r->active == 1 && !g->gone && (r->status == FW_OK || (r->status == FW_ERR_STOPPED && r->timed_out));
}

static void leave(runner_group *g)
{
    runner *r = g->r;
    fw_error err = {0};
    const coord_source *source = r->o->source;
    runner_write(r);
    while (r->n_trash > 0) clean(r);
    const bool finishing = has_to_finish(g);
    if (!finishing && !g->gone) r->active--;
    pthread_mutex_unlock(&r->mutex);
    fw_status s = runner_release(g, &err);
    if (s == FW_ERR_LOST) s = come_back(g, &err) < 0 ? FW_ERR_LOST : FW_OK;
    if (s == FW_OK && finishing) s = finish(g, &err);
    fw_error ignored = {0};
    const fw_status ended = source->end(source->context, g->number, &g->line, s == FW_OK ? &err : &ignored);
    if (s == FW_OK) s = ended;
    pthread_mutex_lock(&r->mutex);
    if (finishing) r->active--;
    if (s < 0 && r->status == FW_OK) runner_fail(r, s, &err);
    else if (s < 0 && s != FW_ERR_STOPPED) fw_log_warn("group %u: %s", g->number, err.text);
}

static void *serve(void *group)
{
    runner_group *g = group;
    fw_thread_be_prompt();
    pthread_mutex_lock(&g->r->mutex);
    live(g);
    leave(g);
    pthread_mutex_unlock(&g->r->mutex);
    return NULL;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------------------------- */

static void release(runner *r)
{
    for (uint32_t i = 0; r->group != NULL && i < r->o->source->n; i++) {
        coord_trial_run_destroy(&r->group[i].held);
        coord_trial_run_destroy(&r->group[i].before);
    }
    free(r->group);
    free(r->slot);
    free(r->trash);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
}

static fw_status set_up(runner *r, fw_error *err)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    FW_TRY(fw_alloc_zeroed((void **)&r->slot, r->o->slots, sizeof *r->slot, "slots", err));
    FW_TRY(fw_alloc_zeroed((void **)&r->group, r->o->source->n, sizeof *r->group, "groups", err));
    r->version = 1;
    r->started = fw_mono_now();
    r->deadline = fw_mono_after(r->started, r->o->timeout_s);
    return FW_OK;
}

static fw_status start_threads(runner *r, fw_error *err)
{
    fw_status s = FW_OK;
    pthread_mutex_lock(&r->mutex);
    r->active = r->o->source->n;
    for (uint32_t i = 0; i < r->o->source->n; i++) {
        runner_group *g = &r->group[i];
        g->r = r;
        g->number = i;
        if (s == FW_OK) s = fw_thread_start(&g->thread, serve, g, "the thread of a group", err);
        g->begun = s == FW_OK;
        if (g->begun) continue;
        g->gone = true;
        r->active--;
    }
    if (s != FW_OK) runner_fail(r, s, err);
    pthread_mutex_unlock(&r->mutex);
    return s;
}

fw_status coord_runner_run(const coord_runner_opts *opts, fw_error *err)
{
    runner r = {.o = opts};
    fw_status s = set_up(&r, err);
    if (s == FW_OK) {
        coord_study_hold(opts->study, true);
        start_threads(&r, err);
        for (uint32_t i = 0; i < opts->source->n; i++)
            if (r.group[i].begun) pthread_join(r.group[i].thread, NULL);
        runner_write(&r);
        coord_study_hold(opts->study, false);
        s = r.status != FW_OK ? fw_fail(err, r.status, "%s", r.error.text) : FW_OK;
    }
    release(&r);
    return s;
}
