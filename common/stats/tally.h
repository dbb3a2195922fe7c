/** How many of a column's numbers fall between its cut points: the hot part of a summary. Integers alone: every kernel gives the same counts.
 *  Private to common/stats. */
#ifndef FW_STATS_TALLY_H
#define FW_STATS_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/kernels.h"

enum { FW_TALLY_CUTS = 31, FW_TALLY_BINS, FW_TALLY_UNSEEN = FW_TALLY_BINS, FW_TALLY_MISSING, FW_TALLY_PLACES };

/** Cut points, ascending, filled up with +infinity; and the keys of the first so many. A number's key is the upper half of its bits, as an integer that ascends
 *  with the number: numbers of different keys are in the order of their keys; of the same key, in that of their lower halves, which are turned like the key.
 *  Less one step of the exponent: -infinity and NaN with a sign wrap to the top, and what is not finite is at least at the key of +infinity. */
#define FW_TALLY_STEP 0x00100000u
typedef struct fw_tally_cuts { size_t n_cuts; double cut[FW_TALLY_BINS]; int32_t key[FW_TALLY_BINS + 3]; uint32_t low[FW_TALLY_BINS]; } fw_tally_cuts;
void fw_tally_cuts_set(fw_tally_cuts *c, const double *cut, size_t n);      /* n <= FW_TALLY_CUTS, finite */

/** Adds to count: [i] the numbers in bin i (v <= cut[i] and above the one before), [FW_TALLY_UNSEEN] those not finite, [FW_TALLY_MISSING] those
 *  with missing[i] = 1, whatever they are. missing NULL: none is. n < 2^32. Allocates nothing. */
typedef void fw_tally_kernel(const fw_tally_cuts *c, const double *v, const uint8_t *missing, size_t n, uint32_t count[static FW_TALLY_PLACES]);
fw_tally_kernel fw_tally_portable, fw_tally_avx512, fw_tally_avx512_vectors;      /* the last one: AVX-512 VPOPCNTDQ */
/** The best that such a CPU has. AVX2 has none of its own: gathers took 10 ns a value, 31 comparisons 3.0, the portable one 3.9. */
fw_tally_kernel *fw_tally_of(fw_kernels k);

#endif
