#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "worker/ingest_parts.h"

/* What becomes of a column of the tables. */
typedef enum fate { DROPPED, READ_FOR_SPLIT, STORED } fate;
typedef struct planned {
    const char *name;
    fate fate;
    bool automatic;
    fw_column_type type;
    size_t in_table;
} planned; /* in_table: index in the first one */

static bool listed(const fw_strings *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], name) == 0) return true;
    return false;
}

static const fw_feature_spec *feature_of(const fw_project *p, const char *column)
{
    const fw_feature_spec *star = NULL;
    for (size_t i = 0; i < p->features.n; i++) {
        if (strcmp(p->features.v[i].column, column) == 0) return &p->features.v[i];
        if (strcmp(p->features.v[i].column, "*") == 0) star = &p->features.v[i];
    }
    return star;
}

static int find_column(const fw_table *t, const char *name)
{
    for (size_t i = 0; i < fw_table_n_columns(t); i++)
        if (strcmp(fw_table_column_name(t, i), name) == 0) return (int)i;
    return -1;
}

/* ---- names in the project file that must be columns ---- */

static fw_status must_exist(const fw_table *t, const char *key, const char *name, fw_error *err)
{
    if (find_column(t, name) >= 0) return FW_OK;
    size_t n = fw_table_n_columns(t);
    FW_FREE const char **names = calloc(n + 1, sizeof *names);
    if (names == NULL) return fw_fail(err, FW_ERR_NOMEM, "column names");
    for (size_t i = 0; i < n; i++) names[i] = fw_table_column_name(t, i);
    const char *near = fw_did_you_mean(name, names, n);
    return fw_fail(err, FW_ERR_CONFIG, "%s: '%s' is no column of '%s'%s%s%s", key, name, fw_table_path(t), near != NULL ? "; did you mean '" : "",
                   near != NULL ? near : "", near != NULL ? "'?" : "");
}

static fw_status check_names(const ingest *g, fw_error *err)
{
    const fw_project *p = g->project;
    const fw_table *t = g->tables[0];
    if (p->problem.target == NULL) return fw_fail(err, FW_ERR_CONFIG, "problem.target: say which column is to be predicted");
    FW_TRY(must_exist(t, "problem.target", p->problem.target, err));
    if (p->data.id != NULL) FW_TRY(must_exist(t, "data.id", p->data.id, err));
    for (size_t i = 0; i < p->data.private_columns.n; i++) FW_TRY(must_exist(t, "data.private", p->data.private_columns.v[i], err));
    for (size_t i = 0; i < p->evaluate.fairness_attributes.n; i++)
        FW_TRY(must_exist(t, "evaluate.fairness.attributes", p->evaluate.fairness_attributes.v[i], err));
    for (size_t i = 0; i < p->features.n; i++)
        if (strcmp(p->features.v[i].column, "*") != 0) FW_TRY(must_exist(t, "features", p->features.v[i].column, err));
    if (p->data.split.by == FW_BY_TIME || p->data.split.by == FW_BY_GROUP) {
        if (p->data.split.column == NULL) return fw_fail(err, FW_ERR_CONFIG, "data.split.column: a split by time or group needs a column");
        FW_TRY(must_exist(t, "data.split.column", p->data.split.column, err));
    }
    return FW_OK;
}

/* ---- fates and types ---- */

static void decide(planned *c, const fw_project *p)
{
    const fw_feature_spec *f = feature_of(p, c->name);
    bool key = (p->data.split.by == FW_BY_TIME || p->data.split.by == FW_BY_GROUP) && strcmp(p->data.split.column, c->name) == 0;
    bool id = p->data.id != NULL && strcmp(p->data.id, c->name) == 0;
    bool target = strcmp(p->problem.target, c->name) == 0;
    bool carried = target || id || key || listed(&p->evaluate.fairness_attributes, c->name);
    bool named = f != NULL && strcmp(f->column, "*") != 0;
    bool feature = f != NULL ? f->type != FW_FEATURE_IGNORE : p->features_all;
    c->automatic = true;
    if (listed(&p->data.private_columns, c->name)) c->fate = key ? READ_FOR_SPLIT : DROPPED;
    else c->fate = carried || feature ? STORED : DROPPED;
    if (f != NULL && (named || !carried)) {
        switch (f->type) {
        case FW_FEATURE_NUMBER: c->type = FW_NUMBER; c->automatic = false; break;
        case FW_FEATURE_CATEGORY: c->type = FW_CATEGORY; c->automatic = false; break;
        case FW_FEATURE_TEXT: c->type = FW_TEXT; c->automatic = false; break;
        case FW_FEATURE_TIME: c->type = FW_TIME; c->automatic = false; break;
        case FW_FEATURE_IMAGE: c->type = FW_IMAGE; c->automatic = false; break;
        case FW_FEATURE_AUTO: case FW_FEATURE_IGNORE: break;
        }
    }
    bool plain_id = id && c->automatic && !(named && f->type == FW_FEATURE_AUTO);
    if (plain_id || (key && p->data.split.by == FW_BY_GROUP && c->automatic && c->fate == READ_FOR_SPLIT)) {
        c->type = FW_TEXT;
        c->automatic = false;
    }
    if (target && p->problem.task == FW_TASK_CLASSIFICATION) {
        c->type = FW_CATEGORY;
        c->automatic = false;
    }
}

static fw_status infer(planned *columns, size_t n, const ingest *g, fw_error *err)
{
    FW_FREE fw_column_type *types = calloc(n + 1, sizeof *types);
    if (types == NULL) return fw_fail(err, FW_ERR_NOMEM, "types of %zu columns", n);
    const fw_strings *missing = &g->project->data.missing;
    FW_TRY(fw_table_infer(types, g->tables[0], (const char *const *)missing->v, missing->n, err));
    for (size_t i = 0; i < n; i++)
        if (columns[i].automatic) columns[i].type = types[i];
    return FW_OK;
}

static fw_status check_types(const ingest *g, fw_error *err)
{
    const fw_column *target = &g->schema->columns[g->target];
    const fw_project *p = g->project;
    if (p->problem.task == FW_TASK_REGRESSION && target->type != FW_NUMBER)
        return fw_fail(err, FW_ERR_DATA, "problem.target: '%s' of '%s' is of type %s, but regression needs numbers", target->name,
                       fw_table_path(g->tables[0]), fw_column_type_name(target->type));
    if (p->data.split.by == FW_BY_TIME && g->schema->columns[g->key].type != FW_TIME && g->schema->columns[g->key].type != FW_NUMBER)
        return fw_fail(err, FW_ERR_DATA, "data.split.column: '%s' of '%s' is of type %s, but a split by time needs times (ISO 8601) or numbers",
                       g->schema->columns[g->key].name, fw_table_path(g->tables[0]), fw_column_type_name(g->schema->columns[g->key].type));
    return FW_OK;
}

/* ---- the schema ---- */

static fw_status add_column(ingest *g, size_t at, const planned *c, fw_error *err)
{
    fw_column *to = &g->schema->columns[at];
    FW_TRY(fw_copy_text(&to->name, c->name, err));
    to->type = c->type;
    to->inferred = c->automatic;
    if (c->type == FW_CATEGORY) FW_TRY(fw_dict_create(&to->dict, err));
    if (c->type == FW_IMAGE) {
        uint32_t shape[3];
        if (!fw_table_image_shape(shape, g->tables[0], c->in_table))
            return fw_fail(err, FW_ERR_CONFIG, "features: column '%s' of '%s' holds texts, not pictures", c->name, fw_table_path(g->tables[0]));
        to->height = shape[0];
        to->width = shape[1];
        to->channels = shape[2];
    }
    return FW_OK;
}

static fw_status make_schema(ingest *g, const planned *columns, size_t n, fw_error *err)
{
    size_t n_read = 0;
    for (size_t i = 0; i < n; i++) n_read += columns[i].fate != DROPPED;
    FW_TRY(fw_schema_create(&g->schema, n_read, err));
    size_t at = 0;
    for (fate f = STORED; f >= READ_FOR_SPLIT; f--) {
        for (size_t i = 0; i < n; i++)
            if (columns[i].fate == f) FW_TRY(add_column(g, at++, &columns[i], err));
        if (f == STORED) g->n_stored = at;
    }
    g->target = g->schema->target = fw_schema_find(g->schema, g->project->problem.target);
    g->id = g->project->data.id != NULL ? fw_schema_find(g->schema, g->project->data.id) : -1;
    bool keyed = g->project->data.split.by == FW_BY_TIME || g->project->data.split.by == FW_BY_GROUP;
    g->key = keyed ? fw_schema_find(g->schema, g->project->data.split.column) : -1;
    return check_types(g, err);
}

/* ---- tables ---- */

static fw_status map_columns(ingest *g, size_t table, fw_error *err)
{
    const fw_table *t = g->tables[table];
    g->column_of[table] = calloc(g->schema->n_columns + 1, sizeof **g->column_of);
    if (g->column_of[table] == NULL) return fw_fail(err, FW_ERR_NOMEM, "columns of '%s'", fw_table_path(t));
    for (size_t i = 0; i < g->schema->n_columns; i++) {
        int at = find_column(t, g->schema->columns[i].name);
        if (at < 0)
            return fw_fail(err, FW_ERR_DATA, "'%s' has no column '%s', which '%s' has: all tables need the same columns", fw_table_path(t),
                           g->schema->columns[i].name, fw_table_path(g->tables[0]));
        g->column_of[table][i] = at;
    }
    for (size_t i = 0; i < fw_table_n_columns(t); i++)
        if (find_column(g->tables[0], fw_table_column_name(t, i)) < 0)
            FW_TRY(ingest_warn(g, err, "column '%s' of '%s' is not in '%s' and is not read", fw_table_column_name(t, i), fw_table_path(t),
                               fw_table_path(g->tables[0])));
    return FW_OK;
}

static fw_status open_tables(ingest *g, fw_error *err)
{
    const fw_project *p = g->project;
    for (size_t i = 0; i < p->data.n_tables; i++) {
        fw_status s = fw_table_open(&g->tables[i], &p->data.tables[i], p->dir, g->reduce, err);
        FW_TRY(ingest_agree(g, s, err));
        g->n_tables = i + 1;
        g->first_chunk[i + 1] = g->first_chunk[i] + fw_table_n_chunks(g->tables[i]);
    }
    return FW_OK;
}

static void sort_given(ingest *g)
{
    const fw_project *p = g->project;
    for (size_t i = 0; p->data.split.by == FW_BY_GIVEN && i < g->n_tables; i++)
        g->test_table[i] = listed(&p->data.split.given_test, p->data.tables[i].name);
}

static void say_types(const ingest *g, const planned *columns, size_t n)
{
    for (fw_column_type t = FW_NUMBER; t <= FW_IMAGE; t++) {
        FW_AUTO(fw_text) found = {0};
        for (size_t i = 0; i < n; i++)
            if (columns[i].fate == STORED && columns[i].automatic && columns[i].type == t)
                fw_text_format(&found, "%s%s", found.len > 0 ? ", " : "", columns[i].name);
        if (found.len > 0) ingest_say(g, "type found: %s: %s", fw_column_type_name(t), found.data);
    }
    FW_AUTO(fw_text) dropped = {0};
    for (size_t i = 0; i < n; i++)
        if (columns[i].fate != STORED)
            fw_text_format(&dropped, "%s%s%s", dropped.len > 0 ? ", " : "", columns[i].name,
                           listed(&g->project->data.private_columns, columns[i].name) ? " (private)" : "");
    if (dropped.len > 0) ingest_say(g, "not stored: %s", dropped.data);
}

static fw_status plan_columns(ingest *g, fw_error *err)
{
    size_t n = fw_table_n_columns(g->tables[0]);
    FW_FREE planned *columns = calloc(n + 1, sizeof *columns);
    if (columns == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu columns", n);
    FW_TRY(check_names(g, err));
    for (size_t i = 0; i < n; i++) {
        columns[i].name = fw_table_column_name(g->tables[0], i);
        columns[i].in_table = i;
        decide(&columns[i], g->project);
    }
    FW_TRY(infer(columns, n, g, err));
    FW_TRY(make_schema(g, columns, n, err));
    for (size_t i = 0; i < g->n_tables; i++) FW_TRY(map_columns(g, i, err));
    sort_given(g);
    say_types(g, columns, n);
    return FW_OK;
}

static fw_status allocate(ingest *g, fw_error *err)
{
    size_t n = g->project->data.n_tables;
    if (n == 0) return fw_fail(err, FW_ERR_CONFIG, "data.tables: there is no table");
    g->tables = calloc(n, sizeof *g->tables);
    g->test_table = calloc(n, sizeof *g->test_table);
    g->first_chunk = calloc(n + 1, sizeof *g->first_chunk);
    g->column_of = calloc(n, sizeof *g->column_of);
    if (g->tables == NULL || g->test_table == NULL || g->first_chunk == NULL || g->column_of == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "%zu tables", n);
    return FW_OK;
}

fw_status ingest_plan(ingest *g, fw_error *err)
{
    FW_TRY(ingest_agree(g, allocate(g, err), err));
    FW_TRY(open_tables(g, err));
    g->rule = fw_split_rule_make(g->project);
    return ingest_agree(g, plan_columns(g, err), err);
}
