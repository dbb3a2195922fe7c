#include "common/model/h5_image.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"

#define GROW_BYTES ((size_t)1 << 20)

/* HDF5's memory driver keeps the file in one allocation, made by the functions below. It is handed over when the file is closed, complete. */
struct fw_h5_image {
    hid_t file;                        /* negative: closed */
    unsigned char *bytes;              /* of the closed file */
    size_t allocated;
};

static void *image_allocate(size_t size, H5FD_file_image_op_t op, void *udata)
{
    (void)op;
    fw_h5_image *i = udata;
    i->allocated = size;
    return calloc(1, size > 0 ? size : 1);
}

/* New bytes are zeros: a file is the same whenever it is made. */
static void *image_resize(void *p, size_t size, H5FD_file_image_op_t op, void *udata)
{
    (void)op;
    fw_h5_image *i = udata;
    unsigned char *bigger = realloc(p, size > 0 ? size : 1);
    if (bigger == NULL) return NULL;
    const size_t had = p != NULL ? i->allocated : 0;
    if (size > had) memset(bigger + had, 0, size - had);
    i->allocated = size;
    return bigger;
}

static herr_t image_free(void *p, H5FD_file_image_op_t op, void *udata)
{
    fw_h5_image *i = udata;
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE && i->bytes == NULL) i->bytes = p;
    else free(p);
    return 0;
}

static void *udata_keep(void *udata) { return udata; }
static herr_t udata_leave(void *udata) { (void)udata; return 0; }

/* The same rules as for a file on disk (h5.c). */
static hid_t create(hid_t fapl, hid_t fcpl, fw_h5_image *i)
{
    H5FD_file_image_callbacks_t callbacks = {.image_malloc = image_allocate, .image_realloc = image_resize, .image_free = image_free,
                                             .udata_copy = udata_keep, .udata_free = udata_leave, .udata = i};
    if (fapl < 0 || fcpl < 0) return -1;
    if (H5Pset_fapl_core(fapl, GROW_BYTES, 0) < 0 || H5Pset_file_image_callbacks(fapl, &callbacks) < 0) return -1;
    if (H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) < 0 || H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) < 0) return -1;
    if (H5Pset_userblock(fcpl, FW_ENVELOPE_BYTES) < 0 || H5Pset_obj_track_times(fcpl, 0) < 0) return -1;
    return H5Fcreate("memory", H5F_ACC_TRUNC, fcpl, fapl);
}

fw_status fw_h5_image_create(fw_h5_image **out, fw_error *err)
{
    FW_AUTO(fw_h5_image) *i = calloc(1, sizeof *i);
    if (i == NULL) return fw_fail(err, FW_ERR_NOMEM, "a file in memory");
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), fcpl = H5Pcreate(H5P_FILE_CREATE);
    i->file = create(fapl, fcpl, i);
    if (fapl >= 0) H5Pclose(fapl);
    if (fcpl >= 0) H5Pclose(fcpl);
    if (i->file < 0) return fw_fail(err, FW_ERR_NOMEM, "no HDF5 file could be made in memory");
    *out = i;
    i = NULL;
    return FW_OK;
}

void fw_h5_image_destroy(fw_h5_image **i)
{
    if (*i == NULL) return;
    if ((*i)->file > 0) H5Fclose((*i)->file);
    free((*i)->bytes);
    free(*i);
    *i = NULL;
}

hid_t fw_h5_image_file(const fw_h5_image *i) { return i->file; }

/* Where the file ends, from the superblock behind the user block (File Format Specification 3.0, II.A, versions 2 and 3):
 *   0 signature (8)   8 version   9 bytes an offset   12 base address   20 extension   28 end of file, the user block counted in */
static fw_status file_length(uint64_t *len, const fw_h5_image *i, fw_error *err)
{
    const unsigned char *super = i->bytes + FW_ENVELOPE_BYTES;
    if (i->bytes == NULL || i->allocated < FW_ENVELOPE_BYTES + 48 || (super[8] != 2 && super[8] != 3) || super[9] != 8)
        return fw_fail(err, FW_ERR_INTERNAL, "HDF5 left no file in memory, or one with an unknown superblock");
    uint64_t end = 0;
    for (int b = 0; b < 8; b++) end |= (uint64_t)super[28 + b] << 8 * b;
    if (end > i->allocated) return fw_fail(err, FW_ERR_INTERNAL, "HDF5 left a file in memory that ends behind its memory");
    *len = end;
    return FW_OK;
}

fw_status fw_h5_image_write(fw_h5_image *i, FILE *to, fw_error *err)
{
    const herr_t closed = H5Fclose(i->file);
    uint64_t len = 0;
    i->file = -1;
    if (closed < 0) return fw_fail(err, FW_ERR_NOMEM, "HDF5 could not complete a file in memory");
    FW_TRY(file_length(&len, i, err));
    if (fwrite(i->bytes, 1, (size_t)len, to) != len) return fw_fail_errno(err, FW_ERR_IO, "%llu bytes could not be written", (unsigned long long)len);
    return FW_OK;
}

fw_status fw_h5_check_group(hid_t at, const char *name, fw_error *err)
{
    H5L_info_t link;
    if (H5Lexists(at, name, H5P_DEFAULT) <= 0 || H5Lget_info(at, name, &link, H5P_DEFAULT) < 0) {
        H5Eclear2(H5E_DEFAULT);
        return fw_fail(err, FW_ERR_FORMAT, "group '%s' is not there", name);
    }
    if (link.type != H5L_TYPE_HARD) return fw_fail(err, FW_ERR_FORMAT, "group '%s' is a link to somewhere else, which is refused", name);
    return FW_OK;
}
