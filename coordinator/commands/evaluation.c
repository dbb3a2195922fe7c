#include "coordinator/commands/evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"

struct coord_evaluation {
    const coord_evaluation_opts *opts;
    fw_model *model;
    fw_dataset *dataset;
    fw_text predictions, truth;        /* bytes as they come, part by part */
    fw_predictions p;
    const char **class_names;
    fw_metrics *metrics;
    coord_gate_result *gates;
    size_t n_gates;
    coord_fairness *fairness;
    fw_fairness **fairness_results;
    const char ***group_names;
    size_t n_fairness;
    coord_report report;
};

static fw_status take(void *context, const fw_answer *a, fw_error *err)
{
    coord_evaluation *e = context;
    fw_text *into = strcmp(a->kind, "predictions") == 0 ? &e->predictions : strcmp(a->kind, "truth") == 0 ? &e->truth : NULL;
    if (into == NULL) return coord_print_notes(NULL, a, err);
    fw_text_add_bytes(into, a->payload, a->payload_len);
    return fw_text_check(into, err);
}

/* The class whose being chosen is judged, and that binary metrics are about: problem.positive, or the last one (code 1 when binary). */
static int32_t positive_class(const coord_evaluation *e)
{
    for (size_t i = 0; e->opts->project->problem.positive != NULL && i < e->p.n_classes; i++)
        if (fw_text_equal(e->class_names[i], e->opts->project->problem.positive)) return (int32_t)i;
    return (int32_t)e->p.n_classes - 1;
}

/* The parts put together: one array each, in row order. */
static fw_status lay_out(coord_evaluation *e, fw_error *err)
{
    const fw_model *m = e->model;
    const bool regression = m->task == FW_TASK_REGRESSION;
    const size_t n_out = fw_model_n_out(m), truth_bytes = regression ? sizeof(double) : sizeof(int32_t);
    const size_t n = e->truth.len / truth_bytes, row_bytes = regression ? sizeof(double) : n_out * sizeof(float);
    if (n == 0 || e->predictions.len != n * row_bytes || e->truth.len != n * truth_bytes)
        return fw_fail(err, FW_ERR_INTERNAL, "evaluation: %zu bytes of predictions for %zu rows", e->predictions.len, n);
    e->p = (fw_predictions){.task = m->task, .n = n, .n_classes = fw_model_n_classes(m)};
    if (regression) {
        e->p.value = (const double *)(const void *)e->predictions.data;
        e->p.truth = (const double *)(const void *)e->truth.data;
    } else {
        e->p.p = (const float *)(const void *)e->predictions.data;
        e->p.label = (const int32_t *)(const void *)e->truth.data;
        FW_TRY(fw_alloc_zeroed((void **)&e->class_names, e->p.n_classes + 1, sizeof *e->class_names, "class names", err));
        for (size_t i = 0; i < e->p.n_classes; i++) e->class_names[i] = fw_model_class_name(m, i);
        e->p.positive_first = e->p.n_classes == 2 && positive_class(e) == 0;
    }
    return FW_OK;
}

/* ---- fairness ---------------------------------------------------------------------------------------------------------------------------- */

/* Codes of one attribute for all rows of the split, in row order. */
static fw_status read_codes(int32_t *code, coord_evaluation *e, int column, fw_error *err)
{
    const fw_schema *schema = fw_dataset_schema(e->dataset);
    const size_t piece = 8192;
    FW_AUTO(fw_block) *block = NULL;
    FW_FREE bool *wanted = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&wanted, schema->n_columns, sizeof *wanted, "columns", err));
    wanted[column] = true;
    FW_TRY(fw_block_create(&block, schema, piece, err));
    for (size_t at = 0; at < e->p.n; at += piece) {
        size_t n = FW_MIN(piece, e->p.n - at);
        FW_TRY(fw_dataset_read(e->dataset, e->opts->split, at, n, wanted, block, err));
        memcpy(code + at, block->cells[column].code, n * sizeof *code);
    }
    return FW_OK;
}

static bool has_positive(const coord_evaluation *e) { return e->p.n_classes == 2 || e->opts->project->problem.positive != NULL; }

/* Many classes and none of them the positive one: a group is served well when it gets the right class, whichever that is. As a binary
 * problem: truth always 1, predicted 1 where the class was right. */
static fw_status compare_service(coord_evaluation *e, size_t i, const int32_t *code, size_t n_groups, fw_error *err)
{
    FW_FREE float *p = NULL;
    FW_FREE int32_t *label = NULL;
    const size_t k = e->p.n_classes;
    FW_TRY(fw_alloc_zeroed((void **)&p, 2 * e->p.n, sizeof *p, "fairness", err));
    FW_TRY(fw_alloc_zeroed((void **)&label, e->p.n, sizeof *label, "fairness", err));
    for (size_t r = 0; r < e->p.n; r++) {
        size_t best = 0;
        for (size_t j = 1; j < k; j++)
            if (e->p.p[r * k + j] > e->p.p[r * k + best]) best = j;
        label[r] = 1;
        p[2 * r + ((int32_t)best == e->p.label[r] ? 1 : 0)] = 1.0f;
    }
    fw_predictions served = {.task = FW_TASK_CLASSIFICATION, .n = e->p.n, .n_classes = 2, .p = p, .label = label};
    return fw_fairness_compute(&e->fairness_results[i], &served, 1, code, n_groups, e->opts->project->evaluate.fairness_min_count, err);
}

static fw_status compare_groups(coord_evaluation *e, size_t i, const int32_t *code, size_t n_groups, fw_error *err)
{
    if (!has_positive(e)) return compare_service(e, i, code, n_groups, err);
    return fw_fairness_compute(&e->fairness_results[i], &e->p, positive_class(e), code, n_groups, e->opts->project->evaluate.fairness_min_count, err);
}

static fw_status judge_attribute(coord_evaluation *e, size_t i, fw_error *err)
{
    const char *name = e->opts->project->evaluate.fairness_attributes.v[i];
    const fw_schema *schema = fw_dataset_schema(e->dataset);
    int column = fw_schema_find(schema, name);
    if (column < 0 || schema->columns[column].type != FW_CATEGORY)
        return fw_fail(err, FW_ERR_CONFIG, "evaluate.fairness.attributes: %s is %s; fairness is judged over the groups of a category", name,
                       column < 0 ? "no column of the dataset" : "not a category");
    FW_FREE int32_t *code = NULL;
    const fw_dict *dict = schema->columns[column].dict;
    const size_t n_groups = fw_dict_size(dict);
    FW_TRY(fw_alloc_zeroed((void **)&code, e->p.n, sizeof *code, "groups", err));
    FW_TRY(read_codes(code, e, column, err));
    FW_TRY(compare_groups(e, i, code, n_groups, err));
    FW_TRY(fw_alloc_zeroed((void **)&e->group_names[i], n_groups + 1, sizeof **e->group_names, "groups", err));
    for (size_t k = 0; k < n_groups; k++) e->group_names[i][k] = fw_dict_text(dict, (int32_t)k, NULL);
    e->fairness[i] = (coord_fairness){.attribute = name, .positive = has_positive(e) ? e->class_names[positive_class(e)] : "the right class", .group_names = e->group_names[i], .result = e->fairness_results[i]};
    e->n_fairness = i + 1;
    return FW_OK;
}

static fw_status judge_fairness(coord_evaluation *e, fw_error *err)
{
    const size_t n = e->opts->project->evaluate.fairness_attributes.n;
    if (n == 0 || e->p.task != FW_TASK_CLASSIFICATION) return FW_OK;
    FW_TRY(fw_alloc_zeroed((void **)&e->fairness, n, sizeof *e->fairness, "fairness", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->fairness_results, n, sizeof *e->fairness_results, "fairness", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->group_names, n, sizeof *e->group_names, "fairness", err));
    for (size_t i = 0; i < n; i++) FW_TRY(judge_attribute(e, i, err));
    return FW_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------------------------- */

static fw_status ask_group(coord_evaluation *e, coord_group *g, fw_error *err)
{
    fw_order load = {.kind = FW_ORDER_LOAD_MODEL, .path = (char *)e->opts->model_path};
    fw_order evaluate = {.kind = FW_ORDER_EVALUATE, .dataset = (char *)e->opts->dataset_path, .split = (char *)fw_split_name(e->opts->split)};
    FW_AUTO(fw_answer) *answer = NULL;
    FW_TRY(coord_group_order(g, &load, NULL, NULL, NULL, err));
    FW_TRY(coord_group_order(g, &evaluate, take, e, &answer, err));
    e->report.missing = (uint64_t)fw_answer_value(answer, "missing", 0.0);
    e->report.unseen = (uint64_t)fw_answer_value(answer, "unseen", 0.0);
    return FW_OK;
}

static void fill_report(coord_evaluation *e)
{
    coord_report *r = &e->report;
    r->model = e->model;
    r->project = e->opts->project;
    r->dataset_digest = fw_dataset_digest(e->dataset);
    r->split = fw_split_name(e->opts->split);
    r->rows = e->p.n;
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) r->split_rows[s] = fw_dataset_rows(e->dataset, s);
    r->metrics = e->metrics;
    r->history = e->opts->history;
    r->n_history = e->opts->n_history;
    r->kept_round = e->model->rounds;
    r->history_metric = e->opts->history_metric;
    r->fairness = e->fairness;
    r->n_fairness = e->n_fairness;
    r->gates = e->gates;
    r->n_gates = e->n_gates;
}

static fw_status evaluate_all(coord_evaluation *e, coord_group *g, fw_error *err)
{
    FW_TRY(fw_model_load(&e->model, e->opts->model_path, err));
    FW_TRY(fw_dataset_open(&e->dataset, e->opts->dataset_path, err));
    FW_TRY(ask_group(e, g, err));
    FW_TRY(lay_out(e, err));
    FW_TRY(fw_metrics_compute(&e->metrics, &e->p, err));
    if (e->opts->gates) FW_TRY(coord_report_gates(&e->gates, &e->n_gates, e->opts->project, e->metrics, e->class_names, err));
    FW_TRY(judge_fairness(e, err));
    fill_report(e);
    return FW_OK;
}

fw_status coord_evaluation_run(coord_evaluation **out, coord_group *g, const coord_evaluation_opts *opts, fw_error *err)
{
    FW_AUTO(coord_evaluation) *e = calloc(1, sizeof *e);
    if (e == NULL) return fw_fail(err, FW_ERR_NOMEM, "evaluation");
    e->opts = opts;
    FW_TRY(evaluate_all(e, g, err));
    *out = e;
    e = NULL;
    return FW_OK;
}

void coord_evaluation_destroy(coord_evaluation **evaluation)
{
    coord_evaluation *e = *evaluation;
    if (e == NULL) return;
    for (size_t i = 0; i < e->opts->project->evaluate.fairness_attributes.n; i++) {
        if (e->fairness_results != NULL) fw_fairness_destroy(&e->fairness_results[i]);
        if (e->group_names != NULL) free(e->group_names[i]);
    }
    free(e->fairness_results);
    free(e->group_names);
    free(e->fairness);
    free(e->gates);
    free(e->class_names);
    fw_metrics_destroy(&e->metrics);
    fw_text_destroy(&e->predictions);
    fw_text_destroy(&e->truth);
    fw_dataset_destroy(&e->dataset);
    fw_model_destroy(&e->model);
    free(e);
    *evaluation = NULL;
}

const coord_report *coord_evaluation_report(const coord_evaluation *e) { return &e->report; }

char *coord_evaluation_failures(const coord_evaluation *e)
{
    static const char *const ops[] = {[FW_AT_LEAST] = ">=", [FW_AT_MOST] = "<=", [FW_ABOVE] = ">", [FW_BELOW] = "<"};
    const double limit = e->opts->project->evaluate.fairness_max_difference;
    fw_text t = {0};
    for (size_t i = 0; i < e->n_gates; i++) {
        const coord_gate_result *g = &e->gates[i];
        if (!g->passed) fw_text_format(&t, "%s%s is %.4g, wanted %s %g", t.len > 0 ? "; " : "", g->metric, g->value, ops[g->op], g->bound);
    }
    for (size_t i = 0; e->opts->gates && limit > 0.0 && i < e->n_fairness; i++) {
        const fw_fairness *f = e->fairness[i].result;
        if (f->comparable && f->demographic_parity_difference > limit)
            fw_text_format(&t, "%sselection rates differ by %.4g over %s, wanted <= %g", t.len > 0 ? "; " : "", f->demographic_parity_difference,
                           e->fairness[i].attribute, limit);
    }
    if (t.len > 0) return fw_text_take(&t);
    fw_text_destroy(&t);
    return NULL;
}

bool coord_evaluation_passed(const coord_evaluation *e)
{
    char *failures = coord_evaluation_failures(e);
    free(failures);
    return failures == NULL;
}

static fw_status write_json(const coord_evaluation *e, const char *dir, fw_error *err)
{
    FW_FREE char *path = NULL;
    json_t *j = NULL;
    FW_TRY(fw_path_join(&path, dir, "metrics.json", err));
    FW_TRY(coord_report_json(&j, &e->report, err));
    char *text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(j);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "metrics.json");
    fw_status s = fw_write_file(path, text, strlen(text), err);
    free(text);
    return s;
}

static fw_status write_html(const coord_evaluation *e, const char *dir, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_AUTO(fw_atomic_file) *f = NULL;
    FW_TRY(fw_path_join(&path, dir, "report.html", err));
    FW_TRY(fw_atomic_file_create(&f, path, err));
    fw_status s = coord_report_html(fw_atomic_file_stream(f), &e->report, err);
    return s == FW_OK ? fw_atomic_file_commit(f, err) : fw_wrap(err, s, "%s", path);
}

fw_status coord_evaluation_write(const coord_evaluation *e, const char *dir, fw_error *err)
{
    FW_TRY(fw_make_dirs(dir, err));
    FW_TRY(write_json(e, dir, err));
    return write_html(e, dir, err);
}
