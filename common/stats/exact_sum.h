/** Exact sum of doubles: a small superaccumulator (Neal 2015) whose limbs are 64-bit integers.
 *  The value is the correctly rounded sum, whatever the order and however it was split over ranks.
 *  Not for NaN or infinity: those are refused, never added. Merge: fw_exact_sum_normalize, then add limb by limb (sum_i64).
 *
 *  limb[i] counts units of 2^(32 i - 1074): a double (53 bits, lowest bit 2^-1074) touches three limbs, the largest one limbs 63 to 65;
 *  the limbs above hold carries. Limbs overlap by 32 bits, so carries wait for fw_exact_sum_normalize, which is called by itself in time. */
#ifndef FW_STATS_EXACT_SUM_H
#define FW_STATS_EXACT_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/stats/reduce.h"

#define FW_EXACT_LIMBS 72
typedef struct fw_exact_sum { int64_t limb[FW_EXACT_LIMBS]; uint32_t pending; } fw_exact_sum;   /* zero-initialise */

/** FW_ERR_NUMERIC when x is not finite; the sum is unchanged then. */
fw_status fw_exact_sum_add(fw_exact_sum *s, double x, fw_error *err);
/** n values: the same sum as by n single additions, several times faster where their exponents span less than about 70 bits within a thousand values.
 *  FW_ERR_NUMERIC when one is not finite; the sum is unchanged then. */
fw_status fw_exact_sum_add_all(fw_exact_sum *s, const double *x, size_t n, fw_error *err);
void      fw_exact_sum_merge(fw_exact_sum *into, const fw_exact_sum *from);
/** Carries moved up: every limb but the last in [0, 2^32); the last one has the sign. One form for one value. */
void      fw_exact_sum_normalize(fw_exact_sum *s);
/** Correctly rounded (half to even); infinite when the sum is beyond the largest double. A sum of zero is +0. */
double    fw_exact_sum_value(const fw_exact_sum *s);
/** Collective: n sums merged over the ranks. */
fw_status fw_exact_sum_reduce(fw_exact_sum *s, size_t n, const fw_reduce *reduce, fw_error *err);

#endif
