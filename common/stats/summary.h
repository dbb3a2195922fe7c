/** Counts of a column set on fixed bins: a reference's, or those of a window of predictions. Integers alone, so that they merge by addition and are the
 *  same on any number of ranks. Every row adds one to each column: in one of its bins, or as unseen, or as missing.
 *  Not thread-safe: one owner, or one for each thread and a merge. */
#ifndef FW_STATS_SUMMARY_H
#define FW_STATS_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/dict.h"
#include "common/core/status.h"
#include "common/stats/bins.h"

#define FW_SUMMARY_MAX_COLUMNS 2048

typedef struct fw_summary fw_summary;

/** Copies the bins; every count is 0. FW_ERR_ARG: more than FW_SUMMARY_MAX_COLUMNS columns. */
fw_status fw_summary_create(fw_summary **out, const fw_bins *columns, size_t n, fw_error *err);
void      fw_summary_destroy(fw_summary **s);

/** Adds n values to a column; none of these allocates. A row that is added to one column is to be added to each. n < 2^32.
 *  numbers: a column with cut points; missing (n) of 0 and 1, or NULL. floats: the same from every stride-th float, none of them missing.
 *  About 0.4 ns a number with AVX-512 kernels, 4 ns without. */
void fw_summary_add_numbers(fw_summary *s, size_t column, const double *v, const uint8_t *missing, size_t n);
void fw_summary_add_floats(fw_summary *s, size_t column, const float *v, size_t stride, size_t n);
/** A column with labels: codes of the dictionary that was given, once and before, to fw_summary_map_codes (-1: missing; -2: unseen, as in a block). A code
 *  whose text is no label counts as unseen. */
fw_status fw_summary_map_codes(fw_summary *s, size_t column, const fw_dict *dict, fw_error *err);
void      fw_summary_add_codes(fw_summary *s, size_t column, const int32_t *code, size_t n);
void      fw_summary_add_code(fw_summary *s, size_t column, int32_t code, uint64_t times);      /* the same one so many times */

/** into += from. FW_ERR_ARG, and nothing is changed, when they are not of one shape. */
fw_status fw_summary_merge(fw_summary *into, const fw_summary *from, fw_error *err);
/** Each gets the other's counts. O(1). FW_ERR_ARG as above. */
fw_status fw_summary_exchange(fw_summary *a, fw_summary *b, fw_error *err);
/** Adds counts that came from elsewhere: all columns one behind the other (fw_summary_total of them), `rows` in each. FW_ERR_DATA, and nothing is changed: another
 *  number of counts, a column whose counts do not add up to rows, or a sum that would pass 2^63. */
fw_status fw_summary_add_counts(fw_summary *s, const uint64_t *count, size_t n, uint64_t rows, fw_error *err);
/** The same for one column, to whatever rows: a reference's columns may be of different splits. */
fw_status fw_summary_add_column(fw_summary *s, size_t column, const uint64_t *count, fw_error *err);
void      fw_summary_reset(fw_summary *s);                                   /* every count is 0 */

size_t          fw_summary_n(const fw_summary *s);                           /* columns */
const fw_bins  *fw_summary_bins(const fw_summary *s, size_t column);         /* the columns stand one behind the other */
const uint64_t *fw_summary_counts(const fw_summary *s, size_t column);       /* fw_bins_counts of them; those of all columns one behind the other */
size_t          fw_summary_total(const fw_summary *s);                       /* counts of all columns */
uint64_t        fw_summary_rows(const fw_summary *s, size_t column);         /* the sum of its counts */

/** A hash of all bins: two summaries with the same can be merged. */
uint64_t fw_summary_shape(const fw_summary *s);
bool     fw_summary_same_shape(const fw_summary *a, const fw_summary *b);

#endif
