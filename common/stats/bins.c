#include "common/stats/bins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/dict.h"
#include "common/core/size.h"
#include "common/core/text.h"

static const char *const KIND_NAMES[] = {[FW_BINS_NUMBER] = "number", [FW_BINS_CATEGORY] = "category", [FW_BINS_SCORE] = "score", [FW_BINS_CLASS] = "class"};
#define N_KINDS (sizeof KIND_NAMES / sizeof *KIND_NAMES)

static bool kind_has_cuts(fw_bins_kind k) { return k == FW_BINS_NUMBER || k == FW_BINS_SCORE; }

static fw_status check_text(const char *s, const char *what, fw_error *err)
{
    const size_t len = s != NULL ? strlen(s) : SIZE_MAX;
    if (len > FW_BINS_NAME_BYTES || fw_utf8_valid(s, len) != len)
        return fw_fail(err, FW_ERR_ARG, "bins: %s is not UTF-8 of at most %d bytes", what, FW_BINS_NAME_BYTES);
    return FW_OK;
}

static fw_status check_kind(const char *name, fw_bins_kind kind, bool cuts, size_t n, fw_error *err)
{
    FW_TRY(check_text(name, "the name of a column", err));
    if (*name == '\0') return fw_fail(err, FW_ERR_ARG, "bins: a column without a name");
    if ((size_t)kind >= N_KINDS || kind_has_cuts(kind) != cuts)
        return fw_fail(err, FW_ERR_ARG, "bins: column %s is of a kind that has no %s", name, cuts ? "cut points" : "labels");
    if (n > FW_BINS_MAX) return fw_fail(err, FW_ERR_ARG, "bins: column %s has %zu bins; at most %d are allowed", name, n, FW_BINS_MAX);
    return FW_OK;
}

static fw_status copy_numbers(double **out, const double *v, size_t n, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)out, n, sizeof **out, "bins", err));
    for (size_t i = 0; i < n; i++) (*out)[i] = v[i] + 0.0;                /* -0 becomes +0: one form for one value */
    return FW_OK;
}

fw_status fw_bins_of_cuts(fw_bins *out, const char *name, fw_bins_kind kind, const double *cut, size_t n_cuts, const double *centre, fw_error *err)
{
    FW_TRY(check_kind(name, kind, true, n_cuts < SIZE_MAX ? n_cuts + 1 : n_cuts, err));
    for (size_t i = 0; i < n_cuts; i++)
        if (!isfinite(cut[i]) || (i > 0 && !(cut[i] > cut[i - 1])))
            return fw_fail(err, FW_ERR_ARG, "bins: the cut points of column %s are not finite and ascending (number %zu)", name, i);
    for (size_t i = 0; i <= n_cuts; i++)
        if (!isfinite(centre[i])) return fw_fail(err, FW_ERR_ARG, "bins: the centre of bin %zu of column %s is not finite", i, name);
    FW_AUTO(fw_bins) b = {.kind = kind, .n_cuts = n_cuts};
    FW_TRY(fw_copy_text(&b.name, name, err));
    FW_TRY(copy_numbers(&b.cut, cut, n_cuts, err));
    FW_TRY(copy_numbers(&b.centre, centre, n_cuts + 1, err));
    *out = b;
    b = (fw_bins){0};
    return FW_OK;
}

fw_status fw_bins_of_labels(fw_bins *out, const char *name, fw_bins_kind kind, const char *const *label, size_t n_labels, fw_error *err)
{
    FW_TRY(check_kind(name, kind, false, n_labels, err));
    FW_AUTO(fw_dict) *seen = NULL;
    FW_AUTO(fw_bins) b = {.kind = kind};
    FW_TRY(fw_dict_create(&seen, err));
    FW_TRY(fw_copy_text(&b.name, name, err));
    FW_TRY(fw_alloc_zeroed((void **)&b.label, n_labels, sizeof *b.label, "bins", err));
    for (size_t i = 0; i < n_labels; i++) {
        int32_t code = 0;
        FW_TRY(check_text(label[i], "a label", err));
        FW_TRY(fw_dict_add(&code, seen, label[i], strlen(label[i]), err));
        if ((size_t)code != i) return fw_fail(err, FW_ERR_ARG, "bins: column %s has the label %.100s twice", name, label[i]);
        FW_TRY(fw_copy_text(&b.label[i], label[i], err));
        b.n_labels = i + 1;
    }
    *out = b;
    b = (fw_bins){0};
    return FW_OK;
}

fw_status fw_bins_copy(fw_bins *out, const fw_bins *b, fw_error *err)
{
    if (fw_bins_has_cuts(b)) return fw_bins_of_cuts(out, b->name, b->kind, b->cut, b->n_cuts, b->centre, err);
    return fw_bins_of_labels(out, b->name, b->kind, (const char *const *)b->label, b->n_labels, err);
}

void fw_bins_destroy(fw_bins *b)
{
    for (size_t i = 0; i < b->n_labels; i++) free(b->label[i]);
    free(b->name);
    free(b->cut);
    free(b->centre);
    free(b->label);
    *b = (fw_bins){0};
}

bool   fw_bins_has_cuts(const fw_bins *b) { return kind_has_cuts(b->kind); }
size_t fw_bins_n(const fw_bins *b) { return fw_bins_has_cuts(b) ? b->n_cuts + 1 : b->n_labels; }
size_t fw_bins_unseen(const fw_bins *b) { return fw_bins_n(b); }
size_t fw_bins_missing(const fw_bins *b) { return fw_bins_n(b) + 1; }
size_t fw_bins_counts(const fw_bins *b) { return fw_bins_n(b) + 2; }

size_t fw_bins_find(const fw_bins *b, double v)
{
    if (!fw_bins_has_cuts(b)) return v >= 0 && v < (double)b->n_labels && v == floor(v) ? (size_t)v : fw_bins_unseen(b);
    const double *low = b->cut;
    size_t n = b->n_cuts;
    for (; n > 1; n -= n / 2) low += low[n / 2 - 1] < v ? n / 2 : 0;      /* the cuts before `low` are below v, those from low + n on are not */
    const size_t at = (size_t)(low - b->cut) + (n == 1 && *low < v);
    return isfinite(v) ? at : fw_bins_unseen(b);
}

bool fw_bins_same(const fw_bins *a, const fw_bins *b)
{
    if (a->kind != b->kind || a->n_cuts != b->n_cuts || a->n_labels != b->n_labels || !fw_text_equal(a->name, b->name)) return false;
    if (fw_bins_has_cuts(a))
        return memcmp(a->cut, b->cut, a->n_cuts * sizeof *a->cut) == 0 && memcmp(a->centre, b->centre, (a->n_cuts + 1) * sizeof *a->centre) == 0;
    for (size_t i = 0; i < a->n_labels; i++)
        if (!fw_text_equal(a->label[i], b->label[i])) return false;
    return true;
}

const char *fw_bins_kind_name(fw_bins_kind k) { return (size_t)k < N_KINDS ? KIND_NAMES[k] : "unknown"; }

bool fw_bins_kind_parse(fw_bins_kind *out, const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (fw_text_equal(name, KIND_NAMES[i])) {
            *out = (fw_bins_kind)i;
            return true;
        }
    return false;
}
