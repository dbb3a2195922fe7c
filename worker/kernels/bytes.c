#include "worker/kernels/bytes.h"

#include <string.h>

#include "worker/kernels/targets.h"

/* 1 / 255 in two pieces. The first has 16 bits: a byte times it is exact. The second product is off by 2^-40 of the sum at most, and no quotient of a byte
 * by 255 is so near to the middle between two floats: its binary digits repeat every 8. So the only rounding that counts is that of the sum. */
#define HIGH 0x1.01p-8f
#define LOW  ((float)(1.0 / 255.0 - 0x1.01p-8))

static inline float feature(uint8_t b) { return (float)b * HIGH + (float)b * LOW; }

TARGETS static void to_features(float *restrict x, const uint8_t *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = feature(b[i]);
}

/* The bits that differ, of all of them. */
TARGETS static uint32_t of_features(uint8_t *restrict b, const float *restrict x, size_t n)
{
    uint32_t differ = 0;
    for (size_t i = 0; i < n; i++) {
        const float near = x[i] * 255.0f + 0.5f, inside = near >= 0.0f && near < 256.0f ? near : 0.0f;
        const uint8_t byte = (uint8_t)(int32_t)inside;
        const float back = feature(byte);
        uint32_t mine, given;
        memcpy(&mine, &back, sizeof mine);
        memcpy(&given, &x[i], sizeof given);
        differ |= mine ^ given;
        b[i] = byte;
    }
    return differ;
}

void worker_bytes_to_features(float *restrict x, const uint8_t *restrict b, size_t n) { to_features(x, b, n); }

bool worker_bytes_of_features(uint8_t *restrict b, const float *restrict x, size_t n) { return of_features(b, x, n) == 0; }
