#include "common/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/model/model_parts.h"

fw_status fw_model_create(fw_model **out, fw_error *err)
{
    fw_model *m = calloc(1, sizeof *m);
    if (m == NULL) return fw_fail(err, FW_ERR_NOMEM, "model: no memory");
    m->target_scale = 1;
    *out = m;
    return FW_OK;
}

void fw_model_destroy(fw_model **m)
{
    if (*m == NULL) return;
    fw_model *dead = *m;
    for (size_t i = 0; dead->metrics != NULL && i < dead->n_metrics; i++) free(dead->metrics[i].name);
    char *texts[] = {dead->name, dead->project_yaml, dead->learner, dead->dataset_digest, dead->program_version};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) free(texts[i]);
    free(dead->metrics);
    free(dead->params);
    free(dead->expected);
    fw_reference_destroy(&dead->reference);
    fw_block_destroy(&dead->samples);          /* before the schema, which it refers to */
    fw_pipeline_destroy(&dead->pipeline);
    fw_schema_destroy(&dead->schema);
    free(dead);
    *m = NULL;
}

static const fw_column *target(const fw_model *m) { return &m->schema->columns[m->schema->target]; }

size_t fw_model_n_classes(const fw_model *m)
{
    return m->task == FW_TASK_CLASSIFICATION ? fw_dict_size(target(m)->dict) : 0;
}

size_t fw_model_n_out(const fw_model *m)
{
    return m->task == FW_TASK_CLASSIFICATION ? fw_model_n_classes(m) : 1;
}

const char *fw_model_class_name(const fw_model *m, size_t i)
{
    return fw_dict_text(target(m)->dict, (int32_t)i, NULL);
}

static fw_status check_target(const fw_model *m, fw_status when_wrong, fw_error *err)
{
    if (m->schema->target < 0 || (size_t)m->schema->target >= m->schema->n_columns) return fw_fail(err, when_wrong, "model: its schema names no target");
    if (m->task == FW_TASK_REGRESSION) {
        if (m->net.link != FW_LINK_IDENTITY) return fw_fail(err, when_wrong, "model: regression with link %s", fw_link_name(m->net.link));
        if (target(m)->type != FW_NUMBER) return fw_fail(err, when_wrong, "model: regression of column %s, which is no number", target(m)->name);
        if (!isfinite(m->target_mean) || !isfinite(m->target_scale)) return fw_fail(err, when_wrong, "model: the scale of the target is not finite");
        return FW_OK;
    }
    if (target(m)->type != FW_CATEGORY || target(m)->dict == NULL)
        return fw_fail(err, when_wrong, "model: classification of column %s, which is no category", target(m)->name);
    const size_t n_classes = fw_model_n_classes(m), n_out = m->net.layers[m->net.n_layers - 1].out;
    const int fits = m->net.link == FW_LINK_SOFTMAX ? n_out == n_classes : m->net.link == FW_LINK_SIGMOID && n_classes == 2;
    if (!fits)
        return fw_fail(err, when_wrong, "model: %zu outputs with link %s for the %zu classes of column %s", n_out, fw_link_name(m->net.link), n_classes,
                       target(m)->name);
    return FW_OK;
}

static fw_status check_feature(const fw_model *m, const fw_bins *b, fw_status when_wrong, fw_error *err)
{
    const int at = fw_schema_find(m->schema, b->name);
    const fw_column_type type = b->kind == FW_BINS_NUMBER ? FW_NUMBER : FW_CATEGORY;
    if (at < 0 || m->schema->columns[at].type != type || !fw_pipeline_wanted(m->pipeline)[at])
        return fw_fail(err, when_wrong, "model: its reference counts a %s %s, which is no feature of it", fw_bins_kind_name(b->kind), b->name);
    return FW_OK;
}

/* What counts rows later relies on it. */
static fw_status check_reference(const fw_model *m, fw_status when_wrong, fw_error *err)
{
    const fw_reference *r = m->reference;
    const fw_summary *s = r->summary;
    const bool classes = fw_summary_bins(s, r->n_features)->kind == FW_BINS_CLASS;
    for (size_t i = 0; i < r->n_features; i++) FW_TRY(check_feature(m, fw_summary_bins(s, i), when_wrong, err));
    if (classes != (m->task == FW_TASK_CLASSIFICATION)) return fw_fail(err, when_wrong, "model: its reference is of another task");
    for (size_t i = r->n_features; i < fw_summary_n(s); i++) {
        const char *name = fw_reference_score_class(fw_summary_bins(s, i));
        if (name != NULL && fw_dict_find(target(m)->dict, name, strlen(name)) < 0)
            return fw_fail(err, when_wrong, "model: its reference counts scores of %.100s, which is no class of it", name);
    }
    return FW_OK;
}

fw_status fw_model_check_parts(const fw_model *m, fw_status when_wrong, fw_error *err)
{
    if (m->schema == NULL || m->pipeline == NULL || m->params == NULL || m->net.n_layers == 0)
        return fw_fail(err, when_wrong, "model: a part of it is missing (schema, pipeline, network or weights)");
    FW_TRY(check_target(m, when_wrong, err));
    const size_t width = fw_pipeline_width(m->pipeline);
    if (width != m->net.layers[0].in)
        return fw_fail(err, when_wrong, "model: its transforms give %zu features and its network takes %zu", width, m->net.layers[0].in);
    if (m->reference != NULL) FW_TRY(check_reference(m, when_wrong, err));
    if (m->samples == NULL || m->samples->n_rows == 0) return fw_fail(err, when_wrong, "model: it has no sample rows to be checked with");
    return FW_OK;
}

fw_status fw_model_check_weights(const fw_model *m, fw_status when_wrong, fw_error *err)
{
    for (size_t i = 0; i < m->net.n_params; i++)
        if (!isfinite(m->params[i])) return fw_fail(err, when_wrong, "model: weight %zu of %zu is not finite", i, m->net.n_params);
    return FW_OK;
}
