#include "coordinator/commands/survey.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/dict.h"
#include "common/core/size.h"
#include "common/data/table.h"
#include "common/project/tree.h"      /* fw_yaml_text */

#define DISTINCT_CAP 100000
#define FEW_CLASSES  20               /* distinct whole numbers that still look like classes */
#define EXAMPLES     4
#define REMARKS_AT   40               /* column of the remarks in the project file */

/** One column as seen. */
typedef struct seen {
    uint64_t missing;
    fw_dict *values;                   /* number and text: distinct values up to the cap, as bytes; category: the schema's own */
    bool capped, whole, ascending;
    double min, max, last;
    int32_t code;                      /* of the value seen last, in values; -1: beyond the cap */
} seen;

struct coord_survey {
    fw_schema *schema;
    seen *columns;
    uint64_t rows, bad;
    bool all;                          /* the whole table was read */
    coord_table_form form;
    uint64_t *class_rows;              /* of the target's values, by code */
    size_t n_classes;                  /* room in it; zeros behind the last */
    int target;
};

void coord_survey_destroy(coord_survey **s)
{
    if (s == NULL || *s == NULL) return;
    for (size_t i = 0; (*s)->columns != NULL && i < (*s)->schema->n_columns; i++) fw_dict_destroy(&(*s)->columns[i].values);
    free((*s)->columns);
    free((*s)->class_rows);
    fw_schema_destroy(&(*s)->schema);
    free(*s);
    *s = NULL;
}

uint64_t coord_survey_rows(const coord_survey *s)
{
    return s->rows;
}

/* ---- looking -------------------------------------------------------------------------------------------------------------------------------- */

static fw_status make_schema(coord_survey *s, fw_table *t, const fw_strings *missing, const char *target, fw_error *err)
{
    size_t n = fw_table_n_columns(t);
    FW_FREE fw_column_type *types = calloc(n + 1, sizeof *types);
    FW_FREE const char **names = calloc(n + 1, sizeof *names);
    if (types == NULL || names == NULL || (s->columns = calloc(n + 1, sizeof *s->columns)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "init: %zu columns", n);
    FW_TRY(fw_schema_create(&s->schema, n, err));
    FW_TRY(fw_table_infer(types, t, (const char *const *)missing->v, missing->n, err));
    for (size_t i = 0; i < n; i++) {
        fw_column *c = &s->schema->columns[i];
        names[i] = fw_table_column_name(t, i);
        FW_TRY(fw_copy_text(&c->name, names[i], err));
        c->type = types[i];
        if (c->type == FW_CATEGORY) FW_TRY(fw_dict_create(&c->dict, err));
        else FW_TRY(fw_dict_create(&s->columns[i].values, err));
        s->columns[i].whole = s->columns[i].ascending = true;
    }
    s->target = s->schema->target = fw_schema_find(s->schema, target);
    if (s->target >= 0) return FW_OK;
    const char *near = fw_did_you_mean(target, names, n);
    FW_AUTO(fw_text) list = {0};
    for (size_t i = 0; i < n && i < 40; i++) fw_text_format(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    return fw_fail(
        err, FW_ERR_CONFIG,
        "init: '%s' is no column of %s%s%s%s; it has: %s%s (when these are values, the file has no header: --no-header names its columns c1, c2, ...)",
        target, fw_table_path(t), near != NULL ? ", did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "",
        list.data != NULL ? list.data : "", n > 40 ? ", ..." : "");
}

static fw_status note_value(seen *c, const void *bytes, size_t len, fw_error *err)
{
    c->code = -1;
    if (c->capped) return FW_OK;
    FW_TRY(fw_dict_add(&c->code, c->values, bytes, len, err));
    c->capped = fw_dict_size(c->values) >= DISTINCT_CAP;
    return FW_OK;
}

static fw_status note_number(seen *c, double v, bool first, fw_error *err)
{
    c->min = first ? v : fmin(c->min, v);
    c->max = first ? v : fmax(c->max, v);
    c->whole = c->whole && v == floor(v) && fabs(v) < 9e15;
    c->ascending = c->ascending && (first || v == c->last + 1);
    c->last = v;
    char text[FW_NUMBER_TEXT];
    fw_format_double(text, v);
    return note_value(c, text, strlen(text), err);
}

static fw_status note_cell(seen *c, fw_column_type type, const fw_cells *cells, size_t row, bool first, fw_error *err)
{
    switch (type) {
    case FW_NUMBER: return note_number(c, cells->number[row], first, err);
    case FW_TIME: return note_number(c, (double)cells->time_us[row], first, err);
    case FW_TEXT: return note_value(c, cells->text_bytes + cells->text_at[row], (size_t)(cells->text_at[row + 1] - cells->text_at[row]), err);
    case FW_CATEGORY: c->code = cells->code[row]; return FW_OK;
    case FW_IMAGE: c->code = -1; return FW_OK;
    }
    return FW_OK;
}

static fw_status count_class(coord_survey *s, int32_t code, fw_error *err)
{
    if (code < 0) return FW_OK;
    void *array = s->class_rows;
    size_t had = s->n_classes;
    fw_status status = fw_grow(&array, &s->n_classes, (size_t)code + 1, sizeof *s->class_rows, "classes", err);
    s->class_rows = array;
    FW_TRY(status);
    for (size_t k = had; k < s->n_classes; k++) s->class_rows[k] = 0;
    s->class_rows[code]++;
    return FW_OK;
}

static fw_status note_block(coord_survey *s, const fw_block *b, fw_error *err)
{
    for (size_t i = 0; i < s->schema->n_columns; i++) {
        seen *c = &s->columns[i];
        for (size_t row = 0; row < b->n_rows; row++) {
            if (b->cells[i].missing[row]) {
                c->missing++;
                continue;
            }
            FW_TRY(note_cell(c, s->schema->columns[i].type, &b->cells[i], row, s->rows + row == c->missing, err));
            if ((int)i == s->target) FW_TRY(count_class(s, c->code, err));
        }
    }
    s->rows += b->n_rows;
    return FW_OK;
}

static fw_status look(coord_survey *s, fw_table *t, const fw_strings *missing, fw_error *err)
{
    size_t n = s->schema->n_columns;
    FW_FREE int *column_of = calloc(n + 1, sizeof *column_of);
    if (column_of == NULL) return fw_fail(err, FW_ERR_NOMEM, "init: %zu columns", n);
    for (size_t i = 0; i < n; i++) column_of[i] = (int)i;
    fw_table_reading how = {.schema = s->schema,
                            .column_of = column_of,
                            .missing = (const char *const *)missing->v,
                            .n_missing = missing->n,
                            .codes = FW_TABLE_GROW,
                            .skip_bad_rows = true};
    FW_AUTO(fw_block) *block = NULL;
    FW_TRY(fw_block_create(&block, s->schema, 1024, err));
    fw_status status = FW_OK;
    while (s->rows < COORD_SURVEY_ROWS) {
        uint64_t chunk, records;
        fw_block_clear(block);
        status = fw_table_read(t, &how, block, &chunk, &records, err);
        FW_TRY(status);
        if (status == FW_END) break;
        FW_TRY(note_block(s, block, err));
    }
    s->all = status == FW_END;
    s->bad = fw_table_n_bad(t);
    return s->rows > 0 ? FW_OK : fw_fail(err, FW_ERR_DATA, "init: no row of %s could be read", fw_table_path(t));
}

/** What the default of data.missing is, from the one table of keys. */
static fw_status defaults(fw_project **out, fw_error *err)
{
    return fw_project_parse(out, "{project: p, problem: {task: regression, target: y}, data: {tables: {t: t}}}", "defaults", ".", err);
}

fw_status coord_survey_create(coord_survey **out, const char *path, const coord_table_form *form, const char *target, fw_error *err)
{
    FW_AUTO(coord_survey) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "init: survey");
    FW_AUTO(fw_project) *p = NULL;
    FW_AUTO(fw_table) *t = NULL;
    FW_TRY(defaults(&p, err));
    s->form = *form;
    FW_TRY(coord_table_form_open(&t, &s->form, path, err));
    FW_TRY(make_schema(s, t, &p->data.missing, target, err));
    FW_TRY(look(s, t, &p->data.missing, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

/* ---- what follows from it --------------------------------------------------------------------------------------------------------------- */

static size_t distinct(const coord_survey *s, size_t i)
{
    const fw_column *c = &s->schema->columns[i];
    return fw_dict_size(c->dict != NULL ? c->dict : s->columns[i].values);
}

static bool is_classification(const coord_survey *s)
{
    const fw_column *target = &s->schema->columns[s->target];
    if (target->type == FW_CATEGORY || target->type == FW_TEXT) return true;
    return target->type == FW_NUMBER && s->columns[s->target].whole && distinct(s, (size_t)s->target) <= FEW_CLASSES;
}

/** Why a column is of no use as a feature, or NULL. */
static const char *useless(const coord_survey *s, size_t i)
{
    const seen *c = &s->columns[i];
    uint64_t present = s->rows - c->missing;
    if (present == 0) return "no value at all";
    if (distinct(s, i) == 1 && c->missing == 0) return "the same value in every row";
    switch (s->schema->columns[i].type) {
    case FW_NUMBER:
        return c->whole && c->ascending && present == s->rows && s->rows > 2 ? "counts the rows: an id says nothing about new rows" : NULL;
    case FW_TEXT:
        return distinct(s, i) == present ? "all values differ: an id or free text; this version makes no features of text"
                                         : "text with many values: this version makes no features of text";
    case FW_TIME: return "a time: this version makes no features of times";
    case FW_CATEGORY: return distinct(s, i) == present && s->rows > 20 ? "all values differ: an id says nothing about new rows" : NULL;
    case FW_IMAGE: return NULL;
    }
    return NULL;
}

static void add_short(fw_text *out, const char *value)
{
    size_t len = strlen(value), keep = len > 24 ? fw_utf8_valid(value, 24) : len;
    fw_text_add(out, "'");
    for (size_t i = 0; i < keep; i++) fw_text_add_bytes(out, (unsigned char)value[i] < ' ' || value[i] == 0x7f ? " " : value + i, 1);
    fw_text_add(out, keep < len ? "...'" : "'");
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/** "12 values: 'a', 'b', ...; 3.1 % missing" */
static void describe(fw_text *out, const coord_survey *s, size_t i)
{
    const fw_column *column = &s->schema->columns[i];
    const seen *c = &s->columns[i];
    const fw_dict *values = column->dict != NULL ? column->dict : c->values;
    if (column->type == FW_NUMBER && c->missing < s->rows) {
        char low[FW_NUMBER_TEXT], high[FW_NUMBER_TEXT];
        fw_format_double(low, c->min);
        fw_format_double(high, c->max);
        fw_text_format(out, "%s to %s, %zu%s value%s", low, high, distinct(s, i), c->capped ? " or more" : "", plural(distinct(s, i)));
    } else if (column->type == FW_CATEGORY || column->type == FW_TEXT) {
        fw_text_format(out, "%zu%s value%s: ", distinct(s, i), c->capped ? " or more" : "", plural(distinct(s, i)));
        for (size_t k = 0; k < distinct(s, i) && k < EXAMPLES; k++) {
            if (k > 0) fw_text_add(out, ", ");
            add_short(out, fw_dict_text(values, (int32_t)k, NULL));
        }
        if (distinct(s, i) > EXAMPLES) fw_text_add(out, ", ...");
    } else {
        fw_text_add(out, fw_column_type_name(column->type));
    }
    if (c->missing > 0) fw_text_format(out, "; %.1f %% missing", 100.0 * (double)c->missing / (double)s->rows);
}

/* ---- the project file ------------------------------------------------------------------------------------------------------------------- */

static double largest_share(const coord_survey *s)
{
    uint64_t largest = 0, all = 0;
    for (size_t k = 0; k < s->n_classes; k++) {
        largest = FW_MAX(largest, s->class_rows[k]);
        all += s->class_rows[k];
    }
    return all > 0 ? (double)largest / (double)all : 0;
}

/** Blanks up to the column where the remarks begin; at least two. `start`: where the line begins. */
static void add_remark(fw_text *out, size_t start, const char *remark)
{
    size_t width = 0;
    for (size_t i = start; i < out->len; i++) width += ((unsigned char)out->data[i] & 0xc0) != 0x80;
    fw_text_format(out, "%*s# %s", (int)(width < REMARKS_AT - 1 ? REMARKS_AT - width : 2), "", remark);
}

/** A line and its remark, both as they are. */
static void add_line(fw_text *out, const char *line, const char *remark)
{
    size_t start = out->len;
    fw_text_add(out, line);
    add_remark(out, start, remark);
    fw_text_add(out, "\n");
}

static void add_task(fw_text *out, const coord_survey *s)
{
    size_t start = out->len, values = distinct(s, (size_t)s->target);
    bool number = s->schema->columns[s->target].type == FW_NUMBER, classes = is_classification(s);
    fw_text_format(out, "  task: %s", classes ? "classification" : "regression");
    add_remark(out, start, "");
    if (!number) fw_text_add(out, "the target is no number");
    else if (classes) fw_text_format(out, "%zu whole number%s are taken for classes; an amount? then regression, with gates such as r2", values, plural(values));
    else fw_text_format(out, "the target is a number of %zu%s values", values, s->columns[s->target].capped ? " or more" : "");
    fw_text_add(out, "\n");
    start = out->len;
    fw_text_add(out, "  target: ");
    fw_yaml_text(out, s->schema->columns[s->target].name);
    add_remark(out, start, "");
    describe(out, s, (size_t)s->target);
    fw_text_add(out, "\n");
}

/** Of two classes the last in sorted order is the positive one: said by name, ready to be changed. */
static void add_positive(fw_text *out, const coord_survey *s)
{
    const seen *c = &s->columns[s->target];
    const fw_dict *values = s->schema->columns[s->target].dict != NULL ? s->schema->columns[s->target].dict : c->values;
    const char *a = fw_dict_text(values, 0, NULL), *b = fw_dict_text(values, 1, NULL);
    size_t start = out->len;
    fw_text_add(out, "  # positive: ");
    fw_yaml_text(out, strcmp(a, b) > 0 ? a : b);
    add_remark(out, start, "the class that auc, precision and recall speak of; default: the last in sorted order\n");
}

static void add_problem(fw_text *out, const coord_survey *s)
{
    add_line(out, "problem:", "the goal as a machine-learning problem");
    add_task(out, s);
    if (!is_classification(s)) {
        add_line(out, "  success: {r2: \">= 0.3\"}", "gates on the test split; 0 is what the mean alone reaches\n");
        return;
    }
    if (distinct(s, (size_t)s->target) == 2) add_positive(out, s);
    double base = largest_share(s);
    char gate[FW_NUMBER_TEXT];
    size_t start = out->len;
    fw_format_double(gate, floor(100 * (base + 0.1 * (1 - base))) / 100);
    fw_text_format(out, "  success: {accuracy: \">= %s\"}", base > 0 ? gate : "0.5");
    add_remark(out, start, "gates on the test split");
    if (base > 0) fw_text_format(out, "; always saying the largest class reaches %.3f", base);
    fw_text_add(out, "\n\n");
}

/** How the table is written, where that is not the default, behind its path. */
static void add_form(fw_text *out, const coord_survey *s)
{
    if (s->form.delimiter != 0) fw_text_format(out, ", delimiter: %s", s->form.delimiter == '\t' ? "tab" : (char[]){'"', s->form.delimiter, '"', '\0'});
    if (!s->form.no_header) return;
    fw_text_add(out, ", header: false,\n            columns: [");
    for (size_t i = 0, start = out->len - 22; i < s->schema->n_columns; i++) {
        bool full = out->len - start > 115;
        if (i > 0) fw_text_add(out, full ? ",\n                      " : ", ");
        if (full) start = out->len - 22;
        fw_yaml_text(out, s->schema->columns[i].name);
    }
    fw_text_add(out, "]");
}

static void add_table(fw_text *out, const coord_survey *s, const char *path)
{
    bool map = s->form.delimiter != 0 || s->form.no_header;
    size_t start = out->len;
    fw_text_add(out, map ? "    table: {path: " : "    table: ");
    fw_yaml_text(out, path);
    if (map) add_form(out, s);
    fw_text_add(out, map ? "}" : "");
    add_remark(out, start, "");
    fw_text_format(out, "%llu row%s%s, %zu column%s", (unsigned long long)s->rows, plural(s->rows), s->all ? "" : " looked at", s->schema->n_columns,
                   plural(s->schema->n_columns));
    if (s->bad > 0) fw_text_format(out, "; %llu row%s could not be read", (unsigned long long)s->bad, plural(s->bad));
    fw_text_add(out, "\n");
}

static void add_split(fw_text *out, const coord_survey *s)
{
    size_t start = out->len, time = 0;
    while (time < s->schema->n_columns && s->schema->columns[time].type != FW_TIME) time++;
    fw_text_format(out, "  split: {train: 0.8, validation: 0.1, test: 0.1, by: random%s, seed: 1}", is_classification(s) ? ", stratify: true" : "");
    add_remark(out, start, "by: random | time | group | given");
    if (time < s->schema->n_columns) {
        fw_text_add(out, "; to judge on the latest rows: by: time, column: ");
        fw_yaml_text(out, s->schema->columns[time].name);
    }
    fw_text_add(out, "\n\n");
}

static void add_data(fw_text *out, const coord_survey *s, const char *path)
{
    add_line(out, "data:", "collection, cleaning");
    fw_text_add(out, "  tables:\n");
    add_table(out, s, path);
    add_line(out, "  # missing: [\"\", \"?\", NA]", "texts that stand for no value; these and a few more are the default");
    add_line(out, "  # private: [name, phone]", "columns that are never stored and never published");
    add_line(out, "  # id: customer_id", "column carried through to the output of score");
    bool no_target = s->columns[s->target].missing > 0;
    add_line(out, s->bad > 0 || no_target ? "  bad_rows: skip" : "  bad_rows: error",
             no_target ? "error | skip (count and list the first ones): some rows have no target" : "error | skip (count and list the first ones)");
    add_split(out, s);
}

static void add_features(fw_text *out, const coord_survey *s)
{
    add_line(out, "features:", "types were inferred: correct them here; `ignore` leaves a column out");
    bool any = false;
    for (size_t i = 0; i < s->schema->n_columns; i++) {
        if ((int)i == s->target) continue;
        const fw_column *c = &s->schema->columns[i];
        const char *reason = useless(s, i);
        size_t start = out->len;
        fw_text_add(out, "  ");
        fw_yaml_text(out, c->name);
        fw_text_format(out, ": %s", reason != NULL ? "ignore" : fw_column_type_name(c->type));
        add_remark(out, start, "");
        describe(out, s, i);
        if (reason != NULL) fw_text_format(out, "; %s", reason);
        fw_text_add(out, "\n");
        any = any || reason == NULL;
    }
    if (!any) add_line(out, "  \"*\": auto", "no column looked useful: choose some above");
    add_line(out, "  # NAME: {type: number, missing: median, clip: [0.01, 0.99], log1p: false, scale: standard}", "missing: mean | median | error | {constant: 0}");
    add_line(out, "  # NAME: {type: category, missing: own, encoding: one_hot, unseen: other, min_count: 1}", "encoding: one_hot | ordinal\n");
}

static void add_model(fw_text *out, const coord_survey *s)
{
    bool small = s->all && s->rows < 5000, classes = is_classification(s);
    add_line(out, small ? "model: {learner: mlp, hidden: [32]}" : "model: {learner: mlp, hidden: [64, 32]}", "learner: linear | mlp\n");
    add_line(out, "train:", "the same bits on any number of ranks");
    fw_text_format(out, "  epochs: %d\n", small ? 60 : 40);
    add_line(out, small ? "  global_batch_size: 32" : "  global_batch_size: 256", "rows a step over all ranks");
    add_line(out, "  optimizer: adam", "sgd | adam | adamw");
    add_line(out, "  learning_rate: 0.001", "flywheel train FILE --find-learning-rate suggests one");
    fw_text_add(out, "  seed: 1\n");
    add_line(out, classes ? "  early_stopping: {metric: log_loss, patience: 5}" : "  early_stopping: {metric: rmse, patience: 5}",
             "rounds without a better value on the validation split");
    add_line(out, "  checkpoint: {every: 60 s}", "a killed run goes on from here, on any number of ranks\n");
    if (classes) {
        fw_text_add(out, "# evaluate:\n");
        add_line(out, "#   fairness: {attributes: [sex], max_difference: 0.10}", "columns whose values are groups to be served alike\n");
    }
    fw_text_add(out, "# monitor:\n");
    add_line(out, "#   bus: tcp://127.0.0.1:5555", "where train and score publish; flywheel watch listens");
    fw_text_add(out, "#   window: 1000\n");
}

void coord_survey_project(fw_text *out, const coord_survey *s, const char *name, const char *table_path)
{
    fw_text_add(out, "# Written by `flywheel init`; every guess is a line with its reason. All keys: flywheel check --keys\n\nproject: ");
    fw_yaml_text(out, name);
    fw_text_add(out, "\n\n");
    add_line(out, "# goal:", "business goal: what is to become better, and how the business will see it; the model card shows it");
    fw_text_add(out, "#   statement: Call the customers who would leave before they do.\n"
                     "#   kpi: {name: churn_rate, direction: minimize, baseline: 0.12, target: 0.08}\n\n");
    add_problem(out, s);
    add_data(out, s, table_path);
    add_features(out, s);
    add_model(out, s);
}
