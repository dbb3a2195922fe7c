#include "common/features/fit_stage.h"

#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "common/stats/exact_sum.h"
#include "common/stats/quantile.h"

typedef struct series { bool sum; double *q; size_t n_q; } series;

struct fw_stage {
    series *series;
    size_t n_series, series_capacity;
    size_t n_counters, n_passes;
    int64_t *counters, *count;            /* count (n_series) */
    double *min, *max;                    /* (n_series) */
    fw_exact_sum *sum;                    /* (n_series) */
    fw_quantiles *quantiles;
};

fw_status fw_stage_create(fw_stage **out, fw_error *err)
{
    fw_stage *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: a stage of fitting");
    *out = s;
    return FW_OK;
}

void fw_stage_destroy(fw_stage **s)
{
    if (*s == NULL) return;
    for (size_t i = 0; i < (*s)->n_series; i++) free((*s)->series[i].q);
    free((*s)->series);
    free((*s)->counters);
    free((*s)->count);
    free((*s)->min);
    free((*s)->max);
    free((*s)->sum);
    fw_quantiles_destroy(&(*s)->quantiles);
    free(*s);
    *s = NULL;
}

fw_status fw_stage_want_series(size_t *out, fw_stage *s, bool sum, const double *q, size_t n, fw_error *err)
{
    void *memory = s->series;
    FW_TRY(fw_grow(&memory, &s->series_capacity, s->n_series + 1, sizeof *s->series, "features", err));
    s->series = memory;
    double *copy = calloc(n + 1, sizeof *copy);
    if (copy == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: %zu quantiles", n);
    for (size_t i = 0; i < n; i++) copy[i] = q[i];
    s->series[s->n_series] = (series){.sum = sum, .q = copy, .n_q = n};
    *out = s->n_series++;
    return FW_OK;
}

fw_status fw_stage_want_counters(size_t *first, fw_stage *s, size_t n, fw_error *err)
{
    size_t total;
    FW_TRY(fw_size_add(&total, s->n_counters, n, "counters of features", err));
    *first = s->n_counters;
    s->n_counters = total;
    return FW_OK;
}

bool fw_stage_empty(const fw_stage *s)
{
    return s->n_series == 0 && s->n_counters == 0;
}

static fw_status array(void **out, size_t n, size_t bytes, fw_error *err)
{
    return fw_alloc_zeroed(out, n, bytes, "statistics of features", err);
}

static fw_status quantiles_begin(fw_stage *s, fw_error *err)
{
    FW_FREE fw_quantile_series *want = calloc(s->n_series + 1, sizeof *want);
    if (want == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: %zu series", s->n_series);
    for (size_t i = 0; i < s->n_series; i++) want[i] = (fw_quantile_series){.q = s->series[i].q, .n = s->series[i].n_q};
    return fw_quantiles_create(&s->quantiles, want, s->n_series, 0, err);
}

fw_status fw_stage_begin(fw_stage *s, fw_error *err)
{
    FW_TRY(array((void **)&s->counters, s->n_counters, sizeof *s->counters, err));
    FW_TRY(array((void **)&s->count, s->n_series, sizeof *s->count, err));
    FW_TRY(array((void **)&s->min, s->n_series, sizeof *s->min, err));
    FW_TRY(array((void **)&s->max, s->n_series, sizeof *s->max, err));
    FW_TRY(array((void **)&s->sum, s->n_series, sizeof *s->sum, err));
    for (size_t i = 0; i < s->n_series; i++) {
        s->min[i] = INFINITY;
        s->max[i] = -INFINITY;
    }
    return quantiles_begin(s, err);
}

static fw_status add_moments(fw_stage *s, size_t at, const double *v, size_t n, fw_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) return fw_fail(err, FW_ERR_NUMERIC, "a value is not finite");
        s->min[at] = FW_MIN(s->min[at], v[i]);
        s->max[at] = FW_MAX(s->max[at], v[i]);
        if (s->series[at].sum) FW_TRY(fw_exact_sum_add(&s->sum[at], v[i], err));
    }
    s->count[at] += (int64_t)n;
    return FW_OK;
}

fw_status fw_stage_add(fw_stage *s, size_t at, const double *v, size_t n, fw_error *err)
{
    if (s->n_passes == 0) FW_TRY(add_moments(s, at, v, n, err));
    if (s->series[at].n_q > 0) FW_TRY(fw_quantiles_add(s->quantiles, at, v, n, err));
    return FW_OK;
}

int64_t *fw_stage_counters(fw_stage *s, size_t first)
{
    return s->counters + first;
}

bool fw_stage_first_pass(const fw_stage *s)
{
    return s->n_passes == 0;
}

static fw_status merge_moments(fw_stage *s, const fw_reduce *r, fw_error *err)
{
    FW_TRY(r->sum_i64(r->context, s->counters, s->n_counters, err));
    FW_TRY(r->sum_i64(r->context, s->count, s->n_series, err));
    FW_TRY(r->min_f64(r->context, s->min, s->n_series, err));
    FW_TRY(r->max_f64(r->context, s->max, s->n_series, err));
    return fw_exact_sum_reduce(s->sum, s->n_series, r, err);
}

fw_status fw_stage_end_pass(fw_stage *s, const fw_reduce *reduce, fw_error *err)
{
    if (s->n_passes++ == 0) FW_TRY(merge_moments(s, reduce, err));
    return fw_quantiles_pending(s->quantiles) ? fw_quantiles_end_pass(s->quantiles, reduce, err) : FW_OK;
}

bool fw_stage_pending(const fw_stage *s)
{
    return fw_quantiles_pending(s->quantiles);
}

int64_t fw_stage_counter(const fw_stage *s, size_t counter)
{
    return s->counters[counter];
}

uint64_t fw_stage_count(const fw_stage *s, size_t at)
{
    return (uint64_t)s->count[at];
}

double fw_stage_min(const fw_stage *s, size_t at)
{
    return s->count[at] > 0 ? s->min[at] : 0.0;
}

double fw_stage_max(const fw_stage *s, size_t at)
{
    return s->count[at] > 0 ? s->max[at] : 0.0;
}

double fw_stage_sum(const fw_stage *s, size_t at)
{
    return fw_exact_sum_value(&s->sum[at]);
}

double fw_stage_quantile(const fw_stage *s, size_t at, size_t i)
{
    return fw_quantiles_get(s->quantiles, at, i);
}
