/* Numbers: missing -> clip -> log1p -> scale, and an indicator of missing values behind it. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/features/transforms.h"
#include "common/stats/dmath.h"

typedef enum progress { RAW, VALUES, SPREAD, FROZEN } progress;

/** feature = (g(x) - shift) / divisor in double, rounded to float once;  g: fill where missing, bound to [low, high], log1p.
 *  Stages of fitting: RAW what stands in the column (fill, bounds, missing), VALUES the values of g, SPREAD their distance from the mean. */
typedef struct number {
    fw_missing_policy missing;
    bool indicator, has_clip, log1p;
    fw_scale scale;
    double fill, low, high, shift, divisor;

    progress progress;
    bool indicator_on_demand;          /* nothing was said of missing values: when the training rows have some */
    double clip[2];                    /* the two probabilities */
    size_t series, counters;           /* handles in the stage under way */
} number;

enum { N_MISSING, N_NEGATIVE, N_COUNTERS };

static const char *const MISSING_WORDS[] = {"mean", "median", "constant", "error", NULL};
static const char *const SCALE_WORDS[] = {"standard", "minmax", "robust", "none", NULL};
static const double QUARTILES[] = {0.25, 0.5, 0.75};

static fw_status plan(void **self, const fw_feature_spec *spec, const fw_column *column, fw_text *notes, fw_error *err)
{
    fw_missing_policy missing = spec->has_missing ? spec->missing : FW_MISSING_MEDIAN;
    if (missing == FW_MISSING_OWN) {
        if (spec->type != FW_FEATURE_AUTO)
            return fw_fail(err, FW_ERR_CONFIG, "features.%s.missing: own is for categories; for a number: mean, median, {constant: 0} or error", column->name);
        fw_text_format(notes, "column %s: missing: own is for categories; a missing number becomes the median\n", column->name);
        missing = FW_MISSING_MEDIAN;
    }
    if (missing == FW_MISSING_CONSTANT && !isfinite(spec->missing_value))
        return fw_fail(err, FW_ERR_CONFIG, "features.%s.missing: the constant is not a finite number", column->name);
    if (spec->has_clip && !(spec->clip[0] >= 0 && spec->clip[0] < spec->clip[1] && spec->clip[1] <= 1))
        return fw_fail(err, FW_ERR_CONFIG, "features.%s.clip: [%g, %g] are not two rising quantiles in [0, 1]", column->name, spec->clip[0], spec->clip[1]);
    number *t = calloc(1, sizeof *t);
    if (t == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: column %s", column->name);
    *t = (number){
        .missing = missing,
        .fill = missing == FW_MISSING_CONSTANT ? spec->missing_value : 0.0,
        .indicator = spec->indicator,
        .indicator_on_demand = !spec->has_missing,
        .has_clip = spec->has_clip,
        .clip = {spec->clip[0], spec->clip[1]},
        .log1p = spec->log1p,
        .scale = spec->has_scale ? spec->scale : FW_SCALE_STANDARD,
        .divisor = 1.0,
    };
    *self = t;
    return FW_OK;
}

/* log(1 + x) for x >= 0: log u corrected by what rounding 1 + x to u has lost; a few ulp. */
static double log_1p(double x)
{
    double u = 1.0 + x;
    return u == 1.0 ? x : fw_log_double(u) * (x / (u - 1.0));
}

/* g of n values, before scaling. */
static void shape(const number *t, double *v, const double *x, const uint8_t *missing, size_t n)
{
    for (size_t i = 0; i < n; i++) v[i] = missing[i] ? t->fill : x[i];
    if (t->has_clip)
        for (size_t i = 0; i < n; i++) v[i] = v[i] < t->low ? t->low : v[i] > t->high ? t->high : v[i];
    if (t->log1p)
        for (size_t i = 0; i < n; i++) v[i] = log_1p(v[i]);
}

/* The value that log1p is to take: for saying which row it refuses. */
static double clipped(const number *t, double x, bool missing)
{
    double v = missing ? t->fill : x;
    return !t->has_clip ? v : v < t->low ? t->low : v > t->high ? t->high : v;
}

static fw_status want(void *self, const fw_column *column, fw_stage *stage, fw_error *err)
{
    (void)column;
    number *t = self;
    double q[3] = {0.5, t->clip[0], t->clip[1]};
    switch (t->progress) {
    case RAW:
        FW_TRY(fw_stage_want_counters(&t->counters, stage, N_COUNTERS, err));
        if (t->missing == FW_MISSING_MEDIAN) return fw_stage_want_series(&t->series, stage, false, q, t->has_clip ? 3 : 1, err);
        return fw_stage_want_series(&t->series, stage, t->missing == FW_MISSING_MEAN, q + 1, t->has_clip ? 2 : 0, err);
    case VALUES:
        FW_TRY(fw_stage_want_counters(&t->counters, stage, N_COUNTERS, err));
        return fw_stage_want_series(&t->series, stage, t->scale == FW_SCALE_STANDARD, QUARTILES, t->scale == FW_SCALE_ROBUST ? 3 : 0, err);
    case SPREAD: return fw_stage_want_series(&t->series, stage, true, NULL, 0, err);
    case FROZEN: return FW_OK;
    }
    return fw_fail(err, FW_ERR_INTERNAL, "features: stage %d of a number", (int)t->progress);
}

static fw_status observe_raw(const number *t, const fw_cells *cells, size_t first, size_t n, fw_stage *stage, fw_error *err)
{
    double v[FW_APPLY_ROWS];
    size_t present = 0;
    for (size_t i = first; i < first + n; i++)
        if (!cells->missing[i]) v[present++] = cells->number[i];
    if (fw_stage_first_pass(stage)) fw_stage_counters(stage, t->counters)[N_MISSING] += (int64_t)(n - present);
    return fw_stage_add(stage, t->series, v, present, err);
}

static fw_status observe_values(const number *t, const fw_cells *cells, size_t first, size_t n, fw_stage *stage, fw_error *err)
{
    double v[FW_APPLY_ROWS];
    int64_t negative = 0;
    for (size_t i = first; t->log1p && i < first + n; i++) negative += clipped(t, cells->number[i], cells->missing[i]) < 0;
    if (negative > 0) {                              /* said in answer, over all ranks */
        if (fw_stage_first_pass(stage)) fw_stage_counters(stage, t->counters)[N_NEGATIVE] += negative;
        return FW_OK;
    }
    shape(t, v, cells->number + first, cells->missing + first, n);
    return fw_stage_add(stage, t->series, v, n, err);
}

static fw_status observe_spread(const number *t, const fw_cells *cells, size_t first, size_t n, fw_stage *stage, fw_error *err)
{
    double v[FW_APPLY_ROWS];
    shape(t, v, cells->number + first, cells->missing + first, n);
    for (size_t i = 0; i < n; i++) v[i] = (v[i] - t->shift) * (v[i] - t->shift);
    return fw_stage_add(stage, t->series, v, n, err);
}

static fw_status observe(void *self, const fw_column *column, const fw_cells *cells, size_t n, fw_stage *stage, fw_error *err)
{
    (void)column;
    const number *t = self;
    for (size_t at = 0; at < n; at += FW_APPLY_ROWS) {
        size_t m = FW_MIN((size_t)FW_APPLY_ROWS, n - at);
        switch (t->progress) {
        case RAW: FW_TRY(observe_raw(t, cells, at, m, stage, err)); break;
        case VALUES: FW_TRY(observe_values(t, cells, at, m, stage, err)); break;
        case SPREAD: FW_TRY(observe_spread(t, cells, at, m, stage, err)); break;
        case FROZEN: return FW_OK;
        }
    }
    return FW_OK;
}

static fw_status answer_raw(number *t, const fw_column *column, const fw_stage *stage, fw_error *err)
{
    int64_t n_missing = fw_stage_counter(stage, t->counters + N_MISSING);
    uint64_t present = fw_stage_count(stage, t->series);
    if (n_missing > 0 && t->missing == FW_MISSING_ERROR)
        return fw_fail(err, FW_ERR_DATA, "column %s: %lld training rows have no value and features.%s.missing is error", column->name,
                       (long long)n_missing, column->name);
    if (present == 0 && (t->missing != FW_MISSING_CONSTANT || t->has_clip))
        return fw_fail(err, FW_ERR_DATA, "column %s: no training row has a value; leave it out (features.%s: ignore)", column->name, column->name);
    size_t next = 0;
    if (t->missing == FW_MISSING_MEDIAN) t->fill = fw_stage_quantile(stage, t->series, next++);
    if (t->missing == FW_MISSING_MEAN) t->fill = fw_stage_sum(stage, t->series) / (double)present;
    if (t->has_clip) {
        t->low = fw_stage_quantile(stage, t->series, next);
        t->high = fw_stage_quantile(stage, t->series, next + 1);
    }
    if (t->indicator_on_demand && n_missing > 0) t->indicator = true;
    return FW_OK;
}

static fw_status answer_values(number *t, const fw_column *column, const fw_stage *stage, fw_error *err)
{
    int64_t negative = fw_stage_counter(stage, t->counters + N_NEGATIVE);
    if (negative > 0)
        return fw_fail(err, FW_ERR_DATA, "column %s: log1p of negative values, in %lld training rows; leave log1p out or clip them away", column->name,
                       (long long)negative);
    double min = fw_stage_min(stage, t->series), max = fw_stage_max(stage, t->series);
    double n = (double)fw_stage_count(stage, t->series);
    t->progress = FROZEN;
    switch (t->scale) {
    case FW_SCALE_STANDARD:
        t->shift = min == max ? min : fw_stage_sum(stage, t->series) / n;
        if (min < max) t->progress = SPREAD;
        return FW_OK;
    case FW_SCALE_MINMAX:
        t->shift = min;
        t->divisor = max > min ? max - min : 1.0;
        return FW_OK;
    case FW_SCALE_ROBUST: {
        double width = fw_stage_quantile(stage, t->series, 2) - fw_stage_quantile(stage, t->series, 0);
        t->shift = fw_stage_quantile(stage, t->series, 1);
        t->divisor = width > 0 ? width : 1.0;
        return FW_OK;
    }
    case FW_SCALE_NONE: return FW_OK;
    }
    return FW_OK;
}

static fw_status answer(void *self, const fw_column *column, const fw_stage *stage, uint64_t n_rows, fw_error *err)
{
    number *t = self;
    switch (t->progress) {
    case RAW:
        FW_TRY(answer_raw(t, column, stage, err));
        t->progress = t->scale == FW_SCALE_NONE && !t->log1p ? FROZEN : VALUES;
        break;
    case VALUES: FW_TRY(answer_values(t, column, stage, err)); break;
    case SPREAD: {
        double deviation = sqrt(fw_stage_sum(stage, t->series) / (double)n_rows);
        t->divisor = deviation > 0 ? deviation : 1.0;
        t->progress = FROZEN;
        break;
    }
    case FROZEN: return FW_OK;
    }
    if (isfinite(t->fill) && isfinite(t->low) && isfinite(t->high) && isfinite(t->shift) && isfinite(t->divisor)) return FW_OK;
    return fw_fail(err, FW_ERR_NUMERIC, "column %s: values so large that their sum or range is not finite; clip them or use log1p", column->name);
}

static size_t width(const void *self)
{
    return 1 + (((const number *)self)->indicator ? 1u : 0u);
}

static fw_status refuse(const number *t, const fw_apply_rows *r, fw_error *err)
{
    for (size_t i = r->first; i < r->first + r->n; i++) {
        const char *name = r->column->name;
        unsigned long long row = r->row[i];
        bool missing = r->cells->missing[i] != 0;
        if (missing && t->missing == FW_MISSING_ERROR)
            return fw_fail(err, FW_ERR_DATA, "column %s, row %llu: the value is missing and features.%s.missing is error", name, row, name);
        if (!isfinite(r->cells->number[i])) return fw_fail(err, FW_ERR_NUMERIC, "column %s, row %llu: the number is not finite", name, row);
        double v = clipped(t, r->cells->number[i], missing);
        if (t->log1p && v < 0) return fw_fail(err, FW_ERR_DATA, "column %s, row %llu: log1p of the negative value %g", name, row, v);
        shape(t, &v, &r->cells->number[i], &r->cells->missing[i], 1);
        if (!isfinite((float)((v - t->shift) / t->divisor)))
            return fw_fail(err, FW_ERR_NUMERIC, "column %s, row %llu: %g is too large for a feature; clip or scale it", name, row, v);
    }
    return fw_fail(err, FW_ERR_INTERNAL, "column %s: a row was refused for no reason", r->column->name);
}

static fw_status apply(const void *self, const fw_apply_rows *r, fw_error *err)
{
    const number *t = self;
    const uint8_t *missing = r->cells->missing + r->first;
    double v[FW_APPLY_ROWS];
    uint64_t n_missing = 0;
    bool bad = false;
    for (size_t i = 0; i < r->n; i++) n_missing += missing[i] != 0;
    for (size_t i = 0; t->log1p && i < r->n; i++) bad |= clipped(t, r->cells->number[r->first + i], missing[i]) < 0;
    if (bad || (n_missing > 0 && t->missing == FW_MISSING_ERROR)) return refuse(t, r, err);

    shape(t, v, r->cells->number + r->first, missing, r->n);
    for (size_t i = 0; i < r->n; i++) {
        float x = (float)((v[i] - t->shift) / t->divisor);
        bad |= !(fabsf(x) <= FLT_MAX);
        r->x[i * r->ld] = x;
    }
    for (size_t i = 0; t->indicator && i < r->n; i++) r->x[i * r->ld + 1] = missing[i] ? 1.0f : 0.0f;
    if (bad) return refuse(t, r, err);
    r->counts->missing += n_missing;
    return FW_OK;
}

static void feature_name(fw_text *out, const void *self, const fw_column *column, size_t feature)
{
    (void)self;
    fw_text_format(out, feature == 0 ? "%s" : "%s=(missing)", column->name);
}

static fw_status to_json(json_t **out, const void *self, fw_error *err)
{
    const number *t = self;
    json_t *clip = t->has_clip ? json_pack("[ff]", t->low, t->high) : json_null();
    json_t *j = json_pack("{s:s, s:f, s:b, s:o, s:b, s:s, s:f, s:f}", "missing", MISSING_WORDS[t->missing], "fill", t->fill, "indicator", t->indicator,
                          "clip", clip, "log1p", t->log1p, "scale", SCALE_WORDS[t->scale], "shift", t->shift, "divisor", t->divisor);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: JSON of a number");
    *out = j;
    return FW_OK;
}

static fw_status parse(number *t, const json_t *j, fw_error *err)
{
    const char *missing, *scale;
    const json_t *clip;
    int indicator, log1p;
    json_error_t e;
    if (json_unpack_ex((json_t *)j, &e, JSON_STRICT, "{s:s, s:F, s:b, s:o, s:b, s:s, s:F, s:F}", "missing", &missing, "fill", &t->fill, "indicator",
                       &indicator, "clip", &clip, "log1p", &log1p, "scale", &scale, "shift", &t->shift, "divisor", &t->divisor) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "%s", e.text);
    if (json_is_array(clip) && json_unpack_ex((json_t *)clip, &e, JSON_STRICT, "[FF]", &t->low, &t->high) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "clip: %s", e.text);
    int missing_at = fw_word_index(missing, MISSING_WORDS), scale_at = fw_word_index(scale, SCALE_WORDS);
    if (missing_at < 0 || scale_at < 0) return fw_fail(err, FW_ERR_FORMAT, "missing \"%s\" or scale \"%s\" is unknown", missing, scale);
    t->missing = (fw_missing_policy)missing_at;
    t->scale = (fw_scale)scale_at;
    t->indicator = indicator != 0;
    t->log1p = log1p != 0;
    t->has_clip = json_is_array(clip);
    t->progress = FROZEN;
    if (!t->has_clip && !json_is_null(clip)) return fw_fail(err, FW_ERR_FORMAT, "clip is neither null nor two numbers");
    if (!isfinite(t->fill) || !isfinite(t->low) || !isfinite(t->high) || !isfinite(t->shift) || !isfinite(t->divisor) || t->low > t->high || t->divisor <= 0)
        return fw_fail(err, FW_ERR_FORMAT, "fill %g, clip [%g, %g], shift %g, divisor %g cannot be", t->fill, t->low, t->high, t->shift, t->divisor);
    return FW_OK;
}

static fw_status from_json(void **self, const json_t *j, const fw_column *column, fw_error *err)
{
    (void)column;
    number t = {0};
    FW_TRY(parse(&t, j, err));
    number *copy = malloc(sizeof *copy);
    if (copy == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: a number");
    *copy = t;
    *self = copy;
    return FW_OK;
}

const fw_transform fw_transform_number = {
    .name = "number",
    .reads = FW_NUMBER,
    .plan = plan,
    .destroy = free,
    .want = want,
    .observe = observe,
    .answer = answer,
    .width = width,
    .apply = apply,
    .feature_name = feature_name,
    .to_json = to_json,
    .from_json = from_json,
};
