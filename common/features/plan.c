/* Planning: the features section over the schema. */
#include <stdlib.h>

#include "common/core/size.h"
#include "common/features/transforms.h"

static const fw_feature_spec *spec_of(const fw_project *project, const char *column)
{
    for (size_t i = 0; i < project->features.n; i++)
        if (fw_text_equal(project->features.v[i].column, column)) return &project->features.v[i];
    return NULL;
}

static bool is_private(const fw_project *project, const char *column)
{
    for (size_t i = 0; i < project->data.private_columns.n; i++)
        if (fw_text_equal(project->data.private_columns.v[i], column)) return true;
    return false;
}

static fw_status no_such_column(const char *name, const fw_schema *schema, fw_error *err)
{
    FW_FREE const char **names = calloc(schema->n_columns + 1, sizeof *names);
    if (names == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: %zu columns", schema->n_columns);
    for (size_t i = 0; i < schema->n_columns; i++) names[i] = schema->columns[i].name;
    const char *near = fw_did_you_mean(name, names, schema->n_columns);
    return fw_fail(err, FW_ERR_CONFIG, "features.%s: the data have no such column%s%s%s", name, near != NULL ? "; did you mean " : "",
                   near != NULL ? near : "", near != NULL ? "?" : "");
}

/* Every name in the section is a column that can be a feature. */
static fw_status check_names(const fw_project *project, const fw_schema *schema, fw_error *err)
{
    for (size_t i = 0; i < project->features.n; i++) {
        const fw_feature_spec *spec = &project->features.v[i];
        if (fw_text_equal(spec->column, "*")) continue;
        int c = fw_schema_find(schema, spec->column);
        if (c < 0 && is_private(project, spec->column)) {
            if (spec->type == FW_FEATURE_IGNORE) continue;
            return fw_fail(err, FW_ERR_CONFIG, "features.%s: the column is private (data.private), so it is not in the dataset", spec->column);
        }
        if (c < 0 && spec->type != FW_FEATURE_IGNORE) return no_such_column(spec->column, schema, err);
        if (c == schema->target && spec->type != FW_FEATURE_IGNORE)
            return fw_fail(err, FW_ERR_CONFIG, "features.%s: this is the target; a feature must not contain the answer", spec->column);
    }
    return FW_OK;
}

static bool type_fits(fw_feature_type wanted, fw_column_type is)
{
    switch (wanted) {
    case FW_FEATURE_AUTO: return true;
    case FW_FEATURE_IGNORE: return true;
    case FW_FEATURE_NUMBER: return is == FW_NUMBER;
    case FW_FEATURE_CATEGORY: return is == FW_CATEGORY;
    case FW_FEATURE_TEXT: return is == FW_TEXT;
    case FW_FEATURE_TIME: return is == FW_TIME;
    case FW_FEATURE_IMAGE: return is == FW_IMAGE;
    }
    return false;
}

/* What was said of every column at once ("*") and came down to this one with its type: then an option that does not fit is no mistake. */
static bool inherited(const fw_feature_spec *spec, const fw_feature_spec *others)
{
    return others != NULL && spec->has_missing == others->has_missing && spec->has_scale == others->has_scale &&
           (!spec->has_missing || spec->missing == others->missing) && (!spec->has_scale || spec->scale == others->scale);
}

static fw_status plan_column(fw_pipeline *p, size_t c, const fw_feature_spec *spec, const fw_feature_spec *others, fw_text *notes, fw_error *err)
{
    const fw_column *column = &p->schema->columns[c];
    if (!type_fits(spec->type, column->type))
        return fw_fail(err, FW_ERR_CONFIG, "features.%s.type: %s, but in the dataset the column is of type %s; ingest again or correct the type",
                       column->name, fw_feature_type_name(spec->type), fw_column_type_name(column->type));
    const fw_transform *kind = fw_transform_for(column->type);
    if (kind == NULL) {
        fw_text_format(notes, "column %s: left out, %s columns are not made into features\n", column->name, fw_column_type_name(column->type));
        return FW_OK;
    }
    void *self = NULL;
    fw_feature_spec lenient = *spec;
    if (inherited(spec, others)) lenient.type = FW_FEATURE_AUTO;
    FW_TRY(kind->plan(&self, &lenient, column, notes, err));
    p->inputs[p->n_inputs++] = (fw_input){.kind = kind, .column = c, .self = self};
    p->wanted[c] = true;
    return FW_OK;
}

static fw_status plan_columns(fw_pipeline *p, const fw_project *project, fw_text *notes, fw_error *err)
{
    static const fw_feature_spec automatic = {.type = FW_FEATURE_AUTO, .unseen = FW_UNSEEN_OTHER, .min_count = 1};
    const fw_feature_spec *others = spec_of(project, "*");
    if (others == NULL && (project->features_all || project->features.n == 0)) others = &automatic;
    for (size_t c = 0; c < p->schema->n_columns; c++) {
        const char *name = p->schema->columns[c].name;
        const fw_feature_spec *spec = spec_of(project, name);
        if ((int)c == p->schema->target || (spec == NULL && others == NULL)) continue;
        if (spec == NULL && fw_text_equal(name, project->data.id)) {
            fw_text_format(notes, "column %s: left out, it is the id of a row (data.id)\n", name);
            continue;
        }
        if (spec == NULL) spec = others;
        if (spec->type != FW_FEATURE_IGNORE) FW_TRY(plan_column(p, c, spec, others, notes, err));
    }
    return FW_OK;
}

fw_status fw_pipeline_plan(fw_pipeline **out, const fw_project *project, const fw_schema *schema, char **notes, fw_error *err)
{
    FW_AUTO(fw_pipeline) *p = NULL;
    FW_AUTO(fw_text) text = {0};
    FW_TRY(check_names(project, schema, err));
    FW_TRY(fw_pipeline_create(&p, schema, err));
    FW_TRY(plan_columns(p, project, &text, err));
    FW_TRY(fw_text_check(&text, err));
    if (p->n_inputs == 0)
        return fw_fail(err, FW_ERR_CONFIG, "features: nothing is left to learn from; every column is the target, ignored, or of a type that is left out");
    if (notes != NULL) *notes = text.len > 0 ? fw_text_take(&text) : NULL;
    *out = p;
    p = NULL;
    return FW_OK;
}
