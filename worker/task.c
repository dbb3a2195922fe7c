#include "worker/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/stats/exact_sum.h"

#define READ_ROWS 4096

/* ---- rows as features ------------------------------------------------------------------------------------------------------------- */

static fw_status columns_to_read(bool **out, const worker_task *t, fw_error *err)
{
    const fw_schema *schema = fw_dataset_schema(t->dataset);
    FW_TRY(fw_alloc_zeroed((void **)out, schema->n_columns, sizeof **out, "columns", err));
    memcpy(*out, fw_pipeline_wanted(t->pipeline), schema->n_columns * sizeof **out);
    (*out)[schema->target] = true;
    return FW_OK;
}

static fw_status take_targets(const worker_task *t, worker_rows *rows, const fw_block *block, uint64_t first, fw_error *err)
{
    const fw_cells *target = &block->cells[fw_dataset_schema(t->dataset)->target];
    for (size_t i = 0; i < block->n_rows; i++) {
        if (target->missing[i])                    /* ingest leaves such rows out: who wrote this dataset? */
            return fw_fail(err, FW_ERR_DATA, "target %s: row %llu of the tables has none", t->project->problem.target, (unsigned long long)block->row[i]);
        if (t->task == FW_TASK_CLASSIFICATION) rows->label[first + i] = target->code[i];
        else rows->truth[first + i] = target->number[i];
    }
    return FW_OK;
}

/* This rank's blocks of the node's copy. */
static fw_status fill_rows(const worker_task *t, worker_rows *rows, fw_split split, fw_apply_counts *counts, fw_error *err)
{
    const uint64_t step = READ_ROWS, mine = (uint64_t)worker_group_node_rank(t->group), all = (uint64_t)worker_group_node_size(t->group);
    FW_FREE bool *wanted = NULL;
    FW_AUTO(fw_block) *block = NULL;
    FW_TRY(columns_to_read(&wanted, t, err));
    FW_TRY(fw_block_create(&block, fw_dataset_schema(t->dataset), READ_ROWS, err));
    FW_TRY(fw_fault("open.rows", err));
    for (uint64_t first = mine * step; first < rows->n; first += all * step) {
        size_t n = (size_t)FW_MIN(step, rows->n - first);
        worker_tick();
        FW_TRY(fw_dataset_read(t->dataset, split, first, n, wanted, block, err));
        for (uint64_t i = first; i < first + n; i++) memset(rows->x + i * rows->ld + t->width, 0, (rows->ld - t->width) * sizeof *rows->x);
        FW_TRY(fw_pipeline_apply(t->pipeline, block, 0, n, rows->x + first * rows->ld, rows->ld, counts, err));
        FW_TRY(take_targets(t, rows, block, first, err));
    }
    return FW_OK;
}

static fw_status load_rows(const worker_task *t, worker_rows *rows, fw_split split, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->group);
    const size_t n_inputs = fw_pipeline_n_inputs(t->pipeline);
    rows->n = fw_dataset_rows(t->dataset, split);
    rows->ld = (t->width + 15) / 16 * 16;
    size_t cells = 0, x_bytes = 0, target_bytes = 0;
    FW_TRY(fw_size_mul(&cells, (size_t)rows->n, rows->ld, "rows in memory", err));
    FW_TRY(fw_size_mul(&x_bytes, cells, sizeof(float), "rows in memory", err));
    FW_TRY(fw_size_mul(&target_bytes, (size_t)rows->n + 1, sizeof(double), "targets in memory", err));
    FW_TRY(worker_shared_reserve(&rows->memory, t->group, x_bytes + target_bytes + FW_ALIGN, fw_split_name(split), err));
    char *base = worker_shared_base(rows->memory);
    rows->x = (float *)(void *)base;
    rows->truth = (double *)(void *)(base + x_bytes);
    rows->label = (int32_t *)(void *)(base + x_bytes);
    FW_FREE fw_apply_counts *counts = NULL;
    fw_status s = fw_alloc_zeroed((void **)&counts, n_inputs + 1, sizeof *counts, "counts", err);
    if (s == FW_OK) s = fill_rows(t, rows, split, counts, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    int64_t total[2] = {0, 0};
    for (size_t i = 0; i < n_inputs; i++) {
        total[0] += (int64_t)counts[i].missing;
        total[1] += (int64_t)counts[i].unseen;
    }
    FW_TRY(reduce->sum_i64(reduce->context, total, 2, err));
    rows->missing = (uint64_t)total[0] / (uint64_t)worker_group_nodes(t->group);
    rows->unseen = (uint64_t)total[1] / (uint64_t)worker_group_nodes(t->group);
    return FW_OK;
}

/* ---- targets ------------------------------------------------------------------------------------------------------------------------ */

static double weight_of_label(const fw_project *p, const char *label)
{
    for (size_t i = 0; i < p->train.n_class_weights; i++)
        if (fw_text_equal(p->train.class_weights[i].label, label)) return p->train.class_weights[i].weight;
    return 1.0;
}

/* A weight for a class that is not there is a typo. */
static fw_status check_weights(const worker_task *t, const fw_column *target, fw_error *err)
{
    FW_FREE const char **names = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&names, t->n_classes, sizeof *names, "class names", err));
    for (size_t c = 0; c < t->n_classes; c++) names[c] = fw_dict_text(target->dict, (int32_t)c, NULL);
    for (size_t i = 0; i < t->project->train.n_class_weights; i++) {
        const char *label = t->project->train.class_weights[i].label, *near = fw_did_you_mean(label, names, t->n_classes);
        if (fw_dict_find(target->dict, label, strlen(label)) < 0)
            return fw_fail(err, FW_ERR_CONFIG, "train.class_weights: %s has no class \"%s\"%s%s%s; `flywheel inspect` of the dataset lists its classes",
                           target->name, label, near != NULL ? ", did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    return FW_OK;
}

/* Labels that a validation or test row has and no training row: a line each. */
static fw_status note_unlearnt(const worker_task *t, const fw_column *target, const uint64_t *count, char **notes, fw_error *err)
{
    FW_AUTO(fw_text) all = {0};
    if (*notes != NULL) fw_text_add(&all, *notes);
    for (size_t c = 0; c < t->n_classes; c++)
        if (count[c] == 0)
            fw_text_format(&all, "target %s: the class \"%s\" has no row in the training split: the model can't learn it\n", target->name,
                           fw_dict_text(target->dict, (int32_t)c, NULL));
    FW_TRY(fw_text_check(&all, err));
    free(*notes);
    *notes = fw_text_take(&all);
    return FW_OK;
}

/* Given weights or "balanced" (rows / (classes * rows of the class), as scikit-learn), scaled to a mean of 1 over the rows. */
static fw_status weigh_classes(worker_task *t, char **notes, fw_error *err)
{
    const fw_column *target = &fw_dataset_schema(t->dataset)->columns[fw_dataset_schema(t->dataset)->target];
    FW_FREE uint64_t *count = NULL;
    FW_TRY(check_weights(t, target, err));
    FW_TRY(fw_alloc_zeroed((void **)&count, t->n_classes, sizeof *count, "class counts", err));
    FW_TRY(fw_alloc_zeroed((void **)&t->class_weight, t->n_classes, sizeof *t->class_weight, "class weights", err));
    size_t present = 0;
    for (uint64_t i = 0; i < t->train.n; i++) present += count[t->train.label[i]]++ == 0;
    if (present < 2)
        return fw_fail(err, FW_ERR_DATA, "target %s: the training split holds only one class; there is nothing to learn", target->name);
    if (present < t->n_classes) FW_TRY(note_unlearnt(t, target, count, notes, err));
    double sum = 0.0;
    for (size_t c = 0; c < t->n_classes; c++) {
        double w = t->project->train.balanced_classes ? (count[c] > 0 ? (double)t->train.n / ((double)present * (double)count[c]) : 0.0)
                                                      : weight_of_label(t->project, fw_dict_text(target->dict, (int32_t)c, NULL));
        t->class_weight[c] = (float)w;
        sum += w * (double)count[c];
    }
    bool weighted = t->project->train.balanced_classes || t->project->train.n_class_weights > 0;
    for (size_t c = 0; weighted && c < t->n_classes; c++) t->class_weight[c] = (float)((double)t->class_weight[c] * (double)t->train.n / sum);
    return FW_OK;
}

static fw_status standardise_target(worker_task *t, fw_error *err)
{
    fw_exact_sum sum = {0}, squares = {0};
    const double n = (double)t->train.n;
    for (uint64_t i = 0; i < t->train.n; i++) FW_TRY(fw_exact_sum_add(&sum, t->train.truth[i], err));
    t->target_mean = fw_exact_sum_value(&sum) / n;
    for (uint64_t i = 0; i < t->train.n; i++) {
        double d = t->train.truth[i] - t->target_mean;
        FW_TRY(fw_exact_sum_add(&squares, d * d, err));
    }
    t->target_scale = sqrt(fw_exact_sum_value(&squares) / n);
    if (!(t->target_scale > 0.0))
        return fw_fail(err, FW_ERR_DATA, "target %s: constant in the training split; there is nothing to learn", t->project->problem.target);
    return FW_OK;
}

static fw_status set_up_target(worker_task *t, fw_error *err)
{
    const fw_schema *schema = fw_dataset_schema(t->dataset);
    t->task = t->project->problem.task;
    t->target_scale = 1.0;
    if (schema->target < 0) return fw_fail(err, FW_ERR_DATA, "the dataset has no target column");
    const fw_column *target = &schema->columns[schema->target];
    if (t->task == FW_TASK_REGRESSION) {
        t->link = FW_LINK_IDENTITY;
        t->n_out = 1;
        return target->type == FW_NUMBER ? FW_OK : fw_fail(err, FW_ERR_DATA, "target %s: regression needs a number, the dataset has a %s", target->name,
                                                           fw_column_type_name(target->type));
    }
    if (target->type != FW_CATEGORY || target->dict == NULL)
        return fw_fail(err, FW_ERR_DATA, "target %s: classification needs a category, the dataset has a %s", target->name, fw_column_type_name(target->type));
    t->n_classes = fw_dict_size(target->dict);
    if (t->n_classes < 2) return fw_fail(err, FW_ERR_DATA, "target %s: it has %zu class; there is nothing to learn", target->name, t->n_classes);
    t->link = t->n_classes == 2 ? FW_LINK_SIGMOID : FW_LINK_SOFTMAX;
    t->n_out = t->n_classes == 2 ? 1 : t->n_classes;
    return FW_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------ */

static fw_status read_train(void *context, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err)
{
    worker_tick();
    return fw_dataset_read(context, FW_TRAIN, first, n, wanted, block, err);
}

static fw_status open_local(worker_task *t, const char *path, char **notes, fw_error *err)
{
    FW_TRY(fw_dataset_open(&t->dataset, path, err));
    FW_TRY(set_up_target(t, err));
    if (fw_dataset_rows(t->dataset, FW_TRAIN) == 0) return fw_fail(err, FW_ERR_DATA, "%s: the training split is empty", path);
    FW_TRY(fw_pipeline_plan(&t->pipeline, t->project, fw_dataset_schema(t->dataset), notes, err));
    return FW_OK;
}

fw_status worker_task_open(worker_task **out, worker_group *g, const fw_project *project, const char *dataset_path, char **notes, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    worker_task *t = calloc(1, sizeof *t);
    fw_status s = reduce->agree(reduce->context, t == NULL ? fw_fail(err, FW_ERR_NOMEM, "task") : FW_OK, err);
    if (s != FW_OK) {
        free(t);
        return s;
    }
    t->group = g;
    t->project = project;
    s = reduce->agree(reduce->context, open_local(t, dataset_path, notes, err), err);
    if (s == FW_OK) {
        fw_rows rows = {t->dataset, fw_dataset_rows(t->dataset, FW_TRAIN), READ_ROWS, read_train};
        s = fw_pipeline_fit(t->pipeline, fw_dataset_schema(t->dataset), &rows, reduce, err);
    }
    if (s == FW_OK) {
        t->width = fw_pipeline_width(t->pipeline);
        s = load_rows(t, &t->train, FW_TRAIN, err);
    }
    if (s == FW_OK) s = load_rows(t, &t->validation, FW_VALIDATION, err);
    if (s == FW_OK) s = reduce->agree(reduce->context, t->task == FW_TASK_REGRESSION ? standardise_target(t, err) : weigh_classes(t, notes, err), err);
    if (s != FW_OK) {
        worker_task_close(&t);
        return s;
    }
    *out = t;
    return FW_OK;
}

void worker_task_close(worker_task **task)
{
    worker_task *t = *task;
    if (t == NULL) return;
    worker_shared_release(&t->train.memory);
    worker_shared_release(&t->validation.memory);
    fw_pipeline_destroy(&t->pipeline);
    fw_dataset_destroy(&t->dataset);
    free(t->class_weight);
    free(t);
    *task = NULL;
}
