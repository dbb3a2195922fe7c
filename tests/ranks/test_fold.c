/** Folds of the training split: those of a plain reckoning, on any ranks; and what is fitted is fitted on the rows to train on alone. */
#include "worker/fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "tests/ranks/folder.h"
#include "worker/ingest.h"
#include "worker/task.h"

#define ROWS 700

static worker_group *g;
static scratch place;
static char dataset[512];

static fw_project *project(bool regression)
{
    char yaml[512];
    fw_project *p = NULL;
    fw_error err = {0};
    snprintf(yaml, sizeof yaml,
             "project: p\nproblem: {task: %s, target: %s}\ndata: {tables: {t: t.csv}, split: {train: 0.8, validation: 0.1, test: 0.1, seed: 3}}\n"
             "features: {x: {type: number, scale: standard, missing: mean}}\nmodel: {learner: linear}\n",
             regression ? "regression" : "classification", regression ? "y" : "label");
    CHECK(fw_project_parse(&p, yaml, "p.yaml", place.dir, &err) == FW_OK, "%s", err.text);
    if (p == NULL) abort();
    return p;
}

/* Rank 0 writes the table; the folder's name goes to all. */
static void make_table(void)
{
    FW_AUTO(fw_text) t = {0};
    fw_text_add(&t, "label,x,y\n");
    for (uint64_t r = 0; r < ROWS; r++) {
        const fw_philox draw = fw_random(8, FW_RANDOM_TEST, 0, r, 0);
        fw_text_format(&t, "%s,%.6f,%.6f\n", draw.word[3] % 10 == 0 ? "rare" : draw.word[3] % 2 ? "odd" : "even", 5.0 + fw_random_unit(draw), fw_random_unit2(draw));
    }
    if (fw_write_file(scratch_path(&place, "t.csv"), t.data, strlen(t.data), NULL) != FW_OK) abort();
}

static void make_dataset(bool regression)
{
    FW_AUTO(fw_project) *p = project(regression);
    worker_ingest_result r;
    fw_error err = {0};
    CHECK(worker_ingest(p, dataset, worker_group_reduce(g), NULL, NULL, &r, &err) == FW_OK, "%s", err.text);
}

/* Every training row with its place among those of its class by hash: counted, not sorted. */
typedef struct known { uint64_t hash, at; int32_t class_code; } known;

static known *reckon(const fw_project *p, uint64_t *n)
{
    FW_AUTO(fw_dataset) *d = NULL;
    FW_AUTO(fw_block) *b = NULL;
    CHECK(fw_dataset_open(&d, dataset, NULL) == FW_OK, "no dataset");
    *n = fw_dataset_rows(d, FW_TRAIN);
    CHECK(fw_block_create(&b, fw_dataset_schema(d), (size_t)*n, NULL) == FW_OK && fw_dataset_read(d, FW_TRAIN, 0, (size_t)*n, NULL, b, NULL) == FW_OK, "no rows");
    known *k = calloc((size_t)*n, sizeof *k);
    if (k == NULL) abort();
    const int32_t *code = b->cells[fw_dataset_schema(d)->target].code;
    for (uint64_t i = 0; i < *n; i++) {
        const fw_philox drawn = fw_random(p->data.split.seed, FW_RANDOM_FOLD, 0, b->row[i], 0);
        k[i] = (known){(uint64_t)drawn.word[0] << 32 | drawn.word[1], 0, code != NULL ? code[i] : 0};
    }
    for (uint64_t i = 0; i < *n; i++)
        for (uint64_t j = 0; j < *n; j++)
            k[i].at += k[j].class_code < k[i].class_code || (k[j].class_code == k[i].class_code && k[j].hash < k[i].hash);
    return k;
}

static void check_fold(const worker_fold *f, const known *k, uint64_t n, uint32_t folds, uint32_t fold)
{
    uint64_t train = 0, validation = 0;
    CHECK(f->n_train + f->n_validation == n, "%llu and %llu of %llu rows", (unsigned long long)f->n_train, (unsigned long long)f->n_validation, (unsigned long long)n);
    for (uint64_t i = 0; i < n; i++) {
        const bool held_out = k[i].at % folds == fold;
        if (held_out) CHECK(validation < f->n_validation && f->validation[validation] == i, "row %llu", (unsigned long long)i);
        else CHECK(train < f->n_train && f->train[train] == i, "row %llu", (unsigned long long)i);
        validation += held_out;
        train += !held_out;
    }
}

static void folds_are_those_of_a_plain_reckoning(bool regression)
{
    FW_AUTO(fw_project) *p = project(regression);
    FW_AUTO(fw_dataset) *d = NULL;
    uint64_t n = 0;
    FW_FREE known *k = reckon(p, &n);
    CHECK(fw_dataset_open(&d, dataset, NULL) == FW_OK, "no dataset");
    for (uint32_t folds = 2; folds <= 7; folds += 5)
        for (uint32_t fold = 0; fold < folds; fold++) {
            FW_AUTO(worker_fold) *f = NULL;
            fw_error err = {0};
            CHECK(worker_fold_create(&f, d, p, folds, fold, worker_group_reduce(g), &err) == FW_OK, "%s", err.text);
            if (f != NULL) check_fold(f, k, n, folds, fold);
        }
    FW_AUTO(worker_fold) *none = NULL;
    fw_error err = {0};
    CHECK(worker_fold_create(&none, d, p, ROWS + 1, ROWS, worker_group_reduce(g), &err) == FW_ERR_DATA && strstr(err.text, "too few") != NULL, "%s", err.text);
}

/* Standardised by mean and deviation of the rows to train on: those have mean 0 and deviation 1 to float's digits; by all rows they had not. */
static void transforms_are_fitted_on_the_rows_to_train_on(void)
{
    FW_AUTO(fw_project) *p = project(false);
    for (uint32_t fold = 0; fold < 3; fold++) {
        worker_task *t = NULL;
        FW_FREE char *notes = NULL;
        fw_error err = {0};
        double sum = 0.0, squares = 0.0, other = 0.0;
        CHECK(worker_task_open(&t, g, p, &(worker_task_opts){.dataset = dataset, .folds = 3, .fold = fold}, &notes, &err) == FW_OK, "%s", err.text);
        if (t == NULL) abort();
        for (uint64_t i = 0; i < t->train.n; i++) {
            sum += (double)t->train.x[i * t->train.ld];
            squares += (double)t->train.x[i * t->train.ld] * (double)t->train.x[i * t->train.ld];
        }
        for (uint64_t i = 0; i < t->validation.n; i++) other += (double)t->validation.x[i * t->validation.ld];
        const double mean = sum / (double)t->train.n, deviation = sqrt(squares / (double)t->train.n - mean * mean);
        CHECK(fabs(mean) < 1e-5 && fabs(deviation - 1.0) < 1e-5, "mean %g, deviation %g", mean, deviation);
        CHECK(fabs(other / (double)t->validation.n) > 1e-4, "the rows to validate were fitted too");
        worker_task_close(&t);
    }
}

int main(int argc, char **argv)
{
    if (!checks_start(&g, &argc, &argv)) return 1;
    const bool leader = worker_group_rank(g) == 0;
    folder_make(&place, g);
    if (leader) make_table();
    snprintf(dataset, sizeof dataset, "%s/p.dataset.h5", place.dir);
    for (int regression = 0; regression < 2; regression++) {
        make_dataset(regression);
        folds_are_those_of_a_plain_reckoning(regression);
        if (!regression) transforms_are_fitted_on_the_rows_to_train_on();
        CHECK(worker_group_barrier(g, NULL) == FW_OK, "barrier");
    }
    if (leader) scratch_remove(&place);
    return checks_end(g);
}
