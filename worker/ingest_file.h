/** Temporary files of an ingest by place, every code checked. Local. */
#ifndef WORKER_INGEST_FILE_H
#define WORKER_INGEST_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

fw_status worker_file_create(int *fd, const char *path, fw_error *err);      /* new, empty, for both ways */
fw_status worker_file_write(int fd, const void *bytes, size_t len, uint64_t offset, const char *path, fw_error *err);
fw_status worker_file_read(int fd, void *bytes, size_t len, uint64_t offset, const char *path, fw_error *err);

#endif
