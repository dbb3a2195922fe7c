/** What a study costs beside the training, with its journal on the disk. Each mode prints one JSON line; without a mode all of them run, small.
 *    bench_study empty  SAMPLER TRIALS             seconds of so many trials that do nothing, three parameters, one slot
 *    bench_study known  SAMPLER PRUNER TRIALS      microseconds of an ask, a report and a completion when so many trials are known
 *    bench_study idle   SAMPLER WORKERS TRIALS MEAN_S    a discrete-event run of the real machine with asha: rounds last MEAN_S seconds in the mean, log-normal with
 *                       sigma 1; what a decision takes is measured and is serial time of the virtual clock. The idle share up to the first that must wait. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/random.h"
#include "coordinator/study/study_parts.h"
#include "tests/unit/scratch.h"

#define SPACE                                                                                       \
    "[{\"name\":\"a\",\"kind\":\"float\",\"low\":-5.0,\"high\":5.0,\"step\":0.0,\"log\":false},"          \
    "{\"name\":\"b\",\"kind\":\"float\",\"low\":0.00001,\"high\":1.0,\"step\":0.0,\"log\":true},"          \
    "{\"name\":\"c\",\"kind\":\"int\",\"low\":1.0,\"high\":64.0,\"step\":1.0,\"log\":false}]"

typedef struct bench { scratch s; coord_study *study; fw_error err; } bench;

static void must(const bench *b, fw_status s)
{
    if (s == FW_OK) return;
    fprintf(stderr, "bench_study: %s: %s\n", fw_status_name(s), b->err.text);
    exit(1);
}

static void open_study(bench *b, const char *sampler, const char *pruner, uint32_t slots, uint64_t trials, uint64_t rounds)
{
    json_t *settings = json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:b, s:I, s:i, s:I, s:i, s:{s:s, s:s, s:i, s:i}, s:{s:s, s:i, s:b}, s:{s:s, s:i, s:f, s:i, s:f, s:i}, s:o, s:s}", "event", "study",
                                 "format", COORD_STUDY_FORMAT, "version", "0", "project", "bench", "dataset", "none", "slots", (int)slots, "lockstep", 0, "trials", (json_int_t)trials,
                                 "seed", 1, "max_rounds", (json_int_t)rounds, "max_failed_trials", 0, "objective", "metric", "log_loss", "direction", "minimize", "folds", 1,
                                 "seeds", 1, "sampler", "name", sampler, "startup_trials", 0, "univariate", 0, "pruner", "name", pruner, "min_rounds", 1, "reduction_factor", 3.0,
                                 "startup_trials", 5, "percentile", 25.0, "keep", 0, "space", json_loads(SPACE, 0, NULL), "model", "");
    if (settings == NULL || !scratch_make(&b->s)) exit(1);
    must(b, coord_study_open_as(&b->study, scratch_path(&b->s, "study"), settings, COORD_STUDY_NEW, &b->err));
    json_decref(settings);
}

static void close_study(bench *b)
{
    coord_study_close(&b->study);
    scratch_remove(&b->s);
}

static double value_of(const coord_job *job, uint64_t round)
{
    const double *x = job->x;
    return x[0] * x[0] + x[1] + x[2] * 1e-3 + fw_random_unit(fw_random(1, FW_RANDOM_TEST, 1, job->trial, (uint32_t)round)) / (double)round;
}

static double us(fw_mono from) { return 1e6 * fw_mono_seconds(from, fw_mono_now()); }

/* ---- empty trials ---------------------------------------------------------------------------------------------------------------------------- */

static bool empty_trial(bench *b, double took[static 3])
{
    coord_answer_kind kind;
    coord_job job;
    coord_verdict_on verdict;
    fw_mono t = fw_mono_now();
    must(b, coord_study_ask(b->study, 0, &kind, &job, &b->err));
    took[0] += us(t);
    if (kind != COORD_JOB) return false;
    for (uint64_t r = job.from + 1; r <= job.to; r++) {
        t = fw_mono_now();
        must(b, coord_study_report(b->study, &job, r, value_of(&job, r), NAN, &verdict, &b->err));
        took[1] += us(t);
        if (verdict != COORD_GO_ON) return true;
    }
    t = fw_mono_now();
    must(b, coord_study_complete(b->study, &job, value_of(&job, job.max_rounds), NAN, job.max_rounds, &b->err));
    took[2] += us(t);
    return true;
}

static int empty(const char *sampler, uint64_t trials)
{
    bench b = {0};
    double took[3] = {0};
    open_study(&b, sampler, "none", 1, trials, 1);
    const fw_mono start = fw_mono_now();
    while (empty_trial(&b, took)) continue;
    const double seconds = fw_mono_seconds(start, fw_mono_now());
    const bool all = coord_study_count(b.study, COORD_COMPLETE) == trials;
    close_study(&b);
    printf("{\"bench\":\"study_empty\",\"sampler\":\"%s\",\"trials\":%llu,\"seconds\":%.6f,\"us_a_trial\":%.2f,\"ask_us\":%.2f,\"report_us\":%.2f,\"complete_us\":%.2f}\n", sampler,
           (unsigned long long)trials, seconds, 1e6 * seconds / (double)trials, took[0] / (double)trials, took[1] / (double)trials, took[2] / (double)trials);
    return all ? 0 : 1;
}

/* ---- with many known ------------------------------------------------------------------------------------------------------------------------- */

enum { TIMED = 300 };

static int by_size(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static int known(const char *sampler, const char *pruner, uint64_t trials)
{
    bench b = {0};
    double ask[TIMED], told[TIMED], unused[3] = {0};
    open_study(&b, sampler, pruner, 1, trials + 10 * TIMED, 9);
    while (coord_study_n_trials(b.study) < trials && empty_trial(&b, unused)) continue;
    for (int i = 0; i < TIMED; i++) {
        double took[3] = {0};
        if (!empty_trial(&b, took)) return 1;
        ask[i] = took[0];
        told[i] = took[1] + took[2];
    }
    close_study(&b);
    qsort(ask, TIMED, sizeof *ask, by_size);
    qsort(told, TIMED, sizeof *told, by_size);
    printf("{\"bench\":\"study_known\",\"sampler\":\"%s\",\"pruner\":\"%s\",\"trials\":%llu,\"ask_us\":%.2f,\"ask_p99_us\":%.2f,\"told_us\":%.2f,\"told_p99_us\":%.2f}\n", sampler, pruner,
           (unsigned long long)trials, ask[TIMED / 2], ask[TIMED * 99 / 100], told[TIMED / 2], told[TIMED * 99 / 100]);
    return 0;
}

/* ---- idle share ------------------------------------------------------------------------------------------------------------------------------ */

/** One worker of the virtual cluster: when it is done with what it does, and what that was. */
typedef struct worker { double at; uint32_t slot; coord_job job; uint64_t done; bool busy; } worker;

typedef struct cluster {
    bench b;
    worker *heap; size_t n;            /* by time */
    double mean_s, free_at;            /* when the coordinator has time again */
    double busy_s;                     /* of all workers */
    double decided_s; uint64_t decisions;
    uint64_t drawn;
} cluster;

static bool earlier(const worker *a, const worker *b) { return a->at < b->at || (a->at <= b->at && a->slot < b->slot); }

static void sink(cluster *c, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < c->n; i = child) {
        if (child + 1 < c->n && earlier(&c->heap[child + 1], &c->heap[child])) child++;
        if (!earlier(&c->heap[child], &c->heap[i])) return;
        const worker w = c->heap[i];
        c->heap[i] = c->heap[child];
        c->heap[child] = w;
    }
}

static double a_round(cluster *c)
{
    const double z = fw_random_normal(fw_random(2, FW_RANDOM_TEST, 0, c->drawn++, 0));
    return c->mean_s * exp(z - 0.5);
}

/* Takes what the worker brings, and gives it what it does next; both at the coordinator's pace. False: there is nothing for it. */
static bool decide(cluster *c, worker *w)
{
    bench *b = &c->b;
    coord_answer_kind kind = COORD_JOB;
    coord_verdict_on verdict = COORD_GO_ON;
    const fw_mono t = fw_mono_now();
    if (w->busy) {
        w->done++;
        must(b, coord_study_report(b->study, &w->job, w->done, value_of(&w->job, w->done), NAN, &verdict, &b->err));
        const bool ends = verdict == COORD_GO_ON && w->done == w->job.max_rounds;
        if (ends) must(b, coord_study_complete(b->study, &w->job, value_of(&w->job, w->done), NAN, w->done, &b->err));
        w->busy = verdict == COORD_GO_ON && !ends;
    }
    if (!w->busy) {
        must(b, coord_study_ask(b->study, w->slot, &kind, &w->job, &b->err));
        w->done = w->job.from;
        w->busy = kind == COORD_JOB;
    }
    const double took = fw_mono_seconds(t, fw_mono_now());
    c->free_at = fmax(c->free_at, w->at) + took;
    c->decided_s += took;
    c->decisions++;
    return w->busy;
}

static int idle(const char *sampler, uint32_t workers, uint64_t trials, double mean_s)
{
    cluster c = {.n = workers, .mean_s = mean_s};
    open_study(&c.b, sampler, "asha", workers, trials, 27);
    c.heap = calloc(workers, sizeof *c.heap);
    if (c.heap == NULL) return 1;
    for (uint32_t i = 0; i < workers; i++) c.heap[i].slot = i;
    while (decide(&c, &c.heap[0])) {
        const double round = a_round(&c);
        c.heap[0].at = c.free_at + round;
        c.busy_s += round;
        sink(&c, 0);
    }
    const double end = c.free_at;
    for (size_t i = 0; i < c.n; i++) c.busy_s -= c.heap[i].busy ? c.heap[i].at - end : 0.0;        /* what lies behind the end */
    const double share = 1.0 - c.busy_s / (end * workers);
    printf("{\"bench\":\"study_idle\",\"sampler\":\"%s\",\"workers\":%u,\"trials\":%zu,\"mean_round_s\":%g,\"virtual_s\":%.1f,\"decisions\":%llu,\"us_a_decision\":%.2f,\"coordinator_busy\":%.4f,"
           "\"idle_share\":%.6f}\n", sampler, workers, coord_study_n_trials(c.b.study), mean_s, end, (unsigned long long)c.decisions, 1e6 * c.decided_s / (double)c.decisions, c.decided_s / end, share);
    free(c.heap);
    close_study(&c.b);
    return share >= 0.0 && share <= 1.0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "empty") == 0) return empty(argv[2], strtoull(argv[3], NULL, 10));
    if (argc == 5 && strcmp(argv[1], "known") == 0) return known(argv[2], argv[3], strtoull(argv[4], NULL, 10));
    if (argc == 6 && strcmp(argv[1], "idle") == 0) return idle(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), strtod(argv[5], NULL));
    if (argc == 1) return empty("random", 1000) + known("random", "asha", 1000) + idle("random", 100, 2000, 1.0) == 0 ? 0 : 1;
    fprintf(stderr, "usage: bench_study [empty SAMPLER TRIALS | known SAMPLER PRUNER TRIALS | idle SAMPLER WORKERS TRIALS MEAN_S]\n");
    return 2;
}
