/** Checksums and digests: XXH3 (libxxhash). Against damage, not against an adversary. */
#ifndef FW_CORE_HASH_H
#define FW_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct fw_digest { uint64_t lo, hi; } fw_digest;
#define FW_DIGEST_TEXT 33   /* 32 hex digits and NUL */

uint64_t  fw_hash64(const void *bytes, size_t len, uint64_t seed);
fw_digest fw_hash128(const void *bytes, size_t len, uint64_t seed);

/** out[i] = fw_hash64 of 8 bytes of v, which may have any address, from 8 i on; several times faster. */
void      fw_hash64_words(uint64_t *out, const void *v, size_t n);

/** into[i] takes in hash[i], order told: h' = (h ^ hash) * odd, h' ^= h' >> 32. */
void      fw_hash64_mix(uint64_t *into, const uint64_t *hash, size_t n);

/** Sum modulo 2^128: a digest of a set of hashes that does not depend on their order. */
fw_digest fw_digest_add(fw_digest a, fw_digest b);
int       fw_digest_equal(fw_digest a, fw_digest b);
void      fw_digest_text(char out[static FW_DIGEST_TEXT], fw_digest d);

/** Streaming form of fw_hash128. */
typedef struct fw_hasher fw_hasher;
fw_hasher *fw_hasher_create(uint64_t seed);     /* NULL: no memory */
void       fw_hasher_destroy(fw_hasher **h);
void       fw_hasher_add(fw_hasher *h, const void *bytes, size_t len);
fw_digest  fw_hasher_value(const fw_hasher *h);

#endif
