/** The project file: good and bad files with the sentences they earn, overrides and their order, the resolved text, the parts, the schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/project/keys.h"
#include "common/project/project.h"
#include "tests/unit/scratch.h"

#define BASE "project: p\nproblem: {task: classification, target: y}\ndata:\n  tables: {a: a.csv}\n"

static fw_status parse(fw_project **p, const char *yaml, fw_error *err)
{
    return fw_project_parse(p, yaml, "p.yaml", ".", err);
}

static char *resolved(const fw_project *p)
{
    char *text = NULL;
    fw_error err;
    if (fw_project_resolved(&text, p, &err) < 0) fail_msg("%s", err.text);
    return text;
}

static fw_project *good(const char *yaml)
{
    fw_project *p = NULL;
    fw_error err = {0};
    if (parse(&p, yaml, &err) < 0) fail_msg("%s", err.text);
    return p;
}

/* ---- files that are refused, with what must be said (each line of `says` must be in the text) ---- */

static const struct bad { const char *yaml; const char *says[4]; } bad_files[] = {
    /* YAML */
    {"", {"p.yaml: the file is empty"}},
    {"# only a comment\n", {"the file is empty"}},
    {"- a\n- b\n", {"p.yaml:1:1: expected keys such as project: and data:, found a list"}},
    {"project: [a\n", {"p.yaml:2:1: not valid YAML"}},
    {"project: p\n\tx: 1\n", {"p.yaml:2:1: not valid YAML", "tabs can't indent"}},
    {"project: p\nproject: q\n", {"p.yaml:2:1: key 'project' stands twice, first in line 1"}},
    {"project: &a p\n", {"p.yaml:1:10: anchors"}},
    {"project: *a\n", {"p.yaml:1:10: aliases"}},
    {"project: !!str p\n", {"p.yaml:1:10: tags"}},
    {"project: p\n---\nproject: q\n", {"p.yaml:2:1: a second YAML document"}},
    {"project: \"a\\0b\"\n", {"NUL character"}},
    {"project: \xff\n", {"p.yaml:1:10: byte 0xff is not UTF-8"}},
    {"a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", {"nested deeper than 16 levels"}},
    {"? [a]\n: 1\n", {"a key must be a text"}},
    /* keys */
    {BASE "train: {learnin_rate: 0.1}\n", {"p.yaml:5:9: train.learnin_rate: unknown key, did you mean 'learning_rate'?"}},
    {BASE "epochs: 3\n", {"p.yaml:5:1: epochs: unknown key here, did you mean 'train.epochs'?"}},
    {BASE "zzzzzz: 3\n", {"p.yaml:5:1: zzzzzz: unknown key; possible here: project, goal, problem"}},
    {BASE "features: {age: {tipe: number}}\n", {"p.yaml:5:18: features.age.tipe: unknown key, did you mean 'type'?"}},
    {BASE "features: {x: [number]}\n", {"p.yaml:5:15: features.x: expected a value or a map, found a list"}},
    {BASE "tune: {sampler: tpe, trails: 3}\n", {"tune.trails: unknown key, did you mean 'trials'?"}},
    {BASE "tune: {space: [train.learning_rate]}\n", {"p.yaml:5:15: tune.space: expected a map of keys, e.g. {train.learning_rate:", "found a list"}},
    {"project: p\nproblem: {task: classification, target: y}\ndata:\n  tables:\n", {"p.yaml:3:1: data.tables: is missing"}},
    {BASE "tune: {space: {train.learnin_rate: {low: 1}}}\n", {"p.yaml:5:16: tune.space: 'train.learnin_rate' is no key of the project file, did you mean 'train.learning_rate'?"}},
    {"problem: {task: classification}\n", {"p.yaml: project: is missing", "problem.target: is missing", "data.tables: is missing"}},
    /* two errors at once, in the order of the file */
    {BASE "train:\n  epochs: many\n  learning_rate: -1\n",
     {"p.yaml:6:11: train.epochs: expected a whole number, found 'many'\np.yaml:7:18: train.learning_rate: -1 is out of range: must be > 0 and <= 1000"}},
    /* values */
    {BASE "train: {epochs: 0}\n", {"0 is out of range: must be >= 1"}},
    {BASE "train: {epochs: -3}\n", {"-3 is out of range"}},
    {BASE "train: {epochs: 1.5}\n", {"expected a whole number, found '1.5'"}},
    {BASE "train: {epochs: [1]}\n", {"expected a whole number, found a list"}},
    {BASE "train: {epochs: }\n", {"nothing stands behind the colon"}},
    {BASE "train: {learning_rate: .nan}\n", {"expected a number, found '.nan'"}},
    {BASE "train: {learning_rate: 2000}\n", {"2000 is out of range"}},
    {BASE "  split: {seed: 9007199254740993}\n", {"9007199254740993 is out of range"}},
    {BASE "train: {optimizer: adma}\n", {"'adma' is none of sgd, adam, adamw: did you mean 'adam'?"}},
    {BASE "train: 5\n", {"train: expected a map of keys, found '5'"}},
    {BASE "train: {checkpoint: {every: 60}}\n", {"expected a time with its unit or a number of rounds", "found '60'"}},
    {BASE "train: {checkpoint: {every: 0 rounds}}\n", {"a whole number of rounds >= 1"}},
    {BASE "train: {class_weights: {a: -1}}\n", {"a: expected a weight > 0"}},
    {BASE "model: {dropout: 1}\n", {"1 is out of range: must be >= 0 and < 1"}},
    {BASE "model: {hidden: [64, 0]}\n", {"entry 2, '0', is no whole number >= 1"}},
    {BASE "model: {hidden: []}\n", {"an mlp has at least one hidden layer"}},
    {BASE "model: {hidden: 64}\n", {"expected a list of whole numbers, e.g. [64, 32], found '64'"}},
    {BASE "features: {x: {type: number, clip: [0.9, 0.1]}}\n", {"features.x.clip: expected two quantiles"}},
    {BASE "features: {x: {type: number, missing: constant}}\n", {"constant needs its value: {constant: 0}"}},
    {BASE "features: {x: {type: number, missing: own}}\n", {"a number has no value of its own"}},
    {BASE "features: {x: {type: category, missing: mean}}\n", {"a category can have missing: own"}},
    {BASE "features: {x: nmber}\n", {"did you mean 'number'?"}},
    {"project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: {path: a.csv, header: yes}}}\n", {"expected true or false, found 'yes'"}},
    {"project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: {path: a.csv, delimiter: ab}}}\n", {"expected one sign"}},
    {"project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: {images: x}}}\n", {"needs both images and labels"}},
    {"project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: {path: x, images: x, labels: y}}}\n", {"has a path and images"}},
    {"project: p\nproblem: {task: classification, target: y}\ndata: {tables: {}}\n", {"data.tables: is empty"}},
    {"project: a/b\nproblem: {task: classification, target: y}\ndata: {tables: {a: b}}\n", {"'a/b' can't name files"}},
    /* between keys */
    {BASE "  split: {train: 0.8, validation: 0.1, test: 0.2}\n", {"data.split: train 0.8 + validation 0.1 + test 0.2 is 1.1: the shares must sum to 1"}},
    {BASE "  split: {by: given, train: [a], test: [b]}\n", {"data.split.test: 'b' is no table"}},
    {BASE "  split: {by: given}\n", {"data.split.train: by: given needs a list of tables", "data.split.test: by: given"}},
    {BASE "  split: {train: [a]}\n", {"lists of tables only with by: given"}},
    {BASE "  split: {by: time}\n", {"data.split.column: is missing: the split by time needs the column"}},
    {BASE "  split: {column: t}\n", {"data.split.column: has no effect with data.split.by: random"}},
    {BASE "  private: [y]\n", {"'y' is the target"}},
    {BASE "  private: [x]\nfeatures: {x: number, \"*\": auto}\n", {"'x' is private, so it can't be a feature"}},
    {BASE "  private: [g]\nevaluate: {fairness: {attributes: [g]}}\n", {"'g' is private and never stored"}},
    {BASE "  private: [g, g]\n", {"'g' stands twice"}},
    {BASE "  labels: {exclude: [a], merge: {k: [a, b]}}\n", {"'a' is also merged into 'k'"}},
    {BASE "  labels: {merge: {k: [a], l: [a]}}\n", {"'a' is merged into 'k' and into 'l'"}},
    {BASE "features: {y: number, \"*\": auto}\n", {"'y' is the target, so it can't be a feature"}},
    {BASE "features: {x: ignore}\n", {"nothing is left"}},
    {BASE "features: {x: {type: category, scale: standard}}\n", {"features.x.scale: has no effect with type: category; it is for: number image"}},
    {BASE "model: {learner: linear, hidden: [3]}\n", {"model.hidden: has no effect with model.learner: linear; it is for: mlp cnn"}},
    {BASE "train: {momentum: 0.9}\n", {"train.momentum: has no effect with train.optimizer: adam; it is for: sgd"}},
    {BASE "train: {schedule: {step_epochs: 3}}\n", {"train.schedule.step_epochs: has no effect with train.schedule.kind: constant"}},
    {BASE "train: {early_stopping: {metric: log_loss}}\n", {"train.early_stopping.patience: is missing"}},
    {BASE "train: {early_stopping: {metric: rmse, patience: 3}}\n", {"'rmse' is no metric of this task"}},
    {BASE "train: {early_stopping: {metric: acuracy, patience: 3}}\n", {"did you mean 'accuracy'?"}},
    {BASE "  split: {train: 0.9, validation: 0, test: 0.1}\ntrain: {early_stopping: 3}\n", {"needs validation rows"}},
    {BASE "train: {epochs: 3, schedule: {warmup_epochs: 5}}\n", {"is longer than train.epochs, 3"}},
    {BASE "monitor: {performance: {metric: acuracy}}\n", {"'acuracy' is no metric that is followed in use for this task (accuracy, precision, recall, f1, macro_f1, auc, log_loss): did you mean 'accuracy'?"}},
    {BASE "monitor: {bus: localhost}\n", {"'localhost' is no endpoint"}},
    {BASE "monitor: {alerts: {webhook: hooks.example/x}}\n", {"monitor.alerts.webhook", "write https://host/path"}},
    {BASE "monitor: {alerts: {exec: notify}}\n", {"monitor.alerts.exec", "a list of texts"}},
    {BASE "monitor: {alerts: {exec: [\"\", -v]}}\n", {"monitor.alerts.exec", "it is empty"}},
    {BASE "monitor: {keep: 90}\n", {"monitor.keep", "a time with its unit"}},
    {BASE "monitor: {keep_mib: 1}\n", {"monitor.keep_mib", "out of range"}},
    {"project: p\nproblem: {task: classification, target: y, success: {acc: \">= 1\", accuracy: 0.9}}\ndata: {tables: {a: b}}\n",
     {"accuracy: expected a sign and a number"}},
    {"project: p\nproblem: {task: classification, target: y, success: {r2: \">= 1\"}}\ndata: {tables: {a: b}}\n", {"p.yaml:2:54: problem.success: 'r2' is no metric"}},
    {"project: p\nproblem: {task: regression, target: y, positive: x, success: {f1:a: \">= 1\"}}\ndata: {tables: {a: b}}\n",
     {"problem.positive: has no effect", "'f1:a' is no metric"}},
    {"project: p\nproblem: {task: regression, target: y}\ndata: {tables: {a: b}, labels: {exclude: [x]}, split: {stratify: true}}\ntrain: {class_weights: balanced}\n",
     {"data.labels: has no effect", "data.split.stratify: has no effect", "train.class_weights: has no effect"}},
};

static void refuses_bad_files_and_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        fw_project *p = NULL;
        fw_error err = {0};
        fw_status s = parse(&p, bad_files[i].yaml, &err);
        if (s != FW_ERR_CONFIG || p != NULL) fail_msg("taken:\n%s", bad_files[i].yaml);
        for (size_t k = 0; k < 4 && bad_files[i].says[k] != NULL; k++)
            if (strstr(err.text, bad_files[i].says[k]) == NULL) fail_msg("%s\nshould say: %s\nsays: %s", bad_files[i].yaml, bad_files[i].says[k], err.text);
    }
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    scratch s;
    assert_true(scratch_make(&s));
    fw_project *p = NULL;
    fw_error err;
    assert_int_equal(fw_project_load(&p, scratch_path(&s, "none.yaml"), NULL, 0, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no such file"));
    assert_int_equal(fw_project_load(&p, s.dir, NULL, 0, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "is a folder"));
    const char *path = scratch_path(&s, "nul.yaml");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite("project: p\n\0\n", 1, 13, f);
    fclose(f);
    assert_int_equal(fw_project_load(&p, path, NULL, 0, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, ":2:1: byte 0x00 (NUL) is no text"));
    path = scratch_path(&s, "large.yaml");
    f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 70000; i++) fputs("# a long comment\n", f);
    fclose(f);
    assert_int_equal(fw_project_load(&p, path, NULL, 0, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "1 MiB"));
    scratch_remove(&s);
}

static void says_all_errors_at_once_and_counts_what_has_no_room(void **state)
{
    (void)state;
    FW_AUTO(fw_text) yaml = {0};
    fw_text_add(&yaml, BASE "train:\n");
    for (int i = 0; i < 300; i++) fw_text_format(&yaml, "  wrong_%d: 1\n", i);
    fw_project *p = NULL;
    fw_error err;
    assert_int_equal(parse(&p, yaml.data, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "train.wrong_0:"));
    assert_non_null(strstr(err.text, "\n... and "));
    assert_non_null(strstr(err.text, " more errors"));
}

/* ---- values ---- */

static void defaults_are_the_documented_ones(void **state)
{
    (void)state;
    fw_project *p = good(BASE);
    assert_string_equal(p->model.learner, "mlp");
    assert_int_equal(p->model.hidden.n, 2);
    assert_int_equal(p->model.hidden.v[0], 64);
    assert_string_equal(p->model.activation, "relu");
    assert_int_equal(p->train.epochs, 20);
    assert_int_equal(p->train.global_batch_size, 256);
    assert_int_equal(p->train.optimizer, FW_ADAM);
    assert_true(p->train.learning_rate == 0.001 && p->train.beta1 == 0.9 && p->train.beta2 == 0.999 && p->train.epsilon == 1e-8);
    assert_int_equal(p->train.seed, 1);
    assert_true(p->train.checkpoint.every_s == 60 && p->train.checkpoint.every_rounds == 0);
    assert_int_equal(p->train.early_stopping.patience, 0);
    assert_null(p->train.early_stopping.metric);
    assert_true(p->data.split.train == 0.8 && p->data.split.validation == 0.1 && p->data.split.test == 0.1);
    assert_true(p->data.split.stratify);
    assert_int_equal(p->data.split.by, FW_BY_RANDOM);
    assert_int_equal(p->data.split.seed, 1);
    assert_int_equal(p->data.missing.n, 8);
    assert_true(p->features_all);
    assert_int_equal(p->features.n, 1);
    assert_string_equal(p->features.v[0].column, "*");
    assert_int_equal(p->features.v[0].min_count, 1);
    assert_int_equal(p->features.v[0].unseen, FW_UNSEEN_OTHER);
    assert_true(p->data.tables[0].header && p->data.tables[0].trim && p->data.tables[0].quote == '"' && p->data.tables[0].delimiter == 0);
    assert_null(p->monitor.bus);
    fw_project_destroy(&p);
    assert_null(p);
}

static void reads_every_form(void **state)
{
    (void)state;
    fw_project *p = good("project: p\nproblem: {task: classification, target: y, success: {accuracy: \">=0.5\", log_loss: \"< 1\", f1:kindle: \"> 0\"}}\n"
                         "data:\n  tables:\n    a: {path: a.txt, header: false, delimiter: tab, quote: none, columns: [x, y], trim: false}\n"
                         "    b: {path: b.csv, delimiter: ';'}\n    c: {images: i.gz, labels: l.gz}\n"
                         "  split: {by: given, train: [a, b], test: [c], validation: 0.2}\n"
                         "  labels: {merge: {z: [b, a]}}\n  missing: [NA, null, \"\"]\n"
                         "features:\n  \"*\": auto\n  id: ignore\n"
                         "  age: {type: number, missing: {constant: -1.5}, clip: [0, 0.99], scale: robust, indicator: true, log1p: true}\n"
                         "  city: {type: category, encoding: ordinal, unseen: error, min_count: 5, missing: error}\n"
                         "train: {schedule: cosine, early_stopping: 4, checkpoint: 5 rounds, class_weights: {b: 2, a: 0.5}}\n");
    assert_int_equal(p->problem.n_success, 3);
    assert_true(p->problem.success[0].op == FW_AT_LEAST && p->problem.success[0].bound == 0.5);
    assert_true(p->problem.success[1].op == FW_BELOW && p->problem.success[2].op == FW_ABOVE);
    const fw_table_spec *t = p->data.tables;
    assert_true(!t[0].header && t[0].delimiter == '\t' && t[0].quote == 0 && !t[0].trim && t[0].columns.n == 2);
    assert_true(t[1].delimiter == ';' && t[2].path == NULL);
    assert_string_equal(t[2].images, "i.gz");
    assert_true(p->data.split.given_train.n == 2 && p->data.split.given_test.n == 1 && p->data.split.validation == 0.2);
    assert_string_equal(p->data.labels.merge[0].from.v[0], "a");
    assert_int_equal(p->data.missing.n, 3);
    const fw_feature_spec *f = p->features.v;                /* sorted: *, age, city, id */
    assert_string_equal(f[1].column, "age");
    assert_true(f[1].missing == FW_MISSING_CONSTANT && f[1].missing_value == -1.5 && f[1].has_clip && f[1].clip[1] == 0.99);
    assert_true(f[1].scale == FW_SCALE_ROBUST && f[1].indicator && f[1].log1p);
    assert_true(f[2].encoding == FW_ENCODE_ORDINAL && f[2].unseen == FW_UNSEEN_ERROR && f[2].min_count == 5 && f[2].missing == FW_MISSING_ERROR);
    assert_int_equal(f[3].type, FW_FEATURE_IGNORE);
    assert_int_equal(p->train.schedule.kind, FW_SCHEDULE_COSINE);
    assert_int_equal(p->train.early_stopping.patience, 4);
    assert_string_equal(p->train.early_stopping.metric, "log_loss");
    assert_int_equal(p->train.checkpoint.every_rounds, 5);
    assert_string_equal(p->train.class_weights[0].label, "a");
    fw_project_destroy(&p);
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct { const char *text; double seconds; } cases[] = {{"90 s", 90}, {"5 min", 300}, {"2 h", 7200}, {"1.5h", 5400}, {"1 d", 86400}, {"500 ms", 0.5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml, BASE "train: {checkpoint: {every: %s}}\n", cases[i].text);
        fw_project *p = good(yaml);
        assert_true(p->train.checkpoint.every_s == cases[i].seconds);
        fw_project_destroy(&p);
    }
}

/* ---- overrides ---- */

typedef struct file { scratch s; char path[512]; } file;

static void make_file(file *f, const char *yaml)
{
    assert_true(scratch_make(&f->s));
    snprintf(f->path, sizeof f->path, "%s", scratch_path(&f->s, "p.yaml"));
    FILE *out = fopen(f->path, "w");
    assert_non_null(out);
    fputs(yaml, out);
    fclose(out);
}

static void command_line_beats_environment_beats_file_beats_default(void **state)
{
    (void)state;
    file f;
    make_file(&f, BASE "train: {epochs: 2, seed: 2, learning_rate: 2}\n");
    setenv("FLYWHEEL_TRAIN__EPOCHS", "3", 1);
    setenv("FLYWHEEL_TRAIN__SEED", "3", 1);
    setenv("FLYWHEEL_OTHER", "not ours", 1);
    const char *overrides[] = {"train.epochs=4", "problem.success.accuracy=>= 0.9", "model.hidden=[8, 4]", "features.sepal.length=ignore", "features.sepal.width.scale=none"};
    fw_project *p = NULL;
    fw_error err = {0};
    if (fw_project_load(&p, f.path, overrides, 5, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(p->train.epochs, 4);
    assert_int_equal(p->train.seed, 3);
    assert_true(p->train.learning_rate == 2 && p->train.global_batch_size == 256);
    assert_true(p->problem.n_success == 1 && p->problem.success[0].bound == 0.9);
    assert_true(p->model.hidden.n == 2 && p->model.hidden.v[1] == 4);
    assert_int_equal(p->features.n, 3);                        /* "*": auto stays */
    assert_true(p->features_all);
    assert_string_equal(p->features.v[1].column, "sepal.length");
    assert_int_equal(p->features.v[1].type, FW_FEATURE_IGNORE);
    assert_string_equal(p->features.v[2].column, "sepal.width");
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    assert_int_equal(fw_project_print_defaults(out, p, &err), FW_OK);
    fclose(out);
    const struct { const char *key, *value, *from; } lines[] = {{"\ntrain.epochs ", " 4 ", "command line\n"}, {"\ntrain.seed ", " 3 ", "environment\n"},
                                                               {"\ntrain.learning_rate ", " 2 ", "p.yaml:5\n"}, {"\ntrain.global_batch_size ", " 256 ", "default\n"}};
    for (size_t i = 0; i < 4; i++) {
        const char *line = strstr(text, lines[i].key), *end = line != NULL ? strchr(line + 1, '\n') + 1 : NULL;
        assert_non_null(line);
        char one[256];
        snprintf(one, sizeof one, "%.*s", (int)(end - line), line);
        assert_non_null(strstr(one, lines[i].value));
        assert_non_null(strstr(one, lines[i].from));
    }
    free(text);
    fw_project_destroy(&p);
    unsetenv("FLYWHEEL_TRAIN__EPOCHS");
    unsetenv("FLYWHEEL_TRAIN__SEED");
    unsetenv("FLYWHEEL_OTHER");
    scratch_remove(&f.s);
}

#define TEXT_40  "0123456789012345678901234567890123456789"
#define TEXT_160 TEXT_40 TEXT_40 TEXT_40 TEXT_40

static void wrong_overrides_are_told_like_errors_of_the_file(void **state)
{
    (void)state;
    static const struct { const char *override, *says; } cases[] = {
        {"train.learnin_rate=1", "command line: train.learnin_rate: unknown key, did you mean 'learning_rate'?"},
        {"features." TEXT_160 "=category", "command line: a key: 169 bytes, at most 160"},
        {"features.prime_member.\xa9ype=category", "what follows, byte 0xa9, is not UTF-8"},
        {"train.epochs=many", "command line: train.epochs: expected a whole number, found 'many'"},
        {"train.epochs", "command line: train.epochs: expected key=value"},
        {"train..epochs=1", "command line: train..epochs: is no path of a key"},
        {"model.hidden=[1", "command line: model.hidden: value:"},
        {"train.epochs.x=1", "command line: train.epochs: expected a whole number, found a map"},
        {"train.epochs=", "command line: train.epochs: nothing stands behind"},
    };
    file f;
    make_file(&f, BASE "train: {epochs: 2}\nmodel: {learner: mpl}\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fw_project *p = NULL;
        fw_error err = {0};
        assert_int_equal(fw_project_load(&p, f.path, &cases[i].override, 1, &err), FW_ERR_CONFIG);
        if (strstr(err.text, cases[i].says) == NULL) fail_msg("%s: %s", cases[i].override, err.text);
        assert_non_null(strstr(err.text, "did you mean 'mlp'?"));        /* together with what is wrong in the file */
    }
    setenv("FLYWHEEL_TRAIN__EPOCSH", "3", 1);
    fw_project *p = NULL;
    fw_error err = {0};
    assert_int_equal(fw_project_load(&p, f.path, NULL, 0, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "environment: train.epocsh: unknown key, did you mean 'epochs'?"));
    unsetenv("FLYWHEEL_TRAIN__EPOCSH");
    scratch_remove(&f.s);
}

static void null_takes_a_value_back(void **state)
{
    (void)state;
    file f;
    make_file(&f, BASE "train: {epochs: 2}\n");
    fw_project *p = NULL;
    fw_error err = {0};
    if (fw_project_load(&p, f.path, (const char *const[]){"train.epochs=null"}, 1, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(p->train.epochs, 20);
    fw_project_destroy(&p);
    scratch_remove(&f.s);
}

/* ---- the resolved text ---- */

static void is_a_fixed_point(const char *yaml)
{
    fw_project *p = good(yaml);
    char *once = resolved(p);
    fw_project *q = good(once);
    char *twice = resolved(q);
    assert_string_equal(once, twice);
    free(once);
    free(twice);
    fw_project_destroy(&p);
    fw_project_destroy(&q);
}

static void resolved_text_loads_to_itself(void **state)
{
    (void)state;
    static const char *const cases[] = {
        BASE,
        BASE "features: \"*\"\nmodel: {learner: linear}\ntrain: {optimizer: sgd, momentum: 0.9, schedule: {kind: step, step_epochs: 3}, class_weights: balanced, early_stopping: 3}\n",
        BASE "features: {\"a: b\": number, \"#x\": {type: category, min_count: 2}, \"no\": ignore, \"1\": auto, \"ä\\u2028\\t\\\"\": number, \"*\": {scale: minmax, missing: mean}}\n",
        BASE "  query: |\n    SELECT 'x'\n    FROM a\n  split: {by: group, column: \"a b\"}\n  labels: {exclude: [\"~\", \"true\"], merge: {\"\": [\"null\", \"-\"]}}\n",
        "project: 1.5\nproblem: {task: regression, target: y, success: {r2: \">= -1e-30\"}}\ndata: {tables: {t: {images: a, labels: b}, u: {path: x, delimiter: \"\\t\", quote: \"'\"}}}\n"
        "train: {learning_rate: 1e-7, checkpoint: {every: 3 rounds}}\n",
        "project: p\nproblem: {task: clustering}\ndata: {tables: {t: t.csv}}\nmodel: {learner: kmeans}\n",
        BASE "goal: {statement: \"a\\nb\"}\nretrain: {when: [drift, \"30 d\"], promote: never}\ndeploy: {candidates: {a: 0.5}}\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) is_a_fixed_point(cases[i]);
}

static void equal_projects_give_equal_text(void **state)
{
    (void)state;
    fw_project *a = good(BASE "  private: [u, v]\n  labels: {merge: {k: [b, a]}}\nfeatures: {b: number, a: {type: number, scale: none}, \"*\": auto}\n");
    fw_project *b = good("features: {\"*\": {type: auto}, a: {scale: none, type: number}, b: {type: number}}\n"
                         "data: {private: [v, u], tables: {a: {path: a.csv, header: true}}, labels: {merge: {k: [a, b]}}}\n"
                         "problem: {target: y, task: classification}\nproject: p\ntrain: {epochs: 20}\n");
    char *x = resolved(a), *y = resolved(b);
    assert_string_equal(x, y);
    assert_null(strstr(x, "kpi"));                     /* a number that was not given is not said to be 0 */
    free(x);
    free(y);
    fw_project_destroy(&a);
    fw_project_destroy(&b);
}

/* ---- the parts ---- */

static char *part(fw_status (*make)(char **, const fw_project *, fw_error *), const char *yaml)
{
    fw_project *p = good(yaml);
    char *text = NULL;
    fw_error err;
    if (make(&text, p, &err) < 0) fail_msg("%s", err.text);
    fw_project_destroy(&p);
    return text;
}

static void parts_change_when_and_only_when_they_must(void **state)
{
    (void)state;
    static const struct { const char *more; bool data, model; } cases[] = {
        {"train: {epochs: 3}\n", false, true},
        {"train: {checkpoint: 5 rounds}\n", false, false},
        {"model: {hidden: [3]}\n", false, true},
        {"goal: {statement: x}\n", false, false},
        {"monitor: {window: 3, sample: 0.5, features: none}\n", false, false},
        {"tune: {trials: 3}\n", false, false},
        {"  dataset: other.h5\n", false, false},
        {"  split: {seed: 2}\n", true, false},
        {"  private: [n]\n", true, true},
        {"  labels: {exclude: [n]}\n", true, false},
        {"  missing: [x]\n", true, true},                                                         /* how a table is read that is to be scored */
        {"  id: k\n", true, true},
        {"features: {n: ignore, \"*\": auto}\n", true, true},
        {"features: {n: category, \"*\": auto}\n", true, true},
        {"features: {n: {scale: none}, \"*\": auto}\n", false, true},
        {"features: {n: auto}\n", true, true},
        {"evaluate: {fairness: {min_count: 3}}\n", false, false},
        {"evaluate: {fairness: {attributes: [g]}}\n", false, false},                         /* stored anyhow */
    };
    char *data = part(fw_project_data_part, BASE), *model = part(fw_project_model_part, BASE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, BASE "%s", cases[i].more);
        char *d = part(fw_project_data_part, yaml), *m = part(fw_project_model_part, yaml);
        if ((strcmp(d, data) != 0) != cases[i].data || (strcmp(m, model) != 0) != cases[i].model) fail_msg("%s\n%s\n%s", cases[i].more, d, m);
        free(d);
        free(m);
    }
    free(data);
    free(model);
    data = part(fw_project_data_part, BASE "features: {x: number}\n");
    model = part(fw_project_data_part, BASE "features: {x: number}\nevaluate: {fairness: {attributes: [g]}}\n");
    assert_string_not_equal(data, model);                      /* stored for its sake */
    free(data);
    free(model);
}

static void types_found_are_set_and_do_not_make_the_dataset_stale(void **state)
{
    (void)state;
    fw_project *p = good("project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: a.csv}, id: k}\nfeatures: {\"*\": {scale: minmax, min_count: 3}, z: ignore, own: {missing: mean}}\n");
    fw_error err;
    char *before = NULL, *after = NULL;
    assert_int_equal(fw_project_data_part(&before, p, &err), FW_OK);
    const char *columns[] = {"age", "city", "y", "k", "z", "own"};
    const fw_feature_type types[] = {FW_FEATURE_NUMBER, FW_FEATURE_CATEGORY, FW_FEATURE_CATEGORY, FW_FEATURE_NUMBER, FW_FEATURE_NUMBER, FW_FEATURE_NUMBER};
    if (fw_project_set_types(p, columns, types, 6, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(fw_project_data_part(&after, p, &err), FW_OK);
    assert_string_equal(before, after);
    assert_int_equal(p->features.n, 5);                        /* *, age, city, own, z: not the target, not the id */
    assert_true(p->features.v[1].type == FW_FEATURE_NUMBER && p->features.v[1].scale == FW_SCALE_MINMAX);
    assert_true(p->features.v[2].type == FW_FEATURE_CATEGORY && p->features.v[2].min_count == 3);
    assert_int_equal(p->features.v[3].type, FW_FEATURE_NUMBER);
    assert_int_equal(p->features.v[4].type, FW_FEATURE_IGNORE);
    assert_int_equal(fw_project_set(p, "features.sepal.length.type", "number", &err), FW_OK);
    assert_int_equal(p->features.n, 6);
    assert_int_equal(fw_project_set(p, "train.epochs", "7", &err), FW_OK);
    assert_int_equal(p->train.epochs, 7);
    assert_int_equal(fw_project_set(p, "train.epochs", "x", &err), FW_ERR_CONFIG);
    assert_int_equal(p->train.epochs, 7);
    free(before);
    free(after);
    fw_project_destroy(&p);
}

/* ---- what this version can't do ---- */

static void later_things_load_and_are_refused_when_needed(void **state)
{
    (void)state;
    static const struct { const char *yaml, *says; } cases[] = {
        {BASE "model: {learner: gbdt}\n", "model.learner: gbdt is not available in this version"},
        {BASE "  query: SELECT 1\n", "data.query: is not available in this version"},
        {"project: p\nproblem: {task: clustering}\ndata: {tables: {a: b}}\n", "clustering is not available in this version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fw_project *p = good(cases[i].yaml);
        fw_error err;
        char *text = NULL;
        assert_int_equal(fw_project_available(p, &err), FW_ERR_CONFIG);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_int_equal(fw_project_data_part(&text, p, &err), FW_ERR_CONFIG);
        assert_int_equal(fw_project_model_part(&text, p, &err), FW_ERR_CONFIG);
        fw_project_destroy(&p);
    }
}

/** The example of the design, section 5, as it stands there. */
static const char design[] =
    "project: callcenter\n"
    "goal:                                   # business goal\n"
    "  statement: Send each caller to an agent with the right skill the first time.\n"
    "  kpi: {name: transfer_rate, direction: minimize, baseline: 0.34, target: 0.20}\n"
    "problem:                                # ML framing\n"
    "  task: classification                  # classification | regression | clustering\n"
    "  target: skill\n"
    "  success: {accuracy: \">= 0.85\", macro_f1: \">= 0.80\"}       # gates on the test split\n"
    "data:                                   # collection, integration, cleaning\n"
    "  tables: {calls: calls.csv, customers: customers.csv, orders: orders.csv}\n"
    "  query: |                              # optional: SQL over the tables (integration, aggregation); without it, the one table\n"
    "    SELECT c.skill, c.utterance, u.prime_member, julianday(c.time) - max(julianday(o.time)) AS days_since_order ...\n"
    "  labels:\n"
    "    exclude: [wrong_number]\n"
    "    merge: {kindle: [kindle_account, kindle_device, kindle_content]}\n"
    "  private: [customer_name, phone]       # never stored, never published\n"
    "  split: {train: 0.8, validation: 0.1, test: 0.1, by: random, stratify: true, seed: 1}   # by: random | time | group\n"
    "features:                               # preprocessing and feature engineering\n"
    "  prime_member:     {type: category, unseen: other}\n"
    "  days_since_order: {type: number, missing: median, clip: [0.01, 0.99], scale: standard}\n"
    "  utterance:        {type: text, ngrams: [1, 2], buckets: 65536}\n"
    "  call_time:        {type: time, parts: [hour, weekday]}\n"
    "select: {method: mutual_information, keep: 40}\n"
    "model: {learner: mlp, hidden: [64, 32]} # linear | mlp | cnn | gbdt | kmeans\n"
    "train:\n"
    "  epochs: 20\n"
    "  global_batch_size: 256\n"
    "  optimizer: adam\n"
    "  learning_rate: 0.003\n"
    "  seed: 1\n"
    "  early_stopping: {metric: log_loss, patience: 3}\n"
    "  checkpoint: {every: 60 s}\n"
    "tune:\n"
    "  sampler: tpe\n"
    "  pruner: asha\n"
    "  trials: 64\n"
    "  objective: {metric: macro_f1, direction: maximize}\n"
    "  space:\n"
    "    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}\n"
    "    model.hidden: {choices: [[32], [64, 32], [128, 64]]}\n"
    "evaluate:\n"
    "  fairness: {attributes: [prime_member], max_difference: 0.10}\n"
    "deploy: {registry: models, listen: 127.0.0.1:8080, candidates: {champion: 0.9, challenger: 0.1}}\n"
    "monitor:\n"
    "  bus: tcp://127.0.0.1:5555\n"
    "  dashboard: 127.0.0.1:8090\n"
    "  window: 1000\n"
    "  drift: {psi: 0.2, false_alarms: 0.05}\n"
    "  store: monitor.store\n"
    "  keep: 30 d\n"
    "  alerts: {exec: [notify, -v, -v], webhook: \"https://hooks.example/x\", cool_down: 1 h}\n"
    "  performance: {metric: accuracy, drop: 0.05}\n"
    "retrain: {when: [drift, performance, \"30 d\"], launch: \"mpirun -n 4\", promote: canary}\n";

static void the_example_of_the_design_loads(void **state)
{
    (void)state;
    fw_project *p = good(design);
    assert_int_equal(p->data.n_tables, 3);
    assert_string_equal(p->data.tables[1].name, "customers");
    assert_string_equal(p->data.tables[1].path, "customers.csv");
    assert_string_equal(p->goal.kpi.direction, "minimize");
    assert_string_equal(p->monitor.bus, "tcp://127.0.0.1:5555");
    assert_true(p->monitor.alerts.exec.n == 3 && p->monitor.alerts.cool_down_s == 3600 && p->monitor.keep_s == 30 * 86400.0);
    assert_int_equal(p->evaluate.fairness_attributes.n, 1);
    char *unused = fw_project_unused_sections(p);
    assert_string_equal(unused, "data.query, select, deploy, retrain");
    free(unused);
    fw_project_destroy(&p);
    is_a_fixed_point(design);
    p = good(BASE);
    assert_null(fw_project_unused_sections(p));
    char *path = NULL;
    fw_error err;
    assert_int_equal(fw_project_dataset_path(&path, p, &err), FW_OK);
    assert_non_null(strstr(path, "p.dataset.h5"));
    free(path);
    char *place = fw_project_place(p, "problem.target");
    assert_string_equal(place, "p.yaml:2:41");
    free(place);
    fw_project_destroy(&p);
}

/* ---- the table itself ---- */

static void every_key_has_help_and_a_parent_and_canonical_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        assert_non_null(key->help);
        assert_ptr_equal(fw_key_find(key->path), key);         /* no path twice */
        char parent[64];
        snprintf(parent, sizeof parent, "%s", key->path);
        char *dot = strrchr(parent, '.');
        if (dot != NULL) *dot = '\0';
        if (dot != NULL && dot > parent + 2 && strcmp(dot - 2, ".*") == 0) dot[-2] = '\0';
        if (dot != NULL && fw_key_find(parent) == NULL) fail_msg("%s has no parent", key->path);
        bool section = key->form == FW_KEY_SECTION || key->form == FW_KEY_MAP;
        if (!section && key->at == 0 && !(key->flags & FW_KEY_LATER)) fail_msg("%s has no field", key->path);
        if (key->when != NULL) {
            char other[64];
            snprintf(other, sizeof other, "%.*s", (int)strcspn(key->when, " "), key->when);
            assert_non_null(fw_key_find(other));
        }
    }
    fw_project *p = good(BASE);
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        if (key->fallback == NULL || key->form == FW_KEY_MAP) continue;
        const void *base = strncmp(key->path, "features.", 9) == 0 ? (const void *)p->features.v : strncmp(key->path, "data.tables.", 12) == 0 ? (const void *)p->data.tables : p;
        FW_AUTO(fw_text) value = {0};
        assert_true(fw_key_kinds[key->form].write(&value, key, base));
        assert_string_equal(value.data, key->fallback);
    }
    fw_project_destroy(&p);
}

static void schema_is_json_with_every_top_level_key(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    fw_error err;
    assert_int_equal(fw_project_schema_json(out, &err), FW_OK);
    assert_int_equal(fw_project_print_keys(out, "train", &err), FW_OK);
    fclose(out);
    json_t *schema = json_loadb(text, n, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(schema);
    for (size_t i = 0; i < fw_n_keys; i++)
        if (strchr(fw_keys[i].path, '.') == NULL) assert_non_null(json_object_get(json_object_get(schema, "properties"), fw_keys[i].path));
    assert_non_null(strstr(text, "train.early_stopping.patience"));
    json_decref(schema);
    free(text);
    out = fopen("/dev/null", "w");
    assert_int_equal(fw_project_print_keys(out, "trian", &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "did you mean 'train'?"));
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_files_and_says_why),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(says_all_errors_at_once_and_counts_what_has_no_room),
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(command_line_beats_environment_beats_file_beats_default),
        cmocka_unit_test(wrong_overrides_are_told_like_errors_of_the_file),
        cmocka_unit_test(null_takes_a_value_back),
        cmocka_unit_test(resolved_text_loads_to_itself),
        cmocka_unit_test(equal_projects_give_equal_text),
        cmocka_unit_test(parts_change_when_and_only_when_they_must),
        cmocka_unit_test(types_found_are_set_and_do_not_make_the_dataset_stale),
        cmocka_unit_test(later_things_load_and_are_refused_when_needed),
        cmocka_unit_test(the_example_of_the_design_loads),
        cmocka_unit_test(every_key_has_help_and_a_parent_and_canonical_defaults),
        cmocka_unit_test(schema_is_json_with_every_top_level_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
