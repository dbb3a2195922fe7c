#include "common/core/random.h"

#include <math.h>

#define ROUNDS         10      /* of Philox */
#define FEISTEL_ROUNDS 8

/** Philox4x32-10.  Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11, sec. 3.3. */
static fw_philox philox(fw_philox c, uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c.word[0], b = (uint64_t)0xCD9E8D57u * c.word[2];
        c = (fw_philox){{(uint32_t)(b >> 32) ^ c.word[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c.word[3] ^ k1, (uint32_t)a}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

/* The key is the seed, the purpose spread over its upper half: two purposes never share a key under one seed. */
fw_philox fw_random(uint64_t seed, fw_purpose purpose, uint32_t epoch, uint64_t row, uint32_t place)
{
    fw_philox counter = {{epoch, (uint32_t)row, (uint32_t)(row >> 32), place}};
    return philox(counter, (uint32_t)seed, (uint32_t)(seed >> 32) ^ (uint32_t)purpose * 0x9E3779B1u);
}

static double unit(uint32_t high, uint32_t low)
{
    return (double)((uint64_t)(high >> 5) << 26 | low >> 6) * 0x1p-53;
}

double fw_random_unit(fw_philox r)
{
    return unit(r.word[0], r.word[1]);
}

double fw_random_unit2(fw_philox r)
{
    return unit(r.word[2], r.word[3]);
}

/** Box and Muller (1958): sqrt(-2 ln u) cos(2 pi v) with u in (0, 1], v in [0, 1). */
double fw_random_normal(fw_philox r)
{
    return sqrt(-2.0 * log(1.0 - fw_random_unit(r))) * cos(2.0 * M_PI * fw_random_unit2(r));
}

/* One Feistel round: any function of the half and the key will do for a permutation; this one mixes all bits. */
static uint32_t feistel(uint32_t half, uint32_t key, uint32_t mask)
{
    uint64_t x = ((uint64_t)half + key) * 0x9E3779B97F4A7C15u;
    x ^= x >> 32;
    x *= (uint64_t)key * 0xD6E8FEB86659FD93u | 1u;
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9u;
    return (uint32_t)(x >> 32) & mask;
}

static uint64_t encipher(const fw_permutation *p, uint64_t x)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << p->half_bits) - 1);
    uint32_t left = (uint32_t)(x >> p->half_bits) & mask, right = (uint32_t)x & mask;
    for (int round = 0; round < FEISTEL_ROUNDS; round++) {
        uint32_t next = left ^ feistel(right, p->key[round], mask);
        left = right;
        right = next;
    }
    return (uint64_t)left << p->half_bits | right;
}

static uint64_t decipher(const fw_permutation *p, uint64_t y)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << p->half_bits) - 1);
    uint32_t left = (uint32_t)(y >> p->half_bits) & mask, right = (uint32_t)y & mask;
    for (int round = FEISTEL_ROUNDS - 1; round >= 0; round--) {
        uint32_t previous = right ^ feistel(left, p->key[round], mask);
        right = left;
        left = previous;
    }
    return (uint64_t)left << p->half_bits | right;
}

/* The domain 2^(2 half_bits) is below 4n above 256, so a walk is short. With 4 rounds, or a domain below 64, the permutations of a
 * dozen rows were measurably uneven. */
fw_permutation fw_permutation_make(uint64_t seed, fw_purpose purpose, uint32_t epoch, uint64_t n)
{
    fw_permutation p = {.n = n, .half_bits = 4};
    while (p.half_bits < 32 && UINT64_C(1) << 2 * p.half_bits < n) p.half_bits++;
    for (uint32_t i = 0; i < 2; i++) {
        fw_philox r = fw_random(seed, purpose, epoch, n, i);
        for (uint32_t j = 0; j < 4; j++) p.key[4 * i + j] = r.word[j];
    }
    return p;
}

/* Cycle walking (Black and Rogaway, CT-RSA 2002): the cycle of i comes back below n at the latest with i itself. */
uint64_t fw_permutation_at(const fw_permutation *p, uint64_t i)
{
    uint64_t y = i;
    do y = encipher(p, y);
    while (y >= p->n);
    return y;
}

uint64_t fw_permutation_inverse(const fw_permutation *p, uint64_t y)
{
    uint64_t i = y;
    do i = decipher(p, i);
    while (i >= p->n);
    return i;
}
