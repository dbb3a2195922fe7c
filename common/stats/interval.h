/** A figure and the 95 % interval in which it would lie for endlessly many such rows. From counts alone, in closed form: no resampling, no random numbers.
 *  NaN in value: the rows say nothing of it. NaN in low and high: it has a value, and too few rows for an interval. */
#ifndef FW_STATS_INTERVAL_H
#define FW_STATS_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_INTERVAL_Z 1.959963984540054      /* the normal distribution's 97.5 % quantile */

typedef struct fw_interval { double value, low, high; } fw_interval;

#define FW_INTERVAL_NONE ((fw_interval){__builtin_nan(""), __builtin_nan(""), __builtin_nan("")})

/** hits / n with Wilson's score interval.  Source  Wilson, JASA 22 (1927) 209. */
fw_interval fw_interval_share(uint64_t hits, uint64_t n);

/** F1 = 2 hits / (2 hits + misses), misses = false positives + false negatives. Wilson's interval of hits / (hits + misses), which F1 is a rising function
 *  of: F1 = 2 J / (1 + J). No row: 0, as scikit-learn's zero_division=0, without an interval. */
fw_interval fw_interval_f1(uint64_t hits, uint64_t misses);

/** Mean of the F1 of the classes that occur (support or predicted above 0), with the normal interval of its linear part. correct, support, predicted (n).
 *  The rows whose truth and prediction differ count in two classes; (a + b)^2 <= 2 a^2 + 2 b^2 stands for their pairs, so the interval is rather too wide.
 *  Source  Takahashi et al., Confidence interval for micro-averaged F1 and macro-averaged F1 scores, Applied Intelligence 52 (2022) 4961. */
fw_interval fw_interval_macro_f1(const uint64_t *correct, const uint64_t *support, const uint64_t *predicted, size_t n);

/** A mean of n values with the normal interval; square: the mean of their squares. */
fw_interval fw_interval_mean(double mean, double square, uint64_t n);
/** The root of such a mean of values that are not negative, with the root of its interval. */
fw_interval fw_interval_root(double mean, double square, uint64_t n);

/** Area under the ROC curve of rows counted at n places in ascending order of their score; of two rows at one place each is ahead by half.
 *  DeLong's interval; where its width is 0 (AUC 0 or 1), Wilson's with the rarer side's rows. Below 2 rows on a side: no interval.
 *  Source  DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837; with places O(n), as Sun and Xu, IEEE SPL 21 (2014) 1389. */
fw_interval fw_interval_auc(const uint64_t *positive, const uint64_t *negative, size_t n);

/** value +- z deviation, cut at [low, high]. */
fw_interval fw_interval_normal(double value, double deviation, double low, double high);

#endif
