/** The hash of long inputs, by the widest vectors of this CPU; for hash.c, which takes short ones itself. The same values. */
#ifndef FW_CORE_HASH_LONG_H
#define FW_CORE_HASH_LONG_H

#include "common/core/hash.h"

uint64_t  fw_hash64_long(const void *bytes, size_t len, uint64_t seed);
fw_digest fw_hash128_long(const void *bytes, size_t len, uint64_t seed);

#endif
