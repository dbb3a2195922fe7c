/** The hash of long inputs, by the widest vectors of this CPU; for hash.c, which takes short ones itself. The same values. */
#ifndef FW_CORE_HASH_LONG_H
#define FW_CORE_HASH_LONG_H

#include "common/core/hash.h"

fw_digest fw_hash128_long(const void *bytes, size_t len, uint64_t seed);

#endif
