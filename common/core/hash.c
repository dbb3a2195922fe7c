#include "common/core/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL             /* short inputs: the call costs more than the hash */
#include <xxhash.h>

#include "common/core/hash_long.h"
#include "common/core/targets.h"

#define SHORT 240                  /* bytes up to which XXH3 uses no vectors */

uint64_t fw_hash64(const void *bytes, size_t len, uint64_t seed)
{
    return len <= SHORT ? XXH3_64bits_withSeed(bytes, len, seed) : fw_hash64_long(bytes, len, seed);
}

enum { LANES = 8 };
typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));

/* XXH3-64 of eight inputs of eight bytes, seed 0: its branch for 4 to 8 bytes. */
FW_TARGETS static void hash_lanes(uint64_t *out, const char *v, size_t n)
{
    const uint64_t flip = UINT64_C(0xc73ab174c5ecd5a2), prime = UINT64_C(0x9FB21C651E98DF25);
    for (size_t i = 0; i < n; i += LANES) {
        lanes h;
        memcpy(&h, v + i * sizeof *out, sizeof h);
        h = (h >> 32 | h << 32) ^ flip;
        h ^= (h << 49 | h >> 15) ^ (h << 24 | h >> 40);
        h *= prime;
        h ^= (h >> 35) + 8;
        h *= prime;
        h ^= h >> 28;
        memcpy(out + i, &h, sizeof h);
    }
}

void fw_hash64_words(uint64_t *out, const void *v, size_t n)
{
    const size_t together = n - n % LANES;
    hash_lanes(out, v, together);
    for (size_t i = together; i < n; i++) out[i] = XXH3_64bits_withSeed((const char *)v + i * sizeof *out, sizeof *out, 0);
}

FW_TARGETS static void mix_lanes(uint64_t *into, const uint64_t *hash, size_t n)
{
    const uint64_t prime = UINT64_C(0x9FB21C651E98DF25);
    for (size_t i = 0; i < n; i += LANES) {
        lanes h, x;
        memcpy(&h, into + i, sizeof h);
        memcpy(&x, hash + i, sizeof x);
        h = (h ^ x) * prime;
        h ^= h >> 32;
        memcpy(into + i, &h, sizeof h);
    }
}

void fw_hash64_mix(uint64_t *into, const uint64_t *hash, size_t n)
{
    const size_t together = n - n % LANES, rest = n - together;
    uint64_t last[2][LANES] = {0};
    mix_lanes(into, hash, together);
    memcpy(last[0], into + together, rest * sizeof **last);
    memcpy(last[1], hash + together, rest * sizeof **last);
    mix_lanes(last[0], last[1], LANES);
    memcpy(into + together, last[0], rest * sizeof **last);
}

static fw_digest digest(XXH128_hash_t h)
{
    return (fw_digest){.lo = h.low64, .hi = h.high64};
}

fw_digest fw_hash128(const void *bytes, size_t len, uint64_t seed)
{
    return len <= SHORT ? digest(XXH3_128bits_withSeed(bytes, len, seed)) : fw_hash128_long(bytes, len, seed);
}

fw_digest fw_digest_add(fw_digest a, fw_digest b)
{
    uint64_t lo = a.lo + b.lo;
    return (fw_digest){.lo = lo, .hi = a.hi + b.hi + (lo < a.lo)};
}

int fw_digest_equal(fw_digest a, fw_digest b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

void fw_digest_text(char out[static FW_DIGEST_TEXT], fw_digest d)
{
    snprintf(out, FW_DIGEST_TEXT, "%016" PRIx64 "%016" PRIx64, d.hi, d.lo);
}
