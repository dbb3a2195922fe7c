#include <string.h>

#include "common/core/size.h"
#include "worker/reference.h"
#include "worker/train_state.h"

static fw_status copy_metrics(fw_model *m, const fw_named_value *metrics, size_t n, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)&m->metrics, n + 1, sizeof *m->metrics, "metrics", err));
    for (size_t i = 0; i < n; i++) {
        FW_TRY(fw_copy_text(&m->metrics[i].name, metrics[i].name, err));
        m->metrics[i].value = metrics[i].value;
        m->n_metrics = i + 1;
    }
    return FW_OK;
}

/* The transforms as an own copy: through their exact text form. */
static fw_status copy_pipeline(fw_model *m, const worker_task *task, fw_error *err)
{
    json_t *j = NULL;
    FW_TRY(fw_pipeline_to_json(&j, task->pipeline, err));
    fw_status s = fw_pipeline_from_json(&m->pipeline, j, m->schema, err);
    json_decref(j);
    return s;
}

static fw_status sample_rows(fw_model *m, const worker_task *task, fw_error *err)
{
    const fw_split split = fw_dataset_rows(task->dataset, FW_VALIDATION) > 0 ? FW_VALIDATION : FW_TRAIN;
    size_t n = (size_t)FW_MIN(fw_dataset_rows(task->dataset, split), (uint64_t)FW_MODEL_SAMPLES);
    FW_TRY(fw_block_create(&m->samples, m->schema, FW_MODEL_SAMPLES, err));
    return fw_dataset_read(task->dataset, split, 0, n, fw_pipeline_wanted(task->pipeline), m->samples, err);
}

static fw_status build_model(worker_train *t, fw_model *m, bool best, const fw_named_value *metrics, size_t n, fw_error *err)
{
    const worker_task *task = t->task;
    fw_array arrays[WORKER_MAX_ARRAYS];
    const void *chosen[WORKER_MAX_ARRAYS];
    t->kind->arrays(t->learner, arrays);
    for (size_t i = 0; i < t->kind->n_model; i++) chosen[i] = best && t->has_best ? t->best[t->best_now][i] : arrays[i].data;
    m->task = task->task;
    m->target_mean = task->target_mean;
    m->target_scale = task->target_scale;
    m->seed = task->project->train.seed;
    m->rounds = best && t->has_best ? t->best_round : t->position.round;
    m->steps = best && t->has_best ? t->best_step : t->position.step;
    m->train_rows = task->train.n;
    FW_TRY(fw_copy_text(&m->name, task->project->project, err));
    FW_TRY(fw_project_kept_part(&m->project_yaml, task->project, err));
    FW_TRY(fw_copy_text(&m->dataset_digest, fw_dataset_digest(task->dataset), err));
    FW_TRY(fw_copy_text(&m->program_version, FW_VERSION, err));
    FW_TRY(fw_schema_copy(&m->schema, fw_dataset_schema(task->dataset), err));
    FW_TRY(copy_pipeline(m, task, err));
    FW_TRY(copy_metrics(m, metrics, n, err));
    FW_TRY(sample_rows(m, task, err));
    return t->kind->export_model(t->learner, chosen, m, err);
}

fw_status worker_train_save(worker_train *t, const char *path, bool best, const fw_named_value *metrics, size_t n, char digest[static FW_DIGEST_TEXT],
                            fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->task->group);
    fw_status s = FW_OK;
    digest[0] = '\0';
    FW_TRY(worker_train_settle(t, err));
    worker_group_note(t->task->group, "save", t->position.round, t->position.step);
    FW_TRY(worker_train_seal(t, false, err));
    if (t->task->folds == 0) FW_TRY(worker_reference_features(t->task, err));      /* a fold's model is no one's to watch */
    if (worker_group_rank(t->task->group) == 0) {
        FW_AUTO(fw_model) *m = NULL;
        s = best && t->has_best ? worker_best_check(t, t->best_now, t->best_digest, err) : FW_OK;
        if (s == FW_OK) s = fw_model_create(&m, err);
        if (s == FW_OK) s = build_model(t, m, best, metrics, n, err);
        if (s == FW_OK && t->task->features != NULL) s = worker_reference_make(&m->reference, t->task, m, err);
        if (s == FW_OK) s = fw_model_save(m, path, err);
        if (s == FW_OK) memcpy(digest, m->digest, FW_DIGEST_TEXT);
    }
    return reduce->agree(reduce->context, s, err);
}
