/** How long training stalls for a checkpoint, by size of its state: rounds of one step each, of a net with that many weights and Adam's moments. A line a
 *  size: the step, how much longer the one is that checkpoints (its median against the median of its neighbours), how much longer when it waits for the
 *  disk (the same code, settled at once), what the vote takes, what the steps lose that run while the thread writes.
 *  The checkpoint is opened again at the end and has to be that of the last round.
 *  Run on one rank or under mpirun; MiB as arguments (1 16 128). Checkpoints go to $TMPDIR. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/random.h"
#include "common/core/text.h"
#include "tests/ranks/checks.h"
#include "worker/ingest.h"
#include "worker/train_state.h"

enum { WIDTH = 16, ROWS = 80, CYCLES = 15, MOST = 256 };

typedef struct times { double s[MOST]; size_t n; } times;

static void add(times *t, fw_mono since)
{
    if (t->n < MOST) t->s[t->n++] = fw_mono_seconds(since, fw_mono_now());
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ms(times *t)
{
    qsort(t->s, t->n, sizeof *t->s, ascending);
    return t->n > 0 ? 1e3 * t->s[t->n / 2] : 0.0;
}

/* ---- a task ------------------------------------------------------------------------------------------------------------------------------ */

static bool write_table(const char *path)
{
    FW_AUTO(fw_text) t = {0};
    for (int c = 0; c < WIDTH; c++) fw_text_format(&t, "x%d,", c);
    fw_text_add(&t, "y\n");
    for (uint64_t i = 0; i < ROWS; i++) {
        for (uint32_t c = 0; c <= WIDTH; c++) fw_text_format(&t, "%s%.6f", c > 0 ? "," : "", fw_random_unit(fw_random(1, FW_RANDOM_TEST, c, i, 0)));
        fw_text_add(&t, "\n");
    }
    return fw_text_check(&t, NULL) == FW_OK && fw_write_file(path, t.data, t.len, NULL) == FW_OK;
}

/* Two hidden layers of h: weights, and Adam's two moments of each, fill about `mib`. */
static fw_status open_task(worker_task **out, fw_project **project, worker_group *g, const char *dir, double mib, fw_error *err)
{
    const double params = mib * 1048576.0 / 12.0;
    int h = 1;
    while ((double)h * h + (WIDTH + 3.0) * h + 1.0 < params) h++;
    char yaml[600], dataset[600];
    worker_ingest_result r;
    snprintf(yaml, sizeof yaml,
             "project: b\nproblem: {task: regression, target: y}\ndata: {tables: {t: t.csv}, split: {train: 0.8, validation: 0.1, test: 0.1}}\n"
             "features: \"*\"\nmodel: {learner: mlp, hidden: [%d, %d]}\ntrain: {epochs: 1000, global_batch_size: 64, leaf_rows: 16, optimizer: adam}\n", h, h);
    snprintf(dataset, sizeof dataset, "%s/b.dataset.h5", dir);
    FW_TRY(fw_project_parse(project, yaml, "b.yaml", dir, err));
    FW_TRY(worker_ingest(*project, dataset, worker_group_reduce(g), NULL, NULL, &r, err));
    return worker_task_open(out, g, *project, &(worker_task_opts){.dataset = dataset}, &(char *){NULL}, err);
}

/* ---- measuring --------------------------------------------------------------------------------------------------------------------------- */

typedef struct figures { times plain, begins, blocks, meanwhile, vote; } figures;

static fw_status timed_round(worker_train *t, times *into, bool settle, fw_error *err)
{
    worker_round r;
    const fw_mono start = fw_mono_now();
    FW_TRY(worker_train_advance(t, false, &r, err));
    if (settle) FW_TRY(worker_train_settle(t, err));
    add(into, start);
    return FW_OK;
}

/* Every fourth round has a checkpoint: one that the training does not wait for, with two rounds meanwhile, or one that it does. */
static fw_status cycle(worker_train *t, figures *f, bool blocking, fw_error *err)
{
    FW_TRY(timed_round(t, blocking ? &f->blocks : &f->begins, blocking, err));
    for (int i = 0; !blocking && i < 1; i++) FW_TRY(timed_round(t, &f->meanwhile, false, err));
    FW_TRY(worker_train_settle(t, err));
    for (int i = blocking ? 0 : 1; i < 3; i++) {
        FW_TRY(timed_round(t, &f->plain, false, err));
        const fw_mono start = fw_mono_now();
        FW_TRY(worker_train_seal(t, false, err));
        add(&f->vote, start);
    }
    return FW_OK;
}

static fw_status measure(worker_train *t, figures *f, fw_error *err)
{
    times unused = {0};
    for (int i = 0; i < 3; i++) FW_TRY(timed_round(t, &unused, false, err));       /* the fourth is the first with a checkpoint */
    for (int i = 0; i < 2 * CYCLES; i++) FW_TRY(cycle(t, f, i % 2 == 1, err));
    FW_TRY(timed_round(t, &unused, true, err));
    return FW_OK;
}

static fw_status check_file(const char *path, uint64_t round, fw_error *err)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    FW_TRY(fw_checkpoint_open(&c, path, err));
    const json_t *at = json_object_get(json_object_get(fw_checkpoint_manifest(c), "position"), "round");
    return json_integer_value(at) == (json_int_t)round ? FW_OK : fw_fail(err, FW_ERR_CHECK, "the checkpoint is not of round %llu", (unsigned long long)round);
}

static fw_status bench(worker_group *g, const char *dir, double mib, fw_error *err)
{
    figures f = {0};
    fw_project *project = NULL;
    worker_task *task = NULL;
    worker_train *t = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.h5", dir);
    const worker_train_opts opts = {.checkpoint = path, .checkpoint_every_rounds = 4};
    fw_status s = open_task(&task, &project, g, dir, mib, err);
    if (s == FW_OK) s = worker_train_create(&t, task, &opts, err);
    if (s == FW_OK) s = measure(t, &f, err);
    if (s == FW_OK && worker_group_rank(g) == 0) s = check_file(path, worker_train_position(t).round, err);
    const double step = median_ms(&f.plain), begins = median_ms(&f.begins), blocks = median_ms(&f.blocks), meanwhile = median_ms(&f.meanwhile);
    if (s == FW_OK && worker_group_rank(g) == 0)
        printf("checkpoint of %5.1f MiB, %d ranks: step %7.2f ms; with a checkpoint %+7.2f ms, waiting for the disk %+8.2f ms; step meanwhile %+7.2f ms; vote %.3f ms\n",
               mib, worker_group_size(g), step, begins - step, blocks - step, meanwhile - step, median_ms(&f.vote));
    worker_train_release(&t);
    worker_task_close(&task);
    fw_project_destroy(&project);
    return s;
}

int main(int argc, char **argv)
{
    worker_group *g = NULL;
    fw_error err = {0};
    char dir[400];
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    fw_status s = worker_group_start(&g, &argc, &argv, &err);
    if (s != FW_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const char *folder = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/fw-bench-checkpoint", folder != NULL ? folder : "/tmp");
    if (worker_group_rank(g) == 0) {
        char table[500];
        snprintf(table, sizeof table, "%s/t.csv", dir);
        CHECK(fw_make_dirs(dir, &err) == FW_OK && write_table(table), "%s", err.text);
    }
    CHECK(worker_group_barrier(g, &err) == FW_OK, "%s", err.text);
    static const char *const usual[] = {"1", "16", "128"};
    const char *const *sizes = argc > 1 ? (const char *const *)argv + 1 : usual;
    for (int i = 0; i < (argc > 1 ? argc - 1 : 3) && s == FW_OK; i++) {
        s = bench(g, dir, atof(sizes[i]), &err);
        CHECK(s == FW_OK, "%s", err.text);
    }
    return checks_end(g);
}
