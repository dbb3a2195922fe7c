/** HDF5 files that are made in memory and written by us: on a full disk libhdf5 1.10 can report success for bytes that never arrived, or crash
 *  while it closes, so it never sees the disk that a model or checkpoint goes to. Costs the file's size in memory. */
#ifndef FW_MODEL_H5_IMAGE_H
#define FW_MODEL_H5_IMAGE_H

#include <stdio.h>

#include "common/data/h5.h"

typedef struct fw_h5_image fw_h5_image;

/** A new file in memory, user block left free. */
fw_status fw_h5_image_create(fw_h5_image **out, fw_error *err);
void      fw_h5_image_destroy(fw_h5_image **i);
hid_t     fw_h5_image_file(const fw_h5_image *i);             /* for the calls of h5.h; not to be closed */
/** Ends the file and writes its bytes, user block included. Once. FW_ERR_IO, FW_ERR_NOMEM. */
fw_status fw_h5_image_write(fw_h5_image *i, FILE *to, fw_error *err);

/** A group that is a hard link: the way into a file must not lead out of it again. FW_ERR_FORMAT. */
fw_status fw_h5_check_group(hid_t at, const char *name, fw_error *err);

#endif
