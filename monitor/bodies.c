#include "monitor/bodies.h"

#include <jansson.h>
#include <math.h>

/** The text of an object, which is the callee's. */
static fw_status dump(char **json, json_t *object, const char *what, fw_error *err)
{
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: %s as JSON", what);
    *json = text;
    return FW_OK;
}

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *integers(const uint64_t *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, json_integer((json_int_t)v[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

fw_status monitor_window_body_write(char **json, const monitor_window_body *b, fw_error *err)
{
    json_t *latency = json_pack("{s:o, s:o, s:o}", "p50", real(b->latency_p50_s), "p90", real(b->latency_p90_s), "p99", real(b->latency_p99_s));
    return dump(json,
                json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "seconds", real(b->seconds), "rate", real(b->rate), "confidence", real(b->confidence), "value",
                          real(b->value), "gaps", (json_int_t)b->gaps, "duplicates", (json_int_t)b->duplicates, "counts", integers(b->counts, b->n_classes),
                          "latency", latency),
                "a window", err);
}

static json_t *cuts_or_labels(const fw_bins *b)
{
    json_t *list = json_array();
    if (fw_bins_has_cuts(b))
        for (size_t i = 0; i < b->n_cuts; i++) json_array_append_new(list, json_real(b->cut[i]));
    else
        for (size_t i = 0; i < b->n_labels; i++) json_array_append_new(list, json_string(b->label[i]));
    return list;
}

fw_status monitor_reference_write(char **json, const fw_reference *r, fw_error *err)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < fw_summary_n(r->summary); i++) {
        const fw_bins *b = fw_summary_bins(r->summary, i);
        json_array_append_new(columns, json_pack("{s:s, s:s, s:o, s:o}", "name", b->name, "kind", fw_bins_kind_name(b->kind), fw_bins_has_cuts(b) ? "cuts" : "labels",
                                                 cuts_or_labels(b), "counts", integers(fw_summary_counts(r->summary, i), fw_bins_counts(b))));
    }
    return dump(json, json_pack("{s:I, s:o}", "features", (json_int_t)r->n_features, "columns", columns), "a reference", err);
}

fw_status monitor_current_write(char **json, int64_t window, const fw_summary *s, fw_error *err)
{
    json_t *columns = json_array();
    for (size_t i = 0; i < fw_summary_n(s); i++)
        json_array_append_new(columns, json_pack("{s:s, s:o}", "name", fw_summary_bins(s, i)->name, "counts", integers(fw_summary_counts(s, i), fw_bins_counts(fw_summary_bins(s, i)))));
    return dump(json, json_pack("{s:I, s:o}", "window", (json_int_t)window, "columns", columns), "the newest window", err);
}

fw_status monitor_misplaced_write(char **json, uint64_t late, uint64_t clock, fw_error *err)
{
    return dump(json, json_pack("{s:I, s:I}", "late", (json_int_t)late, "clock", (json_int_t)clock), "rows that are not in the window of their time", err);
}
