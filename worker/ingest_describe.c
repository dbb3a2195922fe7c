#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "worker/ingest_parts.h"

#define ID_MIN_ROWS 20
#define ID_ESTIMATED (WORKER_DISTINCT_MOST / 100 * 90)
#define ID_SHARE    0.96               /* distinct counts above WORKER_DISTINCT_MOST are estimates, +- 1 % */

/* ---- statistics of a column ---- */

double ingest_mean(const ingest_stats *s)
{
    double sum = fw_exact_sum_value(&s->sum);
    if (isfinite(sum)) return sum / (double)s->present;
    return s->min / 2 + s->max / 2;    /* the sum of very large values overflows: the middle stands in */
}

static fw_column_stats column_stats(const ingest *g, size_t column, uint64_t distinct)
{
    const ingest_stats *s = &g->stats[column];
    const fw_column *c = &g->schema->columns[column];
    fw_column_stats out = {.missing = s->missing, .distinct = FW_MIN(c->type == FW_CATEGORY ? fw_dict_size(c->dict) : distinct, s->present)};
    out.constant = s->present == 0 || (s->missing == 0 && out.distinct == 1);
    if (c->type != FW_NUMBER || s->present == 0) return out;
    out.min = s->min;
    out.max = s->max;
    out.mean = ingest_mean(s);
    out.stddev = ldexp(sqrt(fw_exact_sum_value(&s->squares) / (double)s->present), s->exponent);
    return out;
}

/* Collective. */
static fw_status fill_stats(fw_manifest *m, ingest *g, fw_error *err)
{
    FW_FREE worker_distinct **sets = calloc(g->n_stored + 1, sizeof *sets);
    FW_FREE uint64_t *distinct = calloc(g->n_stored + 1, sizeof *distinct);
    m->stats = calloc(g->n_stored + 1, sizeof *m->stats);
    bool ok = sets != NULL && distinct != NULL && m->stats != NULL;
    FW_TRY(ingest_agree(g, ok ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "statistics"), err));
    for (size_t i = 0; i < g->n_stored; i++) sets[i] = &g->stats[i].distinct;
    FW_TRY(worker_distinct_count(distinct, sets, g->n_stored, g->reduce, err));
    for (size_t i = 0; i < g->n_stored; i++) m->stats[i] = column_stats(g, i, distinct[i]);
    return FW_OK;
}

/* ---- what a human should look at ---- */

static fw_status warn_of_column(ingest *g, size_t column, const fw_column_stats *s, fw_error *err)
{
    const fw_column *c = &g->schema->columns[column];
    uint64_t rows = g->n_kept, present = rows - s->missing;
    if ((int)column == g->target) return FW_OK;
    if (s->missing == rows) return ingest_warn(g, err, "column '%s' has no value in any row", c->name);
    if (s->constant) return ingest_warn(g, err, "column '%s' is the same in every row", c->name);
    if (s->missing * 2 > rows)
        FW_TRY(ingest_warn(g, err, "column '%s' is missing in %.1f %% of the rows", c->name, 100 * (double)s->missing / (double)rows));
    if (g->stats[column].equals_target)
        FW_TRY(ingest_warn(g, err, "column '%s' equals the target in every row: mark it as ignore", c->name));
    bool may_be_id = c->type == FW_CATEGORY || c->type == FW_TEXT || (c->type == FW_NUMBER && g->stats[column].integral);
    bool all_differ = s->distinct == present || (s->distinct >= ID_ESTIMATED && (double)s->distinct >= ID_SHARE * (double)present);
    if ((int)column != g->id && may_be_id && all_differ && present >= ID_MIN_ROWS)
        FW_TRY(ingest_warn(g, err, "column '%s' looks like an id: its values all differ", c->name));
    return FW_OK;
}

static void say_counts(const ingest *g)
{
    const uint64_t *rows = g->layout.rows;
    ingest_say(g, "rows: %llu train, %llu validation, %llu test; %llu bad, %llu excluded, %llu duplicates", (unsigned long long)rows[FW_TRAIN],
               (unsigned long long)rows[FW_VALIDATION], (unsigned long long)rows[FW_TEST], (unsigned long long)g->n_bad,
               (unsigned long long)g->n_excluded, (unsigned long long)g->duplicates);
    FW_AUTO(fw_text) missing = {0};
    for (size_t i = 0; i < g->n_stored; i++)
        if (g->stats[i].missing > 0)
            fw_text_format(&missing, "%s%s %llu", missing.len > 0 ? ", " : "", g->schema->columns[i].name, (unsigned long long)g->stats[i].missing);
    if (missing.len > 0) ingest_say(g, "missing: %s", missing.data);
}

/* ---- the manifest ---- */

static fw_feature_type feature_type(fw_column_type t)
{
    switch (t) {
    case FW_NUMBER: return FW_FEATURE_NUMBER;
    case FW_CATEGORY: return FW_FEATURE_CATEGORY;
    case FW_TEXT: return FW_FEATURE_TEXT;
    case FW_TIME: return FW_FEATURE_TIME;
    case FW_IMAGE: return FW_FEATURE_IMAGE;
    }
    return FW_FEATURE_AUTO;
}

static bool is_feature(const fw_project *p, const char *column)
{
    bool all = p->features_all;
    for (size_t i = 0; i < p->features.n; i++)
        if (strcmp(p->features.v[i].column, column) == 0) return p->features.v[i].type != FW_FEATURE_IGNORE;
    return all;
}

/* Whether the columns that "*" stands for are said to be nothing but automatic: then a column may get an entry of its own. */
static bool star_is_plain(const fw_project *p)
{
    for (size_t i = 0; i < p->features.n; i++) {
        const fw_feature_spec *f = &p->features.v[i];
        if (strcmp(f->column, "*") != 0) continue;
        return f->type == FW_FEATURE_AUTO && !f->has_missing && !f->has_scale && !f->has_clip && !f->indicator && !f->log1p &&
               f->encoding == FW_ENCODE_ONE_HOT && f->unseen == FW_UNSEEN_OTHER && f->min_count <= 1;
    }
    return true;
}

static bool has_entry(const fw_project *p, const char *column)
{
    for (size_t i = 0; i < p->features.n; i++)
        if (strcmp(p->features.v[i].column, column) == 0) return true;
    return false;
}

/* The project as text, with the types that were found in its features. Where "*" says more than auto, an entry of a column's own would
 * take that from it: there the schema alone tells the type. */
static fw_status resolve(char **out, const ingest *g, fw_error *err)
{
    FW_FREE char *yaml = NULL;
    FW_AUTO(fw_project) *p = NULL;
    FW_FREE const char **name = calloc(g->n_stored + 1, sizeof *name);
    FW_FREE fw_feature_type *type = calloc(g->n_stored + 1, sizeof *type);
    size_t n = 0;
    if (name == NULL || type == NULL) return fw_fail(err, FW_ERR_NOMEM, "types of %zu columns", g->n_stored);
    FW_TRY(fw_project_resolved(&yaml, g->project, err));
    FW_TRY(fw_project_parse(&p, yaml, g->project->path != NULL ? g->project->path : "project", g->project->dir, err));
    bool plain = star_is_plain(g->project);
    for (size_t i = 0; i < g->n_stored; i++) {
        const fw_column *c = &g->schema->columns[i];
        if (!plain && !has_entry(g->project, c->name)) continue;
        if (!c->inferred || (int)i == g->target || !is_feature(p, c->name)) continue;
        name[n] = c->name;
        type[n++] = feature_type(c->type);
    }
    if (n > 0) FW_TRY(fw_project_set_types(p, name, type, n, err));
    return fw_project_resolved(out, p, err);
}

/* The columns that are written; the one that was read for the split alone is not. */
static fw_status stored_schema(fw_schema **out, const ingest *g, fw_error *err)
{
    FW_AUTO(fw_schema) *s = NULL;
    FW_TRY(fw_schema_create(&s, g->n_stored, err));
    for (size_t i = 0; i < g->n_stored; i++) {
        const fw_column *from = &g->schema->columns[i];
        fw_column *to = &s->columns[i];
        *to = *from;
        to->name = NULL;
        to->dict = NULL;
        FW_TRY(fw_copy_text(&to->name, from->name, err));
        if (from->dict != NULL) FW_TRY(fw_dict_copy(&to->dict, from->dict, err));
    }
    s->target = g->target;
    *out = s;
    s = NULL;
    return FW_OK;
}

static fw_status fill_sources(fw_manifest *m, ingest *g, fw_error *err)
{
    m->sources = calloc(g->n_tables, sizeof *m->sources);
    FW_TRY(ingest_agree(g, m->sources == NULL ? fw_fail(err, FW_ERR_NOMEM, "sources") : FW_OK, err));
    m->n_sources = g->n_tables;
    for (size_t i = 0; i < g->n_tables; i++) {
        const fw_table_spec *spec = &g->project->data.tables[i];
        fw_source *s = &m->sources[i];
        fw_status status = fw_copy_text(&s->table, spec->name, err);
        if (status == FW_OK) status = fw_copy_text(&s->path, spec->path != NULL ? spec->path : spec->images, err);
        FW_TRY(ingest_agree(g, status, err));
        s->rows = (uint64_t)g->table_rows[i];
        FW_TRY(ingest_agree(g, fw_table_digest(s->digest, &s->bytes, g->tables[i], err), err));
    }
    return FW_OK;
}

static fw_status fill_texts(fw_manifest *m, const ingest *g, fw_error *err)
{
    FW_FREE char *part = NULL;
    FW_TRY(fw_project_data_part(&part, g->project, err));
    fw_digest_text(m->project_digest, fw_hash128(part, strlen(part), 0));
    FW_TRY(fw_copy_text(&m->project, g->project->project, err));
    FW_TRY(resolve(&m->resolved, g, err));
    FW_TRY(stored_schema(&m->schema, g, err));
    size_t classes = ingest_n_classes(g);
    if (classes > 0 && (m->class_rows = calloc(classes, FW_N_SPLITS * sizeof *m->class_rows)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "%zu classes", classes);
    for (size_t i = 0; i < classes * FW_N_SPLITS; i++) m->class_rows[i] = (uint64_t)g->class_rows[i];
    memcpy(m->digest, g->digest, sizeof m->digest);
    m->layout = g->layout;
    m->bad = g->n_bad;
    m->excluded = g->n_excluded;
    m->duplicates = g->duplicates;
    return FW_OK;
}

fw_status ingest_describe(ingest *g, fw_error *err)
{
    fw_manifest *m = g->manifest;
    FW_TRY(fill_stats(m, g, err));
    FW_TRY(ingest_say_bad(g, err));
    say_counts(g);
    fw_status s = FW_OK;
    for (size_t i = 0; s == FW_OK && i < g->n_stored; i++) s = warn_of_column(g, i, &m->stats[i], err);
    FW_TRY(ingest_agree(g, s, err));
    FW_TRY(fill_sources(m, g, err));
    s = fill_texts(m, g, err);
    if (s == FW_OK) s = fw_manifest_write(&g->manifest_text, m, err);
    return ingest_agree(g, s, err);
}
