#include "worker/task.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/stats/exact_sum.h"
#include "worker/fold.h"
#include "worker/reference.h"
#include "worker/rows_file.h"
#include "worker/task_key.h"

#define READ_ROWS 4096

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

static fw_status count_classes(worker_task *t, char **notes, fw_error *err)
{
    const fw_column *target = &fw_dataset_schema(t->dataset)->columns[fw_dataset_schema(t->dataset)->target];
    FW_TRY(fw_alloc_zeroed((void **)&t->class_count, t->n_classes, sizeof *t->class_count, "class counts", err));
    FW_TRY(fw_alloc_zeroed((void **)&t->class_weight, t->n_classes, sizeof *t->class_weight, "class weights", err));
    for (uint64_t i = 0; i < t->train.n; i++) t->class_count[t->train.label[i]]++;
    size_t present = 0;
    for (size_t c = 0; c < t->n_classes; c++) present += t->class_count[c] > 0;
    if (present < 2)
        return fw_fail(err, FW_ERR_DATA, "target %s: the training split holds only one class; there is nothing to learn", target->name);
    return present < t->n_classes ? note_unlearnt(t, target, t->class_count, notes, err) : FW_OK;
}

/* Given weights or "balanced" (rows / (classes * rows of the class), as scikit-learn), scaled to a mean of 1 over the rows. */
static fw_status weigh_classes(worker_task *t, fw_error *err)
{
    const fw_column *target = &fw_dataset_schema(t->dataset)->columns[fw_dataset_schema(t->dataset)->target];
    const bool balanced = t->project->train.balanced_classes, weighted = balanced || t->project->train.n_class_weights > 0;
    double sum = 0.0, present = 0.0;
    FW_TRY(check_weights(t, target, err));
    for (size_t c = 0; c < t->n_classes; c++) present += t->class_count[c] > 0 ? 1.0 : 0.0;
    for (size_t c = 0; c < t->n_classes; c++) {
        const double count = (double)t->class_count[c];
        const double w = balanced ? (count > 0.0 ? (double)t->train.n / (present * count) : 0.0)
                                  : weight_of_label(t->project, fw_dict_text(target->dict, (int32_t)c, NULL));
        t->class_weight[c] = (float)w;
        sum += w * count;
    }
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

static fw_status open_local(worker_task *t, const char *path, char **notes, fw_error *err)
{
    FW_TRY(fw_dataset_open(&t->dataset, path, err));
    FW_TRY(set_up_target(t, err));
    if (fw_dataset_rows(t->dataset, FW_TRAIN) == 0) return fw_fail(err, FW_ERR_DATA, "%s: the training split is empty", path);
    FW_TRY(fw_pipeline_plan(&t->pipeline, t->project, fw_dataset_schema(t->dataset), notes, err));
    return FW_OK;
}

static fw_status read_train(void *context, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err)
{
    worker_tick();
    return worker_source_read(context, first, n, wanted, block, err);
}

/* Both sides in one piece of memory. */
static fw_status size_rows(size_t *train_bytes, size_t *bytes, uint64_t n_train, uint64_t n_validation, size_t width, bool as_bytes, fw_error *err)
{
    FW_TRY(worker_rows_size(train_bytes, n_train, width, as_bytes, err));
    FW_TRY(worker_rows_size(bytes, n_validation, width, as_bytes, err));
    return fw_size_add(bytes, *bytes, *train_bytes, "rows in memory", err);
}

static void lay_out(worker_task *t, char *base, size_t train_bytes, uint64_t n_train, uint64_t n_validation)
{
    const bool as_bytes = fw_pipeline_is_bytes(t->pipeline);
    worker_rows_lay_out(&t->train, base, n_train, t->width, as_bytes);
    worker_rows_lay_out(&t->validation, base + train_bytes, n_validation, t->width, as_bytes);
}

/* The transforms as text, behind the rows: who finds the file needs them too. */
static fw_status print_pipeline(char **text, const worker_task *t, fw_error *err)
{
    json_t *j = NULL;
    FW_TRY(fw_pipeline_to_json(&j, t->pipeline, err));
    *text = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(j);
    return *text != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "the transforms as text");
}

/* Memory of the file when it is to be made and has room, else the group's own. */
static fw_status take_memory(worker_task *t, char **base, size_t rows_bytes, const char *pipeline, fw_error *err)
{
    bool room = false;
    if (t->file != NULL) FW_TRY(worker_rows_file_make(t->file, rows_bytes + strlen(pipeline), &room, err));
    if (!room) worker_rows_file_release(&t->file);
    if (!room) FW_TRY(worker_shared_reserve(&t->memory, t->group, rows_bytes, "rows in memory", err));
    *base = room ? worker_rows_file_base(t->file) : worker_shared_base(t->memory);
    if (room && worker_group_rank(t->group) == 0) memcpy(*base + rows_bytes, pipeline, strlen(pipeline));
    return FW_OK;
}

static fw_status load_rows(worker_task *t, worker_source *train, worker_source *validation, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->group);
    FW_FREE char *pipeline = NULL;
    char *base = NULL;
    size_t train_bytes = 0, bytes = 0;
    t->width = fw_pipeline_width(t->pipeline);
    fw_status s = size_rows(&train_bytes, &bytes, train->n, validation->n, t->width, fw_pipeline_is_bytes(t->pipeline), err);
    if (s == FW_OK) s = print_pipeline(&pipeline, t, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(take_memory(t, &base, bytes, pipeline, err));
    lay_out(t, base, train_bytes, train->n, validation->n);
    FW_TRY(worker_rows_fill(&t->train, t->group, train, t->pipeline, t->project->problem.target, err));
    FW_TRY(worker_rows_fill(&t->validation, t->group, validation, t->pipeline, t->project->problem.target, err));
    if (t->file == NULL) return FW_OK;
    const worker_rows_figures figures = {.n = {train->n, validation->n}, .missing = {t->train.missing, t->validation.missing},
                                         .unseen = {t->train.unseen, t->validation.unseen}, .width = t->width, .pipeline_bytes = strlen(pipeline)};
    return worker_rows_file_commit(t->file, &figures, err);
}

/* What another group has fitted, read and transformed. Sizes are checked though the file's digest was right. */
static fw_status take_over(worker_task *t, fw_error *err)
{
    const worker_rows_figures *f = worker_rows_file_figures(t->file);
    char *base = worker_rows_file_base(t->file);
    const bool as_bytes = fw_pipeline_is_bytes(t->pipeline);
    size_t train_bytes = 0, bytes = 0;
    FW_TRY(size_rows(&train_bytes, &bytes, f->n[0], f->n[1], f->width, as_bytes, err));
    const size_t all = worker_rows_file_bytes(t->file);
    if (f->pipeline_bytes > all || bytes != all - f->pipeline_bytes) return fw_fail(err, FW_ERR_FORMAT, "shared rows: their size is not what they say");
    json_t *j = json_loadb(base + bytes, f->pipeline_bytes, JSON_REJECT_DUPLICATES, NULL);
    fw_pipeline_destroy(&t->pipeline);
    fw_status s = j != NULL ? fw_pipeline_from_json(&t->pipeline, j, fw_dataset_schema(t->dataset), err) : fw_fail(err, FW_ERR_FORMAT, "shared rows: their transforms");
    json_decref(j);
    FW_TRY(s);
    t->width = (size_t)f->width;
    if (fw_pipeline_width(t->pipeline) != t->width || fw_pipeline_is_bytes(t->pipeline) != as_bytes)
        return fw_fail(err, FW_ERR_FORMAT, "shared rows: their width is not that of their transforms");
    lay_out(t, base, train_bytes, f->n[0], f->n[1]);
    t->train.missing = f->missing[0];
    t->train.unseen = f->unseen[0];
    t->validation.missing = f->missing[1];
    t->validation.unseen = f->unseen[1];
    return FW_OK;
}

static fw_status fit_and_load(worker_task *t, const worker_task_opts *opts, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->group);
    worker_source train = {.dataset = t->dataset, .split = FW_TRAIN, .n = fw_dataset_rows(t->dataset, FW_TRAIN)};
    worker_source validation = {.dataset = t->dataset, .split = FW_VALIDATION, .n = fw_dataset_rows(t->dataset, FW_VALIDATION)};
    FW_AUTO(worker_fold) *fold = NULL;
    if (opts->folds > 0) {
        FW_TRY(worker_fold_create(&fold, t->dataset, t->project, opts->folds, opts->fold, reduce, err));
        train = (worker_source){.dataset = t->dataset, .split = FW_TRAIN, .place = fold->train, .n = fold->n_train};
        validation = (worker_source){.dataset = t->dataset, .split = FW_TRAIN, .place = fold->validation, .n = fold->n_validation};
    }
    const fw_rows rows = {&train, train.n, READ_ROWS, read_train};
    fw_status s = fw_pipeline_fit(t->pipeline, fw_dataset_schema(t->dataset), &rows, reduce, err);
    if (s == FW_OK) s = load_rows(t, &train, &validation, err);
    fw_block_destroy(&train.passing);
    fw_block_destroy(&validation.passing);
    return s;
}

static fw_status get_rows(worker_task *t, const worker_task_opts *opts, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->group);
    bool found = false;
    if (opts->shared && worker_group_nodes(t->group) == 1)
        FW_TRY(worker_rows_file_open(&t->file, t->group, worker_task_key_digest(t->key, fw_dataset_digest(t->dataset)), &found, err));
    return found ? reduce->agree(reduce->context, take_over(t, err), err) : fit_and_load(t, opts, err);
}

static fw_status study_target(worker_task *t, char **notes, fw_error *err)
{
    if (t->task == FW_TASK_REGRESSION) return standardise_target(t, err);
    FW_TRY(count_classes(t, notes, err));
    return weigh_classes(t, err);
}

fw_status worker_task_open(worker_task **out, worker_group *g, const fw_project *project, const worker_task_opts *opts, char **notes, fw_error *err)
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
    t->folds = opts->folds;
    t->fold = opts->fold;
    s = worker_task_key_create(&t->key, project, opts, worker_group_rank(g) == 0, err);
    if (s == FW_OK) s = open_local(t, opts->dataset, notes, err);
    s = reduce->agree(reduce->context, s, err);
    if (s == FW_OK) s = get_rows(t, opts, err);
    if (s == FW_OK) s = reduce->agree(reduce->context, study_target(t, notes, err), err);
    if (s != FW_OK) {
        worker_task_close(&t);
        return s;
    }
    *out = t;
    return FW_OK;
}

fw_status worker_task_renew(worker_task *t, const fw_project *project, const worker_task_opts *opts, bool *kept, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->group);
    FW_AUTO(worker_task_key) *key = NULL;
    const bool asks = worker_group_rank(t->group) == 0;
    fw_status s = worker_task_key_create(&key, project, opts, asks, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    int64_t differ = !worker_task_key_same(key, t->key, asks);
    FW_TRY(reduce->sum_i64(reduce->context, &differ, 1, err));
    *kept = differ == 0;
    if (!*kept) return FW_OK;
    t->project = project;
    s = t->task == FW_TASK_REGRESSION ? FW_OK : weigh_classes(t, err);
    return reduce->agree(reduce->context, s, err);
}

void worker_task_close(worker_task **task)
{
    worker_task *t = *task;
    if (t == NULL) return;
    worker_shared_release(&t->memory);
    worker_rows_file_release(&t->file);
    fw_pipeline_destroy(&t->pipeline);
    fw_dataset_destroy(&t->dataset);
    worker_task_key_destroy(&t->key);
    worker_features_destroy(&t->features);
    free(t->class_count);
    free(t->class_weight);
    free(t);
    *task = NULL;
}
