/** flywheel check: the project file and what it names, with all that is wrong at once, and what would be done. No work is done. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/table.h"
#include "coordinator/commands/check_search.h"
#include "coordinator/commands/command.h"

#define LOOK_INTO_BYTES ((uint64_t)64 << 20)     /* larger tables are left to ingest, which reads them in parallel */

/* ---- what is wrong ---------------------------------------------------------------------------------------------------------------------- */

typedef struct findings {
    const fw_project *p;
    fw_text errors;            /* a line each */
    size_t more;               /* that had no room */
    uint64_t bytes, unpacked;  /* of all tables, as they lie there and as text */
    bool looked;               /* the columns of at least one table are known and were compared */
} findings;

#define ROOM_BYTES 1400        /* of what an fw_error holds: the rest is for what fw_project_available says */

static void add_line(findings *f, const char *key, const char *text)
{
    if (f->errors.len > ROOM_BYTES) {
        f->more++;
        return;
    }
    FW_FREE char *place = fw_project_place(f->p, key);
    fw_text_format(&f->errors, "%s%s: %s: %s", f->errors.len > 0 ? "\n" : "", place != NULL ? place : "", key, text);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/** Size of a file that can be read; 0 and a finding when it can't. */
static uint64_t readable_bytes(findings *f, const char *key, const char *name)
{
    FW_FREE char *path = NULL;
    fw_error why = {0};
    uint64_t bytes = 0;
    FW_AUTO(fw_text) text = {0};
    if (fw_path_join(&path, f->p->dir, name, &why) < 0) fw_text_add(&text, why.text);
    else if (fw_path_is_dir(path)) fw_text_format(&text, "%s is a folder: name a file", path);
    else if (access(path, R_OK) != 0) fw_text_format(&text, "%s: %s; paths are relative to the project file", path, strerror(errno));
    else if (fw_file_size(&bytes, path, &why) < 0) fw_text_add(&text, why.text);
    else if (bytes == 0) fw_text_format(&text, "%s is empty", path);
    if (text.len > 0) add_line(f, key, text.data);
    bool packed = ends_with(name, ".gz") || ends_with(name, ".zst");
    f->bytes += bytes;
    f->unpacked += bytes * (packed ? 5 : 1);
    return packed ? 0 : bytes;
}

static void must_be_column(findings *f, const fw_table *t, const char *key, const char *name)
{
    size_t n = fw_table_n_columns(t);
    FW_FREE const char **names = calloc(n + 1, sizeof *names);
    if (names == NULL) return;
    for (size_t i = 0; i < n; i++) {
        names[i] = fw_table_column_name(t, i);
        if (strcmp(names[i], name) == 0) return;
    }
    const char *near = fw_did_you_mean(name, names, n);
    FW_AUTO(fw_text) text = {0};
    fw_text_format(&text, "'%s' is no column of %s%s%s%s", name, fw_table_path(t), near != NULL ? ", did you mean '" : "", near != NULL ? near : "",
                   near != NULL ? "'?" : "");
    add_line(f, key, text.data != NULL ? text.data : "");
}

static void must_be_columns(findings *f, const fw_table *t, const char *key, const fw_strings *names)
{
    for (size_t i = 0; i < names->n; i++) must_be_column(f, t, key, names->v[i]);
}

/** Every column that the project file names. */
static void compare_columns(findings *f, const fw_table *t)
{
    const fw_project *p = f->p;
    f->looked = true;
    if (p->problem.target != NULL) must_be_column(f, t, "problem.target", p->problem.target);
    if (p->data.id != NULL) must_be_column(f, t, "data.id", p->data.id);
    if (p->data.split.column != NULL) must_be_column(f, t, "data.split.column", p->data.split.column);
    must_be_columns(f, t, "data.private", &p->data.private_columns);
    must_be_columns(f, t, "evaluate.fairness.attributes", &p->evaluate.fairness_attributes);
    for (size_t i = 0; i < p->features.n; i++) {
        FW_AUTO(fw_text) key = {0};
        fw_text_format(&key, "features.%s", p->features.v[i].column);
        if (strcmp(p->features.v[i].column, "*") != 0) must_be_column(f, t, key.data != NULL ? key.data : "features", p->features.v[i].column);
    }
    for (size_t i = 0; i < p->tune.space.n; i++)
        if (p->tune.space.v[i].column != NULL) must_be_column(f, t, "tune.space", p->tune.space.v[i].column);
}

static void check_table(findings *f, const fw_table_spec *t, bool compare)
{
    FW_AUTO(fw_text) key = {0};
    fw_text_format(&key, "data.tables.%s", t->name);
    if (fw_text_check(&key, NULL) < 0) return;
    if (t->path == NULL) {
        (void)readable_bytes(f, key.data, t->images);
        (void)readable_bytes(f, key.data, t->labels);
        return;
    }
    uint64_t bytes = readable_bytes(f, key.data, t->path);
    if (bytes == 0 || bytes > LOOK_INTO_BYTES) return;
    FW_AUTO(fw_table) *table = NULL;
    fw_error why = {0};
    if (fw_table_open(&table, t, f->p->dir, &fw_reduce_alone, &why) < 0) add_line(f, key.data, why.text);
    else if (compare) compare_columns(f, table);
}

static fw_status report(findings *f, fw_error *err)
{
    fw_error why = {0};
    if (fw_project_available(f->p, &why) < 0) fw_text_format(&f->errors, "%s%s", f->errors.len > 0 ? "\n" : "", why.text);
    coord_search_check(&f->errors, f->p);
    if (f->more > 0) fw_text_format(&f->errors, "\n... and %zu more errors", f->more);
    FW_TRY(fw_text_check(&f->errors, err));
    return f->errors.len > 0 ? fw_fail(err, FW_ERR_CONFIG, "%s", f->errors.data) : FW_OK;
}

/* ---- what would be done ----------------------------------------------------------------------------------------------------------------- */

static void bytes_text(char out[static 32], double bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    size_t i = 0;
    for (; bytes >= 1000 && i < 4; i++) bytes /= 1000;
    snprintf(out, 32, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

static void print_tables(const fw_project *p)
{
    for (size_t i = 0; i < p->data.n_tables; i++) {
        const fw_table_spec *t = &p->data.tables[i];
        const char *name = t->path != NULL ? t->path : t->images;
        FW_FREE char *path = NULL;
        uint64_t bytes = 0;
        char size[32];
        if (fw_path_join(&path, p->dir, name, NULL) == FW_OK) (void)fw_file_size(&bytes, path, NULL);
        bytes_text(size, (double)bytes);
        printf("%-12s%s: %s, %s%s\n", i == 0 ? "tables" : "", t->name, name, size, t->path == NULL ? " (pictures)" : "");
    }
}

/** "kindle merged from 3; 1 excluded" */
static void print_labels(const fw_project *p)
{
    printf("%-12s", "labels");
    for (size_t i = 0; i < p->data.labels.n_merge; i++)
        printf("%s%s merged from %zu", i > 0 ? ", " : "", p->data.labels.merge[i].into, p->data.labels.merge[i].from.n);
    if (p->data.labels.exclude.n > 0) printf("%s%zu excluded", p->data.labels.n_merge > 0 ? "; " : "", p->data.labels.exclude.n);
    printf("\n");
}

static void print_data(const fw_project *p)
{
    static const char *const by[] = {[FW_BY_RANDOM] = "random", [FW_BY_TIME] = "time", [FW_BY_GROUP] = "group", [FW_BY_GIVEN] = "given"};
    print_tables(p);
    if (p->data.labels.n_merge + p->data.labels.exclude.n > 0)
        print_labels(p);
    if (p->data.private_columns.n > 0) printf("%-12s%zu columns, never stored\n", "private", p->data.private_columns.n);
    if (p->data.split.by == FW_BY_GIVEN)
        printf("%-12sby table: %zu to train (%g of their rows for validation), %zu to test\n", "split", p->data.split.given_train.n,
               p->data.split.validation, p->data.split.given_test.n);
    else
        printf("%-12sby %s: train %g, validation %g, test %g%s, seed %llu\n", "split", by[p->data.split.by], p->data.split.train,
               p->data.split.validation, p->data.split.test, p->data.split.stratify ? ", stratified" : "", (unsigned long long)p->data.split.seed);
}

static void print_features(const fw_project *p)
{
    size_t count[FW_FEATURE_IMAGE + 1] = {0};
    for (size_t i = 0; i < p->features.n; i++)
        if (strcmp(p->features.v[i].column, "*") != 0) count[p->features.v[i].type]++;
    printf("%-12s", "features");
    const char *gap = "";
    for (int t = FW_FEATURE_AUTO; t <= FW_FEATURE_IMAGE; t++)
        if (count[t] > 0) {
            printf("%s%zu %s", gap, count[t], fw_feature_type_name((fw_feature_type)t));
            gap = ", ";
        }
    if (p->features_all) printf("%s%s", gap, *gap == '\0' ? "every column but the target" : "and every other column");
    printf("\n");
    if (count[FW_FEATURE_TEXT] + count[FW_FEATURE_TIME] > 0) printf("%-12stext and time columns are stored, and not yet made into features\n", "");
}

static void print_model(const fw_project *p)
{
    static const char *const optimizers[] = {[FW_SGD] = "sgd", [FW_ADAM] = "adam", [FW_ADAMW] = "adamw"};
    printf("%-12s%s", "model", p->model.learner);
    for (size_t i = 0; i < p->model.hidden.n; i++) printf("%s%zu", i == 0 ? " " : "-", p->model.hidden.v[i]);
    if (p->model.hidden.n > 0) printf(" %s", p->model.activation);
    printf("\n%-12s%llu epochs, global batch size %llu, %s, learning rate %g, seed %llu\n", "training", (unsigned long long)p->train.epochs,
           (unsigned long long)p->train.global_batch_size, optimizers[p->train.optimizer], p->train.learning_rate, (unsigned long long)p->train.seed);
    if (p->train.early_stopping.patience > 0)
        printf("%-12safter %llu rounds without a better %s\n", "stops", (unsigned long long)p->train.early_stopping.patience,
               p->train.early_stopping.metric);
}

static void print_summary(const findings *f)
{
    static const char *const signs[] = {[FW_AT_LEAST] = ">=", [FW_AT_MOST] = "<=", [FW_ABOVE] = ">", [FW_BELOW] = "<"};
    const fw_project *p = f->p;
    printf("%-12s%s\n", "project", p->project);
    printf("%-12s%s of %s\n", "task", p->problem.task == FW_TASK_REGRESSION ? "regression" : "classification", p->problem.target);
    print_data(p);
    print_features(p);
    print_model(p);
    for (size_t i = 0; i < p->problem.n_success; i++)
        printf("%-12s%s %s %g\n", i == 0 ? "gates" : "", p->problem.success[i].metric, signs[p->problem.success[i].op], p->problem.success[i].bound);
    coord_search_print(p);
    char dataset[32], chunks[32];
    bytes_text(dataset, 1.5 * (double)f->unpacked);
    bytes_text(chunks, 8.0 * FW_TABLE_CHUNK_BYTES);
    printf("%-12sdataset about %s on disk; ingest about %s of memory a rank, training at most %s shared by the ranks"
           " (from file sizes: rows are known after ingest)\n", "estimate", dataset, chunks, dataset);
    if (!f->looked) printf("%-12scolumns were not compared: the first table is large, packed or pictures; ingest compares them\n", "note");
    FW_FREE char *unused = fw_project_unused_sections(p);
    if (unused != NULL) printf("%-12snot used by this version: %s\n", "unused", unused);
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------------ */

static fw_status check_project(const coord_call *call, const fw_project *p, fw_error *err)
{
    findings f = {.p = p};
    for (size_t i = 0; i < p->data.n_tables; i++) check_table(&f, &p->data.tables[i], i == 0);
    bool values = coord_option_set(call, "print-defaults");      /* also of a project whose tables are elsewhere */
    fw_status s = values ? fw_project_print_defaults(stdout, p, err) : FW_OK;
    if (s >= 0) s = report(&f, err);
    if (s >= 0 && !values) print_summary(&f);
    fw_text_destroy(&f.errors);
    return s;
}

static fw_status run(coord_call *call, fw_error *err)
{
    const char *first = call->n_positional > 0 ? call->positional[0] : NULL;
    if (coord_option_set(call, "schema")) return fw_project_schema_json(stdout, err);
    if (coord_option_set(call, "keys")) return fw_project_print_keys(stdout, first, err);
    if (first == NULL) return fw_fail(err, FW_ERR_CONFIG, "check: which project file? usage: flywheel check FILE [key=value ...]");
    FW_AUTO(fw_project) *p = NULL;
    FW_TRY(fw_project_load(&p, first, call->overrides, call->n_overrides, err));
    return check_project(call, p, err);
}

static const coord_option options[] = {
    {"print-defaults", 0, NULL, "every key, its value and where it comes from (file and line, environment, command line, default)"},
    {"schema", 0, NULL, "the JSON Schema of project files, for editors; needs no FILE"},
    {"keys", 0, NULL, "the reference of all keys, or of one SECTION: flywheel check --keys train"},
};

const coord_command coord_command_check = {
    .name = "check",
    .arguments = "FILE [key=value ...]",
    .summary = "validate a project file: keys, values, tables, columns",
    .description = "Reports everything that is wrong at once, with its line, and says what the other commands would do. Does no work itself.\n"
                   "key=value overrides a key of the file, as everywhere; so does FLYWHEEL_TRAIN__EPOCHS=3 in the environment.\n"
                   "\n"
                   "  flywheel check callcenter.yaml\n"
                   "  flywheel check callcenter.yaml train.learning_rate=0.01 --print-defaults\n"
                   "  flywheel check --schema > flywheel.schema.json\n",
    .max_positional = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .run = run,
};
