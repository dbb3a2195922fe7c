#include "common/core/hash_long.h"

#include <stdlib.h>
#include <xxhash.h>
#if defined(FW_XXH_DISPATCH)
#include <xxh_x86dispatch.h>      /* the functions of the same names, chosen by CPU */
#endif

struct fw_hasher { XXH3_state_t *state; };

#if defined(FW_XXH_DISPATCH)
/* The library chooses at its first call, and not safely in two threads at once: here nobody else runs yet. */
__attribute__((constructor)) static void choose(void)
{
    (void)XXH3_128bits_withSeed("", 0, 0);
}
#endif

static fw_digest digest(XXH128_hash_t h)
{
    return (fw_digest){.lo = h.low64, .hi = h.high64};
}

uint64_t fw_hash64_long(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

fw_digest fw_hash128_long(const void *bytes, size_t len, uint64_t seed)
{
    return digest(XXH3_128bits_withSeed(bytes, len, seed));
}

fw_hasher *fw_hasher_create(uint64_t seed)
{
    fw_hasher *h = calloc(1, sizeof *h);
    if (h == NULL) return NULL;
    h->state = XXH3_createState();
    if (h->state == NULL || XXH3_128bits_reset_withSeed(h->state, seed) != XXH_OK) fw_hasher_destroy(&h);
    return h;
}

void fw_hasher_destroy(fw_hasher **h)
{
    if (*h == NULL) return;
    XXH3_freeState((*h)->state);
    free(*h);
    *h = NULL;
}

void fw_hasher_add(fw_hasher *h, const void *bytes, size_t len)
{
    if (len > 0) XXH3_128bits_update(h->state, bytes, len);
}

fw_digest fw_hasher_value(const fw_hasher *h)
{
    return digest(XXH3_128bits_digest(h->state));
}
