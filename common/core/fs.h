/** Files that are never half there: written under a temporary name, flushed, fsynced, renamed, the folder fsynced. */
#ifndef FW_CORE_FS_H
#define FW_CORE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/core/status.h"

/** A file being written. destroy without commit removes the temporary file. */
typedef struct fw_atomic_file fw_atomic_file;
fw_status   fw_atomic_file_create(fw_atomic_file **out, const char *path, fw_error *err);   /* opens "<path>.tmp.<pid>"; path: nothing, or a regular file */
void        fw_atomic_file_destroy(fw_atomic_file **f);
FILE       *fw_atomic_file_stream(fw_atomic_file *f);        /* buffered; NULL after _release */
const char *fw_atomic_file_temp_path(const fw_atomic_file *f);
/** For writers with their own handle (HDF5): closes ours; the temporary name stays reserved for them. */
fw_status   fw_atomic_file_release(fw_atomic_file *f, fw_error *err);
/** FW_ERR_LOST, and nothing is replaced: this process is of a generation that was given up (fence.h). */
fw_status   fw_atomic_file_commit(fw_atomic_file *f, fw_error *err);
/** A new generation: the file that stood at path is kept at `previous_path` (NULL: replaced). */
fw_status   fw_atomic_file_commit_keeping(fw_atomic_file *f, const char *previous_path, fw_error *err);

/** Removes what writers of this file left that were killed before their commit. Nobody else may be writing it now. */
void        fw_remove_leftovers(const char *path);

/** The whole file as one malloc'ed text with a NUL behind it. FW_ERR_IO; FW_ERR_DATA above max_bytes. */
fw_status fw_read_file(char **out, size_t *len, const char *path, size_t max_bytes, fw_error *err);
fw_status fw_write_file(const char *path, const void *bytes, size_t len, fw_error *err);    /* atomic */

fw_status fw_make_dirs(const char *path, fw_error *err);         /* like mkdir -p */
bool      fw_path_exists(const char *path);
bool      fw_path_is_dir(const char *path);
fw_status fw_file_size(uint64_t *bytes, const char *path, fw_error *err);

/** "dir/name", or name alone when it is absolute or dir is empty; malloc'ed. */
fw_status fw_path_join(char **out, const char *dir, const char *name, fw_error *err);
fw_status fw_path_dir(char **out, const char *path, fw_error *err);   /* "." when there is none */

/** Replaces a symbolic link atomically. */
fw_status fw_link_replace(const char *link_path, const char *target, fw_error *err);

#endif
