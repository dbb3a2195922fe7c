/** Exact quantiles of many series at once, over ranks, without moving or sorting the values: radix selection by counting.
 *  Several passes over the same values, each of which settles some leading bits of every order statistic that is wanted (16 bits a
 *  pass; fewer when many are wanted, so that the counts fit into FW_QUANTILE_BYTES). Counts are integers: the result is the
 *  same on any number of ranks. Which values a rank adds is its own affair, but it adds the same ones in every pass.
 *
 *  Definition: numpy's "linear": with h = q (n - 1), the value between order statistics floor(h) and floor(h) + 1.
 *  Not for NaN or infinity. -0 counts as +0. */
#ifndef FW_STATS_QUANTILE_H
#define FW_STATS_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/stats/reduce.h"

#define FW_QUANTILE_BYTES (64u << 20)

typedef struct fw_quantiles fw_quantiles;
typedef struct fw_quantile_series { const double *q; size_t n; } fw_quantile_series;   /* n probabilities in [0, 1]; n may be 0 */

/** Local. bytes: memory for counts, 0: FW_QUANTILE_BYTES. FW_ERR_ARG when a probability is outside [0, 1]. */
fw_status fw_quantiles_create(fw_quantiles **out, const fw_quantile_series *series, size_t n_series, size_t bytes, fw_error *err);
void      fw_quantiles_destroy(fw_quantiles **q);

/** Local: n values of a series. FW_ERR_NUMERIC when one is not finite. */
fw_status fw_quantiles_add(fw_quantiles *q, size_t series, const double *v, size_t n, fw_error *err);
/** Collective: ends a pass. While fw_quantiles_pending says true, all values are to be added once more. */
fw_status fw_quantiles_end_pass(fw_quantiles *q, const fw_reduce *reduce, fw_error *err);
bool      fw_quantiles_pending(const fw_quantiles *q);

/** When nothing is pending: the i-th probability's quantile; 0 for a series without values. */
double   fw_quantiles_get(const fw_quantiles *q, size_t series, size_t i);
uint64_t fw_quantiles_count(const fw_quantiles *q, size_t series);          /* values over all ranks; series with n > 0 */

#endif
