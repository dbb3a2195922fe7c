/** How long things took, as counts on bins that are fixed for ever: they stand in telemetry.proto. Integers alone, so that counts of ranks, publishers and windows
 *  add up, in any order.
 *
 *  bin    0       1            2                   k                              FW_TIMES_N - 1
 *  time   < 1 us  [1, 1.09) us [1.09, 1.19) us ... [2^((k-1)/8), 2^(k/8)) us ...  >= 2^26 us = 67 s
 *
 *  Not for exact times: a quantile is off by up to a bin, 9.1 %. */
#ifndef FW_STATS_TIMES_H
#define FW_STATS_TIMES_H

#include <stddef.h>
#include <stdint.h>

#define FW_TIMES_OCTAVE  8u       /* bins a factor of two */
#define FW_TIMES_OCTAVES 26u
#define FW_TIMES_N       (FW_TIMES_OCTAVE * FW_TIMES_OCTAVES + 2)

/** All zero: none yet. */
typedef struct fw_times { uint64_t count[FW_TIMES_N]; } fw_times;

/** n things that took so long each; below 0 (a clock that went back): as 0. */
void     fw_times_add(fw_times *t, int64_t ns, uint64_t n);
/** Counts from elsewhere (FW_TIMES_N). Who adds up sees to it that a sum stays below 2^64. */
void     fw_times_merge(fw_times *t, const uint64_t *count);
/** Things counted; UINT64_MAX when they are more than that. count (FW_TIMES_N). */
uint64_t fw_times_total(const uint64_t *count);

/** Seconds within which `percent` (1 to 100) of the things were done: the upper edge of the bin of numpy's "inverted_cdf" quantile. Never below it, and at most
 *  9.1 % above it from 1 us on; 1 us: in no more than that; 2^26 us: in no less than that. NaN: nothing was counted. */
double   fw_times_quantile(const fw_times *t, unsigned percent);

/** The upper edge of bin i < FW_TIMES_N - 1, which is the lower one of the next. */
int64_t  fw_times_edge_ns(size_t i);

#endif
