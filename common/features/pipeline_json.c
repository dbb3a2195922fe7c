/* The frozen pipeline as JSON:
 *   {"version": 1, "width": 108, "inputs": [{"column": "age", "transform": "number", "parameters": {...}}, ...]}
 * Inputs in the order of the schema's columns. */
#include <stdlib.h>

#include "common/core/size.h"
#include "common/features/transforms.h"

#define VERSION 1

static fw_status input_to_json(json_t **out, const fw_pipeline *p, const fw_input *in, fw_error *err)
{
    json_t *parameters = NULL;
    FW_TRY(in->kind->to_json(&parameters, in->self, err));
    json_t *j = json_pack("{s:s, s:s, s:o}", "column", p->schema->columns[in->column].name, "transform", in->kind->name, "parameters", parameters);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: JSON");
    *out = j;
    return FW_OK;
}

static fw_status inputs_to_json(json_t *list, const fw_pipeline *p, fw_error *err)
{
    for (size_t i = 0; i < p->n_inputs; i++) {
        json_t *j = NULL;
        FW_TRY(input_to_json(&j, p, &p->inputs[i], err));
        if (json_array_append_new(list, j) != 0) return fw_fail(err, FW_ERR_NOMEM, "features: JSON");
    }
    return FW_OK;
}

fw_status fw_pipeline_to_json(json_t **out, const fw_pipeline *p, fw_error *err)
{
    if (p->width == 0) return fw_fail(err, FW_ERR_ARG, "features: not fitted yet");
    json_t *list = json_array();
    if (list == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: JSON");
    fw_status s = inputs_to_json(list, p, err);
    if (s < 0) {
        json_decref(list);
        return s;
    }
    json_t *j = json_pack("{s:i, s:I, s:o}", "version", VERSION, "width", (json_int_t)p->width, "inputs", list);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: JSON");
    *out = j;
    return FW_OK;
}

static fw_status input_from_json(fw_pipeline *p, const json_t *j, fw_error *err)
{
    const char *name, *transform;
    const json_t *parameters;
    json_error_t e;
    if (json_unpack_ex((json_t *)j, &e, JSON_STRICT, "{s:s, s:s, s:o}", "column", &name, "transform", &transform, "parameters", &parameters) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "features: entry %zu: %s", p->n_inputs, e.text);
    int c = fw_schema_find(p->schema, name);
    if (c < 0 || c == p->schema->target) return fw_fail(err, FW_ERR_FORMAT, "features: entry %zu: \"%s\" is no column, or the target", p->n_inputs, name);
    if (p->n_inputs > 0 && (size_t)c <= p->inputs[p->n_inputs - 1].column)
        return fw_fail(err, FW_ERR_FORMAT, "features: column %s: twice, or not in the order of the schema", name);
    const fw_transform *kind = fw_transform_find(transform);
    if (kind == NULL || kind->reads != p->schema->columns[c].type)
        return fw_fail(err, FW_ERR_FORMAT, "features: column %s: no transform \"%s\" for a column of type %s", name, transform,
                       fw_column_type_name(p->schema->columns[c].type));
    void *self = NULL;
    fw_status s = kind->from_json(&self, parameters, &p->schema->columns[c], err);
    if (s < 0) return fw_wrap(err, s, "features: column %s", name);
    p->inputs[p->n_inputs++] = (fw_input){.kind = kind, .column = (size_t)c, .self = self};
    p->wanted[c] = true;
    return FW_OK;
}

fw_status fw_pipeline_from_json(fw_pipeline **out, const json_t *j, const fw_schema *schema, fw_error *err)
{
    const json_t *list;
    json_int_t version, width;
    json_error_t e;
    if (json_unpack_ex((json_t *)j, &e, JSON_STRICT, "{s:I, s:I, s:o}", "version", &version, "width", &width, "inputs", &list) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "features: %s", e.text);
    if (version != VERSION) return fw_fail(err, FW_ERR_VERSION, "features: version %lld, this program knows %d", (long long)version, VERSION);
    if (!json_is_array(list)) return fw_fail(err, FW_ERR_FORMAT, "features: inputs is not a list");
    FW_AUTO(fw_pipeline) *p = NULL;
    FW_TRY(fw_pipeline_create(&p, schema, err));
    for (size_t i = 0; i < json_array_size(list); i++) FW_TRY(input_from_json(p, json_array_get(list, i), err));
    fw_status s = fw_pipeline_number_features(p, err);
    if (s < 0) return s == FW_ERR_NOMEM ? s : fw_fail(err, FW_ERR_FORMAT, "features: there are none");
    if (width < 0 || (uint64_t)width != p->width) return fw_fail(err, FW_ERR_FORMAT, "features: width %lld, but the inputs make %zu", (long long)width, p->width);
    *out = p;
    p = NULL;
    return FW_OK;
}
