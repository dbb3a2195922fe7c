/** From a group's answer to its next order, as the group sees it: four groups without ranks, 200 trials with asha, a journal on the disk. Two ways through
 *  the line lie within it. One line: between two rounds of a job, and to the first order of another job. */
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/study/runner.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/scratch.h"

enum { MOST = 100000 };

typedef struct samples { double us[MOST]; size_t n; } samples;
static samples rounds, jobs;

static void took(void *context, fw_order_kind kind, double seconds)
{
    (void)context;
    samples *s = kind == FW_ORDER_ADVANCE ? &rounds : kind == FW_ORDER_OPEN ? &jobs : NULL;
    if (s != NULL && s->n < MOST) s->us[s->n++] = 1e6 * seconds;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(samples *s, double share)
{
    qsort(s->us, s->n, sizeof *s->us, by_size);
    return s->n > 0 ? s->us[(size_t)(share * (double)(s->n - 1))] : 0.0;
}

static const char project_yaml[] =
    "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {t: t.csv}}\nmodel: {learner: mlp, hidden: [8]}\ntrain: {epochs: 81}\n"
    "tune:\n  trials: 200\n  sampler: tpe\n  pruner: {name: asha, min_rounds: 9}\n  objective: log_loss\n"
    "  space:\n    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}\n    model.hidden: {choices: [[8], [16, 8]]}\n";

int main(int argc, char **argv)
{
    scratch s;
    fw_error err = {0};
    fw_project *project = NULL;
    coord_study *study = NULL;
    char folder[600];
    fake_groups fake = {.n = argc > 1 ? (uint32_t)atoi(argv[1]) : 4, .took = took};
    if (fake.n < 1 || fake.n > FAKE_GROUPS || !scratch_make(&s)) return 2;
    fw_status status = fw_write_file(scratch_path(&s, "p.yaml"), project_yaml, strlen(project_yaml), &err);
    if (status == FW_OK) status = fw_project_load(&project, scratch_path(&s, "p.yaml"), NULL, 0, &err);
    snprintf(folder, sizeof folder, "%s", scratch_path(&s, "study"));
    const coord_source source = fake_source(&fake);
    const coord_study_opts opts = {.dir = folder, .project = project, .dataset_digest = "d", .slots = fake.n};
    if (status == FW_OK) status = coord_study_open(&study, &opts, &err);
    if (status == FW_OK) {
        const coord_trials trials = {.project = project, .dataset = "none", .folder = folder, .space = coord_study_space(study), .metric = coord_study_metric(study),
                                     .max_rounds = coord_study_max_rounds(study), .folds = 1, .seeds = 1};
        const coord_runner_opts run = {.study = study, .source = &source, .trials = &trials, .slots = fake.n};
        status = coord_runner_run(&run, &err);
    }
    if (status != FW_OK) fprintf(stderr, "bench_dispatch: %s\n", err.text);
    else
        printf("dispatch, %u groups: %zu orders within a job p50 %.0f us, p99 %.0f us; %zu first orders of a job p50 %.0f us, p99 %.0f us\n", fake.n, rounds.n,
               at(&rounds, 0.5), at(&rounds, 0.99), jobs.n, at(&jobs, 0.5), at(&jobs, 0.99));
    coord_study_close(&study);
    fw_project_destroy(&project);
    scratch_remove(&s);
    return status == FW_OK ? 0 : 1;
}
