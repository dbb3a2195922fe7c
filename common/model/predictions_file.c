#include "common/model/predictions_file.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/data/h5.h"

#define CHUNK_ROWS 4096

struct fw_predictions_file {
    const fw_model *model;
    char *path;
    fw_atomic_file *target;
    hid_t file, row, id, prediction, probabilities, text;
    hsize_t n, width;
    bool has_id;
};

/* A dataset that grows by rows. A chunk has its place in the file from the start, so that its space can be taken before it is written. */
static fw_status make_growing(hid_t *out, fw_predictions_file *f, const char *name, hid_t type, hsize_t width, fw_error *err)
{
    const int rank = width > 0 ? 2 : 1;
    hsize_t dims[2] = {0, width}, most[2] = {H5S_UNLIMITED, width}, chunk[2] = {CHUNK_ROWS, width};
    hid_t space = H5Screate_simple(rank, dims, most), create = H5Pcreate(H5P_DATASET_CREATE);
    bool good = space >= 0 && create >= 0 && H5Pset_chunk(create, rank, chunk) >= 0 && H5Pset_obj_track_times(create, 0) >= 0 &&
                H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY) >= 0;
    *out = good ? H5Dcreate2(f->file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT) : -1;
    if (create >= 0) H5Pclose(create);
    if (space >= 0) H5Sclose(space);
    return *out >= 0 ? FW_OK : fw_fail(err, FW_ERR_IO, "%s: HDF5 could not make /%s", f->path, name);
}

#define INDEX_BYTES 65536          /* more than what describes the chunks that one call adds */

/* Before `chunks` more chunks are written: libhdf5 doesn't survive a disk that is full. */
static fw_status reserve(const fw_predictions_file *f, hsize_t chunks, size_t row_bytes, fw_error *err)
{
    fw_status s = fw_h5_reserve(f->file, (uint64_t)chunks * CHUNK_ROWS * row_bytes + INDEX_BYTES, "the last rows", err);
    return s == FW_OK ? FW_OK : fw_wrap(err, s, "%s", f->path);
}

static hsize_t chunks_of(hsize_t rows) { return (rows + CHUNK_ROWS - 1) / CHUNK_ROWS; }

static fw_status append_to(const fw_predictions_file *f, hid_t dataset, hid_t type, hsize_t width, size_t n, const void *data, fw_error *err)
{
    const int rank = width > 0 ? 2 : 1;
    hsize_t size[2] = {f->n + n, width}, start[2] = {f->n, 0}, count[2] = {n, width};
    const size_t cell_bytes = FW_MAX(H5Tget_size(type), (size_t)16);                       /* a text takes 16 in its chunk */
    FW_TRY(reserve(f, chunks_of(f->n + n) - chunks_of(f->n), cell_bytes * (size_t)FW_MAX(width, (hsize_t)1), err));
    bool good = H5Dset_extent(dataset, size) >= 0;
    hid_t memory = H5Screate_simple(rank, count, NULL), disk = good ? H5Dget_space(dataset) : -1;
    good = good && memory >= 0 && disk >= 0 && H5Sselect_hyperslab(disk, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
           H5Dwrite(dataset, type, memory, disk, H5P_DEFAULT, data) >= 0;
    if (memory >= 0) H5Sclose(memory);
    if (disk >= 0) H5Sclose(disk);
    if (!good) fw_h5_divert(f->file);
    return good ? FW_OK : fw_fail(err, FW_ERR_IO, "%s: HDF5 could not write %zu rows (is the disk full?)", f->path, n);
}

static fw_status write_attribute(const fw_predictions_file *f, const char *name, const char *text, fw_error *err)
{
    hid_t space = H5Screate(H5S_SCALAR), at = space >= 0 ? H5Acreate2(f->file, name, f->text, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
    bool good = at >= 0 && H5Awrite(at, f->text, &text) >= 0;
    if (at >= 0) H5Aclose(at);
    if (space >= 0) H5Sclose(space);
    return good ? FW_OK : fw_fail(err, FW_ERR_IO, "%s: HDF5 could not write the attribute %s", f->path, name);
}

static fw_status write_classes(const fw_predictions_file *f, fw_error *err)
{
    FW_FREE const char **names = NULL;
    hsize_t k = fw_model_n_classes(f->model);
    FW_TRY(fw_alloc_zeroed((void **)&names, k + 1, sizeof *names, "class names", err));
    for (size_t i = 0; i < k; i++) names[i] = fw_model_class_name(f->model, i);
    hid_t space = H5Screate_simple(1, &k, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
    bool good = space >= 0 && create >= 0 && H5Pset_obj_track_times(create, 0) >= 0;         /* no wall time in the file */
    hid_t d = good ? H5Dcreate2(f->file, "classes", f->text, space, H5P_DEFAULT, create, H5P_DEFAULT) : -1;
    good = d >= 0 && H5Dwrite(d, f->text, H5S_ALL, H5S_ALL, H5P_DEFAULT, names) >= 0;
    if (d >= 0) H5Dclose(d);
    if (create >= 0) H5Pclose(create);
    if (space >= 0) H5Sclose(space);
    return good ? FW_OK : fw_fail(err, FW_ERR_IO, "%s: HDF5 could not write /classes", f->path);
}

static fw_status make_all(fw_predictions_file *f, fw_error *err)
{
    const bool regression = f->model->task == FW_TASK_REGRESSION;
    f->text = H5Tcopy(H5T_C_S1);
    if (f->text < 0 || H5Tset_size(f->text, H5T_VARIABLE) < 0 || H5Tset_cset(f->text, H5T_CSET_UTF8) < 0)
        return fw_fail(err, FW_ERR_IO, "%s: HDF5 has no text type", f->path);
    FW_TRY(make_growing(&f->row, f, "row", H5T_STD_U64LE, 0, err));
    if (f->has_id) FW_TRY(make_growing(&f->id, f, "id", f->text, 0, err));
    FW_TRY(make_growing(&f->prediction, f, "prediction", regression ? H5T_IEEE_F64LE : H5T_STD_I32LE, 0, err));
    if (!regression) {
        f->width = fw_model_n_out(f->model);
        FW_TRY(make_growing(&f->probabilities, f, "probabilities", H5T_IEEE_F32LE, f->width, err));
        FW_TRY(write_classes(f, err));
    }
    FW_TRY(write_attribute(f, "model", f->model->digest, err));
    return write_attribute(f, "name", f->model->name, err);
}

fw_status fw_predictions_file_create(fw_predictions_file **out, const char *path, const fw_model *m, bool has_id, fw_error *err)
{
    FW_AUTO(fw_predictions_file) *f = calloc(1, sizeof *f);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "predictions");
    *f = (fw_predictions_file){.model = m, .has_id = has_id, .file = -1, .row = -1, .id = -1, .prediction = -1, .probabilities = -1, .text = -1};
    FW_TRY(fw_copy_text(&f->path, path, err));
    FW_TRY(fw_atomic_file_create(&f->target, path, err));
    FW_TRY(fw_atomic_file_release(f->target, err));
    FW_TRY(fw_h5_create(&f->file, fw_atomic_file_temp_path(f->target), MPI_COMM_NULL, err));
    FW_TRY(make_all(f, err));
    *out = f;
    f = NULL;
    return FW_OK;
}

/* Every handle but the file's; false when HDF5 could not write what it still held. */
static bool close_parts(fw_predictions_file *f)
{
    bool good = true;
    hid_t *sets[] = {&f->row, &f->id, &f->prediction, &f->probabilities};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (*sets[i] >= 0) good = H5Dclose(*sets[i]) >= 0 && good;
        *sets[i] = -1;
    }
    if (f->text >= 0) H5Tclose(f->text);
    f->text = -1;
    return good;
}

void fw_predictions_file_destroy(fw_predictions_file **file)
{
    fw_predictions_file *f = *file;
    if (f == NULL) return;
    close_parts(f);
    if (f->file >= 0) fw_h5_close(&f->file, NULL);
    fw_atomic_file_destroy(&f->target);
    free(f->path);
    free(f);
    *file = NULL;
}

static fw_status append_codes(fw_predictions_file *f, size_t n, const float *p, fw_error *err)
{
    FW_FREE int32_t *code = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&code, n, sizeof *code, "codes", err));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 1; j < f->width; j++)
            if (p[i * f->width + j] > p[i * f->width + (hsize_t)code[i]]) code[i] = (int32_t)j;
    FW_TRY(append_to(f, f->prediction, H5T_NATIVE_INT32, 0, n, code, err));
    return append_to(f, f->probabilities, H5T_NATIVE_FLOAT, f->width, n, p, err);
}

fw_status fw_predictions_file_append(fw_predictions_file *f, size_t n, const uint64_t *row, const char *const *id, const float *p, const double *value,
                                     fw_error *err)
{
    if (n == 0) return FW_OK;
    FW_TRY(append_to(f, f->row, H5T_NATIVE_UINT64, 0, n, row, err));
    if (f->has_id) FW_TRY(append_to(f, f->id, f->text, 0, n, id, err));
    if (f->model->task == FW_TASK_REGRESSION) FW_TRY(append_to(f, f->prediction, H5T_NATIVE_DOUBLE, 0, n, value, err));
    else FW_TRY(append_codes(f, n, p, err));
    f->n += n;
    return FW_OK;
}

fw_status fw_predictions_file_commit(fw_predictions_file *f, fw_error *err)
{
    FW_TRY(reserve(f, 0, 0, err));
    if (!close_parts(f)) return fw_fail(err, FW_ERR_IO, "%s: HDF5 could not write the last rows (is the disk full?)", f->path);
    FW_TRY(fw_h5_close(&f->file, err));
    return fw_atomic_file_commit(f->target, err);
}
