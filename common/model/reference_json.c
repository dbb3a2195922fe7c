#include "common/model/reference_json.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

/* ---- writing ---------------------------------------------------------------------------------------------------------------------------- */

static json_t *numbers(const double *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_real(v[i]));
    return list;
}

static json_t *integers(const uint64_t *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_integer((json_int_t)v[i]));
    return list;
}

static json_t *texts(char *const *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_string(v[i]));
    return list;
}

static json_t *column_json(const fw_reference *r, size_t column)
{
    const fw_bins *b = fw_summary_bins(r->summary, column);
    const uint64_t *count = fw_summary_counts(r->summary, column);
    json_t *j = json_pack("{s:s, s:s, s:o, s:I, s:I}", "name", b->name, "kind", fw_bins_kind_name(b->kind), "counts", integers(count, fw_bins_n(b)), "unseen",
                          (json_int_t)count[fw_bins_unseen(b)], "missing", (json_int_t)count[fw_bins_missing(b)]);
    if (!fw_bins_has_cuts(b)) {
        json_object_set_new(j, "labels", texts(b->label, b->n_labels));
        return j;
    }
    json_object_set_new(j, "cuts", numbers(b->cut, b->n_cuts));
    json_object_set_new(j, "centres", numbers(b->centre, b->n_cuts + 1));
    if (column == r->n_features && r->errors.n > 0) {
        json_object_set_new(j, "absolute", numbers(r->errors.absolute, r->errors.n));
        json_object_set_new(j, "square", numbers(r->errors.square, r->errors.n));
        json_object_set_new(j, "fourth", numbers(r->errors.fourth, r->errors.n));
    }
    if (column > r->n_features) json_object_set_new(j, "hits", integers(fw_reference_hits(r, column), fw_bins_n(b)));
    return j;
}

fw_status fw_reference_to_json(json_t **out, const fw_reference *r, fw_error *err)
{
    json_t *columns = json_array(), *metrics = json_array();
    for (size_t i = 0; r != NULL && i < fw_summary_n(r->summary); i++) json_array_append_new(columns, column_json(r, i));
    for (size_t i = 0; r != NULL && i < r->n_metrics; i++)
        json_array_append_new(metrics, json_pack("{s:s, s:f, s:f, s:f}", "name", r->metrics[i].name, "value", r->metrics[i].value, "mean", r->metrics[i].mean,
                                                 "deviation", r->metrics[i].deviation));
    if (r == NULL) {
        json_decref(columns);
        json_decref(metrics);
        *out = json_null();
        return FW_OK;
    }
    json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "split", r->split, "features", (json_int_t)r->n_features, "features_left_out",
                          (json_int_t)r->features_left_out, "scores_left_out", (json_int_t)r->scores_left_out, "chunk_rows", (json_int_t)r->chunk_rows, "chunks",
                          (json_int_t)r->n_chunks, "metrics", metrics, "columns", columns);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "reference: as JSON");
    *out = j;
    return FW_OK;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status bad_list(const char *what, fw_error *err)
{
    return fw_fail(err, FW_ERR_FORMAT, "reference: \"%s\" of a column is not a list of the right length and kind", what);
}

static fw_status take_numbers(double **out, size_t *n, const json_t *column, const char *what, fw_error *err)
{
    const json_t *list = json_object_get(column, what);
    *n = json_array_size(list);
    if (!json_is_array(list) || *n > FW_BINS_MAX) return bad_list(what, err);
    FW_TRY(fw_alloc_zeroed((void **)out, *n, sizeof **out, "reference", err));
    for (size_t i = 0; i < *n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_number(v)) return bad_list(what, err);
        (*out)[i] = json_number_value(v);
    }
    return FW_OK;
}

static fw_status take_bins_of_cuts(fw_bins *out, const char *name, fw_bins_kind kind, const json_t *column, fw_error *err)
{
    FW_FREE double *cut = NULL;
    FW_FREE double *centre = NULL;
    size_t n_cuts = 0, n_centres = 0;
    FW_TRY(take_numbers(&cut, &n_cuts, column, "cuts", err));
    FW_TRY(take_numbers(&centre, &n_centres, column, "centres", err));
    if (n_centres != n_cuts + 1) return bad_list("centres", err);
    return fw_bins_of_cuts(out, name, kind, cut, n_cuts, centre, err);
}

static fw_status take_bins_of_labels(fw_bins *out, const char *name, fw_bins_kind kind, const json_t *column, fw_error *err)
{
    const json_t *list = json_object_get(column, "labels");
    const size_t n = json_array_size(list);
    FW_FREE const char **label = NULL;
    if (!json_is_array(list) || n > FW_BINS_MAX) return bad_list("labels", err);
    FW_TRY(fw_alloc_zeroed((void **)&label, n, sizeof *label, "reference", err));
    for (size_t i = 0; i < n; i++) label[i] = json_string_value(json_array_get(list, i));        /* NULL: refused below */
    return fw_bins_of_labels(out, name, kind, label, n, err);
}

static fw_status take_bins(fw_bins *out, const json_t *column, fw_error *err)
{
    const char *name = json_string_value(json_object_get(column, "name"));
    fw_bins_kind kind = FW_BINS_NUMBER;
    if (!fw_bins_kind_parse(&kind, json_string_value(json_object_get(column, "kind")))) return fw_fail(err, FW_ERR_FORMAT, "reference: a column of no known kind");
    const bool cuts = json_object_get(column, "cuts") != NULL;
    const fw_status s = cuts ? take_bins_of_cuts(out, name, kind, column, err) : take_bins_of_labels(out, name, kind, column, err);
    return s == FW_ERR_ARG ? fw_wrap(err, FW_ERR_FORMAT, "reference") : s;
}

static bool take_count(uint64_t *out, const json_t *v)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

/* n counts, then the two places behind them. */
static fw_status take_counts(uint64_t *out, const json_t *list, size_t n, const json_t *unseen, const json_t *missing, fw_error *err)
{
    bool good = json_array_size(list) == n && (unseen == NULL || (take_count(&out[n], unseen) && take_count(&out[n + 1], missing)));
    for (size_t i = 0; good && i < n; i++) good = take_count(&out[i], json_array_get(list, i));
    return good ? FW_OK : bad_list("counts", err);
}

static fw_status take_column(fw_reference *r, size_t i, const json_t *column, fw_error *err)
{
    const fw_bins *b = fw_summary_bins(r->summary, i);
    const json_t *hits = json_object_get(column, "hits");
    uint64_t count[FW_BINS_MAX + 2];
    FW_TRY(take_counts(count, json_object_get(column, "counts"), fw_bins_n(b), json_object_get(column, "unseen"), json_object_get(column, "missing"), err));
    if (json_object_get(column, "unseen") == NULL) return bad_list("unseen", err);
    if (hits != NULL) FW_TRY(take_counts(fw_reference_hits(r, i), hits, fw_bins_n(b), NULL, NULL, err));
    return fw_summary_add_column(r->summary, i, count, err);
}

static fw_status take_errors(fw_reference *r, const json_t *column, fw_error *err)
{
    FW_FREE double *absolute = NULL;
    FW_FREE double *square = NULL;
    FW_FREE double *fourth = NULL;
    size_t n[3];
    if (json_object_get(column, "absolute") == NULL) return FW_OK;
    FW_TRY(take_numbers(&absolute, &n[0], column, "absolute", err));
    FW_TRY(take_numbers(&square, &n[1], column, "square", err));
    FW_TRY(take_numbers(&fourth, &n[2], column, "fourth", err));
    if (n[1] != n[0] || n[2] != n[0]) return bad_list("square", err);
    return fw_reference_set_errors(r, absolute, square, fourth, n[0], err);
}

static fw_status take_metrics(fw_reference *r, const json_t *list, fw_error *err)
{
    size_t i = 0;
    const json_t *m = NULL;
    json_array_foreach((json_t *)list, i, m) {
        const char *name = NULL;
        double value = 0, mean = 0, deviation = 0;
        json_error_t why;
        if (json_unpack_ex((json_t *)m, &why, 0, "{s:s, s:F, s:F, s:F}", "name", &name, "value", &value, "mean", &mean, "deviation", &deviation) != 0)
            return fw_fail(err, FW_ERR_FORMAT, "reference: metric %zu: %s", i, why.text);
        FW_TRY(fw_reference_add_metric(r, name, value, mean, deviation, err));
    }
    return FW_OK;
}

static fw_status take_all(fw_reference **out, fw_bins *bins, const json_t *j, fw_error *err)
{
    const char *split = NULL;
    json_int_t features = 0, features_left = 0, scores_left = 0, chunk_rows = 0, chunks = 0;
    json_t *metrics = NULL, *columns = NULL;
    json_error_t why;
    if (json_unpack_ex((json_t *)j, &why, 0, "{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "split", &split, "features", &features, "features_left_out", &features_left,
                       "scores_left_out", &scores_left, "chunk_rows", &chunk_rows, "chunks", &chunks, "metrics", &metrics, "columns", &columns) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "reference: %s", why.text);
    const size_t n = json_array_size(columns);
    if (features < 0 || features_left < 0 || scores_left < 0 || chunk_rows < 0 || chunks < 0 || !json_is_array(metrics))
        return fw_fail(err, FW_ERR_FORMAT, "reference: a count is below 0, or its metrics are no list");
    for (size_t i = 0; i < n; i++) FW_TRY(take_bins(&bins[i], json_array_get(columns, i), err));
    FW_AUTO(fw_reference) *r = NULL;
    FW_TRY(fw_reference_create(&r, bins, n, (size_t)features, split, err));
    r->features_left_out = (size_t)features_left;
    r->scores_left_out = (size_t)scores_left;
    r->chunk_rows = (uint64_t)chunk_rows;
    r->n_chunks = (uint64_t)chunks;
    for (size_t i = 0; i < n; i++) FW_TRY(take_column(r, i, json_array_get(columns, i), err));
    if ((size_t)features < n) FW_TRY(take_errors(r, json_array_get(columns, (size_t)features), err));
    FW_TRY(take_metrics(r, metrics, err));
    FW_TRY(fw_reference_check(r, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

fw_status fw_reference_from_json(fw_reference **out, const json_t *j, fw_error *err)
{
    if (json_is_null(j)) {
        *out = NULL;
        return FW_OK;
    }
    const json_t *columns = json_object_get(j, "columns");
    const size_t n = json_array_size(columns);
    if (!json_is_array(columns) || n > FW_SUMMARY_MAX_COLUMNS) return fw_fail(err, FW_ERR_FORMAT, "reference: its columns are no list of at most %d", FW_SUMMARY_MAX_COLUMNS);
    FW_FREE fw_bins *bins = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&bins, n, sizeof *bins, "reference", err));
    fw_status s = take_all(out, bins, j, err);
    for (size_t i = 0; i < n; i++) fw_bins_destroy(&bins[i]);
    if (s != FW_ERR_DATA) return s;
    if (err != NULL) err->status = FW_ERR_FORMAT;
    return FW_ERR_FORMAT;
}
