/** From the arrival of a group's result at the coordinator to the send of the next order: groups without ranks, trials with tpe and asha, a journal on the
 *  disk. A group trains a round for a time that is log-normal with sigma 1 and opens rows in a thousandth of a second, so four groups bring two hundred
 *  results a second.
 *    bench_dispatch [GROUPS [MEAN_MS]]      MEAN_MS 0: no time at all. All groups are then answered at once, always: what is measured is the queue before
 *                                           the cores of this machine.
 *  Stamps are taken where the coordinator's thread comes back from the receive and where it goes into the send (the linker puts them there: the program has
 *  no hook). Beside them the same as the group sees it: with two ways through the line, and with its own way to the next line that it reads.
 *  A line of figures each for:  all orders  -  those within a job (the next round)  -  those that end a job or begin another one (save, checkpoint, open). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/core/random.h"
#include "coordinator/study/runner.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/scratch.h"

#define OPEN_MS 1.0

enum { MOST = 100000 };

typedef struct samples { double us[MOST]; size_t n; } samples;
typedef struct figures { samples within, between, all; } figures;

static figures here, there;            /* at the coordinator; at the group */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;       /* guards `here` */
static double mean_ms = 20.0;

static void add(figures *f, fw_order_kind kind, double seconds)
{
    const bool within = kind == FW_ORDER_ADVANCE || kind == FW_ORDER_CREATE || kind == FW_ORDER_RESTORE;
    samples *of[] = {within ? &f->within : &f->between, &f->all};
    for (size_t i = 0; i < 2; i++)
        if (of[i]->n < MOST) of[i]->us[of[i]->n++] = 1e6 * seconds;
}

/* ---- stamps at the coordinator: its threads alone pack orders, and send nothing else ------------------------------------------------------------ */

static _Thread_local bool orders;
static _Thread_local fw_order_kind packed;
static _Thread_local fw_mono arrived;

fw_status __real_fw_order_pack(void **bytes, size_t *len, const fw_order *o, fw_error *err);
fw_status __wrap_fw_order_pack(void **bytes, size_t *len, const fw_order *o, fw_error *err);
fw_status __real_fw_line_send(fw_line *l, const void *bytes, size_t len, fw_mono deadline, fw_error *err);
fw_status __wrap_fw_line_send(fw_line *l, const void *bytes, size_t len, fw_mono deadline, fw_error *err);
fw_status __real_fw_line_receive(fw_line *l, const void **bytes, size_t *len, fw_mono deadline, fw_error *err);
fw_status __wrap_fw_line_receive(fw_line *l, const void **bytes, size_t *len, fw_mono deadline, fw_error *err);

fw_status __wrap_fw_order_pack(void **bytes, size_t *len, const fw_order *o, fw_error *err)
{
    orders = true;
    packed = o->kind;
    return __real_fw_order_pack(bytes, len, o, err);
}

fw_status __wrap_fw_line_send(fw_line *l, const void *bytes, size_t len, fw_mono deadline, fw_error *err)
{
    if (orders && arrived.ns > 0 && packed != FW_ORDER_CLOSE) {
        const double seconds = fw_mono_seconds(arrived, fw_mono_now());
        pthread_mutex_lock(&lock);
        add(&here, packed, seconds);
        pthread_mutex_unlock(&lock);
    }
    return __real_fw_line_send(l, bytes, len, deadline, err);
}

fw_status __wrap_fw_line_receive(fw_line *l, const void **bytes, size_t *len, fw_mono deadline, fw_error *err)
{
    const fw_status s = __real_fw_line_receive(l, bytes, len, deadline, err);
    if (s == FW_OK) arrived = fw_mono_now();
    return s;
}

/* ---- at the group ---------------------------------------------------------------------------------------------------------------------------- */

static void took(void *context, fw_order_kind kind, double seconds)
{
    (void)context;
    add(&there, kind, seconds);
}

static void sleep_for(double ms)
{
    const struct timespec t = {.tv_sec = (time_t)(ms / 1e3), .tv_nsec = (long)(fmod(ms, 1e3) * 1e6)};
    nanosleep(&t, NULL);
}

static void work(void *context, const fw_order *o, uint64_t number)
{
    (void)context;
    if (mean_ms <= 0.0) return;
    const double z = fw_random_normal(fw_random(3, FW_RANDOM_TEST, 0, number, 0));
    sleep_for(o->kind == FW_ORDER_ADVANCE ? mean_ms * exp(z - 0.5) : OPEN_MS);
}

/* ---- a study ----------------------------------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(const samples *s, double share) { return s->n > 0 ? s->us[(size_t)(share * (double)(s->n - 1))] : 0.0; }

static void print(const char *what, samples *s, samples *seen)
{
    qsort(s->us, s->n, sizeof *s->us, by_size);
    qsort(seen->us, seen->n, sizeof *seen->us, by_size);
    printf("%s: %zu orders, p50 %.0f us, p99 %.0f us, most %.0f us; as the group sees it p50 %.0f us, p99 %.0f us\n", what, s->n, at(s, 0.5), at(s, 0.99), at(s, 1.0),
           at(seen, 0.5), at(seen, 0.99));
}

static const char project_yaml[] =
    "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {t: t.csv}}\nmodel: {learner: mlp, hidden: [8]}\ntrain: {epochs: 81}\n"
    "tune:\n  trials: 200\n  sampler: tpe\n  pruner: {name: asha, min_rounds: 9}\n  objective: log_loss\n"
    "  space:\n    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}\n    model.hidden: {choices: [[8], [16, 8]]}\n";

static fw_status run(fake_groups *fake, const fw_project *project, const char *folder, fw_error *err)
{
    coord_study *study = NULL;
    const coord_source source = fake_source(fake);
    const coord_study_opts opts = {.dir = folder, .project = project, .dataset_digest = "d", .slots = fake->n};
    FW_FREE char *given = NULL;
    FW_TRY(fw_project_given(&given, project, err));
    FW_TRY(coord_study_open(&study, &opts, err));
    const coord_trials trials = {.project = project, .given = given, .dataset = "none", .folder = folder, .space = coord_study_space(study), .metric = coord_study_metric(study),
                                 .max_rounds = coord_study_max_rounds(study), .folds = 1, .seeds = 1};
    const coord_runner_opts opts_of_run = {.study = study, .source = &source, .trials = &trials, .slots = fake->n};
    const fw_status s = coord_runner_run(&opts_of_run, err);
    coord_study_close(&study);
    return s;
}

int main(int argc, char **argv)
{
    scratch s;
    fw_error err = {0};
    fw_project *project = NULL;
    char folder[600];
    static fake_groups fake = {.n = 4, .took = took, .work = work};
    if (argc > 1) fake.n = (uint32_t)atoi(argv[1]);
    if (argc > 2) mean_ms = atof(argv[2]);
    if (argc > 3 || fake.n < 1 || fake.n > FAKE_GROUPS || !(mean_ms >= 0.0)) {
        fprintf(stderr, "usage: bench_dispatch [GROUPS (1 to %d) [MEAN_MS]]\n", FAKE_GROUPS);
        return 2;
    }
    if (!scratch_make(&s)) return 2;
    fw_status status = fw_write_file(scratch_path(&s, "p.yaml"), project_yaml, strlen(project_yaml), &err);
    if (status == FW_OK) status = fw_project_load(&project, scratch_path(&s, "p.yaml"), NULL, 0, &err);
    snprintf(folder, sizeof folder, "%s", scratch_path(&s, "study"));
    if (status == FW_OK) status = run(&fake, project, folder, &err);
    if (status != FW_OK) fprintf(stderr, "bench_dispatch: %s\n", err.text);
    else {
        printf("dispatch, %u groups, rounds of %g ms in the mean\n", fake.n, mean_ms);
        print("all orders    ", &here.all, &there.all);
        print("within a job  ", &here.within, &there.within);
        print("to another job", &here.between, &there.between);
    }
    fw_project_destroy(&project);
    scratch_remove(&s);
    return status == FW_OK ? 0 : 1;
}
