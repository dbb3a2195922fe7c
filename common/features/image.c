/* Images: one feature a byte. scale none: byte / 255; standard: (byte - mean) / deviation, each byte position by itself. */
#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "common/features/transforms.h"

typedef struct image {
    bool standard, missing_is_error, fitted;
    size_t n;                          /* bytes an image */
    double *mean, *divisor;            /* n, in units of bytes; standard only */
    float table[256];                  /* byte -> feature; scale none */
    size_t counters;                   /* handle in the stage: sum of each byte, sum of its squares, missing images */
} image;

static void destroy(void *self)
{
    image *t = self;
    free(t->mean);
    free(t->divisor);
    free(t);
}

static void image_destroy(image **t)
{
    if (*t != NULL) destroy(*t);
    *t = NULL;
}

static fw_status create(image **out, const fw_column *column, bool standard, fw_error *err)
{
    FW_AUTO(image) *t = calloc(1, sizeof *t);
    if (t == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: column %s", column->name);
    t->n = fw_column_cell_bytes(column);
    t->standard = standard;
    for (int i = 0; i < 256; i++) t->table[i] = (float)((double)i / 255.0);
    if (standard && ((t->mean = calloc(t->n + 1, sizeof *t->mean)) == NULL || (t->divisor = calloc(t->n + 1, sizeof *t->divisor)) == NULL))
        return fw_fail(err, FW_ERR_NOMEM, "features: %zu bytes an image of column %s", t->n, column->name);
    *out = t;
    t = NULL;
    return FW_OK;
}

static fw_status plan(void **self, const fw_feature_spec *spec, const fw_column *column, fw_text *notes, fw_error *err)
{
    fw_scale scale = spec->has_scale ? spec->scale : FW_SCALE_NONE;
    if (scale != FW_SCALE_NONE && scale != FW_SCALE_STANDARD && spec->type == FW_FEATURE_AUTO) {
        fw_text_format(notes, "column %s: that scale is for numbers; the bytes of an image are divided by 255\n", column->name);
        scale = FW_SCALE_NONE;
    }
    if (scale != FW_SCALE_NONE && scale != FW_SCALE_STANDARD)
        return fw_fail(err, FW_ERR_CONFIG, "features.%s.scale: for an image none (bytes / 255) or standard", column->name);
    image *t = NULL;
    FW_TRY(create(&t, column, scale == FW_SCALE_STANDARD, err));
    t->missing_is_error = spec->has_missing && spec->missing == FW_MISSING_ERROR;
    *self = t;
    return FW_OK;
}

static fw_status want(void *self, const fw_column *column, fw_stage *stage, fw_error *err)
{
    image *t = self;
    size_t n = 1;
    if (t->fitted) return FW_OK;
    if (t->standard) {
        FW_TRY(fw_size_mul(&n, t->n, 2, column->name, err));
        FW_TRY(fw_size_add(&n, n, 1, column->name, err));
    }
    return fw_stage_want_counters(&t->counters, stage, n, err);
}

static fw_status observe(void *self, const fw_column *column, const fw_cells *cells, size_t n, fw_stage *stage, fw_error *err)
{
    (void)column;
    (void)err;
    const image *t = self;
    if (t->fitted || !fw_stage_first_pass(stage)) return FW_OK;
    int64_t *missing = fw_stage_counters(stage, t->counters), *sum = missing + 1, *squares = sum + t->n;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *pixels = cells->pixels + i * t->n;
        missing[0] += cells->missing[i] != 0;
        for (size_t k = 0; t->standard && k < t->n; k++) {
            sum[k] += pixels[k];
            squares[k] += pixels[k] * pixels[k];
        }
    }
    return FW_OK;
}

/* Exact: n sum(x^2) - sum(x)^2 in 128-bit integers, one rounding to double, then the root. A byte that never changes: as if divided by 255. */
static void answer_byte(image *t, size_t k, int64_t sum, int64_t squares, uint64_t n)
{
    unsigned __int128 spread = (unsigned __int128)n * (uint64_t)squares - (unsigned __int128)(uint64_t)sum * (uint64_t)sum;
    t->mean[k] = (double)sum / (double)n;
    t->divisor[k] = spread > 0 ? sqrt((double)spread) / (double)n : 255.0;
}

static fw_status answer(void *self, const fw_column *column, const fw_stage *stage, uint64_t n_rows, fw_error *err)
{
    image *t = self;
    if (t->fitted) return FW_OK;
    int64_t missing = fw_stage_counter(stage, t->counters);
    if (missing > 0 && t->missing_is_error)
        return fw_fail(err, FW_ERR_DATA, "column %s: %lld training rows have no image and features.%s.missing is error", column->name, (long long)missing,
                       column->name);
    for (size_t k = 0; t->standard && k < t->n; k++)
        answer_byte(t, k, fw_stage_counter(stage, t->counters + 1 + k), fw_stage_counter(stage, t->counters + 1 + t->n + k), n_rows);
    t->fitted = true;
    return FW_OK;
}

static size_t width(const void *self)
{
    return ((const image *)self)->n;
}

static bool bytes(const void *self)
{
    return !((const image *)self)->standard;
}

static fw_status check_missing(const image *t, const fw_apply_rows *r, fw_error *err)
{
    for (size_t i = r->first; i < r->first + r->n; i++) {
        if (!r->cells->missing[i]) continue;
        if (t->missing_is_error)
            return fw_fail(err, FW_ERR_DATA, "column %s, row %llu: the image is missing and features.%s.missing is error", r->column->name,
                           (unsigned long long)r->row[i], r->column->name);
        r->counts->missing++;
    }
    return FW_OK;
}

static fw_status apply(const void *self, const fw_apply_rows *r, fw_error *err)
{
    const image *t = self;
    const size_t n = t->n;
    FW_TRY(check_missing(t, r, err));
    for (size_t i = 0; i < r->n; i++) {
        const uint8_t *restrict pixels = r->cells->pixels + (r->first + i) * n;
        float *restrict x = r->x + i * r->ld;
        if (t->standard)
            for (size_t k = 0; k < n; k++) x[k] = (float)(((double)pixels[k] - t->mean[k]) / t->divisor[k]);
        else
            for (size_t k = 0; k < n; k++) x[k] = t->table[pixels[k]];
    }
    return FW_OK;
}

static void feature_name(fw_text *out, const void *self, const fw_column *column, size_t feature)
{
    (void)self;
    size_t channel = feature % column->channels, pixel = feature / column->channels;
    fw_text_format(out, "%s[%zu,%zu", column->name, pixel / column->width, pixel % column->width);
    if (column->channels > 1) fw_text_format(out, ",%zu", channel);
    fw_text_add(out, "]");
}

static fw_status to_json(json_t **out, const void *self, fw_error *err)
{
    const image *t = self;
    json_t *mean = json_array(), *divisor = json_array();
    bool ok = mean != NULL && divisor != NULL;
    for (size_t k = 0; ok && t->standard && k < t->n; k++)
        ok = json_array_append_new(mean, json_real(t->mean[k])) == 0 && json_array_append_new(divisor, json_real(t->divisor[k])) == 0;
    if (!ok) {
        json_decref(mean);
        json_decref(divisor);
        return fw_fail(err, FW_ERR_NOMEM, "features: JSON of an image");
    }
    json_t *j = json_pack("{s:s, s:s, s:o, s:o}", "missing", t->missing_is_error ? "error" : "zero", "scale", t->standard ? "standard" : "none", "mean", mean,
                          "divisor", divisor);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: JSON of an image");
    *out = j;
    return FW_OK;
}

static fw_status parse_list(double *v, size_t n, const json_t *list, double low, double high, const char *what, fw_error *err)
{
    if (!json_is_array(list) || json_array_size(list) != n) return fw_fail(err, FW_ERR_FORMAT, "%s is not a list of %zu numbers", what, n);
    for (size_t k = 0; k < n; k++) {
        const json_t *item = json_array_get(list, k);
        if (!json_is_number(item) || !(json_number_value(item) >= low && json_number_value(item) <= high))
            return fw_fail(err, FW_ERR_FORMAT, "%s: entry %zu is not a number in [%g, %g]", what, k, low, high);
        v[k] = json_number_value(item);
    }
    return FW_OK;
}

static fw_status from_json(void **self, const json_t *j, const fw_column *column, fw_error *err)
{
    const char *missing, *scale;
    const json_t *mean, *divisor;
    json_error_t e;
    if (json_unpack_ex((json_t *)j, &e, JSON_STRICT, "{s:s, s:s, s:o, s:o}", "missing", &missing, "scale", &scale, "mean", &mean, "divisor", &divisor) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "%s", e.text);
    bool standard = fw_text_equal(scale, "standard"), error = fw_text_equal(missing, "error");
    if ((!standard && !fw_text_equal(scale, "none")) || (!error && !fw_text_equal(missing, "zero")))
        return fw_fail(err, FW_ERR_FORMAT, "missing \"%s\" or scale \"%s\" is unknown", missing, scale);
    FW_AUTO(image) *t = NULL;
    FW_TRY(create(&t, column, standard, err));
    t->missing_is_error = error;
    t->fitted = true;
    FW_TRY(parse_list(t->mean, standard ? t->n : 0, mean, 0.0, 255.0, "mean", err));
    FW_TRY(parse_list(t->divisor, standard ? t->n : 0, divisor, 1e-9, 255.0, "divisor", err));
    *self = t;
    t = NULL;
    return FW_OK;
}

const fw_transform fw_transform_image = {
    .name = "image",
    .reads = FW_IMAGE,
    .plan = plan,
    .destroy = destroy,
    .want = want,
    .observe = observe,
    .answer = answer,
    .width = width,
    .bytes = bytes,
    .apply = apply,
    .feature_name = feature_name,
    .to_json = to_json,
    .from_json = from_json,
};
