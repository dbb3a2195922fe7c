/** HDF5 with every return code checked and our rules set: user block for the envelope, libver latest, no time stamps, no plugins,
 *  no error stack on stderr (its deepest line goes into err instead). The only header that hands out hid_t. */
#ifndef FW_DATA_H5_H
#define FW_DATA_H5_H

#include <hdf5.h>

#include "common/core/status.h"
#include "common/data/schema.h"

/** New file (truncated) with the user block left free. comm: MPI_COMM_NULL for a serial file; else Collective over comm (ROMIO or OMPIO as set). */
fw_status fw_h5_create(hid_t *file, const char *path, MPI_Comm comm, fw_error *err);
fw_status fw_h5_open(hid_t *file, const char *path, fw_error *err);             /* read only, serial; locks best effort */
/** For writing cells of datasets that exist; comm as above. */
fw_status fw_h5_open_write(hid_t *file, const char *path, MPI_Comm comm, fw_error *err);
/** How a column's cells are stored: f64, i32, i64, else u8. */
hid_t     fw_h5_cell_type(fw_column_type type);
/** Flush and close with every code checked. *file becomes negative. Of a serial file on which something failed before nothing more is written. */
fw_status fw_h5_close(hid_t *file, fw_error *err);
/** A file could not be closed, for its disk is full or broken: libhdf5 1.10 then crashes when MPI_Finalize ends it. */
bool      fw_h5_stuck(void);

/** For datasets that grow (allocated early): before they do. Takes the space on the disk that the file needs so far and `more` bytes; FW_ERR_IO, and
 *  the file diverted, when there is none. object: the file, or something in it. */
fw_status fw_h5_reserve(hid_t object, uint64_t more, const char *name, fw_error *err);
/** After a failed write of a serial file: what the library still holds goes nowhere, so that the file can be closed. */
void      fw_h5_divert(hid_t object);

fw_status fw_h5_group(hid_t at, const char *name, fw_error *err);               /* creates a group */
/** Contiguous dataset, allocated early (a serial file takes the space on the disk here: FW_ERR_IO when there is none), never filled.
 *  type: a native HDF5 type; stored little endian. */
fw_status fw_h5_make(hid_t *dataset, hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, fw_error *err);
fw_status fw_h5_write_all(hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, const void *data, fw_error *err);
/** Rows [first, first + n) of the first dimension of an open dataset. */
fw_status fw_h5_write_rows(hid_t dataset, hid_t type, hsize_t first, hsize_t n, const void *data, fw_error *err);
fw_status fw_h5_read_rows(hid_t dataset, hid_t type, hsize_t first, hsize_t n, void *data, fw_error *err);
/** Opens a dataset and checks its type class, rank and dims (dims[i] == 0: any, filled in). Only hard links, no external storage, no virtual
 *  layout, no filters: FW_ERR_FORMAT. */
fw_status fw_h5_dataset(hid_t *dataset, hid_t at, const char *name, hid_t type, int rank, hsize_t *dims, fw_error *err);
void      fw_h5_dataset_close(hid_t *dataset);
/** Where the cells of a contiguous dataset begin, in bytes from the beginning of the file. */
fw_status fw_h5_place(uint64_t *place, hid_t dataset, const char *name, fw_error *err);
/** Cells [first, first + n) of one line of a dataset of two dimensions. */
fw_status fw_h5_read_line(hid_t dataset, hid_t type, hsize_t line, hsize_t first, hsize_t n, void *data, fw_error *err);
/** A text stored as bytes (u8, 1-D). read: malloc'ed, NUL-terminated; FW_ERR_FORMAT above max_bytes. */
fw_status fw_h5_write_text(hid_t at, const char *name, const char *text, fw_error *err);
fw_status fw_h5_read_text(char **out, hid_t at, const char *name, size_t max_bytes, fw_error *err);

#endif
