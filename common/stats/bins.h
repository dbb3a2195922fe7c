/** Where the values of one column fall, fixed when the model is made: cut points (numbers, scores) or names (categories, classes).
 *  Knows no counts; they stand beside it in an array of fw_bins_counts(b) integers: the ordinary bins, then "unseen", then "missing".
 *  An ordinary bin may be empty in the reference (a constant column has three: below it, itself, above it). */
#ifndef FW_STATS_BINS_H
#define FW_STATS_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

#define FW_BINS_CUTS       31      /* cut points of a number or score: 32 bins, each with about 1/32 of the reference */
#define FW_BINS_MAX        4096    /* ordinary bins of one column, whoever made it */
#define FW_BINS_NAME_BYTES 256     /* the longest name of a column, category or class that is kept */

typedef enum fw_bins_kind { FW_BINS_NUMBER, FW_BINS_CATEGORY, FW_BINS_SCORE, FW_BINS_CLASS } fw_bins_kind;

typedef struct fw_bins {
    char *name;                    /* the column; "score" of a class, "confidence", "prediction" */
    fw_bins_kind kind;
    double *cut; size_t n_cuts;    /* NUMBER, SCORE: ascending; v is in the first bin i with v <= cut[i], else in the last of n_cuts + 1 */
    double *centre;                /* one value for each of these bins: the reference's mean within it (empty there: a value of the bin) */
    char **label; size_t n_labels; /* CATEGORY, CLASS: a bin each */
} fw_bins;

/** Copies what it is given. FW_ERR_ARG: a name or label that is too long or not UTF-8, a name that is empty; cuts not finite or not ascending; a centre that is not finite;
 *  more than FW_BINS_MAX bins; two equal labels. centre (n_cuts + 1). On error *out is untouched. fw_bins_destroy works with FW_AUTO(fw_bins) b = {0}; */
fw_status fw_bins_of_cuts(fw_bins *out, const char *name, fw_bins_kind kind, const double *cut, size_t n_cuts, const double *centre, fw_error *err);
fw_status fw_bins_of_labels(fw_bins *out, const char *name, fw_bins_kind kind, const char *const *label, size_t n_labels, fw_error *err);
/** From n values in ascending order, all finite: with at most 32 distinct ones a bin each; else cuts at the values below or at which 1/32, 2/32, ... of them
 *  lie (numpy's quantile, method "inverted_cdf"), equal ones once, none at the largest value. A constant: three bins. None: one bin without a cut. */
fw_status fw_bins_of_values(fw_bins *out, const char *name, fw_bins_kind kind, const double *v, size_t n, fw_error *err);
fw_status fw_bins_copy(fw_bins *out, const fw_bins *b, fw_error *err);
void      fw_bins_destroy(fw_bins *b);

bool   fw_bins_has_cuts(const fw_bins *b);       /* NUMBER, SCORE */
size_t fw_bins_n(const fw_bins *b);              /* ordinary bins: n_cuts + 1, or n_labels. Counts have two places more: */
size_t fw_bins_unseen(const fw_bins *b);         /* [n]: a category without a bin, a number that is not finite */
size_t fw_bins_missing(const fw_bins *b);        /* [n + 1] */
size_t fw_bins_counts(const fw_bins *b);         /* n + 2 */
/** The place of a value that is not missing. With cuts: any number. With labels: the label's index; what is none of them is unseen.
 *  No branch depends on the value; log2(n_cuts) + 1 comparisons. */
size_t fw_bins_find(const fw_bins *b, double v);

/** Bit by bit: names, kinds, cuts, centres, labels. Only sets that are the same can be merged. */
bool fw_bins_same(const fw_bins *a, const fw_bins *b);

const char *fw_bins_kind_name(fw_bins_kind k);                       /* "number", "category", "score", "class" */
bool        fw_bins_kind_parse(fw_bins_kind *out, const char *name);

#endif
