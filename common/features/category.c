/* Categories: one feature a category (one_hot), or the category's place among the kept ones (ordinal). */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/features/transforms.h"

/** What training knows of each code of the dictionary. */
typedef enum standing { NEVER_SEEN, RARE, KEPT } standing;

/** Slots, in this order: one for each kept category in the dictionary's (ascending) order; other, if there is one; missing, if it is a value of
 *  its own. one_hot: a feature a slot, 1 where the row is in it. ordinal: one feature, the slot's number; then the indicator, if wanted. */
typedef struct category {
    fw_encoding encoding;
    fw_unseen unseen;
    bool missing_is_error, indicator;
    uint64_t min_count;                /* while fitting */
    bool fitted;
    size_t counters;                   /* handle in the stage: one a code, then missing, then unseen */

    size_t n_codes, n_kept;
    uint8_t *standing;                 /* n_codes */
    int32_t *slot;                     /* n_codes + 2: of code c at c + 2, so unseen at 0 and missing at 1; NO_SLOT: refused */
    bool *is_unseen;                   /* n_codes + 2: counts as unseen */
    bool has_other;
} category;

enum { NO_SLOT = -1 };
enum { AT_UNSEEN, AT_MISSING, AT_CODES };

static const char *const MISSING_WORDS[] = {"own", "error", NULL};
static const char *const UNSEEN_WORDS[] = {"error", "other", "missing", NULL};
static const char *const ENCODING_WORDS[] = {"one_hot", "ordinal", NULL};

static void destroy(void *self)
{
    category *t = self;
    free(t->standing);
    free(t->slot);
    free(t->is_unseen);
    free(t);
}

static void category_destroy(category **t)
{
    if (*t != NULL) destroy(*t);
    *t = NULL;
}

static fw_status create(category **out, const fw_column *column, fw_error *err)
{
    FW_AUTO(category) *t = calloc(1, sizeof *t);
    size_t n = fw_dict_size(column->dict);
    if (t == NULL || (t->standing = calloc(n + 1, sizeof *t->standing)) == NULL || (t->slot = calloc(n + AT_CODES, sizeof *t->slot)) == NULL ||
        (t->is_unseen = calloc(n + AT_CODES, sizeof *t->is_unseen)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "features: %zu categories of column %s", n, column->name);
    t->n_codes = n;
    *out = t;
    t = NULL;
    return FW_OK;
}

static fw_status plan(void **self, const fw_feature_spec *spec, const fw_column *column, fw_text *notes, fw_error *err)
{
    fw_missing_policy missing = spec->has_missing ? spec->missing : FW_MISSING_OWN;
    bool fits = missing == FW_MISSING_OWN || missing == FW_MISSING_ERROR;
    if (!fits && spec->type != FW_FEATURE_AUTO)
        return fw_fail(err, FW_ERR_CONFIG, "features.%s.missing: mean, median and constant are for numbers; for a category: own or error", column->name);
    if (!fits) fw_text_format(notes, "column %s: missing: %s is for numbers; a missing category is a value of its own\n", column->name,
                              missing == FW_MISSING_MEAN ? "mean" : missing == FW_MISSING_MEDIAN ? "median" : "constant");
    category *t = NULL;
    FW_TRY(create(&t, column, err));
    t->encoding = spec->encoding;
    t->unseen = spec->unseen;
    t->missing_is_error = missing == FW_MISSING_ERROR;
    t->indicator = spec->indicator && spec->encoding == FW_ENCODE_ORDINAL;      /* one_hot: the slot "missing" is one */
    t->min_count = spec->min_count > 0 ? spec->min_count : 1;
    *self = t;
    return FW_OK;
}

static fw_status want(void *self, const fw_column *column, fw_stage *stage, fw_error *err)
{
    (void)column;
    category *t = self;
    return t->fitted ? FW_OK : fw_stage_want_counters(&t->counters, stage, t->n_codes + AT_CODES, err);
}

static fw_status observe(void *self, const fw_column *column, const fw_cells *cells, size_t n, fw_stage *stage, fw_error *err)
{
    (void)column;
    const category *t = self;
    if (t->fitted || !fw_stage_first_pass(stage)) return FW_OK;
    int64_t *count = fw_stage_counters(stage, t->counters);
    for (size_t i = 0; i < n; i++) {
        int64_t at = (int64_t)cells->code[i] + AT_CODES;
        if (at < 0 || (uint64_t)at >= t->n_codes + AT_CODES)
            return fw_fail(err, FW_ERR_DATA, "code %d is not in the dictionary of %zu categories", cells->code[i], t->n_codes);
        count[at]++;
    }
    return FW_OK;
}

/* From the standing of each code to its slot: after fitting and after reading, one and the same. */
static void number_slots(category *t)
{
    t->has_other = t->unseen == FW_UNSEEN_OTHER;
    t->n_kept = 0;
    for (size_t c = 0; c < t->n_codes; c++) {
        if (t->standing[c] == RARE) t->has_other = true;
        if (t->standing[c] == KEPT) t->slot[c + AT_CODES] = (int32_t)t->n_kept++;
    }
    int32_t other = (int32_t)t->n_kept;
    int32_t missing = t->missing_is_error ? NO_SLOT : other + (t->has_other ? 1 : 0);
    int32_t unseen = t->unseen == FW_UNSEEN_OTHER ? other : t->unseen == FW_UNSEEN_MISSING ? missing : NO_SLOT;
    t->slot[AT_MISSING] = missing;
    t->slot[AT_UNSEEN] = unseen;
    t->is_unseen[AT_UNSEEN] = true;
    for (size_t c = 0; c < t->n_codes; c++) {
        if (t->standing[c] == RARE) t->slot[c + AT_CODES] = other;
        if (t->standing[c] == NEVER_SEEN) t->slot[c + AT_CODES] = unseen;
        t->is_unseen[c + AT_CODES] = t->standing[c] == NEVER_SEEN;
    }
}

static fw_status answer(void *self, const fw_column *column, const fw_stage *stage, uint64_t n_rows, fw_error *err)
{
    (void)n_rows;
    category *t = self;
    if (t->fitted) return FW_OK;
    int64_t missing = fw_stage_counter(stage, t->counters + AT_MISSING);
    if (missing > 0 && t->missing_is_error)
        return fw_fail(err, FW_ERR_DATA, "column %s: %lld training rows have no value and features.%s.missing is error", column->name, (long long)missing,
                       column->name);
    for (size_t c = 0; c < t->n_codes; c++) {
        uint64_t n = (uint64_t)fw_stage_counter(stage, t->counters + AT_CODES + c);
        t->standing[c] = n == 0 ? NEVER_SEEN : n < t->min_count ? RARE : KEPT;
    }
    number_slots(t);
    t->fitted = true;
    return FW_OK;
}

static size_t n_slots(const category *t)
{
    return t->n_kept + (t->has_other ? 1u : 0u) + (t->missing_is_error ? 0u : 1u);
}

static size_t width(const void *self)
{
    const category *t = self;
    return t->encoding == FW_ENCODE_ONE_HOT ? n_slots(t) : 1 + (t->indicator ? 1u : 0u);
}

static fw_status refuse(const category *t, const fw_apply_rows *r, size_t i, fw_error *err)
{
    const char *name = r->column->name;
    int32_t code = r->cells->code[i];
    unsigned long long row = r->row[i];
    if (code == FW_CODE_MISSING)
        return fw_fail(err, FW_ERR_DATA, "column %s, row %llu: the value is missing and features.%s.missing is error", name, row, name);
    if (code < FW_CODE_UNSEEN || (code >= 0 && (size_t)code >= t->n_codes))
        return fw_fail(err, FW_ERR_DATA, "column %s, row %llu: code %d is not in the dictionary", name, row, code);
    const char *text = code >= 0 ? fw_dict_text(r->column->dict, code, NULL) : NULL;
    return fw_fail(err, FW_ERR_DATA, "column %s, row %llu: category %s%s%snever seen in training (features.%s.unseen is %s%s)", name, row,
                   text != NULL ? "\"" : "", text != NULL ? text : "", text != NULL ? "\" " : "", name, UNSEEN_WORDS[t->unseen],
                   t->unseen == FW_UNSEEN_MISSING ? ", missing is error" : "");
}

static fw_status apply(const void *self, const fw_apply_rows *r, fw_error *err)
{
    const category *t = self;
    const bool one_hot = t->encoding == FW_ENCODE_ONE_HOT;
    const size_t line_bytes = one_hot ? n_slots(t) * sizeof(float) : 0;
    for (size_t i = 0; i < r->n; i++) {
        int32_t code = r->cells->code[r->first + i];
        int64_t at = (int64_t)code + AT_CODES;
        int32_t slot = at >= 0 && (uint64_t)at < t->n_codes + AT_CODES ? t->slot[at] : NO_SLOT;
        if (slot == NO_SLOT) return refuse(t, r, r->first + i, err);
        r->counts->missing += at == AT_MISSING;
        r->counts->unseen += t->is_unseen[at];
        float *x = r->x + i * r->ld;
        memset(x, 0, line_bytes);
        if (one_hot) x[slot] = 1.0f;
        else x[0] = (float)slot;
        if (t->indicator) x[1] = slot == t->slot[AT_MISSING] ? 1.0f : 0.0f;
    }
    return FW_OK;
}

static void feature_name(fw_text *out, const void *self, const fw_column *column, size_t feature)
{
    const category *t = self;
    fw_text_add(out, column->name);
    if (t->encoding == FW_ENCODE_ORDINAL) {
        if (feature > 0) fw_text_add(out, "=(missing)");
        return;
    }
    fw_text_add(out, "=");
    for (size_t c = 0; feature < t->n_kept && c < t->n_codes; c++)
        if (t->standing[c] == KEPT && t->slot[c + AT_CODES] == (int32_t)feature) {
            size_t len;
            const char *text = fw_dict_text(column->dict, (int32_t)c, &len);
            fw_text_add_bytes(out, text, len);
            return;
        }
    fw_text_add(out, t->has_other && feature == t->n_kept ? "(other)" : "(missing)");
}

static json_t *codes_to_json(const category *t, standing which)
{
    json_t *list = json_array();
    for (size_t c = 0; list != NULL && c < t->n_codes; c++)
        if (t->standing[c] == which && json_array_append_new(list, json_integer((json_int_t)c)) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static fw_status to_json(json_t **out, const void *self, fw_error *err)
{
    const category *t = self;
    json_t *j = json_pack("{s:s, s:s, s:b, s:s, s:i, s:o, s:o}", "encoding", ENCODING_WORDS[t->encoding], "missing", MISSING_WORDS[t->missing_is_error],
                          "indicator", t->indicator, "unseen", UNSEEN_WORDS[t->unseen], "dictionary", (int)t->n_codes, "kept", codes_to_json(t, KEPT),
                          "rare", codes_to_json(t, RARE));
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "features: JSON of a category");
    *out = j;
    return FW_OK;
}

static fw_status parse_codes(category *t, const json_t *list, standing which, fw_error *err)
{
    if (!json_is_array(list)) return fw_fail(err, FW_ERR_FORMAT, "the codes are not a list");
    json_int_t last = -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t code = json_is_integer(item) ? json_integer_value(item) : -1;
        if (code <= last || (uint64_t)code >= t->n_codes || t->standing[code] != NEVER_SEEN)
            return fw_fail(err, FW_ERR_FORMAT, "entry %zu of its codes is not an ascending code of its dictionary (%zu categories)", i, t->n_codes);
        t->standing[code] = (uint8_t)which;
        last = code;
    }
    return FW_OK;
}

static fw_status parse(category *t, const json_t *j, fw_error *err)
{
    const char *encoding, *missing, *unseen;
    const json_t *kept, *rare;
    int indicator;
    json_int_t dictionary;
    json_error_t e;
    if (json_unpack_ex((json_t *)j, &e, JSON_STRICT, "{s:s, s:s, s:b, s:s, s:I, s:o, s:o}", "encoding", &encoding, "missing", &missing, "indicator", &indicator,
                       "unseen", &unseen, "dictionary", &dictionary, "kept", &kept, "rare", &rare) != 0)
        return fw_fail(err, FW_ERR_FORMAT, "%s", e.text);
    int encoding_at = fw_word_index(encoding, ENCODING_WORDS), missing_at = fw_word_index(missing, MISSING_WORDS), unseen_at = fw_word_index(unseen, UNSEEN_WORDS);
    if (encoding_at < 0 || missing_at < 0 || unseen_at < 0)
        return fw_fail(err, FW_ERR_FORMAT, "encoding \"%s\", missing \"%s\" or unseen \"%s\" is unknown", encoding, missing, unseen);
    t->encoding = (fw_encoding)encoding_at;
    t->missing_is_error = missing_at == 1;
    t->unseen = (fw_unseen)unseen_at;
    t->indicator = indicator != 0;
    if (dictionary < 0 || (uint64_t)dictionary != t->n_codes)
        return fw_fail(err, FW_ERR_FORMAT, "%lld categories, the schema's dictionary has %zu", (long long)dictionary, t->n_codes);
    if (t->indicator && t->encoding == FW_ENCODE_ONE_HOT) return fw_fail(err, FW_ERR_FORMAT, "an indicator beside one_hot");
    FW_TRY(parse_codes(t, kept, KEPT, err));
    return parse_codes(t, rare, RARE, err);
}

static fw_status from_json(void **self, const json_t *j, const fw_column *column, fw_error *err)
{
    FW_AUTO(category) *t = NULL;
    FW_TRY(create(&t, column, err));
    FW_TRY(parse(t, j, err));
    number_slots(t);
    t->fitted = true;
    *self = t;
    t = NULL;
    return FW_OK;
}

const fw_transform fw_transform_category = {
    .name = "category",
    .reads = FW_CATEGORY,
    .plan = plan,
    .destroy = destroy,
    .want = want,
    .observe = observe,
    .answer = answer,
    .width = width,
    .apply = apply,
    .feature_name = feature_name,
    .to_json = to_json,
    .from_json = from_json,
};
