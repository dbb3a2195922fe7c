#include "common/model/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"
#include "common/core/fault.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/model/h5_image.h"

#define KIND               "checkpt"
#define MAX_MANIFEST_BYTES ((size_t)256 << 20)
#define MAX_ARRAYS         10000u
#define MAX_NAME           100u
#define PATH_BYTES         (MAX_NAME + 16)      /* "arrays/<name>" */

struct fw_checkpoint {
    json_t *content;                   /* {"arrays": [{"name", "type", "n"}], "state": the caller's object} */
    fw_array *arrays;                  /* names point into content */
    size_t n;
};

static const char *const type_names[] = {[FW_F32] = "f32", [FW_F64] = "f64", [FW_I64] = "i64"};
#define N_TYPES (sizeof type_names / sizeof type_names[0])

static hid_t native(fw_array_type t)
{
    switch (t) {
    case FW_F32: return H5T_NATIVE_FLOAT;
    case FW_F64: return H5T_NATIVE_DOUBLE;
    case FW_I64: return H5T_NATIVE_INT64;
    }
    return -1;
}

static size_t element_bytes(fw_array_type t) { return t == FW_F32 ? sizeof(float) : sizeof(double); }

/* A name is one link of the file and nothing that HDF5 would read as a path. */
static int name_is_good(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && len <= MAX_NAME && strchr(name, '/') == NULL && strcmp(name, ".") != 0;
}

/* ---- writing ---- */

static json_t *content_of(const json_t *manifest, const fw_array *arrays, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n; i++)
        if (json_array_append_new(
                list, json_pack("{s:s, s:s, s:I}", "name", arrays[i].name, "type", type_names[arrays[i].type], "n", (json_int_t)arrays[i].n)) != 0) {
            json_decref(list);
            return NULL;
        }
    return json_pack("{s:o, s:O}", "arrays", list, "state", (json_t *)manifest);
}

static fw_status write_manifest(hid_t file, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err)
{
    json_t *content = content_of(manifest, arrays, n);
    FW_FREE char *text = content != NULL ? json_dumps(content, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(content);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "no text could be made of its manifest (a name that is not UTF-8, or no memory)");
    return fw_h5_write_text(file, "manifest", text, err);
}

static fw_status write_content(hid_t file, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err)
{
    char at[PATH_BYTES];
    FW_TRY(write_manifest(file, manifest, arrays, n, err));
    FW_TRY(fw_h5_group(file, "arrays", err));
    for (size_t i = 0; i < n; i++) {
        const hsize_t len = arrays[i].n;
        snprintf(at, sizeof at, "arrays/%s", arrays[i].name);
        FW_TRY(fw_h5_write_all(file, at, native(arrays[i].type), 1, &len, arrays[i].data, err));
    }
    return FW_OK;
}

/* The whole content goes through our own stream, every code checked. */
static fw_status write_file(fw_atomic_file *f, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err)
{
    FW_AUTO(fw_h5_image) *image = NULL;
    FW_TRY(fw_h5_image_create(&image, err));
    FW_TRY(write_content(fw_h5_image_file(image), manifest, arrays, n, err));
    FW_TRY(fw_h5_image_write(image, fw_atomic_file_stream(f), err));
    return fw_atomic_file_release(f, err);
}

/* Against memory, not only against its own digest, which was taken from what arrived. */
static fw_status verify(const char *temp, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    FW_TRY(fw_checkpoint_open(&c, temp, err));
    int same = c->n == n && json_equal(fw_checkpoint_manifest(c), manifest);
    for (size_t i = 0; same && i < n; i++) {
        const void *data = NULL;
        FW_TRY(fw_checkpoint_array(&data, c, arrays[i].name, arrays[i].type, arrays[i].n, err));
        same = arrays[i].n == 0 || memcmp(data, arrays[i].data, arrays[i].n * element_bytes(arrays[i].type)) == 0;
    }
    return same ? FW_OK : fw_fail(err, FW_ERR_IO, "what was written reads back differently: the disk is full or failing");
}

static fw_status write_and_verify(fw_atomic_file *f, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err)
{
    const char *temp = fw_atomic_file_temp_path(f);
    FW_TRY(fw_fault("checkpoint.before_write", err));
    FW_TRY(write_file(f, manifest, arrays, n, err));
    FW_TRY(fw_fault("checkpoint.before_seal", err));
    FW_TRY(fw_envelope_seal(temp, KIND, FW_CHECKPOINT_VERSION, NULL, err));
    FW_TRY(fw_fault("checkpoint.before_verify", err));
    return verify(temp, manifest, arrays, n, err);
}

static fw_status check_arguments(const char *path, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err)
{
    if (!json_is_object(manifest) || n > MAX_ARRAYS)
        return fw_fail(err, FW_ERR_ARG, "checkpoint %s: its manifest is no JSON object, or it has %zu arrays", path, n);
    for (size_t i = 0; i < n; i++) {
        if (!name_is_good(arrays[i].name)) return fw_fail(err, FW_ERR_ARG, "checkpoint %s: an array can't be called \"%s\"", path, arrays[i].name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(arrays[i].name, arrays[k].name) == 0)
                return fw_fail(err, FW_ERR_ARG, "checkpoint %s: two arrays are called \"%s\"", path, arrays[i].name);
    }
    return FW_OK;
}

fw_status fw_checkpoint_write(const char *path, const char *previous_path, const json_t *manifest, const fw_array *arrays, size_t n, fw_error *err)
{
    FW_TRY(check_arguments(path, manifest, arrays, n, err));
    FW_AUTO(fw_atomic_file) *f = NULL;
    FW_TRY(fw_atomic_file_create(&f, path, err));
    fw_status status = write_and_verify(f, manifest, arrays, n, err);
    if (status != FW_OK) return fw_wrap(err, status, "checkpoint %s could not be written; the one before it stands", path);
    FW_TRY(fw_fault("checkpoint.before_rename", err));
    /* A damaged file at path must not push out the older good one. */
    const int keep = previous_path != NULL && fw_envelope_check(NULL, path, KIND, FW_CHECKPOINT_VERSION, 1, NULL) == FW_OK;
    FW_TRY(fw_atomic_file_commit_keeping(f, keep ? previous_path : NULL, err));
    return fw_fault("checkpoint.after_rename", err);
}

/* ---- reading ---- */

static fw_status describe_array(fw_array *a, const json_t *entry, uint64_t file_bytes, fw_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "name")), *type = json_string_value(json_object_get(entry, "type"));
    const json_t *n = json_object_get(entry, "n");
    if (name == NULL || type == NULL || !json_is_integer(n) || !name_is_good(name))
        return fw_fail(err, FW_ERR_FORMAT, "its list of arrays is not as it should be");
    size_t t = 0;
    while (t < N_TYPES && strcmp(type, type_names[t]) != 0) t++;
    if (t == N_TYPES) return fw_fail(err, FW_ERR_FORMAT, "array %s has unknown type \"%s\"", name, type);
    const json_int_t len = json_integer_value(n);
    if (len < 0 || (uint64_t)len > file_bytes / element_bytes((fw_array_type)t))
        return fw_fail(err, FW_ERR_FORMAT, "array %s has %" JSON_INTEGER_FORMAT " elements, which a file of %" PRIu64 " bytes can't hold", name, len,
                       file_bytes);
    *a = (fw_array){.name = name, .type = (fw_array_type)t, .n = (size_t)len};
    return FW_OK;
}

static fw_status read_array(fw_array *a, hid_t file, fw_error *err)
{
    char at[PATH_BYTES];
    hid_t dataset = -1;
    hsize_t len = 0;
    snprintf(at, sizeof at, "arrays/%s", a->name);
    FW_TRY(fw_h5_dataset(&dataset, file, at, native(a->type), 1, &len, err));
    fw_status status = len == a->n ? FW_OK : fw_fail(err, FW_ERR_FORMAT, "array %s is not as long as its manifest says", a->name);
    if (status == FW_OK) status = fw_alloc_zeroed(&a->data, a->n, element_bytes(a->type), a->name, err);
    if (status == FW_OK) status = fw_h5_read_rows(dataset, native(a->type), 0, len, a->data, err);
    fw_h5_dataset_close(&dataset);
    return status;
}

static fw_status read_manifest(fw_checkpoint *c, hid_t file, fw_error *err)
{
    FW_FREE char *text = NULL;
    json_error_t why;
    FW_TRY(fw_h5_read_text(&text, file, "manifest", MAX_MANIFEST_BYTES, err));
    c->content = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (c->content == NULL) return fw_fail(err, FW_ERR_FORMAT, "its manifest is no JSON: %s (byte %d)", why.text, why.position);
    const json_t *list = json_object_get(c->content, "arrays");
    if (!json_is_object(fw_checkpoint_manifest(c)) || !json_is_array(list) || json_array_size(list) > MAX_ARRAYS)
        return fw_fail(err, FW_ERR_FORMAT, "its manifest has no state or no list of at most %u arrays", MAX_ARRAYS);
    return FW_OK;
}

static fw_status read_content(fw_checkpoint *c, hid_t file, uint64_t file_bytes, fw_error *err)
{
    FW_TRY(read_manifest(c, file, err));
    const json_t *list = json_object_get(c->content, "arrays");
    const size_t n = json_array_size(list);
    c->arrays = calloc(n > 0 ? n : 1, sizeof *c->arrays);
    if (c->arrays == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu arrays", n);
    FW_TRY(fw_h5_check_group(file, "arrays", err));
    for (; c->n < n; c->n++) {
        FW_TRY(describe_array(&c->arrays[c->n], json_array_get(list, c->n), file_bytes, err));
        FW_TRY(read_array(&c->arrays[c->n], file, err));
    }
    return FW_OK;
}

fw_status fw_checkpoint_open(fw_checkpoint **out, const char *path, fw_error *err)
{
    fw_envelope envelope;
    FW_TRY(fw_envelope_check(&envelope, path, KIND, FW_CHECKPOINT_VERSION, 1, err));      /* names the file itself */
    if (envelope.version < FW_CHECKPOINT_VERSION)
        return fw_fail(err, FW_ERR_VERSION, "%s is of format version %u: its training added up products in another order, so this program, which reads %d, "
                       "would go on to other bits; start a new run", path, (unsigned)envelope.version, FW_CHECKPOINT_VERSION);
    FW_AUTO(fw_checkpoint) *c = calloc(1, sizeof *c);
    if (c == NULL) return fw_fail(err, FW_ERR_NOMEM, "checkpoint %s", path);
    hid_t file = -1;
    FW_TRY(fw_h5_open(&file, path, err));
    fw_status status = read_content(c, file, envelope.length, err);
    fw_h5_close(&file, NULL);
    if (status != FW_OK) return fw_wrap(err, status, "checkpoint %s", path);
    *out = c;
    c = NULL;
    return FW_OK;
}

void fw_checkpoint_destroy(fw_checkpoint **c)
{
    if (*c == NULL) return;
    const size_t listed = json_array_size(json_object_get((*c)->content, "arrays"));
    for (size_t i = 0; (*c)->arrays != NULL && i < listed; i++) free((*c)->arrays[i].data);
    free((*c)->arrays);
    json_decref((*c)->content);
    free(*c);
    *c = NULL;
}

const json_t *fw_checkpoint_manifest(const fw_checkpoint *c)
{
    return json_object_get(c->content, "state");
}

size_t fw_checkpoint_n_arrays(const fw_checkpoint *c) { return c->n; }
const fw_array *fw_checkpoint_arrays(const fw_checkpoint *c) { return c->arrays; }
const char *fw_array_type_name(fw_array_type t) { return type_names[t]; }

fw_status fw_checkpoint_array(const void **data, const fw_checkpoint *c, const char *name, fw_array_type type, size_t n, fw_error *err)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!fw_text_equal(c->arrays[i].name, name)) continue;
        if (c->arrays[i].type != type || c->arrays[i].n != n)
            return fw_fail(err, FW_ERR_FORMAT, "checkpoint: array %s has %zu elements of type %s, expected %zu of %s", name, c->arrays[i].n,
                           type_names[c->arrays[i].type], n, type_names[type]);
        *data = c->arrays[i].data;
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_FORMAT, "checkpoint: there is no array %s in it", name);
}
