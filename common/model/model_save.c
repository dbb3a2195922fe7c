#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/model/model_parts.h"
#include "common/model/reference_json.h"

static json_t *metrics_to_json(const fw_model *m)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < m->n_metrics; i++)
        if (json_array_append_new(list, json_pack("{s:s, s:f}", "name", m->metrics[i].name, "value", m->metrics[i].value)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *lineage_to_json(const fw_model *m)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "dataset", m->dataset_digest, "program", m->program_version, "seed", (json_int_t)m->seed, "rounds",
                     (json_int_t)m->rounds, "steps", (json_int_t)m->steps, "train_rows", (json_int_t)m->train_rows);
}

/* Takes over the three parts, whatever happens. */
static json_t *manifest_around(const fw_model *m, json_t *net, json_t *schema, json_t *pipeline)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:f, s:f}}", "name", m->name, "task",
                     m->task == FW_TASK_CLASSIFICATION ? "classification" : "regression", "learner", m->learner, "net", net, "schema", schema, "pipeline",
                     pipeline, "metrics", metrics_to_json(m), "lineage", lineage_to_json(m), "target", "mean", m->target_mean, "scale", m->target_scale);
}

/* Keys sorted and numbers with 17 digits: equal models give equal text. */
static fw_status manifest_text(char **out, const fw_model *m, fw_error *err)
{
    json_t *net = NULL, *schema = NULL, *pipeline = NULL;
    fw_status status = fw_dense_to_json(&net, &m->net, err);
    if (status == FW_OK) status = fw_schema_to_json(&schema, m->schema, err);
    if (status == FW_OK) status = fw_pipeline_to_json(&pipeline, m->pipeline, err);
    if (status != FW_OK) {
        json_decref(net);
        json_decref(schema);
        return status;
    }
    json_t *manifest = manifest_around(m, net, schema, pipeline);
    char *text = manifest != NULL ? json_dumps(manifest, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(manifest);
    if (text == NULL)
        return fw_fail(err, FW_ERR_NUMERIC,
                       "model: no manifest can be made of it: a metric or the target's scale is not finite, a text is not UTF-8, or memory is short");
    *out = text;
    return FW_OK;
}

static fw_status write_reference(hid_t file, const fw_model *m, fw_error *err)
{
    json_t *j = NULL;
    FW_TRY(fw_reference_to_json(&j, m->reference, err));
    FW_FREE char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(j);
    if (text == NULL) return fw_fail(err, FW_ERR_NUMERIC, "model: its reference holds a number that is not finite, a text that is not UTF-8, or memory is short");
    return fw_h5_write_text(file, "reference", text, err);
}

static fw_status write_weights(hid_t file, const fw_model *m, fw_error *err)
{
    char name[FW_MODEL_NAME_BYTES];
    FW_TRY(fw_h5_group(file, "weights", err));
    for (size_t l = 0; l < m->net.n_layers; l++) {
        const fw_dense_layer *layer = &m->net.layers[l];
        const hsize_t shape[2] = {layer->in, layer->out};
        snprintf(name, sizeof name, "weights/%zu", l);
        FW_TRY(fw_h5_group(file, name, err));
        snprintf(name, sizeof name, "weights/%zu/W", l);
        FW_TRY(fw_h5_write_all(file, name, H5T_NATIVE_FLOAT, 2, shape, m->params + layer->w_at, err));
        snprintf(name, sizeof name, "weights/%zu/b", l);
        FW_TRY(fw_h5_write_all(file, name, H5T_NATIVE_FLOAT, 1, shape + 1, m->params + layer->b_at, err));
    }
    return FW_OK;
}

static fw_status write_text_cells(hid_t file, size_t column, const fw_cells *c, size_t n_rows, fw_error *err)
{
    char name[FW_MODEL_NAME_BYTES];
    const hsize_t n_bytes = c->text_at[n_rows] - c->text_at[0], n_offsets = n_rows + 1;
    FW_FREE uint64_t *offsets = malloc((n_rows + 1) * sizeof *offsets);
    if (offsets == NULL) return fw_fail(err, FW_ERR_NOMEM, "model: offsets of %zu sample texts", n_rows);
    for (size_t i = 0; i <= n_rows; i++) offsets[i] = c->text_at[i] - c->text_at[0];
    snprintf(name, sizeof name, "samples/%zu/offsets", column);
    FW_TRY(fw_h5_write_all(file, name, H5T_NATIVE_UINT64, 1, &n_offsets, offsets, err));
    snprintf(name, sizeof name, "samples/%zu/values", column);
    return fw_h5_write_all(file, name, H5T_NATIVE_UINT8, 1, &n_bytes, c->text_bytes + c->text_at[0], err);
}

static fw_status write_cells(hid_t file, size_t i, const fw_column *column, const fw_cells *c, size_t n_rows, fw_error *err)
{
    char name[FW_MODEL_NAME_BYTES];
    const hsize_t shape[4] = {n_rows, column->height, column->width, column->channels};
    snprintf(name, sizeof name, "samples/%zu", i);
    FW_TRY(fw_h5_group(file, name, err));
    snprintf(name, sizeof name, "samples/%zu/missing", i);
    FW_TRY(fw_h5_write_all(file, name, H5T_NATIVE_UINT8, 1, shape, c->missing, err));
    snprintf(name, sizeof name, "samples/%zu/values", i);
    switch (column->type) {
    case FW_NUMBER: return fw_h5_write_all(file, name, H5T_NATIVE_DOUBLE, 1, shape, c->number, err);
    case FW_CATEGORY: return fw_h5_write_all(file, name, H5T_NATIVE_INT32, 1, shape, c->code, err);
    case FW_TIME: return fw_h5_write_all(file, name, H5T_NATIVE_INT64, 1, shape, c->time_us, err);
    case FW_IMAGE: return fw_h5_write_all(file, name, H5T_NATIVE_UINT8, 4, shape, c->pixels, err);
    case FW_TEXT: return write_text_cells(file, i, c, n_rows, err);
    }
    return fw_fail(err, FW_ERR_INTERNAL, "model: column %s has no known type", column->name);
}

static fw_status write_samples(hid_t file, const fw_model *m, fw_error *err)
{
    const fw_block *b = m->samples;
    const hsize_t shape[2] = {b->n_rows, fw_model_n_out(m)};
    FW_TRY(fw_h5_group(file, "samples", err));
    FW_TRY(fw_h5_write_all(file, "samples/row", H5T_NATIVE_UINT64, 1, shape, b->row, err));
    for (size_t i = 0; i < m->schema->n_columns; i++) FW_TRY(write_cells(file, i, &m->schema->columns[i], &b->cells[i], b->n_rows, err));
    return fw_h5_write_all(file, "samples/expected", H5T_NATIVE_FLOAT, 2, shape, m->expected, err);
}

static fw_status write_content(hid_t file, const fw_model *m, fw_error *err)
{
    FW_FREE char *text = NULL;
    FW_TRY(manifest_text(&text, m, err));
    FW_TRY(fw_h5_write_text(file, "manifest", text, err));
    FW_TRY(fw_h5_write_text(file, "project", m->project_yaml, err));
    FW_TRY(write_reference(file, m, err));
    FW_TRY(write_weights(file, m, err));
    return write_samples(file, m, err);
}

static fw_status fill_expected(fw_model *m, fw_error *err)
{
    size_t n;
    FW_TRY(fw_size_mul(&n, m->samples->n_rows, fw_model_n_out(m), "expected outputs", err));
    float *expected = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&expected, n, sizeof *expected, "expected outputs", err));
    fw_status status = fw_model_sample_outputs(m, expected, err);
    if (status != FW_OK) {
        free(expected);
        return status;
    }
    free(m->expected);
    m->expected = expected;
    return FW_OK;
}

static fw_status write_file(fw_atomic_file *f, const fw_model *m, fw_error *err)
{
    FW_AUTO(fw_h5_image) *image = NULL;
    FW_TRY(fw_h5_image_create(&image, err));
    FW_TRY(write_content(fw_h5_image_file(image), m, err));
    FW_TRY(fw_h5_image_write(image, fw_atomic_file_stream(f), err));
    FW_TRY(fw_atomic_file_release(f, err));
    return fw_envelope_seal(fw_atomic_file_temp_path(f), FW_MODEL_KIND, FW_MODEL_VERSION, NULL, err);
}

fw_status fw_model_save(fw_model *m, const char *path, fw_error *err)
{
    const char *texts[] = {m->name, m->project_yaml, m->learner, m->dataset_digest, m->program_version};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] == NULL) return fw_fail(err, FW_ERR_ARG, "model: name, project, learner or lineage is not set");
    FW_TRY(fw_model_check_parts(m, FW_ERR_ARG, err));
    FW_TRY(fw_model_check_weights(m, FW_ERR_NUMERIC, err));
    FW_TRY(fill_expected(m, err));
    FW_AUTO(fw_atomic_file) *f = NULL;
    FW_TRY(fw_atomic_file_create(&f, path, err));
    fw_status status = write_file(f, m, err);
    if (status != FW_OK) return fw_wrap(err, status, "%s", path);
    FW_AUTO(fw_model) *again = NULL;           /* what a reader will find, down to the bits of its predictions */
    status = fw_model_load(&again, fw_atomic_file_temp_path(f), err);
    if (status != FW_OK) return fw_wrap(err, status, "%s: the model just written does not read back", path);
    FW_TRY(fw_atomic_file_commit(f, err));
    memcpy(m->digest, again->digest, sizeof m->digest);
    return FW_OK;
}
