/** Isotonic regression of shares: the non-decreasing shares nearest to hits / rows of bins in ascending order, by pooling adjacent violators.
 *  What comes out is the calibration of a score: bin -> share of rows that were positive, or right. */
#ifndef FW_STATS_ISOTONIC_H
#define FW_STATS_ISOTONIC_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

/** share (n): of each bin; block (n): the number of the pool of bins that it belongs to, from 0; *n_blocks. hits[i] <= rows[i]. A bin without rows: on the line
 *  through its neighbours that have some, at their `at` (n, ascending; where the bins stand), and the outer share beyond them; it belongs to the pool below it, else to the first.
 *  Equals scikit-learn's IsotonicRegression with out_of_bounds="clip" on the bins that have rows, asked at all. Pools are compared as whole numbers.
 *  FW_ERR_DATA: no bin has a row, or a total of 2^63 or more. Cost O(n). */
fw_status fw_isotonic_fit(double *share, size_t *block, size_t *n_blocks, const uint64_t *hits, const uint64_t *rows, const double *at, size_t n, fw_error *err);

#endif
