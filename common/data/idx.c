/* Pictures and labels in IDX files (MNIST and its relatives), plain or packed.
 *
 *  pictures: 00 00 08 03 | n | height | width | n * height * width unsigned bytes      (32-bit numbers, big endian)
 *  labels:   00 00 08 01 | n | n unsigned bytes
 *  Columns: image (height x width x 1) and label (the decimal text of the byte).  Source  Y. LeCun, "The MNIST database", file format. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/data/source.h"

enum { IMAGE = 0, LABEL = 1, N_COLUMNS = 2, PICTURES_HEADER = 16, LABELS_HEADER = 8, EXTENT_MAX = 1 << 14 };

typedef struct idx {
    uint64_t n_pictures, per_chunk;
    size_t picture_bytes;
    uint8_t *pixels, *labels;      /* of one chunk */
    char text[256][4];             /* labels as text */
} idx;

static uint32_t big_endian(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/** Magic and n_dims numbers behind it. */
static fw_status read_header(uint32_t *dims, fw_input *in, uint8_t n_dims, const char *what, fw_error *err)
{
    uint8_t b[PICTURES_HEADER] = {0};
    size_t len = 4 + 4 * (size_t)n_dims, got;
    FW_TRY(fw_input_read(in, 0, b, len, &got, err));
    if (got == 0) return fw_fail(err, FW_ERR_DATA, "%s: the file is empty", fw_input_path(in));
    if (got < 4 || b[0] != 0 || b[1] != 0 || b[2] != 8 || b[3] != n_dims)
        return fw_fail(err, FW_ERR_DATA, "%s: not an IDX file of %s: it begins with %02x %02x %02x %02x, expected 00 00 08 %02x", fw_input_path(in), what, b[0],
                       b[1], b[2], b[3], n_dims);
    if (got < len) return fw_fail(err, FW_ERR_DATA, "%s: the file is truncated in its header; copy it again", fw_input_path(in));
    for (size_t i = 0; i < n_dims; i++) dims[i] = big_endian(b + 4 + 4 * i);
    return FW_OK;
}

/** The length must be what the header says; packed input is unpacked once for that. */
static fw_status check_length(fw_input *in, uint64_t wanted, fw_error *err)
{
    uint64_t have = fw_input_file_bytes(in);
    if (!fw_input_plain(in)) {
        uint8_t last_and_more[2];
        size_t got;
        FW_TRY(fw_input_read(in, wanted - 1, last_and_more, sizeof last_and_more, &got, err));
        if (got == 1) return FW_OK;
        have = wanted - 1 + got;
    }
    if (have < wanted) return fw_fail(err, FW_ERR_DATA, "%s: the file is truncated: shorter than the %llu bytes its header says; copy it again",
                                      fw_input_path(in), (unsigned long long)wanted);
    if (have > wanted) return fw_fail(err, FW_ERR_DATA, "%s: bytes follow behind the %llu bytes its header says; is it the right file?", fw_input_path(in),
                                      (unsigned long long)wanted);
    return FW_OK;
}

static fw_status check_headers(idx *x, fw_table *t, fw_error *err)
{
    uint32_t pictures[3], labels[1];
    FW_TRY(read_header(pictures, t->inputs[IMAGE], 3, "pictures", err));
    FW_TRY(read_header(labels, t->inputs[LABEL], 1, "labels", err));
    const char *path = fw_input_path(t->inputs[IMAGE]);
    if (pictures[0] == 0) return fw_fail(err, FW_ERR_DATA, "%s: no pictures in it", path);
    if (pictures[1] == 0 || pictures[2] == 0 || pictures[1] > EXTENT_MAX || pictures[2] > EXTENT_MAX)
        return fw_fail(err, FW_ERR_DATA, "%s: pictures of %u x %u; height and width must be from 1 to %d", path, pictures[1], pictures[2], EXTENT_MAX);
    if (pictures[0] != labels[0])
        return fw_fail(err, FW_ERR_DATA, "%s: %u pictures, but %s has %u labels; they must be a pair", path, pictures[0], fw_input_path(t->inputs[LABEL]), labels[0]);
    x->n_pictures = pictures[0];
    x->picture_bytes = (size_t)pictures[1] * pictures[2];
    t->image_shape[0] = pictures[1];
    t->image_shape[1] = pictures[2];
    t->image_shape[2] = 1;
    FW_TRY(check_length(t->inputs[IMAGE], PICTURES_HEADER + x->n_pictures * x->picture_bytes, err));
    return check_length(t->inputs[LABEL], LABELS_HEADER + x->n_pictures, err);
}

static fw_status make_buffers(idx *x, fw_error *err)
{
    void *pixels = NULL, *labels = NULL;
    x->per_chunk = FW_MIN(FW_MAX((uint64_t)(fw_table_chunk_bytes() / x->picture_bytes), UINT64_C(1)), x->n_pictures);
    FW_TRY(fw_alloc_zeroed(&pixels, (size_t)x->per_chunk, x->picture_bytes, "a chunk of pictures", err));
    x->pixels = pixels;
    FW_TRY(fw_alloc_zeroed(&labels, (size_t)x->per_chunk, 1, "a chunk of labels", err));
    x->labels = labels;
    for (int i = 0; i < 256; i++) snprintf(x->text[i], sizeof x->text[i], "%d", i);
    return FW_OK;
}

static fw_status name_columns(fw_table *t, const fw_table_spec *spec, fw_error *err)
{
    fw_field names[N_COLUMNS] = {[IMAGE] = {"image", 5}, [LABEL] = {"label", 5}};
    if (spec->columns.n != 0 && spec->columns.n != N_COLUMNS)
        return fw_fail(err, FW_ERR_CONFIG, "%s: columns must name two: the picture and the label", t->name);
    for (size_t i = 0; i < spec->columns.n; i++) names[i] = (fw_field){spec->columns.v[i], strlen(spec->columns.v[i])};
    t->image_column = IMAGE;
    return fw_table_set_names(t, names, N_COLUMNS, t->name, err);
}

static fw_status open_local(idx *x, fw_table *t, const fw_table_spec *spec, const char *base_dir, fw_error *err)
{
    FW_TRY(fw_table_add_input(t, base_dir, spec->images, err));
    FW_TRY(fw_table_add_input(t, base_dir, spec->labels, err));
    FW_TRY(name_columns(t, spec, err));
    FW_TRY(check_headers(x, t, err));
    FW_TRY(make_buffers(x, err));
    t->n_chunks = (x->n_pictures + x->per_chunk - 1) / x->per_chunk;
    return FW_OK;
}

static fw_status idx_open(fw_table *t, const fw_table_spec *spec, const char *base_dir, fw_error *err)
{
    idx *x = t->source = calloc(1, sizeof *x);
    fw_status status = x != NULL ? open_local(x, t, spec, base_dir, err) : fw_fail(err, FW_ERR_NOMEM, "%s: no memory", spec->images);
    return t->reduce.agree(t->reduce.context, status, err);
}

static void idx_close(void *source)
{
    idx *x = source;
    free(x->pixels);
    free(x->labels);
    free(x);
}

static fw_status read_exactly(fw_input *in, uint64_t offset, void *buffer, size_t len, fw_error *err)
{
    size_t got;
    FW_TRY(fw_input_read(in, offset, buffer, len, &got, err));
    if (got < len) return fw_fail(err, FW_ERR_IO, "%s: became shorter while it was read; don't write to a table that is in use", fw_input_path(in));
    return FW_OK;
}

static fw_status bad_picture(fw_table *t, uint64_t picture, const fw_sink *sink, fw_error *err)
{
    char place[512] = "";
    if (fw_table_wants_place(t, sink)) snprintf(place, sizeof place, "%s: picture %llu", t->name, (unsigned long long)picture);
    return fw_table_bad_row(t, sink, place, err);
}

static fw_status idx_read(fw_table *t, uint64_t chunk, const fw_sink *sink, uint64_t *n_records, fw_error *err)
{
    idx *x = t->source;
    uint64_t first = chunk * x->per_chunk;
    size_t n = (size_t)FW_MIN(x->per_chunk, x->n_pictures - first);
    FW_TRY(read_exactly(t->inputs[IMAGE], PICTURES_HEADER + first * x->picture_bytes, x->pixels, n * x->picture_bytes, err));
    FW_TRY(read_exactly(t->inputs[LABEL], LABELS_HEADER + first, x->labels, n, err));
    *n_records = 0;
    for (size_t i = 0; i < n; i++) {
        const char *label = x->text[x->labels[i]];
        fw_field fields[N_COLUMNS] = {[IMAGE] = {(const char *)x->pixels + i * x->picture_bytes, x->picture_bytes}, [LABEL] = {label, strlen(label)}};
        fw_status status = sink->take(sink->context, fields, *n_records, err);
        if (status == FW_ERR_DATA) status = bad_picture(t, first + i, sink, err);
        if (status != FW_OK) return status;
        (*n_records)++;
    }
    return FW_OK;
}

static bool idx_takes(const fw_table_spec *spec)
{
    return spec->path == NULL && spec->images != NULL && spec->labels != NULL;
}

const fw_source_ops fw_idx_source = {.kind = "idx", .takes = idx_takes, .open = idx_open, .close = idx_close, .read = idx_read};
