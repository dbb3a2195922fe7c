/** What the transforms want to know about the training rows in one stage of fitting, gathered for all columns together and merged over
 *  the ranks in a few collective calls. A stage takes one pass over the rows, or several when quantiles are among the wishes.
 *  Series: values of which count, extremes, and on demand the exact sum and quantiles are wanted. Counters: plain integers. */
#ifndef FW_FEATURES_FIT_STAGE_H
#define FW_FEATURES_FIT_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/stats/reduce.h"

typedef struct fw_stage fw_stage;

fw_status fw_stage_create(fw_stage **out, fw_error *err);
void      fw_stage_destroy(fw_stage **s);

/** Local, before fw_stage_begin. *series, *first: the handle for the calls below. q: n probabilities (n may be 0). */
fw_status fw_stage_want_series(size_t *series, fw_stage *s, bool sum, const double *q, size_t n, fw_error *err);
fw_status fw_stage_want_counters(size_t *first, fw_stage *s, size_t n, fw_error *err);
bool      fw_stage_empty(const fw_stage *s);
fw_status fw_stage_begin(fw_stage *s, fw_error *err);

/** Local, during a pass: every value in every pass. Counters are to be fed in the first pass only. FW_ERR_NUMERIC: not finite. */
fw_status fw_stage_add(fw_stage *s, size_t series, const double *v, size_t n, fw_error *err);
int64_t  *fw_stage_counters(fw_stage *s, size_t first);
bool      fw_stage_first_pass(const fw_stage *s);

/** Collective. While fw_stage_pending, the rows are to be passed over once more. */
fw_status fw_stage_end_pass(fw_stage *s, const fw_reduce *reduce, fw_error *err);
bool      fw_stage_pending(const fw_stage *s);

/** Local, afterwards; over all ranks. min, max, sum and quantiles of an empty series are 0. */
int64_t  fw_stage_counter(const fw_stage *s, size_t counter);
uint64_t fw_stage_count(const fw_stage *s, size_t series);
double   fw_stage_min(const fw_stage *s, size_t series);
double   fw_stage_max(const fw_stage *s, size_t series);
double   fw_stage_sum(const fw_stage *s, size_t series);                   /* correctly rounded; may be infinite */
double   fw_stage_quantile(const fw_stage *s, size_t series, size_t i);

#endif
