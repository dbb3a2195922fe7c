#include "common/data/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/envelope.h"
#include "common/core/size.h"

#define MAX_RANK 4

/* Every identifier below lives in its scope: a property list or data space that is not closed would keep the file open. */
typedef struct handle { hid_t id; } handle;

static void handle_close(handle *h)
{
    if (h->id < 0) return;
    switch (H5Iget_type(h->id)) {
    case H5I_GENPROP_LST: H5Pclose(h->id); break;
    case H5I_DATASPACE: H5Sclose(h->id); break;
    case H5I_DATATYPE: H5Tclose(h->id); break;
    case H5I_GROUP: H5Gclose(h->id); break;
    case H5I_DATASET: H5Dclose(h->id); break;
    case H5I_FILE: H5Fclose(h->id); break;
    case H5I_UNINIT: case H5I_BADID: case H5I_ATTR: case H5I_REFERENCE: case H5I_VFL: case H5I_GENPROP_CLS: case H5I_ERROR_CLASS:
    case H5I_ERROR_MSG: case H5I_ERROR_STACK: case H5I_NTYPES: default: break;
    }
}
#define HANDLE __attribute__((cleanup(handle_close))) handle

/* ---- the error stack ---- */

typedef struct deepest { char text[512]; } deepest;

static herr_t keep_deepest(unsigned n, const H5E_error2_t *e, void *context)
{
    (void)n;
    deepest *d = context;
    snprintf(d->text, sizeof d->text, "%s", e->desc != NULL ? e->desc : "");
    return 0;
}

static void take_reason(deepest *d)
{
    d->text[0] = '\0';
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_deepest, d);       /* from the call to where it failed: the last line stays */
    H5Eclear2(H5E_DEFAULT);
    if (d->text[0] == '\0') snprintf(d->text, sizeof d->text, "no reason given");
}

/* What, and in brackets the deepest line of the library's own stack. */
static fw_status failed(fw_error *err, fw_status s, const char *what, const char *name)
{
    deepest d;
    take_reason(&d);
    return fw_fail(err, s, "%s '%s' (HDF5: %s)", what, name, d.text);
}

/* The file that an object is in, for people. */
static const char *file_of(hid_t object, char *buffer, size_t len)
{
    return H5Fget_name(object, buffer, len) > 0 ? buffer : "the file";
}

static void quiet(void)
{
    H5dont_atexit();                   /* our files are closed by us; has no effect once the library runs */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
}

/* ---- files that fail ----
 *
 * libhdf5 1.10 does not survive a flush or a close that fails: the file can no longer be closed, and the process crashes in exit or MPI_Finalize. So a serial
 * file gets its space before anything is written to it; where that or a write fails, what the library still holds goes to an anonymous file in
 * memory. Through MPI-IO only cells are written (fw_h5_open_write), of which the library holds nothing back. */

/* Local, where asking for the access list is Collective. */
static bool is_parallel(hid_t file)
{
    hbool_t atomic;
    bool parallel = H5Fget_mpi_atomicity(file, &atomic) >= 0;
    H5Eclear2(H5E_DEFAULT);
    return parallel;
}

/* The descriptor under a serial file on disk; -1: it has none, or it was diverted already (an anonymous file has no name). */
static int descriptor_of(hid_t file)
{
    HANDLE fapl = {-1};
    void *descriptor = NULL;
    struct stat st;
    if (!is_parallel(file)) fapl.id = H5Fget_access_plist(file);
    bool found = fapl.id >= 0 && H5Pget_driver(fapl.id) == H5FD_SEC2 && H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) >= 0 && descriptor != NULL;
    H5Eclear2(H5E_DEFAULT);
    if (!found) return -1;
    int fd = *(const int *)descriptor;
    return fstat(fd, &st) == 0 && st.st_nlink > 0 ? fd : -1;
}

/* Puts an anonymous file in memory under the library's descriptor. */
void fw_h5_divert(hid_t object)
{
    HANDLE file = {H5Iget_file_id(object)};
    int fd = file.id >= 0 ? descriptor_of(file.id) : -1, nowhere = fd >= 0 ? memfd_create("flywheel-discarded", MFD_CLOEXEC) : -1;
    if (nowhere < 0) return;
    dup3(nowhere, fd, O_CLOEXEC);
    close(nowhere);
}

/* Takes the space on the disk that a serial file needs so far, before the library writes there. File systems that cannot do that are left alone. */
fw_status fw_h5_reserve(hid_t object, uint64_t more, const char *name, fw_error *err)
{
    HANDLE file = {H5Iget_file_id(object)};
    haddr_t end = 0;
    int fd = file.id >= 0 ? descriptor_of(file.id) : -1, flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
    if (fd < 0 || flags < 0 || (flags & O_ACCMODE) != O_RDWR || H5Fget_eoa(file.id, &end) < 0 || end == 0) return FW_OK;
    end += FW_ENVELOPE_BYTES + more;
    struct rlimit limit;
    bool fits = getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur;
    if (!fits) errno = EFBIG;
    if (fits && (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)end) == 0 || errno == EOPNOTSUPP || errno == ENOSYS)) return FW_OK;
    const int why = errno;
    char path[512];
    file_of(file.id, path, sizeof path);
    errno = why;
    fw_status s = fw_fail_errno(err, FW_ERR_IO, "%s: no room for %llu bytes, up to '%s'", path, (unsigned long long)end, name);
    fw_h5_divert(object);
    return s;
}

/* The process's limit on the length of files is lifted while a file is closed that may have met it: in the anonymous file it must not hit again,
 * and through MPI-IO a close sets the length that the file already has. */
static void lift_limit(struct rlimit *before, bool *lifted)
{
    *lifted = getrlimit(RLIMIT_FSIZE, before) == 0 && before->rlim_cur != before->rlim_max;
    struct rlimit wide = {before->rlim_max, before->rlim_max};
    if (*lifted) setrlimit(RLIMIT_FSIZE, &wide);
}

/* Of a file that was only read nothing can be lost, and its close can't be allowed to fail. The library has one descriptor for all openings of a
 * file in a process: it serves the others until the last one closes. */
static void divert_if_only_read(hid_t file)
{
    if (H5Fget_obj_count(file, H5F_OBJ_FILE) != 1) return;
    const int fd = descriptor_of(file), flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
    if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) fw_h5_divert(file);
}

/* ---- files ---- */

typedef enum access_mode { READS, WRITES } access_mode;

/* What is written goes to the file at once, not by way of the library's buffer for small cells: of a write that fails when a dataset is closed
 * nobody would tell. */
static fw_status access_list(handle *fapl, access_mode mode, MPI_Comm comm, const char *path, fw_error *err)
{
    fapl->id = H5Pcreate(H5P_FILE_ACCESS);
    bool ok = fapl->id >= 0 && H5Pset_libver_bounds(fapl->id, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) >= 0 &&
              H5Pset_fclose_degree(fapl->id, H5F_CLOSE_STRONG) >= 0;
    if (ok && mode == WRITES) ok = H5Pset_sieve_buf_size(fapl->id, 0) >= 0;
    if (ok && comm != MPI_COMM_NULL)
        ok = H5Pset_fapl_mpio(fapl->id, comm, MPI_INFO_NULL) >= 0 && H5Pset_all_coll_metadata_ops(fapl->id, true) >= 0 &&
             H5Pset_coll_metadata_write(fapl->id, true) >= 0;
    else if (ok)
        ok = H5Pset_file_locking(fapl->id, true, true) >= 0;
    return ok ? FW_OK : failed(err, FW_ERR_INTERNAL, "cannot prepare access to", path);
}

fw_status fw_h5_create(hid_t *file, const char *path, MPI_Comm comm, fw_error *err)
{
    quiet();
    HANDLE fapl = {-1};
    FW_TRY(access_list(&fapl, WRITES, comm, path, err));
    HANDLE fcpl = {H5Pcreate(H5P_FILE_CREATE)};
    if (fcpl.id < 0 || H5Pset_userblock(fcpl.id, FW_ENVELOPE_BYTES) < 0 || H5Pset_obj_track_times(fcpl.id, false) < 0)
        return failed(err, FW_ERR_INTERNAL, "cannot prepare the creation of", path);
    hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, fcpl.id, fapl.id);
    if (id < 0) return failed(err, FW_ERR_IO, "cannot create", path);
    *file = id;
    return FW_OK;
}

fw_status fw_h5_open(hid_t *file, const char *path, fw_error *err)
{
    quiet();
    if (access(path, R_OK) != 0) return fw_fail_errno(err, FW_ERR_IO, "cannot read '%s'", path);
    HANDLE fapl = {-1};
    FW_TRY(access_list(&fapl, READS, MPI_COMM_NULL, path, err));
    hid_t id = H5Fopen(path, H5F_ACC_RDONLY, fapl.id);
    if (id < 0) return failed(err, FW_ERR_FORMAT, "cannot open as HDF5", path);
    *file = id;
    return FW_OK;
}

fw_status fw_h5_open_write(hid_t *file, const char *path, MPI_Comm comm, fw_error *err)
{
    quiet();
    HANDLE fapl = {-1};
    FW_TRY(access_list(&fapl, WRITES, comm, path, err));
    hid_t id = H5Fopen(path, H5F_ACC_RDWR, fapl.id);
    if (id < 0) return failed(err, FW_ERR_IO, "cannot open for writing", path);
    *file = id;
    return FW_OK;
}

static _Atomic bool stuck;             /* a file was not closed: what the library holds of it is gone in part */

bool fw_h5_stuck(void) { return stuck; }

fw_status fw_h5_close(hid_t *file, fw_error *err)
{
    if (*file < 0) return FW_OK;
    char buffer[256];
    const char *path = file_of(*file, buffer, sizeof buffer);
    struct rlimit limit;
    bool lifted = false;
    fw_status s = fw_h5_reserve(*file, 0, "its end", err);
    divert_if_only_read(*file);
    if (descriptor_of(*file) < 0) lift_limit(&limit, &lifted);
    if (H5Fflush(*file, H5F_SCOPE_GLOBAL) < 0 && s == FW_OK)             /* Collective for parallel files, like the close */
        s = failed(err, FW_ERR_IO, "cannot finish writing", path);
    const bool closed = H5Fclose(*file) >= 0;
    if (!closed) stuck = true;
    if (!closed && s == FW_OK) s = failed(err, FW_ERR_IO, "cannot finish writing", path);
    if (lifted) setrlimit(RLIMIT_FSIZE, &limit);
    H5Eclear2(H5E_DEFAULT);
    *file = -1;
    return s;
}

fw_status fw_h5_group(hid_t at, const char *name, fw_error *err)
{
    HANDLE gcpl = {H5Pcreate(H5P_GROUP_CREATE)};
    if (gcpl.id < 0 || H5Pset_obj_track_times(gcpl.id, false) < 0) return failed(err, FW_ERR_INTERNAL, "cannot prepare group", name);
    HANDLE group = {H5Gcreate2(at, name, H5P_DEFAULT, gcpl.id, H5P_DEFAULT)};
    if (group.id < 0) return failed(err, FW_ERR_IO, "cannot create group", name);
    return FW_OK;
}

/* ---- datasets ---- */

hid_t fw_h5_cell_type(fw_column_type type)
{
    switch (type) {
    case FW_NUMBER: return H5T_NATIVE_DOUBLE;
    case FW_CATEGORY: return H5T_NATIVE_INT32;
    case FW_TIME: return H5T_NATIVE_INT64;
    case FW_TEXT: case FW_IMAGE: break;
    }
    return H5T_NATIVE_UINT8;
}

/* The type as it stands in the file: little endian, whatever the machine. */
static fw_status file_type(handle *out, hid_t type, const char *name, fw_error *err)
{
    out->id = H5Tcopy(type);
    if (out->id < 0 || H5Tset_order(out->id, H5T_ORDER_LE) < 0) return failed(err, FW_ERR_INTERNAL, "cannot prepare the type of", name);
    return FW_OK;
}

fw_status fw_h5_make(hid_t *dataset, hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, fw_error *err)
{
    if (rank < 1 || rank > MAX_RANK) return fw_fail(err, FW_ERR_ARG, "dataset '%s': %d dimensions", name, rank);
    HANDLE stored = {-1};
    FW_TRY(file_type(&stored, type, name, err));
    HANDLE space = {H5Screate_simple(rank, dims, NULL)};
    HANDLE dcpl = {H5Pcreate(H5P_DATASET_CREATE)};
    if (space.id < 0 || dcpl.id < 0 || H5Pset_obj_track_times(dcpl.id, false) < 0 || H5Pset_layout(dcpl.id, H5D_CONTIGUOUS) < 0 ||
        H5Pset_alloc_time(dcpl.id, H5D_ALLOC_TIME_EARLY) < 0 || H5Pset_fill_time(dcpl.id, H5D_FILL_TIME_NEVER) < 0)
        return failed(err, FW_ERR_INTERNAL, "cannot prepare dataset", name);
    /* Before the library's end of the file moves: a close sets that length, which a limit on files refuses in memory too. */
    FW_TRY(fw_h5_reserve(at, (uint64_t)H5Sget_simple_extent_npoints(space.id) * H5Tget_size(stored.id), name, err));
    hid_t id = H5Dcreate2(at, name, stored.id, space.id, H5P_DEFAULT, dcpl.id, H5P_DEFAULT);
    if (id < 0) return failed(err, FW_ERR_IO, "cannot create dataset", name);
    fw_status s = fw_h5_reserve(id, 0, name, err);
    if (s != FW_OK) {
        fw_h5_dataset_close(&id);
        return s;
    }
    *dataset = id;
    return FW_OK;
}

static fw_status not_written(hid_t dataset, const char *name, fw_error *err)
{
    deepest d;
    char path[512];
    take_reason(&d);
    fw_status s = fw_fail(err, FW_ERR_IO, "%s: cannot write dataset '%s' (HDF5: %s)", file_of(dataset, path, sizeof path), name, d.text);
    fw_h5_divert(dataset);
    return s;
}

fw_status fw_h5_write_all(hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, const void *data, fw_error *err)
{
    HANDLE dataset = {-1};
    FW_TRY(fw_h5_make(&dataset.id, at, name, type, rank, dims, err));
    for (int i = 0; i < rank; i++)
        if (dims[i] == 0) return FW_OK;
    if (H5Dwrite(dataset.id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) return not_written(dataset.id, name, err);
    return FW_OK;
}

/* Selects rows [first, first + n) in the file and makes the matching memory space. */
static fw_status select_rows(handle *file_space, handle *memory_space, hid_t dataset, hsize_t first, hsize_t n, fw_error *err)
{
    hsize_t dims[MAX_RANK], start[MAX_RANK] = {0};
    file_space->id = H5Dget_space(dataset);
    if (file_space->id < 0) return failed(err, FW_ERR_FORMAT, "cannot read the shape of", "a dataset");
    int rank = H5Sget_simple_extent_ndims(file_space->id);
    if (rank < 1 || rank > MAX_RANK || H5Sget_simple_extent_dims(file_space->id, dims, NULL) < 0)
        return failed(err, FW_ERR_FORMAT, "cannot read the shape of", "a dataset");
    if (first > dims[0] || n > dims[0] - first)
        return fw_fail(err, FW_ERR_ARG, "rows [%llu, +%llu) of a dataset with %llu rows", (unsigned long long)first, (unsigned long long)n,
                       (unsigned long long)dims[0]);
    start[0] = first;
    dims[0] = n;
    memory_space->id = H5Screate_simple(rank, dims, NULL);
    if (memory_space->id < 0 || H5Sselect_hyperslab(file_space->id, H5S_SELECT_SET, start, NULL, dims, NULL) < 0)
        return failed(err, FW_ERR_INTERNAL, "cannot select rows of", "a dataset");
    return FW_OK;
}

static const char *name_of(hid_t dataset, char *buffer, size_t len)
{
    return H5Iget_name(dataset, buffer, len) > 0 ? buffer : "a dataset";
}

fw_status fw_h5_write_rows(hid_t dataset, hid_t type, hsize_t first, hsize_t n, const void *data, fw_error *err)
{
    if (n == 0) return FW_OK;
    HANDLE file_space = {-1}, memory_space = {-1};
    FW_TRY(select_rows(&file_space, &memory_space, dataset, first, n, err));
    char name[128];
    if (H5Dwrite(dataset, type, memory_space.id, file_space.id, H5P_DEFAULT, data) < 0)
        return not_written(dataset, name_of(dataset, name, sizeof name), err);
    return FW_OK;
}

fw_status fw_h5_read_rows(hid_t dataset, hid_t type, hsize_t first, hsize_t n, void *data, fw_error *err)
{
    if (n == 0) return FW_OK;
    HANDLE file_space = {-1}, memory_space = {-1};
    FW_TRY(select_rows(&file_space, &memory_space, dataset, first, n, err));
    char name[128];
    if (H5Dread(dataset, type, memory_space.id, file_space.id, H5P_DEFAULT, data) < 0)
        return failed(err, FW_ERR_IO, "cannot read from", name_of(dataset, name, sizeof name));
    return FW_OK;
}

fw_status fw_h5_read_line(hid_t dataset, hid_t type, hsize_t line, hsize_t first, hsize_t n, void *data, fw_error *err)
{
    if (n == 0) return FW_OK;
    HANDLE file_space = {H5Dget_space(dataset)}, memory_space = {H5Screate_simple(1, &n, NULL)};
    hsize_t dims[2], start[2] = {line, first}, count[2] = {1, n};
    if (file_space.id < 0 || memory_space.id < 0 || H5Sget_simple_extent_ndims(file_space.id) != 2 ||
        H5Sget_simple_extent_dims(file_space.id, dims, NULL) != 2)
        return failed(err, FW_ERR_FORMAT, "cannot read the shape of", "a dataset");
    if (line >= dims[0] || first > dims[1] || n > dims[1] - first)
        return fw_fail(err, FW_ERR_ARG, "cells [%llu, +%llu) of line %llu of a dataset of %llu x %llu", (unsigned long long)first, (unsigned long long)n,
                       (unsigned long long)line, (unsigned long long)dims[0], (unsigned long long)dims[1]);
    if (H5Sselect_hyperslab(file_space.id, H5S_SELECT_SET, start, NULL, count, NULL) < 0)
        return failed(err, FW_ERR_INTERNAL, "cannot select cells of", "a dataset");
    char name[128];
    if (H5Dread(dataset, type, memory_space.id, file_space.id, H5P_DEFAULT, data) < 0)
        return failed(err, FW_ERR_IO, "cannot read from", name_of(dataset, name, sizeof name));
    return FW_OK;
}

fw_status fw_h5_place(uint64_t *place, hid_t dataset, const char *name, fw_error *err)
{
    haddr_t at = H5Dget_offset(dataset);
    if (at == HADDR_UNDEF && H5Dget_storage_size(dataset) > 0) return failed(err, FW_ERR_INTERNAL, "no space was taken for", name);
    *place = at == HADDR_UNDEF ? 0 : at;
    return FW_OK;
}

/* Only a hard link: a soft or external one would lead out of the file. */
static fw_status check_link(hid_t at, const char *name, fw_error *err)
{
    H5L_info_t link;
    if (H5Lexists(at, name, H5P_DEFAULT) <= 0 || H5Lget_info(at, name, &link, H5P_DEFAULT) < 0) {
        H5Eclear2(H5E_DEFAULT);
        return fw_fail(err, FW_ERR_FORMAT, "dataset '%s' is not there", name);
    }
    if (link.type != H5L_TYPE_HARD) return fw_fail(err, FW_ERR_FORMAT, "'%s' is a link to somewhere else, which is refused", name);
    return FW_OK;
}

/* Plain contiguous bytes inside this file. */
static fw_status check_storage(hid_t dataset, const char *name, hsize_t bytes, fw_error *err)
{
    HANDLE dcpl = {H5Dget_create_plist(dataset)};
    if (dcpl.id < 0) return failed(err, FW_ERR_FORMAT, "cannot read the layout of", name);
    if (H5Pget_layout(dcpl.id) != H5D_CONTIGUOUS || H5Pget_nfilters(dcpl.id) != 0 || H5Pget_external_count(dcpl.id) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "dataset '%s' is not stored contiguously inside the file", name);
    if (bytes == 0) return FW_OK;
    HANDLE file = {H5Iget_file_id(dataset)};
    hsize_t file_bytes = 0;
    haddr_t at = H5Dget_offset(dataset);
    if (file.id < 0 || H5Fget_filesize(file.id, &file_bytes) < 0) return failed(err, FW_ERR_FORMAT, "cannot read the length of the file of", name);
    if (at == HADDR_UNDEF || at > file_bytes || bytes > file_bytes - at || H5Dget_storage_size(dataset) != bytes)
        return fw_fail(err, FW_ERR_FORMAT, "dataset '%s' reaches past the end of the file", name);
    return FW_OK;
}

static fw_status check_shape(hid_t dataset, const char *name, int rank, hsize_t *dims, size_t element_bytes, hsize_t *bytes, fw_error *err)
{
    HANDLE space = {H5Dget_space(dataset)};
    hsize_t got[MAX_RANK];
    if (space.id < 0 || H5Sget_simple_extent_type(space.id) != H5S_SIMPLE || H5Sget_simple_extent_ndims(space.id) != rank ||
        H5Sget_simple_extent_dims(space.id, got, NULL) != rank) {
        H5Eclear2(H5E_DEFAULT);
        return fw_fail(err, FW_ERR_FORMAT, "dataset '%s' does not have %d dimensions", name, rank);
    }
    *bytes = element_bytes;
    for (int i = 0; i < rank; i++) {
        if (dims[i] != 0 && dims[i] != got[i])
            return fw_fail(err, FW_ERR_FORMAT, "dataset '%s': dimension %d is %llu, expected %llu", name, i, (unsigned long long)got[i],
                           (unsigned long long)dims[i]);
        if (__builtin_mul_overflow(*bytes, got[i], bytes)) return fw_fail(err, FW_ERR_FORMAT, "dataset '%s' has an impossible size", name);
    }
    memcpy(dims, got, (size_t)rank * sizeof *dims);
    return FW_OK;
}

fw_status fw_h5_dataset(hid_t *dataset, hid_t at, const char *name, hid_t type, int rank, hsize_t *dims, fw_error *err)
{
    if (rank < 1 || rank > MAX_RANK) return fw_fail(err, FW_ERR_ARG, "dataset '%s': %d dimensions", name, rank);
    FW_TRY(check_link(at, name, err));
    HANDLE id = {H5Dopen2(at, name, H5P_DEFAULT)};
    if (id.id < 0) return failed(err, FW_ERR_FORMAT, "cannot open dataset", name);
    HANDLE stored = {H5Dget_type(id.id)}, expected = {-1};
    FW_TRY(file_type(&expected, type, name, err));
    if (stored.id < 0 || H5Tequal(stored.id, expected.id) <= 0) {
        H5Eclear2(H5E_DEFAULT);
        return fw_fail(err, FW_ERR_FORMAT, "dataset '%s' is of another type than expected", name);
    }
    hsize_t got[MAX_RANK], bytes = 0;
    memcpy(got, dims, (size_t)rank * sizeof *dims);
    FW_TRY(check_shape(id.id, name, rank, got, H5Tget_size(stored.id), &bytes, err));
    FW_TRY(check_storage(id.id, name, bytes, err));
    memcpy(dims, got, (size_t)rank * sizeof *dims);
    *dataset = id.id;
    id.id = -1;
    return FW_OK;
}

void fw_h5_dataset_close(hid_t *dataset)
{
    if (*dataset >= 0 && H5Dclose(*dataset) < 0) H5Eclear2(H5E_DEFAULT);
    *dataset = -1;
}

fw_status fw_h5_write_text(hid_t at, const char *name, const char *text, fw_error *err)
{
    hsize_t len = strlen(text);
    return fw_h5_write_all(at, name, H5T_NATIVE_UINT8, 1, &len, text, err);
}

fw_status fw_h5_read_text(char **out, hid_t at, const char *name, size_t max_bytes, fw_error *err)
{
    HANDLE dataset = {-1};
    hsize_t len = 0;
    FW_TRY(fw_h5_dataset(&dataset.id, at, name, H5T_NATIVE_UINT8, 1, &len, err));
    if (len > max_bytes)
        return fw_fail(err, FW_ERR_FORMAT, "text '%s' has %llu bytes, more than the %zu allowed", name, (unsigned long long)len, max_bytes);
    FW_FREE char *text = malloc((size_t)len + 1);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "text '%s': %llu bytes", name, (unsigned long long)len);
    FW_TRY(fw_h5_read_rows(dataset.id, H5T_NATIVE_UINT8, 0, len, text, err));
    text[len] = '\0';
    if (memchr(text, '\0', (size_t)len) != NULL) return fw_fail(err, FW_ERR_FORMAT, "text '%s' holds a NUL byte", name);
    *out = text;
    text = NULL;
    return FW_OK;
}
