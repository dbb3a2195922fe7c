#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/model/model_parts.h"
#include "common/model/reference_json.h"

/* Limits on what a file may ask for; everything else is bounded by the file's own length. */
#define MAX_MANIFEST_BYTES ((size_t)256 << 20)
#define MAX_PROJECT_BYTES  ((size_t)16 << 20)
#define MAX_REFERENCE_BYTES ((size_t)16 << 20)
#define WITH_REFERENCE     3                    /* the first format version that has one */
#define MAX_SAMPLES        4096u
#define MAX_METRICS        100000u

/* ---- the manifest ---- */

static fw_status take_metrics(fw_model *m, const json_t *list, fw_error *err)
{
    const size_t n = json_array_size(list);
    if (!json_is_array(list) || n > MAX_METRICS) return fw_fail(err, FW_ERR_FORMAT, "model: its metrics are no list of at most %u", MAX_METRICS);
    m->metrics = calloc(n > 0 ? n : 1, sizeof *m->metrics);
    if (m->metrics == NULL) return fw_fail(err, FW_ERR_NOMEM, "model: %zu metrics", n);
    m->n_metrics = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(list, i), *value = json_object_get(entry, "value");
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name == NULL || !json_is_number(value)) return fw_fail(err, FW_ERR_FORMAT, "model: metric %zu has no name or no value", i);
        FW_TRY(fw_copy_text(&m->metrics[i].name, name, err));
        m->metrics[i].value = json_number_value(value);
    }
    return FW_OK;
}

static fw_status take_lineage(fw_model *m, json_t *lineage, fw_error *err)
{
    const char *dataset = NULL, *program = NULL;
    json_int_t seed = 0, rounds = 0, steps = 0, train_rows = 0;
    json_error_t why;
    if (json_unpack_ex(lineage, &why, 0, "{s:s, s:s, s:I, s:I, s:I, s:I}", "dataset", &dataset, "program", &program, "seed", &seed, "rounds", &rounds,
                       "steps", &steps, "train_rows", &train_rows) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "model: lineage: %s", why.text);
    m->seed = (uint64_t)seed;
    m->rounds = (uint64_t)rounds;
    m->steps = (uint64_t)steps;
    m->train_rows = (uint64_t)train_rows;
    FW_TRY(fw_copy_text(&m->dataset_digest, dataset, err));
    return fw_copy_text(&m->program_version, program, err);
}

static fw_status take_manifest(fw_model *m, json_t *j, fw_error *err)
{
    const char *name = NULL, *task = NULL, *learner = NULL;
    json_t *net = NULL, *schema = NULL, *pipeline = NULL, *metrics = NULL, *lineage = NULL;
    json_error_t why;
    if (json_unpack_ex(j, &why, 0, "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:F, s:F}}", "name", &name, "task", &task, "learner", &learner, "net",
                       &net, "schema", &schema, "pipeline", &pipeline, "metrics", &metrics, "lineage", &lineage, "target", "mean", &m->target_mean,
                       "scale", &m->target_scale) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "model: manifest: %s", why.text);
    if (!fw_text_equal(task, "classification") && !fw_text_equal(task, "regression"))
        return fw_fail(err, FW_ERR_FORMAT, "model: unknown task \"%s\"", task);
    m->task = fw_text_equal(task, "regression") ? FW_TASK_REGRESSION : FW_TASK_CLASSIFICATION;
    FW_TRY(fw_copy_text(&m->name, name, err));
    FW_TRY(fw_copy_text(&m->learner, learner, err));
    FW_TRY(take_metrics(m, metrics, err));
    FW_TRY(take_lineage(m, lineage, err));
    FW_TRY(fw_dense_from_json(&m->net, net, err));
    FW_TRY(fw_schema_from_json(&m->schema, schema, err));
    return fw_pipeline_from_json(&m->pipeline, pipeline, m->schema, err);
}

static fw_status read_manifest(fw_model *m, hid_t file, fw_error *err)
{
    FW_FREE char *text = NULL;
    FW_TRY(fw_h5_read_text(&text, file, "manifest", MAX_MANIFEST_BYTES, err));
    json_error_t why;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (j == NULL) return fw_fail(err, FW_ERR_FORMAT, "model: its manifest is no JSON: %s (byte %d)", why.text, why.position);
    fw_status status = take_manifest(m, j, err);
    json_decref(j);
    return status;
}

static fw_status read_reference(fw_model *m, hid_t file, fw_error *err)
{
    FW_FREE char *text = NULL;
    FW_TRY(fw_h5_read_text(&text, file, "reference", MAX_REFERENCE_BYTES, err));
    json_error_t why;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (j == NULL) return fw_fail(err, FW_ERR_FORMAT, "model: its reference is no JSON: %s (byte %d)", why.text, why.position);
    fw_status status = fw_reference_from_json(&m->reference, j, err);
    json_decref(j);
    return status;
}

/* ---- arrays ---- */

/* The whole of a dataset of known shape, which is checked. */
static fw_status read_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *shape, void *to, fw_error *err)
{
    hid_t dataset = -1;
    hsize_t dims[4];
    memcpy(dims, shape, (size_t)rank * sizeof *dims);
    FW_TRY(fw_h5_dataset(&dataset, file, name, type, rank, dims, err));
    fw_status status = fw_h5_read_rows(dataset, type, 0, dims[0], to, err);
    fw_h5_dataset_close(&dataset);
    return status;
}

/* The length of a one-dimensional dataset. */
static fw_status array_length(size_t *n, hid_t file, const char *name, hid_t type, size_t most, fw_error *err)
{
    hid_t dataset = -1;
    hsize_t dims = 0;
    FW_TRY(fw_h5_dataset(&dataset, file, name, type, 1, &dims, err));
    fw_h5_dataset_close(&dataset);
    if (dims > most) return fw_fail(err, FW_ERR_FORMAT, "model: %s has %llu entries, more than the %zu allowed", name, (unsigned long long)dims, most);
    *n = (size_t)dims;
    return FW_OK;
}

static fw_status read_weights(fw_model *m, hid_t file, uint64_t file_bytes, fw_error *err)
{
    char name[FW_MODEL_NAME_BYTES];
    if (m->net.n_params > file_bytes / sizeof(float))
        return fw_fail(err, FW_ERR_FORMAT, "model: %zu weights cannot be in a file of %" PRIu64 " bytes", m->net.n_params, file_bytes);
    FW_TRY(fw_alloc_zeroed((void **)&m->params, m->net.n_params, sizeof *m->params, "weights", err));
    FW_TRY(fw_h5_check_group(file, "weights", err));
    for (size_t l = 0; l < m->net.n_layers; l++) {
        const fw_dense_layer *layer = &m->net.layers[l];
        const hsize_t shape[2] = {layer->in, layer->out};
        snprintf(name, sizeof name, "weights/%zu", l);
        FW_TRY(fw_h5_check_group(file, name, err));
        snprintf(name, sizeof name, "weights/%zu/W", l);
        FW_TRY(read_array(file, name, H5T_NATIVE_FLOAT, 2, shape, m->params + layer->w_at, err));
        snprintf(name, sizeof name, "weights/%zu/b", l);
        FW_TRY(read_array(file, name, H5T_NATIVE_FLOAT, 1, shape + 1, m->params + layer->b_at, err));
    }
    return FW_OK;
}

/* ---- sample rows ---- */

static fw_status read_texts(fw_block *b, hid_t file, size_t column, fw_error *err)
{
    char name[FW_MODEL_NAME_BYTES];
    const hsize_t n_offsets = b->n_rows + 1;
    size_t n_bytes = 0;
    FW_FREE uint64_t *offsets = malloc((b->n_rows + 1) * sizeof *offsets);
    if (offsets == NULL) return fw_fail(err, FW_ERR_NOMEM, "model: offsets of %zu sample texts", b->n_rows);
    snprintf(name, sizeof name, "samples/%zu/offsets", column);
    FW_TRY(read_array(file, name, H5T_NATIVE_UINT64, 1, &n_offsets, offsets, err));
    snprintf(name, sizeof name, "samples/%zu/values", column);
    FW_TRY(array_length(&n_bytes, file, name, H5T_NATIVE_UINT8, SIZE_MAX / 2, err));
    FW_FREE char *bytes = malloc(n_bytes + 1);
    if (bytes == NULL) return fw_fail(err, FW_ERR_NOMEM, "model: %zu bytes of sample texts", n_bytes);
    const hsize_t shape = n_bytes;
    if (n_bytes > 0) FW_TRY(read_array(file, name, H5T_NATIVE_UINT8, 1, &shape, bytes, err));
    if (offsets[0] != 0 || offsets[b->n_rows] != n_bytes) return fw_fail(err, FW_ERR_FORMAT, "model: %s and its offsets do not agree", name);
    for (size_t i = 0; i < b->n_rows; i++) {
        if (offsets[i + 1] < offsets[i] || offsets[i + 1] > n_bytes) return fw_fail(err, FW_ERR_FORMAT, "model: the offsets of %s go back", name);
        FW_TRY(fw_block_set_text(b, column, i, bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]), err));
    }
    return FW_OK;
}

/* What the pipeline may rely on: finite numbers, codes within the dictionary, missing 0 or 1. */
static fw_status check_cells(const fw_column *column, const fw_cells *c, size_t n_rows, fw_error *err)
{
    for (size_t i = 0; i < n_rows; i++) {
        int sound = c->missing[i] <= 1;
        if (column->type == FW_NUMBER) sound = sound && isfinite(c->number[i]);
        if (column->type == FW_CATEGORY)
            sound = sound && c->code[i] >= FW_CODE_UNSEEN && (c->code[i] < 0 || (size_t)c->code[i] < fw_dict_size(column->dict));
        if (!sound) return fw_fail(err, FW_ERR_FORMAT, "model: sample row %zu holds an impossible value in column %s", i, column->name);
    }
    return FW_OK;
}

static fw_status read_cells(fw_block *b, hid_t file, size_t i, fw_error *err)
{
    char name[FW_MODEL_NAME_BYTES];
    const fw_column *column = &b->schema->columns[i];
    fw_cells *c = &b->cells[i];
    const hsize_t shape[4] = {b->n_rows, column->height, column->width, column->channels};
    snprintf(name, sizeof name, "samples/%zu", i);
    FW_TRY(fw_h5_check_group(file, name, err));
    snprintf(name, sizeof name, "samples/%zu/missing", i);
    FW_TRY(read_array(file, name, H5T_NATIVE_UINT8, 1, shape, c->missing, err));
    snprintf(name, sizeof name, "samples/%zu/values", i);
    switch (column->type) {
    case FW_NUMBER: FW_TRY(read_array(file, name, H5T_NATIVE_DOUBLE, 1, shape, c->number, err)); break;
    case FW_CATEGORY: FW_TRY(read_array(file, name, H5T_NATIVE_INT32, 1, shape, c->code, err)); break;
    case FW_TIME: FW_TRY(read_array(file, name, H5T_NATIVE_INT64, 1, shape, c->time_us, err)); break;
    case FW_IMAGE: FW_TRY(read_array(file, name, H5T_NATIVE_UINT8, 4, shape, c->pixels, err)); break;
    case FW_TEXT: FW_TRY(read_texts(b, file, i, err)); break;
    }
    return check_cells(column, c, b->n_rows, err);
}

/* Pictures are the only cells whose size the schema sets: together they must fit into the file that is to hold them. */
static fw_status check_sample_bytes(const fw_schema *schema, size_t n, uint64_t file_bytes, fw_error *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < schema->n_columns; i++)
        if (schema->columns[i].type == FW_IMAGE) total += (uint64_t)fw_column_cell_bytes(&schema->columns[i]) * n;      /* at most 2^28 x 2^12 each */
    if (total <= file_bytes) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "model: sample pictures of %" PRIu64 " bytes cannot be in a file of %" PRIu64 " bytes", total, file_bytes);
}

static fw_status read_samples(fw_model *m, hid_t file, uint64_t file_bytes, fw_error *err)
{
    size_t n = 0, n_expected;
    FW_TRY(fw_h5_check_group(file, "samples", err));
    FW_TRY(array_length(&n, file, "samples/row", H5T_NATIVE_UINT64, MAX_SAMPLES, err));
    FW_TRY(check_sample_bytes(m->schema, n, file_bytes, err));
    FW_TRY(fw_block_create(&m->samples, m->schema, n, err));
    m->samples->n_rows = n;
    const hsize_t shape[2] = {n, fw_model_n_out(m)};
    if (n == 0 || shape[1] == 0) return fw_fail(err, FW_ERR_FORMAT, "model: it has no sample rows, or its target no classes");
    FW_TRY(read_array(file, "samples/row", H5T_NATIVE_UINT64, 1, shape, m->samples->row, err));
    for (size_t i = 0; i < m->schema->n_columns; i++) FW_TRY(read_cells(m->samples, file, i, err));
    FW_TRY(fw_size_mul(&n_expected, n, shape[1], "expected outputs", err));
    FW_TRY(fw_alloc_zeroed((void **)&m->expected, n_expected, sizeof *m->expected, "expected outputs", err));
    return read_array(file, "samples/expected", H5T_NATIVE_FLOAT, 2, shape, m->expected, err);
}

/* The proof that this machine computes what the one that trained it did. */
static fw_status check_expected(const fw_model *m, fw_error *err)
{
    const size_t n_out = fw_model_n_out(m), n = m->samples->n_rows * n_out;
    FW_FREE float *now = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&now, n, sizeof *now, "expected outputs", err));
    fw_status status = fw_model_sample_outputs(m, now, err);
    if (status == FW_ERR_NOMEM) return status;
    if (status != FW_OK) {
        fw_wrap(err, status, "its sample rows cannot be predicted");
        if (err != NULL) err->status = FW_ERR_FORMAT;
        return FW_ERR_FORMAT;
    }
    for (size_t i = 0; i < n; i++)
        if (memcmp(&now[i], &m->expected[i], sizeof now[i]) != 0)
            return fw_fail(err, FW_ERR_FORMAT,
                           "it gives other bits on this machine: sample row %zu, output %zu is %.9g and should be %.9g; it was written by flywheel %s. "
                           "Do not use it here: compare the two programs' versions and compilers, and report this",
                           i / n_out, i % n_out, (double)now[i], (double)m->expected[i], m->program_version);
    return FW_OK;
}

static fw_status read_content(fw_model *m, hid_t file, const fw_envelope *envelope, fw_error *err)
{
    FW_TRY(read_manifest(m, file, err));
    FW_TRY(fw_h5_read_text(&m->project_yaml, file, "project", MAX_PROJECT_BYTES, err));
    if (envelope->version >= WITH_REFERENCE) FW_TRY(read_reference(m, file, err));
    FW_TRY(read_weights(m, file, envelope->length, err));
    if (m->schema->target < 0) return fw_fail(err, FW_ERR_FORMAT, "model: its schema names no target");
    if (m->task == FW_TASK_CLASSIFICATION && m->schema->columns[m->schema->target].dict == NULL)
        return fw_fail(err, FW_ERR_FORMAT, "model: its target column is no category");
    FW_TRY(read_samples(m, file, envelope->length, err));
    FW_TRY(fw_model_check_parts(m, FW_ERR_FORMAT, err));
    return fw_model_check_weights(m, FW_ERR_FORMAT, err);
}

fw_status fw_model_load(fw_model **out, const char *path, fw_error *err)
{
    fw_envelope envelope;
    FW_TRY(fw_envelope_check(&envelope, path, FW_MODEL_KIND, FW_MODEL_VERSION, 1, err));      /* names the file itself */
    FW_AUTO(fw_model) *m = NULL;
    FW_TRY(fw_model_create(&m, err));
    fw_digest_text(m->digest, envelope.digest);
    hid_t file = -1;
    FW_TRY(fw_h5_open(&file, path, err));
    fw_status status = read_content(m, file, &envelope, err);
    fw_h5_close(&file, NULL);
    if (status == FW_OK) status = check_expected(m, err);
    if (status != FW_OK) return fw_wrap(err, status, "%s", path);
    *out = m;
    m = NULL;
    return FW_OK;
}
