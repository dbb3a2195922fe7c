/** The bytes of one input file, unpacked: plain by pread, gzip (also of several members) and zstd (also of several frames) as a stream.
 *  What it is not: a parser. Memory is bounded: a packed buffer, and what the decoder needs (zstd: windows up to 128 MiB).
 *  Not thread-safe: one owner. */
#ifndef FW_DATA_INPUT_H
#define FW_DATA_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/hash.h"
#include "common/core/status.h"

typedef struct fw_input fw_input;

/** gzip and zstd are known by their first bytes; a name that ends in .gz or .zst must hold such data.
 *  FW_ERR_CONFIG: no such file; FW_ERR_IO: not readable, not a regular file. */
fw_status fw_input_open(fw_input **out, const char *path, fw_error *err);
void      fw_input_destroy(fw_input **in);

const char *fw_input_path(const fw_input *in);
bool        fw_input_plain(const fw_input *in);          /* not packed: any offset is cheap */
uint64_t    fw_input_file_bytes(const fw_input *in);     /* as stored; the unpacked size when plain */

/** Up to len bytes from the unpacked offset; *got < len only at the end of the input. Packed: forward is a stream, backward starts again.
 *  FW_ERR_DATA: truncated or damaged packed data, bytes behind it; FW_ERR_IO: the file shrank or can't be read. */
fw_status fw_input_read(fw_input *in, uint64_t offset, void *buffer, size_t len, size_t *got, fw_error *err);

/** The file as stored (packed), in leaves of FW_INPUT_LEAF bytes, the last one shorter: each has a digest, XXH3-128 of its bytes. */
#define FW_INPUT_LEAF ((size_t)256 << 10)
uint64_t  fw_input_n_leaves(const fw_input *in);
/** Stored bytes that were read: where they are a leaf, its digest is kept, so that it need not be read again. */
void      fw_input_note(fw_input *in, uint64_t offset, const void *bytes, size_t len);
fw_status fw_input_leaf(fw_digest *out, fw_input *in, uint64_t leaf, fw_error *err);

#endif
