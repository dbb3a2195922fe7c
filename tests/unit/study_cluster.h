/** A cluster that is not there: slots whose groups train by a formula, are lost and come back, and a coordinator that is killed. For tests of the study. */
#ifndef FW_TESTS_STUDY_CLUSTER_H
#define FW_TESTS_STUDY_CLUSTER_H

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>

#include <cmocka.h>

#include "common/core/hash.h"
#include "common/core/random.h"
#include "coordinator/study/study_parts.h"

enum { CLUSTER_SLOTS = 6 };

typedef struct cluster_opts {
    const char *sampler, *pruner;
    uint32_t slots;
    uint64_t trials, max_rounds, max_failed, seed;
    bool lockstep;
    double fail_share, early_share;    /* of the trials */
} cluster_opts;

typedef struct cluster_runner { bool busy; coord_job job; uint64_t done; } cluster_runner;     /* done: rounds of the job's trial that its group has */

typedef struct cluster {
    cluster_opts opts;
    const char *dir;
    coord_study *study;
    cluster_runner runner[CLUSTER_SLOTS];
    bool over[CLUSTER_SLOTS];
    uint64_t seed, draws;              /* of what happens when, not of the study */
    double lose, kill, stop;           /* chances, each step */
    uint64_t kills, losses;
    uint64_t finished_twice;
} cluster;

static inline json_t *cluster_settings(const cluster_opts *o)
{
    static const char *const space =
        "[{\"name\":\"train.learning_rate\",\"kind\":\"float\",\"low\":0.0001,\"high\":0.1,\"step\":0.0,\"log\":true},"
        "{\"name\":\"train.global_batch_size\",\"kind\":\"int\",\"low\":16.0,\"high\":256.0,\"step\":16.0,\"log\":false},"
        "{\"name\":\"train.optimizer\",\"kind\":\"categorical\",\"choices\":[\"adam\",\"sgd\"]},"
        "{\"name\":\"train.momentum\",\"kind\":\"float\",\"low\":0.0,\"high\":0.9,\"step\":0.1,\"log\":false,\"when\":[{\"parent\":2,\"choices\":[1]}]}]";
    static const char *const stepped =
        "[{\"name\":\"model.hidden\",\"kind\":\"categorical\",\"choices\":[\"[32]\",\"[64, 32]\",\"[128]\"]},"
        "{\"name\":\"train.global_batch_size\",\"kind\":\"int\",\"low\":16.0,\"high\":64.0,\"step\":16.0,\"log\":false}]";
    json_t *s = json_loads(strcmp(o->sampler, "grid") == 0 ? stepped : space, 0, NULL);
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:b, s:I, s:I, s:I, s:I, s:{s:s, s:s, s:i, s:i}, s:{s:s, s:i, s:b}, s:{s:s, s:i, s:f, s:i, s:f, s:i}, s:o, s:s}", "event", "study", "format",
                     COORD_STUDY_FORMAT, "version", "0", "project", "p", "dataset", "d", "slots", (int)o->slots, "lockstep", (int)o->lockstep, "trials", (json_int_t)o->trials,
                     "seed", (json_int_t)o->seed, "max_rounds", (json_int_t)o->max_rounds, "max_failed_trials", (json_int_t)o->max_failed, "objective", "metric", "accuracy",
                     "direction", "maximize", "folds", 1, "seeds", 1, "sampler", "name", o->sampler, "startup_trials", 4, "univariate", 0, "pruner", "name", o->pruner,
                     "min_rounds", 1, "reduction_factor", 3.0, "startup_trials", 3, "percentile", 40.0, "keep", 0, "space", s, "model",
                     "model:\n  learner: mlp\ntrain:\n  epochs: 9\n  schedule:\n    kind: constant\n");
}

static inline double cluster_draw(cluster *c)
{
    return fw_random_unit(fw_random(c->seed, FW_RANDOM_TEST, 0, c->draws++, 0));
}

/* ---- how a trial goes: by its point alone ---- */

static inline uint64_t cluster_hash(const cluster *c, const double *x)
{
    double clean[COORD_MAX_PARAMS] = {0};
    const size_t n = coord_study_space(c->study)->n;
    for (size_t i = 0; i < n; i++) clean[i] = isnan(x[i]) ? -1.0 : x[i];
    return fw_hash64(clean, n * sizeof *clean, c->opts.seed);
}

static inline double cluster_value(const cluster *c, const double *x, uint64_t round)
{
    const uint64_t h = cluster_hash(c, x);
    return (double)(h % 1000) / 1000.0 + (double)(fw_hash64(&round, sizeof round, h) % 100) / 500.0 - 1.0 / (double)round;
}

/* The round in which it breaks; 0: never. */
static inline uint64_t cluster_fails_at(const cluster *c, const double *x)
{
    const uint64_t h = cluster_hash(c, x);
    return (double)((h >> 20) % 1000) < 1000.0 * c->opts.fail_share ? 1 + (h >> 32) % c->opts.max_rounds : 0;
}

static inline bool cluster_stops_early(const cluster *c, const double *x, uint64_t round)
{
    const uint64_t h = cluster_hash(c, x);
    return (double)((h >> 12) % 1000) < 1000.0 * c->opts.early_share && round == 1 + (h >> 40) % c->opts.max_rounds;
}

/* ---- life ---- */

static inline void cluster_open(cluster *c, coord_study_how how)
{
    fw_error err = {0};
    json_t *settings = cluster_settings(&c->opts);
    if (coord_study_open_as(&c->study, c->dir, settings, how, &err) != FW_OK) fail_msg("%s", err.text);
    json_decref(settings);
    memset(c->runner, 0, sizeof c->runner);
    memset(c->over, 0, sizeof c->over);
}

static inline void cluster_must(fw_status s, const fw_error *err)
{
    if (s != FW_OK) fail_msg("%s: %s", fw_status_name(s), err->text);
}

/* A group that comes back has a checkpoint of some round. */
static inline void cluster_begin(cluster *c, cluster_runner *r, const coord_job *job)
{
    *r = (cluster_runner){.busy = true, .job = *job, .done = job->from};
    if (job->resumed) r->done -= (uint64_t)(cluster_draw(c) * (double)(job->from + 1));
}

/* The end of a trial on a slot: told when it is the slot's turn. */
static inline void cluster_end(cluster *c, cluster_runner *r, bool failed)
{
    fw_error err = {0};
    if (coord_study_trial(c->study, r->job.trial)->state != COORD_RUNNING) c->finished_twice++;
    const fw_status s = failed ? coord_study_fail(c->study, &r->job, "diverged \"here\"\n", &err)
                               : coord_study_complete(c->study, &r->job, cluster_value(c, r->job.x, r->done), NAN, r->done, &err);
    cluster_must(s, &err);
    r->busy = false;
    memset(c->over, 0, sizeof c->over);
}

static inline void cluster_round(cluster *c, cluster_runner *r)
{
    fw_error err = {0};
    coord_verdict_on verdict;
    const uint64_t round = r->done + 1;
    cluster_must(coord_study_report(c->study, &r->job, round, cluster_value(c, r->job.x, round), round % 2 ? 0.5 : (double)NAN, &verdict, &err), &err);
    r->done = round;
    r->busy = verdict == COORD_GO_ON;
}

static inline void cluster_work(cluster *c, uint32_t slot, bool turn)
{
    cluster_runner *r = &c->runner[slot];
    const double *x = r->job.x;
    const bool failed = cluster_fails_at(c, x) != 0 && r->done + 1 >= cluster_fails_at(c, x);
    const bool ended = r->done >= r->job.max_rounds || (r->done > 0 && cluster_stops_early(c, x, r->done));
    if (failed || ended) {
        if (turn) cluster_end(c, r, failed && !ended);
        return;
    }
    if (turn || r->done + 1 < r->job.to || r->done + 1 <= coord_study_trial(c->study, r->job.trial)->rounds) cluster_round(c, r);
}

static inline void cluster_ask(cluster *c, uint32_t slot)
{
    fw_error err = {0};
    coord_answer_kind kind;
    coord_job job;
    cluster_must(coord_study_ask(c->study, slot, &kind, &job, &err), &err);
    c->over[slot] = kind == COORD_DONE;
    if (kind == COORD_JOB) cluster_begin(c, &c->runner[slot], &job);
}

static inline void cluster_lose(cluster *c, uint32_t slot)
{
    fw_error err = {0};
    cluster_must(coord_study_lost(c->study, &c->runner[slot].job, &err), &err);
    c->runner[slot].busy = false;
    c->losses++;
}

static inline bool cluster_done(const cluster *c)
{
    for (uint32_t i = 0; i < c->opts.slots; i++)
        if (!c->over[i]) return false;
    return true;
}

/* One thing happens somewhere. */
static inline void cluster_step(cluster *c)
{
    const uint32_t slot = (uint32_t)(cluster_draw(c) * c->opts.slots);
    const int64_t turn = coord_study_turn(c->study);
    const bool mine = turn < 0 || turn == slot;
    if (c->runner[slot].busy && cluster_draw(c) < c->lose) cluster_lose(c, slot);
    else if (c->runner[slot].busy) cluster_work(c, slot, mine);
    else if (mine && !c->over[slot]) cluster_ask(c, slot);
}

/* ---- what came of it: one line a trial ---- */

static inline char *cluster_result(const coord_study *s)
{
    FW_AUTO(fw_text) t = {0};
    for (size_t i = 0; i < coord_study_n_trials(s); i++) {
        const coord_trial *of = coord_study_trial(s, i);
        fw_text_format(&t, "%zu %s %llu %llu %.17g %.17g %s", i, coord_trial_state_name(of->state), (unsigned long long)of->rounds, (unsigned long long)of->value_round, of->value, of->error,
                       of->reason != NULL ? of->reason : "");
        for (size_t k = 0; k < coord_study_space(s)->n; k++) fw_text_format(&t, " %.17g", of->x[k]);
        for (size_t k = 0; k < of->rounds; k++) fw_text_format(&t, " %.17g+-%.17g", of->at[k], of->error_at[k]);
        fw_text_add(&t, "\n");
    }
    const coord_trial *best = coord_study_best(s);
    fw_text_format(&t, "best %lld\n", best != NULL ? (long long)best->number : -1);
    return fw_text_take(&t);
}

#endif
