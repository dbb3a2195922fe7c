/** flywheel inspect: what a model, dataset, checkpoint or run folder is and where it came from. One description, shown as text or as JSON. */
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"
#include "common/core/size.h"
#include "common/data/dataset.h"
#include "common/model/checkpoint.h"
#include "common/model/model.h"
#include "common/model/reference_json.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/thing.h"

#define DIGITS 6

/* ---- model ------------------------------------------------------------------------------------------------------------------------------ */

/* "missing=median fill=38.5 scale=standard ..." */
static json_t *parameters_text(const json_t *parameters)
{
    FW_AUTO(fw_text) text = {0};
    const char *name = NULL;
    json_t *v = NULL;
    json_object_foreach((json_t *)parameters, name, v) {
        if (json_is_null(v) || json_is_false(v)) continue;
        fw_text_format(&text, "%s%s=", text.len > 0 ? " " : "", name);
        coord_description_value(&text, v, DIGITS);
    }
    return json_string(text.data != NULL ? text.data : "");
}

static fw_status describe_features(json_t **out, const fw_model *m, fw_error *err)
{
    json_t *pipeline = NULL, *input = NULL;
    FW_TRY(fw_pipeline_to_json(&pipeline, m->pipeline, err));
    json_t *list = json_array();
    size_t i = 0;
    json_array_foreach(json_object_get(pipeline, "inputs"), i, input) {
        const char *column = json_string_value(json_object_get(input, "column"));
        const int at = fw_schema_find(m->schema, column);
        json_array_append_new(list, json_pack("{s:s, s:s, s:O, s:o}", "column", column, "type",
                                              at >= 0 ? fw_column_type_name(m->schema->columns[at].type) : "?", "transform",
                                              json_object_get(input, "transform"), "settings", parameters_text(json_object_get(input, "parameters"))));
    }
    json_decref(pipeline);
    *out = list;
    return FW_OK;
}

static json_t *describe_layers(const fw_dense *net)
{
    json_t *list = json_array();
    for (size_t l = 0; l < net->n_layers; l++) {
        const fw_dense_layer *layer = &net->layers[l];
        const char *after = l + 1 < net->n_layers ? fw_activation_name(layer->activation) : fw_link_name(net->link);
        json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:s, s:I}", "layer", (json_int_t)l, "inputs", (json_int_t)layer->in, "outputs",
                                              (json_int_t)layer->out, "then", after, "parameters", (json_int_t)((layer->in + 1) * layer->out)));
    }
    return list;
}

static json_t *describe_classes(const fw_schema *s)
{
    const fw_dict *dict = s->target >= 0 ? s->columns[s->target].dict : NULL;
    json_t *list = json_array();
    for (size_t i = 0; dict != NULL && i < fw_dict_size(dict); i++) json_array_append_new(list, json_string(fw_dict_text(dict, (int32_t)i, NULL)));
    return list;
}

static json_t *describe_metrics(const fw_model *m)
{
    json_t *o = json_object();
    for (size_t i = 0; i < m->n_metrics; i++) json_object_set_new(o, m->metrics[i].name, json_real(m->metrics[i].value));
    return o;
}

/* Under three headings, so that as text its columns are a table. */
static fw_status describe_reference(json_t *description, const fw_model *m, fw_error *err)
{
    json_t *reference = NULL;
    if (m->reference == NULL) return FW_OK;
    FW_TRY(fw_reference_to_json(&reference, m->reference, err));
    json_object_set(description, "reference_metrics", json_object_get(reference, "metrics"));
    json_object_set(description, "reference_columns", json_object_get(reference, "columns"));
    json_object_del(reference, "metrics");
    json_object_del(reference, "columns");
    json_object_set_new(description, "reference", reference);
    return FW_OK;
}

static fw_status describe_model(json_t **out, const char *path, fw_error *err)
{
    FW_AUTO(fw_model) *m = NULL;
    FW_TRY(fw_model_load(&m, path, err));
    json_t *features = NULL;
    FW_TRY(describe_features(&features, m, err));
    json_t *lineage = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "dataset", m->dataset_digest, "train_rows", (json_int_t)m->train_rows, "seed",
                                (json_int_t)m->seed, "rounds", (json_int_t)m->rounds, "steps", (json_int_t)m->steps, "program", m->program_version);
    const fw_column *target = &m->schema->columns[m->schema->target];
    *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "what", "model", "digest", m->digest, "name", m->name,
                     "task", m->task == FW_TASK_REGRESSION ? "regression" : "classification", "target", target->name, "learner", m->learner,
                     "classes", describe_classes(m->schema), "inputs", (json_int_t)fw_pipeline_width(m->pipeline), "parameters",
                     (json_int_t)m->net.n_params, "sample_rows_checked", (json_int_t)m->samples->n_rows, "features", features, "layers",
                     describe_layers(&m->net), "metrics", describe_metrics(m), "lineage", lineage);
    return *out != NULL ? describe_reference(*out, m, err) : FW_OK;
}

/* ---- dataset ---------------------------------------------------------------------------------------------------------------------------- */

static json_t *describe_column(const fw_column *c, const fw_column_stats *s, bool is_target)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:I}", "column", c->name, "type", fw_column_type_name(c->type), "role", is_target ? "target" : "",
                          "missing", (json_int_t)s->missing, "distinct", (json_int_t)s->distinct);
    if (c->type == FW_NUMBER) {
        json_object_set_new(o, "min", json_real(s->min));
        json_object_set_new(o, "mean", json_real(s->mean));
        json_object_set_new(o, "max", json_real(s->max));
    }
    return o;
}

/* The members of each object that are scalars, in the given order. */
static json_t *pick(const json_t *list, const char *const *names, size_t n)
{
    json_t *out = json_array(), *entry = NULL;
    size_t i = 0;
    json_array_foreach((json_t *)list, i, entry) {
        json_t *row = json_object();
        for (size_t k = 0; k < n; k++)
            if (json_object_get(entry, names[k]) != NULL) json_object_set(row, names[k], json_object_get(entry, names[k]));
        json_array_append_new(out, row);
    }
    return out;
}

static fw_status describe_dataset(json_t **out, const char *path, bool verify, fw_error *err)
{
    static const char *const source_names[] = {"table", "path", "rows", "bytes", "digest"};
    FW_AUTO(fw_dataset) *d = NULL;
    FW_TRY(fw_dataset_open(&d, path, err));
    if (verify) FW_TRY(fw_dataset_verify(d, err));
    const fw_schema *schema = fw_dataset_schema(d);
    const json_t *manifest = fw_dataset_manifest(d);
    json_t *columns = json_array(), *rows = json_object(), *warnings = json_object_get(manifest, "warnings");
    for (size_t i = 0; i < schema->n_columns; i++)
        json_array_append_new(columns, describe_column(&schema->columns[i], &fw_dataset_stats(d)[i], (int)i == schema->target));
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) json_object_set_new(rows, fw_split_name(s), json_integer((json_int_t)fw_dataset_rows(d, s)));
    json_t *o = json_pack("{s:s, s:s, s:O, s:o}", "what", "dataset", "digest", fw_dataset_digest(d), "project", json_object_get(manifest, "project"),
                          "classes", describe_classes(schema));
    static const char *const counts[] = {"bad_rows", "excluded_rows", "duplicate_rows"};
    for (size_t i = 0; i < 3; i++) json_object_set(o, counts[i], json_object_get(manifest, counts[i]));
    if (json_array_size(warnings) > 0) json_object_set(o, "warnings", warnings);
    json_object_set_new(o, "rows", rows);
    json_object_set_new(o, "columns", columns);
    json_object_set_new(o, "sources", pick(json_object_get(manifest, "sources"), source_names, sizeof source_names / sizeof source_names[0]));
    *out = o;
    return FW_OK;
}

/* ---- checkpoint ------------------------------------------------------------------------------------------------------------------------- */

static json_t *describe_arrays(const fw_checkpoint *c)
{
    const fw_array *arrays = fw_checkpoint_arrays(c);
    json_t *list = json_array();
    for (size_t i = 0; i < fw_checkpoint_n_arrays(c); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "array", arrays[i].name, "type", fw_array_type_name(arrays[i].type), "values",
                                              (json_int_t)arrays[i].n));
    return list;
}

static fw_status describe_checkpoint(json_t **out, const char *path, fw_error *err)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    fw_envelope envelope;
    char digest[FW_DIGEST_TEXT];
    const char *name = NULL;
    json_t *v = NULL;
    FW_TRY(fw_checkpoint_open(&c, path, err));
    FW_TRY(fw_envelope_check(&envelope, path, "checkpt", FW_CHECKPOINT_VERSION, 0, err));
    fw_digest_text(digest, envelope.digest);
    json_t *o = json_pack("{s:s, s:s}", "what", "checkpoint", "digest", digest);
    json_object_foreach((json_t *)fw_checkpoint_manifest(c), name, v) {
        if (json_is_array(v)) json_object_set_new(o, name, json_integer((json_int_t)json_array_size(v)));      /* history: how many rounds */
        else json_object_set(o, name, v);
    }
    json_object_set_new(o, "arrays", describe_arrays(c));
    *out = o;
    return FW_OK;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------------ */

static fw_status describe(json_t **out, const char *given, bool verify, fw_error *err)
{
    coord_thing what;
    FW_FREE char *path = NULL;
    FW_TRY(coord_thing_find(&what, &path, given, err));
    switch (what) {
    case COORD_MODEL: return describe_model(out, path, err);
    case COORD_DATASET: return describe_dataset(out, path, verify, err);
    case COORD_CHECKPOINT: return describe_checkpoint(out, path, err);
    }
    return fw_fail(err, FW_ERR_INTERNAL, "inspect: %s", path);
}

static fw_status run(coord_call *call, fw_error *err)
{
    static const char *const formats[] = {"table", "json"};
    const bool verify = coord_option_set(call, "verify");
    int format = 0;
    FW_TRY(coord_option_choice(&format, call, "format", formats, 2, err));
    json_t *description = NULL;
    fw_status status = describe(&description, call->positional[0], verify, err);
    if (status == FW_ERR_FORMAT && verify) {                 /* what was asked for is a check, and it said no */
        if (err != NULL) err->status = FW_ERR_CHECK;
        return FW_ERR_CHECK;
    }
    FW_TRY(status);
    if (description == NULL) return fw_fail(err, FW_ERR_NOMEM, "inspect: the description");
    if (verify) json_object_set_new(description, "verified", json_true());
    status = format == 0 ? coord_description_print(stdout, description, DIGITS, err) : coord_description_print_json(stdout, description, err);
    json_decref(description);
    return status;
}

static const coord_option options[] = {
    {"format", 0, "table|json", "text for people, or one JSON object"},
    {"verify", 0, NULL, "read a dataset to its last byte too (models and checkpoints always are); exit 3 if it is damaged"},
};

const coord_command coord_command_inspect = {
    .name = "inspect",
    .arguments = "THING",
    .summary = "describe a model, run folder, dataset or checkpoint",
    .description = "Says what it is, what is in it and where it came from.\n"
                   "\n"
                   "  flywheel inspect runs/latest\n"
                   "  flywheel inspect callcenter.dataset.h5 --verify\n"
                   "  flywheel inspect runs/latest/checkpoint.h5 --format json\n",
    .min_positional = 1,
    .max_positional = 1,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
