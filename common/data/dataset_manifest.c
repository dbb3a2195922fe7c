#include "common/data/dataset_manifest.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define MAX_ROWS ((uint64_t)1 << 48)

const char *fw_split_name(fw_split s)
{
    switch (s) {
    case FW_TRAIN: return "train";
    case FW_VALIDATION: return "validation";
    case FW_TEST: return "test";
    case FW_N_SPLITS: break;
    }
    return "?";
}

bool fw_split_parse(fw_split *out, const char *name)
{
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++)
        if (strcmp(name, fw_split_name(s)) == 0) {
            *out = s;
            return true;
        }
    return false;
}

/* ---- where blocks lie ---- */

size_t fw_layout_block_rows(uint64_t row_bytes)
{
    size_t rows = FW_BLOCK_MAX_ROWS;
    while (rows > 1 && row_bytes > FW_BLOCK_BYTES / rows) rows /= 2;
    return rows;
}

uint64_t fw_layout_total(const fw_layout *l) { return l->rows[FW_TRAIN] + l->rows[FW_VALIDATION] + l->rows[FW_TEST]; }

uint64_t fw_layout_start(const fw_layout *l, fw_split s)
{
    uint64_t start = 0;
    for (fw_split i = FW_TRAIN; i < s; i++) start += l->rows[i];
    return start;
}

static uint64_t blocks_of(const fw_layout *l, fw_split s) { return (l->rows[s] + l->block_rows - 1) / l->block_rows; }

uint64_t fw_layout_n_blocks(const fw_layout *l)
{
    uint64_t n = 0;
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) n += blocks_of(l, s);
    return n;
}

uint64_t fw_layout_block_at(const fw_layout *l, fw_split s, uint64_t position)
{
    uint64_t before = 0;
    for (fw_split i = FW_TRAIN; i < s; i++) before += blocks_of(l, i);
    return before + position / l->block_rows;
}

fw_layout_block fw_layout_block_get(const fw_layout *l, uint64_t block)
{
    fw_split s = FW_TRAIN;
    while (s + 1 < FW_N_SPLITS && block >= blocks_of(l, s)) block -= blocks_of(l, s++);
    uint64_t first = block * l->block_rows;
    return (fw_layout_block){s, fw_layout_start(l, s) + first, (size_t)FW_MIN(l->block_rows, l->rows[s] - first)};
}

const char *fw_layout_table(fw_column_type type)
{
    switch (type) {
    case FW_NUMBER: return "numbers";
    case FW_CATEGORY: return "codes";
    case FW_TIME: return "times";
    case FW_TEXT: case FW_IMAGE: break;
    }
    return NULL;
}

uint64_t fw_layout_checksum(const void *values, size_t n_values, const void *missing, size_t n_missing, const void *offsets, size_t n_offsets)
{
    uint64_t h = fw_hash64(values, n_values, 0);
    h = fw_hash64(missing, n_missing, h);
    return n_offsets > 0 ? fw_hash64(offsets, n_offsets * sizeof(uint64_t), h) : h;
}

/* ---- life ---- */

fw_status fw_manifest_create(fw_manifest **out, fw_error *err)
{
    fw_manifest *m = calloc(1, sizeof *m);
    if (m == NULL) return fw_fail(err, FW_ERR_NOMEM, "dataset manifest");
    *out = m;
    return FW_OK;
}

void fw_manifest_destroy(fw_manifest **m)
{
    if (*m == NULL) return;
    for (size_t i = 0; i < (*m)->n_sources; i++) {
        free((*m)->sources[i].table);
        free((*m)->sources[i].path);
    }
    for (size_t i = 0; i < (*m)->warnings.n; i++) free((*m)->warnings.v[i]);
    free((*m)->warnings.v);
    free((*m)->sources);
    free((*m)->stats);
    free((*m)->class_rows);
    free((*m)->project);
    free((*m)->resolved);
    fw_schema_destroy(&(*m)->schema);
    free(*m);
    *m = NULL;
}

static size_t n_classes(const fw_schema *s)
{
    if (s->target < 0 || s->columns[s->target].type != FW_CATEGORY) return 0;
    return fw_dict_size(s->columns[s->target].dict);
}

/* ---- writing ---- */

static json_t *stats_to_json(const fw_manifest *m)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < m->schema->n_columns; i++) {
        const fw_column_stats *s = &m->stats[i];
        json_t *o =
            json_pack("{s:I, s:I, s:b}", "missing", (json_int_t)s->missing, "distinct", (json_int_t)s->distinct, "constant", (int)s->constant);
        if (m->schema->columns[i].type == FW_NUMBER) {
            json_object_set_new(o, "min", json_real(s->min));
            json_object_set_new(o, "max", json_real(s->max));
            json_object_set_new(o, "mean", json_real(s->mean));
            json_object_set_new(o, "stddev", json_real(s->stddev));
        }
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *splits_to_json(const uint64_t rows[static FW_N_SPLITS])
{
    json_t *o = json_object();
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) json_object_set_new(o, fw_split_name(s), json_integer((json_int_t)rows[s]));
    return o;
}

static json_t *classes_to_json(const fw_manifest *m)
{
    json_t *list = json_array();
    for (size_t i = 0; m->class_rows != NULL && i < n_classes(m->schema); i++) {
        json_t *o = splits_to_json(m->class_rows + i * FW_N_SPLITS);
        json_object_set_new(o, "label", json_string(fw_dict_text(m->schema->columns[m->schema->target].dict, (int32_t)i, NULL)));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *sources_to_json(const fw_manifest *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n_sources; i++) {
        const fw_source *s = &m->sources[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s}", "table", s->table, "path", s->path, "bytes", (json_int_t)s->bytes,
                                              "rows", (json_int_t)s->rows, "digest", s->digest));
    }
    return list;
}

static json_t *strings_to_json(const fw_strings *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n; i++) json_array_append_new(list, json_string(v->v[i]));
    return list;
}

fw_status fw_manifest_write(char **out, const fw_manifest *m, fw_error *err)
{
    json_t *schema = NULL;
    FW_TRY(fw_schema_to_json(&schema, m->schema, err));
    json_t *j =
        json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:s}", "format", FW_DATASET_VERSION, "project", m->project,
                  "project_digest", m->project_digest, "digest", m->digest, "schema", schema, "rows", splits_to_json(m->layout.rows), "statistics",
                  stats_to_json(m), "classes", classes_to_json(m), "sources", sources_to_json(m), "warnings", strings_to_json(&m->warnings),
                  "block_rows", (json_int_t)m->layout.block_rows, "bad_rows", (json_int_t)m->bad, "excluded_rows", (json_int_t)m->excluded,
                  "duplicate_rows", (json_int_t)m->duplicates, "resolved", m->resolved);
    char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    if (text == NULL)
        return fw_fail(err, FW_ERR_DATA, "the dataset's manifest cannot be written as JSON: out of memory, or a name or category is not UTF-8");
    size_t len = strlen(text);
    if (len > FW_MANIFEST_MAX_BYTES) {
        free(text);
        return fw_fail(err, FW_ERR_DATA,
                       "the dataset's manifest has %zu bytes, more than the %u allowed: declare columns with very many categories as text", len,
                       FW_MANIFEST_MAX_BYTES);
    }
    *out = text;
    return FW_OK;
}

/* ---- reading ---- */

static bool get_count(uint64_t *out, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > MAX_ROWS * 4) return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static bool get_finite(double *out, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v) || !isfinite(json_number_value(v))) return false;
    *out = json_number_value(v);
    return true;
}

static bool get_text(char **out, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL && (*out = strdup(s)) != NULL;
}

static bool get_digest(char out[static FW_DIGEST_TEXT], const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (s == NULL || strlen(s) != FW_DIGEST_TEXT - 1 || strspn(s, "0123456789abcdef") != FW_DIGEST_TEXT - 1) return false;
    memcpy(out, s, FW_DIGEST_TEXT);
    return true;
}

static bool get_splits(uint64_t rows[static FW_N_SPLITS], const json_t *o)
{
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++)
        if (!get_count(&rows[s], o, fw_split_name(s)) || rows[s] > MAX_ROWS) return false;
    return true;
}

static bool get_layout(fw_layout *l, const json_t *j)
{
    uint64_t block_rows;
    if (!get_splits(l->rows, json_object_get(j, "rows")) || !get_count(&block_rows, j, "block_rows")) return false;
    if (block_rows == 0 || block_rows > FW_BLOCK_MAX_ROWS || (block_rows & (block_rows - 1)) != 0) return false;
    l->block_rows = (size_t)block_rows;
    return fw_layout_total(l) > 0 && fw_layout_total(l) <= MAX_ROWS;
}

static bool get_stats(fw_manifest *m, const json_t *list)
{
    size_t n = m->schema->n_columns;
    uint64_t total = fw_layout_total(&m->layout);
    if (json_array_size(list) != n || (m->stats = calloc(n + 1, sizeof *m->stats)) == NULL) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i);
        fw_column_stats *s = &m->stats[i];
        if (!get_count(&s->missing, o, "missing") || !get_count(&s->distinct, o, "distinct") || s->missing > total || s->distinct > total)
            return false;
        if (!json_is_boolean(json_object_get(o, "constant"))) return false;
        s->constant = json_is_true(json_object_get(o, "constant"));
        if (m->schema->columns[i].type == FW_NUMBER && !(get_finite(&s->min, o, "min") && get_finite(&s->max, o, "max") &&
                                                         get_finite(&s->mean, o, "mean") && get_finite(&s->stddev, o, "stddev")))
            return false;
    }
    return true;
}

static bool get_classes(fw_manifest *m, const json_t *list)
{
    size_t n = n_classes(m->schema);
    if (json_array_size(list) != n) return false;
    if (n == 0) return true;
    if ((m->class_rows = calloc(n, FW_N_SPLITS * sizeof *m->class_rows)) == NULL) return false;
    for (size_t i = 0; i < n; i++)
        if (!get_splits(m->class_rows + i * FW_N_SPLITS, json_array_get(list, i))) return false;
    return true;
}

static bool get_sources(fw_manifest *m, const json_t *list)
{
    size_t n = json_array_size(list);
    if (n == 0 || (m->sources = calloc(n, sizeof *m->sources)) == NULL) return false;
    m->n_sources = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i);
        fw_source *s = &m->sources[i];
        if (!get_text(&s->table, o, "table") || !get_text(&s->path, o, "path") || !get_count(&s->bytes, o, "bytes") ||
            !get_count(&s->rows, o, "rows") || !get_digest(s->digest, o, "digest"))
            return false;
    }
    return true;
}

static bool get_strings(fw_strings *out, const json_t *list)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || (out->v = calloc(n + 1, sizeof *out->v)) == NULL) return false;
    for (out->n = 0; out->n < n; out->n++) {
        const char *s = json_string_value(json_array_get(list, out->n));
        if (s == NULL || (out->v[out->n] = strdup(s)) == NULL) return false;
    }
    return true;
}

static fw_status read_fields(fw_manifest *m, const json_t *j, fw_error *err)
{
    uint64_t format;
    const char *wrong = NULL;
    if (!get_count(&format, j, "format")) return fw_fail(err, FW_ERR_FORMAT, "dataset manifest: no format version");
    if (format != FW_DATASET_VERSION)
        return fw_fail(err, FW_ERR_VERSION, "the dataset is of format version %llu, this program reads %d; ingest the tables again",
                       (unsigned long long)format, FW_DATASET_VERSION);
    FW_TRY(fw_schema_from_json(&m->schema, json_object_get(j, "schema"), err));
    errno = 0;                         /* the parts below tell a lack of memory by it */
    if (!get_text(&m->project, j, "project")) wrong = "project";
    else if (!get_digest(m->project_digest, j, "project_digest")) wrong = "project_digest";
    else if (!get_digest(m->digest, j, "digest")) wrong = "digest";
    else if (!get_layout(&m->layout, j)) wrong = "rows";
    else if (!get_stats(m, json_object_get(j, "statistics"))) wrong = "statistics";
    else if (!get_classes(m, json_object_get(j, "classes"))) wrong = "classes";
    else if (!get_sources(m, json_object_get(j, "sources"))) wrong = "sources";
    else if (!get_strings(&m->warnings, json_object_get(j, "warnings"))) wrong = "warnings";
    else if (!get_count(&m->bad, j, "bad_rows") || !get_count(&m->excluded, j, "excluded_rows") || !get_count(&m->duplicates, j, "duplicate_rows"))
        wrong = "counts";
    else if (!get_text(&m->resolved, j, "resolved")) wrong = "resolved";
    if (wrong != NULL && errno == ENOMEM) return fw_fail(err, FW_ERR_NOMEM, "dataset manifest: '%s'", wrong);
    if (wrong != NULL) return fw_fail(err, FW_ERR_FORMAT, "dataset manifest: '%s' is missing or wrong", wrong);
    return FW_OK;
}

fw_status fw_manifest_read(fw_manifest **out, json_t **json, const char *text, fw_error *err)
{
    json_error_t at;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &at);
    if (j == NULL) return fw_fail(err, FW_ERR_FORMAT, "dataset manifest: no JSON at byte %d: %s", at.position, at.text);
    FW_AUTO(fw_manifest) *m = NULL;
    fw_status s = fw_manifest_create(&m, err);
    if (s == FW_OK) s = read_fields(m, j, err);
    if (s != FW_OK || json == NULL) json_decref(j);
    if (s != FW_OK) return s;
    if (json != NULL) *json = j;
    *out = m;
    m = NULL;
    return FW_OK;
}
