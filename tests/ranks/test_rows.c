/** Rows in memory: those of pictures are bytes and give the same features, to the bit, as the transforms; also where another group shares them. */
#include "worker/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "tests/ranks/folder.h"
#include "worker/ingest.h"
#include "worker/task.h"

enum { PICTURES = 300, HEIGHT = 5, WIDTH = 7, PIXELS = HEIGHT * WIDTH, CLASSES = 3 };

static worker_group *g;
static scratch place;
static char dataset[512];

static fw_project *project(const char *features)
{
    char yaml[512];
    fw_project *p = NULL;
    fw_error err = {0};
    snprintf(yaml, sizeof yaml,
             "project: p\nproblem: {task: classification, target: label}\n"
             "data: {tables: {t: {images: images-idx3-ubyte, labels: labels-idx1-ubyte}}, split: {train: 0.7, validation: 0.2, test: 0.1, seed: 3}}\n"
             "%smodel: {learner: linear}\n", features);
    CHECK(fw_project_parse(&p, yaml, "p.yaml", place.dir, &err) == FW_OK, "%s", err.text);
    if (p == NULL) abort();
    return p;
}

/* Every byte comes up, and a picture is like no other. */
static void make_tables(void)
{
    uint8_t images[16 + PICTURES * PIXELS] = {0, 0, 8, 3, 0, 0, PICTURES >> 8, PICTURES & 255, 0, 0, 0, HEIGHT, 0, 0, 0, WIDTH};
    uint8_t labels[8 + PICTURES] = {0, 0, 8, 1, 0, 0, PICTURES >> 8, PICTURES & 255};
    for (size_t i = 0; i < PICTURES; i++) {
        labels[8 + i] = (uint8_t)(i % CLASSES);
        for (size_t k = 0; k < PIXELS; k++) images[16 + i * PIXELS + k] = (uint8_t)(i * 97 + k * 31 + i * k / 8);
    }
    if (fw_write_file(scratch_path(&place, "images-idx3-ubyte"), (const char *)images, sizeof images, NULL) != FW_OK ||
        fw_write_file(scratch_path(&place, "labels-idx1-ubyte"), (const char *)labels, sizeof labels, NULL) != FW_OK) abort();
}

static void make_dataset(void)
{
    FW_AUTO(fw_project) *p = project("");
    worker_ingest_result r;
    fw_error err = {0};
    CHECK(worker_ingest(p, dataset, worker_group_reduce(g), NULL, NULL, &r, &err) == FW_OK, "%s", err.text);
}

/* The features of all rows by the transforms themselves: (n, ld). */
static float *transformed(const worker_task *t, const worker_rows *rows, fw_split split)
{
    FW_AUTO(fw_block) *b = NULL;
    float *x = calloc((size_t)rows->n * rows->ld + 1, sizeof *x);
    if (x == NULL) abort();
    fw_error err = {0};
    CHECK(fw_block_create(&b, fw_dataset_schema(t->dataset), (size_t)rows->n, NULL) == FW_OK &&
              fw_dataset_read(t->dataset, split, 0, (size_t)rows->n, NULL, b, NULL) == FW_OK &&
              fw_pipeline_apply(t->pipeline, b, 0, (size_t)rows->n, x, rows->ld, NULL, &err) == FW_OK,
          "%s", err.text);
    return x;
}

static void check_rows(const worker_task *t, const worker_rows *rows, fw_split split, bool as_bytes)
{
    FW_FREE float *expected = transformed(t, rows, split), *got = NULL;
    FW_FREE uint64_t *row = NULL;
    const size_t n = (size_t)rows->n, bytes = n * rows->ld * sizeof(float);
    if ((got = malloc(bytes)) == NULL || (row = malloc(n * sizeof *row)) == NULL) abort();
    CHECK(n > 20 && (rows->bytes != NULL) == as_bytes && (rows->x != NULL) == !as_bytes, "%zu rows, bytes %p, floats %p", n, (void *)rows->bytes, (void *)rows->x);
    memset(got, 0xff, bytes);
    CHECK(memcmp(worker_rows_features(rows, 0, n, got), expected, bytes) == 0, "rows in order");
    for (size_t i = 0; i < n; i++) row[i] = n - 1 - i;
    memset(got, 0xff, bytes);
    worker_rows_gather(rows, row, n, got);
    for (size_t i = 0; i < n; i++)
        CHECK(memcmp(got + i * rows->ld, expected + row[i] * rows->ld, rows->ld * sizeof(float)) == 0, "row %zu, gathered", (size_t)row[i]);
}

static worker_task *open_task(const fw_project *p, bool shared)
{
    worker_task *t = NULL;
    char *notes = NULL;
    fw_error err = {0};
    CHECK(worker_task_open(&t, g, p, &(worker_task_opts){.dataset = dataset, .shared = shared}, &notes, &err) == FW_OK, "%s", err.text);
    if (t == NULL) abort();
    free(notes);
    return t;
}

static void check_task(const char *features, bool shared, bool as_bytes)
{
    FW_AUTO(fw_project) *p = project(features);
    worker_task *first = open_task(p, shared), *second = open_task(p, shared);      /* shared: it takes over what the first one made */
    const worker_task *tasks[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        check_rows(tasks[i], &tasks[i]->train, FW_TRAIN, as_bytes);
        check_rows(tasks[i], &tasks[i]->validation, FW_VALIDATION, as_bytes);
    }
    worker_task_close(&second);
    worker_task_close(&first);
}

int main(int argc, char **argv)
{
    if (!checks_start(&g, &argc, &argv)) return 1;
    const bool leader = worker_group_rank(g) == 0;
    folder_make(&place, g);
    if (leader) make_tables();
    snprintf(dataset, sizeof dataset, "%s/p.dataset.h5", place.dir);
    make_dataset();
    check_task("", false, true);
    check_task("", true, true);
    check_task("features: {image: {type: image, scale: standard}}\n", false, false);
    check_task("features: {image: {type: image, scale: standard}}\n", true, false);
    CHECK(worker_group_barrier(g, NULL) == FW_OK, "barrier");
    if (leader) scratch_remove(&place);
    return checks_end(g);
}
