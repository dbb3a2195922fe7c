/** Floats to 64-bit fixed point and back: integer sums do not depend on their order.
 *  A value g becomes the integer round(g * scale), scale a power of two chosen so that |g * scale| < 2^50 / leaves: the product is
 *  exact, the rounding is to nearest even, sums stay below 2^50 and come back as doubles without another rounding.
 *  AVX-512DQ, AVX2 and portable kernels give the same integers. */
#ifndef WORKER_KERNELS_FIXED_H
#define WORKER_KERNELS_FIXED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKER_FIXED_BITS 50

/** sum[i] (n) = (first ? 0 : sum[i]) + round(g[i] * scale). Returns the largest |g[i]| as float bits: >= 0x7f800000 when one is not finite
 *  (sum is then worthless), and to be compared with the range the scale was made for. Cost 12-20 bytes of traffic an element. */
uint32_t worker_fixed_add(int64_t *sum, const float *g, size_t n, float scale, bool first);

/** For tests: by name ("avx512", "avx2", "portable"); false: not on this CPU. */
bool worker_fixed_add_named(const char *kernel, uint32_t *largest, int64_t *sum, const float *g, size_t n, float scale, bool first);

/** The largest |g[i]| of n, as above. */
uint32_t worker_fixed_largest(const float *g, size_t n);

/** What a rank brings: integers, or (sum NULL) the floats of a single leaf, which stand for the integers round(leaf[i] * scale): half as much to carry. */
typedef struct worker_fixed_part { const int64_t *sum; const float *leaf; } worker_fixed_part;

/** total[i] (n) = the sum of the parts' integers at + i. Wraps. */
void worker_fixed_total(int64_t *total, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale);

/** g[i] (n) = (float)(the parts' integers at + i, added up, times factor / scale). scale: a power of two, as when they were added. */
void worker_fixed_collect(float *g, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale, double factor);

#endif
