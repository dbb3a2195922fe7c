#include "coordinator/commands/diff_reference.h"

#include <string.h>

#include "common/stats/drift.h"

static size_t columns_of(const fw_reference *r) { return r != NULL ? fw_summary_n(r->summary) : 0; }

/* Features and outputs may have the same name: a feature is looked for among features. */
static size_t find(const fw_reference *r, const fw_bins *b, bool feature)
{
    for (size_t i = 0; i < columns_of(r); i++)
        if ((i < r->n_features) == feature && strcmp(fw_summary_bins(r->summary, i)->name, b->name) == 0) return i;
    return SIZE_MAX;
}

static void add(json_t *rows, const fw_bins *b, const char *differs, json_t *distance)
{
    json_array_append_new(rows, json_pack("{s:s, s:s, s:o}", "column", b->name, "differs", differs, "jensen_shannon", distance));
}

static json_t *distance_of(const fw_bins *b, const uint64_t *x, const uint64_t *y)
{
    const fw_drift_pair pair = {.reference = x, .current = y, .n = fw_bins_counts(b)};
    double d = 0;
    return fw_drift_js(&d, &pair) ? json_real(d) : json_null();
}

static void compare_columns(json_t *rows, const fw_reference *a, size_t i, const fw_reference *b, size_t k)
{
    const fw_bins *bins = fw_summary_bins(a->summary, i);
    const size_t bytes = fw_bins_counts(bins) * sizeof(uint64_t);
    const uint64_t *x = fw_summary_counts(a->summary, i), *y = fw_summary_counts(b->summary, k);
    if (!fw_bins_same(bins, fw_summary_bins(b->summary, k))) add(rows, bins, "bins", json_null());
    else if (memcmp(x, y, bytes) != 0) add(rows, bins, "counts", distance_of(bins, x, y));
    else if (memcmp(fw_reference_hits(a, i), fw_reference_hits(b, k), bytes) != 0) add(rows, bins, "hits", distance_of(bins, x, y));
}

json_t *coord_diff_reference(const fw_reference *a, const fw_reference *b)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < columns_of(a); i++) {
        const size_t k = find(b, fw_summary_bins(a->summary, i), i < a->n_features);
        if (k == SIZE_MAX) add(rows, fw_summary_bins(a->summary, i), "only in a", json_null());
        else compare_columns(rows, a, i, b, k);
    }
    for (size_t k = 0; k < columns_of(b); k++)
        if (find(a, fw_summary_bins(b->summary, k), k < b->n_features) == SIZE_MAX) add(rows, fw_summary_bins(b->summary, k), "only in b", json_null());
    return rows;
}
