/** Reports to test with: a made-up model of a given kind, its predictions, and a history of a given course. */
#ifndef FW_TESTS_REPORT_EXAMPLE_H
#define FW_TESTS_REPORT_EXAMPLE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/report.h"

#define EXAMPLE_ROUNDS_MAX 64

typedef struct example {
    fw_model model;
    fw_project project;
    fw_metrics *metrics;
    fw_fairness *fairness_result[2];
    coord_fairness fairness[2];
    coord_history_row history[EXAMPLE_ROUNDS_MAX];
    coord_gate_result *gates;
    fw_gate success[4];
    size_t n_gates;
    coord_report report;
} example;

/** A number in [0, 1) that depends on i alone (the golden ratio's multiples would be too even). */
static inline double example_noise(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static inline int example_schema(example *e, const char *const *classes, size_t n_classes)
{
    fw_schema *s = NULL;
    if (fw_schema_create(&s, 3, NULL) < 0) return 0;
    static const char *const names[] = {"days_since_order", "device", "skill"};
    for (size_t i = 0; i < 3; i++) s->columns[i].name = strdup(names[i]);
    s->target = 2;
    e->model.schema = s;
    if (n_classes == 0) return 1;
    s->columns[2].type = FW_CATEGORY;
    if (fw_dict_create(&s->columns[2].dict, NULL) < 0) return 0;
    int32_t code = 0;
    for (size_t c = 0; c < n_classes; c++)
        if (fw_dict_add(&code, s->columns[2].dict, classes[c], strlen(classes[c]), NULL) < 0) return 0;
    return 1;
}

/** n rows whose prediction is right about `skill` of the time; groups of a fairness attribute beside it. */
static inline int example_classes(example *e, size_t k, size_t n, double skill)
{
    static const char *const prime[] = {"no", "yes"}, *const device[] = {"fire_tv", "kindle", "phone", "none & unknown"};
    float *p = calloc(n * k, sizeof *p);
    int32_t *label = calloc(n, sizeof *label), *group = calloc(n, sizeof *group), *other = calloc(n, sizeof *other);
    for (size_t i = 0; i < n; i++) {
        double u = example_noise(4 * i), sum = 0;
        label[i] = (int32_t)((double)k * u * (0.45 + 0.55 * u));
        group[i] = example_noise(4 * i + 1) < 0.02 ? -1 : example_noise(4 * i + 1) < 0.4;
        other[i] = (int32_t)(3.02 * example_noise(4 * i + 3));
        int32_t guess = example_noise(4 * i + 2) < skill ? label[i] : (int32_t)(((uint32_t)label[i] + 1 + (uint32_t)(2 * example_noise(4 * i + 3))) % (uint32_t)k);
        double sure = 1.2 + 4 * example_noise(9 * i + 5) + (guess == label[i]);
        for (size_t c = 0; c < k; c++) sum += exp((size_t)guess == c ? sure : example_noise(31 * i + c));
        for (size_t c = 0; c < k; c++) p[i * k + c] = (float)(exp((size_t)guess == c ? sure : example_noise(31 * i + c)) / sum);
    }
    const fw_predictions q = {.task = FW_TASK_CLASSIFICATION, .n = n, .n_classes = k, .p = p, .label = label};
    int ok = fw_metrics_compute(&e->metrics, &q, NULL) == FW_OK && fw_fairness_compute(&e->fairness_result[0], &q, k > 1, group, 2, 100, NULL) == FW_OK &&
             fw_fairness_compute(&e->fairness_result[1], &q, k > 1, other, 4, 100, NULL) == FW_OK;
    e->fairness[0] = (coord_fairness){.attribute = "prime_member", .group_names = prime, .result = e->fairness_result[0], .positive = k > 2 ? "delivery" : NULL};
    e->fairness[1] = (coord_fairness){.attribute = "device", .group_names = device, .result = e->fairness_result[1], .positive = k > 2 ? "delivery" : NULL};
    free(p);
    free(label);
    free(group);
    free(other);
    e->model.task = FW_TASK_CLASSIFICATION;
    const size_t hidden[] = {64, 32};
    return ok && fw_dense_make(&e->model.net, 57, hidden, 2, k == 2 ? 1 : k, FW_RELU, k == 2 ? FW_LINK_SIGMOID : FW_LINK_SOFTMAX, NULL) == FW_OK;
}

static inline int example_values(example *e, size_t n)
{
    double *value = calloc(n, sizeof *value), *truth = calloc(n, sizeof *truth);
    for (size_t i = 0; i < n; i++) {
        truth[i] = 5 * example_noise(i);
        value[i] = truth[i] + example_noise(n + i) - 0.5;
    }
    int ok = fw_metrics_compute(&e->metrics, &(fw_predictions){.task = FW_TASK_REGRESSION, .n = n, .value = value, .truth = truth}, NULL) == FW_OK;
    free(value);
    free(truth);
    e->model.task = FW_TASK_REGRESSION;
    return ok && fw_dense_make(&e->model.net, 8, NULL, 0, 1, FW_IDENTITY, FW_LINK_IDENTITY, NULL) == FW_OK;
}

/** train and valid of `rounds` rounds. */
static inline void example_history(example *e, const char *metric, const double *train, const double *valid, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++)
        e->history[i] = (coord_history_row){.round = i + 1, .step = 94 * (i + 1), .train_loss = train[i], .validation = valid[i]};
    e->report.history = e->history;
    e->report.n_history = rounds;
    e->report.history_metric = metric;
}

static inline int example_gates(example *e, const fw_gate *gates, size_t n)
{
    memcpy(e->success, gates, n * sizeof *gates);
    e->project.problem.success = e->success;
    e->project.problem.n_success = n;
    const char *names[64];
    for (size_t c = 0; c < e->metrics->n_classes; c++) names[c] = fw_model_class_name(&e->model, c);
    int ok = coord_report_gates(&e->gates, &e->n_gates, &e->project, e->metrics, names, NULL) == FW_OK;
    e->report.gates = e->gates;
    e->report.n_gates = e->n_gates;
    return ok;
}

/** k == 0: regression. The rest of the report is filled in as a run would. */
static inline int example_make(example *e, const char *const *classes, size_t k, size_t n, double skill)
{
    memset(e, 0, sizeof *e);
    if (!example_schema(e, classes, k) || !(k > 0 ? example_classes(e, k, n, skill) : example_values(e, n))) return 0;
    e->model.name = (char *)"callcenter";
    e->model.learner = (char *)(k > 0 ? "mlp" : "linear");
    e->model.program_version = (char *)"0.1.0";
    e->model.dataset_digest = (char *)"9f2c61d07e5b4a8390ce1d2f3a4b5c6d";
    snprintf(e->model.digest, sizeof e->model.digest, "%s", "41d0a7c2b9e8f65300112233445566aa");
    e->model.seed = 1;
    e->model.rounds = 20;
    e->model.steps = 1880;
    e->model.train_rows = 24000;
    e->project.problem.task = e->model.task;
    e->project.problem.target = (char *)"skill";
    e->project.train.optimizer = FW_ADAM;
    e->project.train.learning_rate = 0.003;
    e->project.train.global_batch_size = 256;
    e->project.train.epochs = 20;
    e->project.evaluate.fairness_max_difference = 0.1;
    e->report = (coord_report){.model = &e->model, .project = &e->project, .dataset_digest = e->model.dataset_digest, .split = "test", .rows = n, .metrics = e->metrics};
    return 1;
}

static inline void example_free(example *e)
{
    fw_metrics_destroy(&e->metrics);
    fw_fairness_destroy(&e->fairness_result[0]);
    fw_fairness_destroy(&e->fairness_result[1]);
    fw_schema_destroy(&e->model.schema);
    free(e->gates);
}

#endif
