/** The user block at the head of every flywheel file: checked before HDF5 sees a byte.
 *
 *   0  magic      8 bytes  "FLYWHEEL"
 *   8  kind       8 bytes  "model", "checkpt", "dataset", NUL-padded
 *  16  version    u32 LE   format version of this kind
 *  20  reserved   u32      0
 *  24  length     u64 LE   of the whole file
 *  32  digest    16 bytes  XXH3-128 of what it covers: bytes [512, length) (model, checkpoint), or the manifest (dataset)
 *  48  reserved   zeros up to 504
 * 504  check      u64 LE   XXH3-64 of bytes [0, 504) */
#ifndef FW_CORE_ENVELOPE_H
#define FW_CORE_ENVELOPE_H

#include <stdint.h>

#include "common/core/hash.h"
#include "common/core/status.h"

#define FW_ENVELOPE_BYTES 512

typedef struct fw_envelope { char kind[9]; uint32_t version; uint64_t length; fw_digest digest; } fw_envelope;

/** Writes the head of a closed HDF5 file made with a user block of FW_ENVELOPE_BYTES. digest NULL: of the bytes [512, length). Flushes and fsyncs. */
fw_status fw_envelope_seal(const char *path, const char *kind, uint32_t version, const fw_digest *digest, fw_error *err);
/** Reads and checks the head. whole: the digest of the bytes behind it too. FW_ERR_FORMAT (what is wrong: not ours, truncated,
 *  damaged), FW_ERR_VERSION when newer than max_version, FW_ERR_IO. */
fw_status fw_envelope_check(fw_envelope *out, const char *path, const char *kind, uint32_t max_version, int whole, fw_error *err);

#endif
