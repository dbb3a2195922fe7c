/** flywheel diff: are two models, runs or datasets the same bits, and if not, what differs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/data/dataset.h"
#include "common/model/model.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/diff_reference.h"
#include "coordinator/commands/thing.h"
#include "coordinator/commands/yaml_lines.h"

#define ALL_DIGITS 17

/* What differs, as a description: each group is a list of rows {what: ..., a: ..., b: ...}; a group without rows is left out. */
typedef struct differences { json_t *found; } differences;

static void add_group(differences *d, const char *name, json_t *rows)
{
    if (json_array_size(rows) > 0) json_object_set_new(d->found, name, rows);
    else json_decref(rows);
}

/* Steals a and b; NULL is shown as absent. */
static void add_row(json_t *rows, const char *key, const char *name, json_t *a, json_t *b)
{
    if (a == NULL) a = json_null();
    if (b == NULL) b = json_null();
    if (json_equal(a, b)) {
        json_decref(a);
        json_decref(b);
        return;
    }
    json_array_append_new(rows, json_pack("{s:s, s:o, s:o}", key, name, "a", a, "b", b));
}

/* Said when nothing was found beyond the `known` members, though the digests differ. */
static void note_if_alone(differences *d, size_t known, const char *text)
{
    if (json_object_size(d->found) == known) json_object_set_new(d->found, "note", json_string(text));
}

/* ---- the project file ------------------------------------------------------------------------------------------------------------------- */

static fw_status compare_projects(differences *d, const char *a, const char *b, fw_error *err)
{
    FW_AUTO(coord_yaml_lines) *x = NULL, *y = NULL;
    FW_TRY(coord_yaml_lines_create(&x, a, err));
    FW_TRY(coord_yaml_lines_create(&y, b, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < coord_yaml_lines_n(x); i++) {
        const char *key = coord_yaml_lines_key(x, i), *other = coord_yaml_lines_find(y, key);
        add_row(rows, "key", key, json_string(coord_yaml_lines_value(x, i)), other != NULL ? json_string(other) : NULL);
    }
    for (size_t i = 0; i < coord_yaml_lines_n(y); i++) {
        const char *key = coord_yaml_lines_key(y, i);
        if (coord_yaml_lines_find(x, key) == NULL) add_row(rows, "key", key, NULL, json_string(coord_yaml_lines_value(y, i)));
    }
    add_group(d, "project", rows);
    return FW_OK;
}

/* ---- schema and features ---------------------------------------------------------------------------------------------------------------- */

static bool same_dict(const fw_dict *a, const fw_dict *b)
{
    if (a == NULL || b == NULL || fw_dict_size(a) != fw_dict_size(b)) return a == b;
    for (size_t i = 0; i < fw_dict_size(a); i++)
        if (strcmp(fw_dict_text(a, (int32_t)i, NULL), fw_dict_text(b, (int32_t)i, NULL)) != 0) return false;
    return true;
}

static json_t *column_text(const fw_schema *s, int at, bool other_categories)
{
    if (at < 0) return NULL;
    const fw_column *c = &s->columns[at];
    const char *role = at == s->target ? ", the target" : "", *other = other_categories ? ", other ones" : "";
    if (c->dict != NULL) return json_sprintf("%s of %zu%s%s", fw_column_type_name(c->type), fw_dict_size(c->dict), other, role);
    if (c->type == FW_IMAGE) return json_sprintf("image %u x %u x %u%s", c->height, c->width, c->channels, role);
    return json_sprintf("%s%s", fw_column_type_name(c->type), role);
}

static void compare_schemas(differences *d, const fw_schema *a, const fw_schema *b)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < a->n_columns; i++) {
        const int at = fw_schema_find(b, a->columns[i].name);
        const bool other = at >= 0 && !same_dict(a->columns[i].dict, b->columns[at].dict);
        add_row(rows, "column", a->columns[i].name, column_text(a, (int)i, false), column_text(b, at, other));
    }
    for (size_t i = 0; i < b->n_columns; i++)
        if (fw_schema_find(a, b->columns[i].name) < 0) add_row(rows, "column", b->columns[i].name, NULL, column_text(b, (int)i, false));
    add_group(d, "schema", rows);
}

static const json_t *input_of(const json_t *inputs, const char *column)
{
    size_t i = 0;
    json_t *input = NULL;
    json_array_foreach((json_t *)inputs, i, input)
        if (fw_text_equal(json_string_value(json_object_get(input, "column")), column)) return input;
    return NULL;
}

/* Both sides' settings of one column that differ: "transform", "shift", ... */
static void compare_inputs(json_t *rows, const char *column, const json_t *a, const json_t *b)
{
    const json_t *x = json_object_get(a, "parameters"), *y = json_object_get(b, "parameters");
    const char *name = NULL;
    json_t *v = NULL;
    if (b == NULL || !json_equal(json_object_get(a, "transform"), json_object_get(b, "transform"))) {
        add_row(rows, "column", column, json_incref(json_object_get(a, "transform")), json_incref(json_object_get(b, "transform")));
        return;
    }
    json_object_foreach((json_t *)x, name, v) {
        if (json_equal(v, json_object_get(y, name))) continue;
        FW_AUTO(fw_text) left = {0}, right = {0};
        fw_text_format(&left, "%s=", name);
        fw_text_format(&right, "%s=", name);
        coord_description_value(&left, v, ALL_DIGITS);
        if (json_object_get(y, name) != NULL) coord_description_value(&right, json_object_get(y, name), ALL_DIGITS);
        if (fw_text_equal(left.data, right.data)) fw_text_add(&right, ", other ones");
        add_row(rows, "column", column, json_string(left.data != NULL ? left.data : ""), json_string(right.data != NULL ? right.data : ""));
    }
}

static fw_status compare_features(differences *d, const fw_model *a, const fw_model *b, fw_error *err)
{
    json_t *x = NULL, *y = NULL, *rows = json_array(), *input = NULL;
    size_t i = 0;
    fw_status status = fw_pipeline_to_json(&x, a->pipeline, err);
    if (status == FW_OK) status = fw_pipeline_to_json(&y, b->pipeline, err);
    json_array_foreach(json_object_get(x, "inputs"), i, input) {
        const char *column = json_string_value(json_object_get(input, "column"));
        compare_inputs(rows, column, input, input_of(json_object_get(y, "inputs"), column));
    }
    json_array_foreach(json_object_get(y, "inputs"), i, input) {
        const char *column = json_string_value(json_object_get(input, "column"));
        if (input_of(json_object_get(x, "inputs"), column) == NULL)
            add_row(rows, "column", column, NULL, json_incref(json_object_get(input, "transform")));
    }
    add_group(d, "features", rows);
    json_decref(x);
    json_decref(y);
    return status;
}

/* ---- models ----------------------------------------------------------------------------------------------------------------------------- */

static void compare_facts(differences *d, const fw_model *a, const fw_model *b)
{
    json_t *rows = json_array();
    add_row(rows, "fact", "name", json_string(a->name), json_string(b->name));
    add_row(rows, "fact", "learner", json_string(a->learner), json_string(b->learner));
    add_row(rows, "fact", "dataset", json_string(a->dataset_digest), json_string(b->dataset_digest));
    add_row(rows, "fact", "train rows", json_integer((json_int_t)a->train_rows), json_integer((json_int_t)b->train_rows));
    add_row(rows, "fact", "seed", json_integer((json_int_t)a->seed), json_integer((json_int_t)b->seed));
    add_row(rows, "fact", "rounds", json_integer((json_int_t)a->rounds), json_integer((json_int_t)b->rounds));
    add_row(rows, "fact", "steps", json_integer((json_int_t)a->steps), json_integer((json_int_t)b->steps));
    add_row(rows, "fact", "program", json_string(a->program_version), json_string(b->program_version));
    add_row(rows, "fact", "target mean", json_real(a->target_mean), json_real(b->target_mean));
    add_row(rows, "fact", "target scale", json_real(a->target_scale), json_real(b->target_scale));
    add_group(d, "facts", rows);
}

static const double *metric_of(const fw_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_metrics; i++)
        if (strcmp(m->metrics[i].name, name) == 0) return &m->metrics[i].value;
    return NULL;
}

static void compare_metrics(differences *d, const fw_model *a, const fw_model *b)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < a->n_metrics; i++) {
        const double *other = metric_of(b, a->metrics[i].name);
        add_row(rows, "metric", a->metrics[i].name, json_real(a->metrics[i].value), other != NULL ? json_real(*other) : NULL);
    }
    for (size_t i = 0; i < b->n_metrics; i++)
        if (metric_of(a, b->metrics[i].name) == NULL) add_row(rows, "metric", b->metrics[i].name, NULL, json_real(b->metrics[i].value));
    add_group(d, "metrics", rows);
}

/* n weights of one array in both models: how many have other bits, and by how much at most. */
static void compare_array(json_t *rows, size_t layer, const char *name, const float *a, const float *b, size_t n)
{
    size_t different = 0;
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        different += memcmp(&a[i], &b[i], sizeof a[i]) != 0;
        largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    }
    if (different == 0) return;
    json_array_append_new(rows, json_pack("{s:o, s:I, s:I, s:f}", "weights", json_sprintf("layer %zu %s", layer, name), "values", (json_int_t)n,
                                          "different", (json_int_t)different, "largest_difference", largest));
}

static json_t *shape_text(const fw_dense *net, size_t l)
{
    return l < net->n_layers ? json_sprintf("%zu x %zu, %s", net->layers[l].in, net->layers[l].out, fw_activation_name(net->layers[l].activation)) : NULL;
}

static void compare_weights(differences *d, const fw_model *a, const fw_model *b)
{
    json_t *shapes = json_array(), *rows = json_array();
    for (size_t l = 0; l < FW_MAX(a->net.n_layers, b->net.n_layers); l++) {
        char name[32];
        snprintf(name, sizeof name, "layer %zu", l);
        add_row(shapes, "layer", name, shape_text(&a->net, l), shape_text(&b->net, l));
        if (l >= a->net.n_layers || l >= b->net.n_layers) continue;
        const fw_dense_layer *x = &a->net.layers[l], *y = &b->net.layers[l];
        if (x->in != y->in || x->out != y->out) continue;
        compare_array(rows, l, "W", a->params + x->w_at, b->params + y->w_at, x->in * x->out);
        compare_array(rows, l, "b", a->params + x->b_at, b->params + y->b_at, x->out);
    }
    add_group(d, "layers", shapes);
    add_group(d, "weights", rows);
}

static fw_status compare_models(differences *d, const char *path_a, const char *path_b, fw_error *err)
{
    FW_AUTO(fw_model) *a = NULL, *b = NULL;
    FW_TRY(fw_model_load(&a, path_a, err));
    FW_TRY(fw_model_load(&b, path_b, err));
    const bool equal = strcmp(a->digest, b->digest) == 0;
    json_object_set_new(d->found, "equal", json_boolean(equal));
    if (equal) {
        json_object_set_new(d->found, "digest", json_string(a->digest));
        return FW_OK;
    }
    json_object_set_new(d->found, "digest_a", json_string(a->digest));
    json_object_set_new(d->found, "digest_b", json_string(b->digest));
    const size_t known = json_object_size(d->found);
    compare_facts(d, a, b);
    FW_TRY(compare_projects(d, a->project_yaml, b->project_yaml, err));
    compare_schemas(d, a->schema, b->schema);
    FW_TRY(compare_features(d, a, b, err));
    compare_metrics(d, a, b);
    add_group(d, "reference", coord_diff_reference(a->reference, b->reference));
    compare_weights(d, a, b);
    note_if_alone(d, known, "only the sample rows kept in the models differ");
    return FW_OK;
}

/* ---- datasets --------------------------------------------------------------------------------------------------------------------------- */

static void compare_rows(differences *d, const fw_dataset *a, const fw_dataset *b)
{
    json_t *rows = json_array();
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++)
        add_row(rows, "split", fw_split_name(s), json_integer((json_int_t)fw_dataset_rows(a, s)), json_integer((json_int_t)fw_dataset_rows(b, s)));
    add_group(d, "rows", rows);
}

static void compare_stats(differences *d, const fw_dataset *a, const fw_dataset *b)
{
    json_t *rows = json_array();
    const fw_schema *schema = fw_dataset_schema(a);
    for (size_t i = 0; i < schema->n_columns; i++) {
        const char *name = schema->columns[i].name;
        const int at = fw_schema_find(fw_dataset_schema(b), name);
        if (at < 0) continue;
        const fw_column_stats *x = &fw_dataset_stats(a)[i], *y = &fw_dataset_stats(b)[at];
        const struct { const char *what; double a, b; } figures[] = {
            {"missing", (double)x->missing, (double)y->missing}, {"distinct", (double)x->distinct, (double)y->distinct}, {"min", x->min, y->min},
            {"max", x->max, y->max}, {"mean", x->mean, y->mean}, {"stddev", x->stddev, y->stddev}};
        for (size_t k = 0; k < sizeof figures / sizeof figures[0]; k++)
            if (figures[k].a < figures[k].b || figures[k].a > figures[k].b)
                json_array_append_new(
                    rows, json_pack("{s:s, s:s, s:f, s:f}", "column", name, "figure", figures[k].what, "a", figures[k].a, "b", figures[k].b));
    }
    add_group(d, "statistics", rows);
}

static const char *source_digest(const json_t *sources, size_t i) { return json_string_value(json_object_get(json_array_get(sources, i), "digest")); }

static void compare_sources(differences *d, const fw_dataset *a, const fw_dataset *b)
{
    const json_t *x = json_object_get(fw_dataset_manifest(a), "sources"), *y = json_object_get(fw_dataset_manifest(b), "sources");
    json_t *rows = json_array();
    for (size_t i = 0; i < FW_MAX(json_array_size(x), json_array_size(y)); i++) {
        const json_t *named = i < json_array_size(x) ? json_array_get(x, i) : json_array_get(y, i);
        const char *table = json_string_value(json_object_get(named, "table"));
        const char *left = source_digest(x, i), *right = source_digest(y, i);
        add_row(rows, "source", table != NULL ? table : "?", left != NULL ? json_string(left) : NULL, right != NULL ? json_string(right) : NULL);
    }
    add_group(d, "sources", rows);
}

static fw_status compare_datasets(differences *d, const char *path_a, const char *path_b, fw_error *err)
{
    FW_AUTO(fw_dataset) *a = NULL, *b = NULL;
    FW_TRY(fw_dataset_open(&a, path_a, err));
    FW_TRY(fw_dataset_open(&b, path_b, err));
    const char *x = fw_dataset_digest(a), *y = fw_dataset_digest(b);
    const bool equal = strcmp(x, y) == 0;
    json_object_set_new(d->found, "equal", json_boolean(equal));
    if (equal) {
        json_object_set_new(d->found, "digest", json_string(x));
        return FW_OK;
    }
    json_object_set_new(d->found, "digest_a", json_string(x));
    json_object_set_new(d->found, "digest_b", json_string(y));
    const size_t known = json_object_size(d->found);
    compare_rows(d, a, b);
    FW_TRY(compare_projects(d, fw_dataset_resolved(a), fw_dataset_resolved(b), err));
    compare_schemas(d, fw_dataset_schema(a), fw_dataset_schema(b));
    compare_stats(d, a, b);
    compare_sources(d, a, b);
    note_if_alone(d, known, "settings, columns and their statistics are the same; the rows differ");
    return FW_OK;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------------ */

static fw_status compare(differences *d, const char *given_a, const char *given_b, fw_error *err)
{
    coord_thing a, b;
    FW_FREE char *path_a = NULL, *path_b = NULL;
    FW_TRY(coord_thing_find(&a, &path_a, given_a, err));
    FW_TRY(coord_thing_find(&b, &path_b, given_b, err));
    if (a != b)
        return fw_fail(err, FW_ERR_CONFIG, "%s is a %s and %s a %s: name two of one kind", path_a, coord_thing_name(a), path_b, coord_thing_name(b));
    if (a == COORD_CHECKPOINT)
        return fw_fail(err, FW_ERR_CONFIG,
                       "%s: checkpoints are not compared, models are: let the training finish with `flywheel train --resume auto`", path_a);
    json_object_set_new(d->found, "what", json_string(coord_thing_name(a)));
    json_object_set_new(d->found, "a", json_string(given_a));
    json_object_set_new(d->found, "b", json_string(given_b));
    return a == COORD_MODEL ? compare_models(d, path_a, path_b, err) : compare_datasets(d, path_a, path_b, err);
}

static fw_status show(const differences *d, int format, const char *a, const char *b, fw_error *err)
{
    const bool equal = json_is_true(json_object_get(d->found, "equal"));
    if (format == 1) FW_TRY(coord_description_print_json(stdout, d->found, err));
    else if (equal && printf("equal: %s\n", json_string_value(json_object_get(d->found, "digest"))) < 0)
        return fw_fail_errno(err, FW_ERR_IO, "standard output");
    else if (!equal) FW_TRY(coord_description_print(stdout, d->found, ALL_DIGITS, err));
    return equal ? FW_OK : fw_fail(err, FW_ERR_CHECK, "%s and %s differ", a, b);
}

static fw_status run(coord_call *call, fw_error *err)
{
    static const char *const formats[] = {"table", "json"};
    int format = 0;
    FW_TRY(coord_option_choice(&format, call, "format", formats, 2, err));
    differences d = {.found = json_object()};
    if (d.found == NULL) return fw_fail(err, FW_ERR_NOMEM, "diff");
    fw_status status = compare(&d, call->positional[0], call->positional[1], err);
    if (status == FW_OK) status = show(&d, format, call->positional[0], call->positional[1], err);
    json_decref(d.found);
    return status;
}

static const coord_option options[] = {
    {"format", 0, "table|json", "text for people, or one JSON object"},
};

const coord_command coord_command_diff = {
    .name = "diff",
    .arguments = "A B",
    .summary = "compare two models, runs or datasets; are they the same bits",
    .description = "A and B are models, run folders, or datasets. Exit 0 with one line when they are equal to the bit; else exit 3 with what differs:\n"
                   "settings, data, features, metrics, reference, weights.\n"
                   "\n"
                   "  flywheel diff runs/latest models/skill/3/model.h5\n"
                   "  flywheel diff monday.dataset.h5 tuesday.dataset.h5 --format json\n",
    .min_positional = 2,
    .max_positional = 2,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
