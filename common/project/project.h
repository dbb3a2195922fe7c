/** The project file as a checked struct. Every key stands in one table (keys.c) with type, range, default and help; this struct is where its
 *  value goes. Loading reports all errors at once with file:line:column and a suggestion. */
#ifndef FW_PROJECT_PROJECT_H
#define FW_PROJECT_PROJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/core/status.h"
#include "common/stats/metrics.h"   /* fw_task, metric names */

typedef struct fw_strings { char **v; size_t n; } fw_strings;
typedef struct fw_sizes { size_t *v; size_t n; } fw_sizes;

/** problem.success: one gate a metric, e.g. macro_f1: ">= 0.80". */
typedef enum fw_gate_op { FW_AT_LEAST, FW_AT_MOST, FW_ABOVE, FW_BELOW } fw_gate_op;
typedef struct fw_gate { char *metric; fw_gate_op op; double bound; } fw_gate;

/** data.tables.<name>: a path, or {path, header, delimiter, quote, columns, trim}, or {images, labels}. */
typedef struct fw_table_spec {
    char *name, *path;
    char *images, *labels;             /* IDX pair; path is NULL then */
    bool header;                       /* default true */
    char delimiter;                    /* 0: by ending (.tsv: tab) and else ',' */
    char quote;                        /* default '"'; 0: none */
    bool trim;                         /* blanks around unquoted fields do not count; default true */
    fw_strings columns;                /* names, when there is no header (or instead of it) */
} fw_table_spec;

typedef struct fw_merge { char *into; fw_strings from; } fw_merge;
typedef enum fw_split_by { FW_BY_RANDOM, FW_BY_TIME, FW_BY_GROUP, FW_BY_GIVEN } fw_split_by;
typedef enum fw_bad_rows { FW_BAD_ROWS_ERROR, FW_BAD_ROWS_SKIP } fw_bad_rows;

/** features.<column> */
typedef enum fw_feature_type { FW_FEATURE_AUTO, FW_FEATURE_IGNORE, FW_FEATURE_NUMBER, FW_FEATURE_CATEGORY, FW_FEATURE_TEXT, FW_FEATURE_TIME,
                               FW_FEATURE_IMAGE } fw_feature_type;
typedef enum fw_missing_policy { FW_MISSING_MEAN, FW_MISSING_MEDIAN, FW_MISSING_CONSTANT, FW_MISSING_ERROR, FW_MISSING_OWN /* category: a value of its own */ } fw_missing_policy;
typedef enum fw_scale { FW_SCALE_STANDARD, FW_SCALE_MINMAX, FW_SCALE_ROBUST, FW_SCALE_NONE } fw_scale;
typedef enum fw_encoding { FW_ENCODE_ONE_HOT, FW_ENCODE_ORDINAL } fw_encoding;
typedef enum fw_unseen { FW_UNSEEN_ERROR, FW_UNSEEN_OTHER, FW_UNSEEN_MISSING } fw_unseen;
typedef struct fw_feature_spec {
    char *column;                      /* or "*" for every other column */
    fw_feature_type type;
    fw_missing_policy missing;         /* default: number median (and an indicator where the training rows have gaps), category own */
    bool has_missing;                  /* it was said; else by the type found */
    double missing_value;              /* for FW_MISSING_CONSTANT */
    bool indicator;                    /* adds a feature: 1 where missing */
    bool has_clip; double clip[2];     /* quantiles, 0 <= lo < hi <= 1 */
    bool log1p;
    fw_scale scale;                    /* default number standard; image: none = /255 */
    bool has_scale;                    /* it was said; else by the type found */
    fw_encoding encoding;              /* default one_hot */
    fw_unseen unseen;                  /* default other */
    uint64_t min_count;                /* rarer categories count as "other"; default 1 */
} fw_feature_spec;

typedef struct fw_class_weight { char *label; double weight; } fw_class_weight;
typedef enum fw_schedule { FW_SCHEDULE_CONSTANT, FW_SCHEDULE_STEP, FW_SCHEDULE_COSINE } fw_schedule;
/** monitor.features: what may be told of them. */
typedef enum fw_tell { FW_TELL_NONE, FW_TELL_SUMMARY, FW_TELL_FULL } fw_tell;
typedef enum fw_optimizer_kind { FW_SGD, FW_ADAM, FW_ADAMW } fw_optimizer_kind;

/** tune.space.<key>: a range, or choices; all of it checked against that key when the file was read. */
#define FW_SPACE_MAX_PARAMS  100
#define FW_SPACE_MAX_CHOICES 1000
typedef struct fw_space_when { char *key; fw_strings values; } fw_space_when;   /* flow YAML; one of them */
typedef struct fw_space_param {
    char *key;                         /* its path, with a name that holds dots in double quotes */
    char *place;                       /* where it stands: "p.yaml:9:5", "command line" */
    char *column;                      /* of features.<column>; NULL: another key */
    bool whole;                        /* low, high and step are whole numbers */
    double low, high, step;            /* both belong to it; step 0: none, of a whole one at least 1; high = low + k step */
    bool log;
    fw_strings choices;                /* n > 0: these, flow YAML, and no range */
    fw_space_when *when; size_t n_when;    /* on choices of parameters, or values of other keys; all must hold; no circles */
} fw_space_param;
double fw_space_grid(double low, double step, double k);      /* low + k step, in decimals where both have few: 0.1 + 2 x 0.1 is 0.3 */

typedef struct fw_project {
    char *path, *dir;                  /* the file, and the folder that paths are relative to */
    char *project;
    struct { char *statement; struct { char *name, *direction; double baseline, target; } kpi; } goal;
    struct { fw_task task; char *target, *positive; fw_gate *success; size_t n_success; } problem;   /* positive: class for binary metrics; NULL: the last */
    struct {
        fw_table_spec *tables; size_t n_tables;
        char *dataset;                 /* NULL: <project>.dataset.h5 beside the project file */
        fw_strings missing;            /* default "", "?", "NA", "N/A", "NaN", "nan", "null", "NULL" */
        struct { fw_strings exclude; fw_merge *merge; size_t n_merge; } labels;
        fw_strings private_columns;    /* key: private */
        char *id;                      /* column carried through to score's output; NULL: the row number */
        fw_bad_rows bad_rows;
        struct {
            fw_split_by by; double train, validation, test; bool stratify; uint64_t seed;
            char *column;              /* by time or group */
            fw_strings given_train, given_test;    /* by given: names of tables; validation is then a share of the train tables */
        } split;
    } data;
    struct { fw_feature_spec *v; size_t n; } features;     /* none, or a "*": every other column is used with FW_FEATURE_AUTO */
    bool features_all;
    struct { char *learner; fw_sizes hidden; char *activation; double dropout; } model;
    struct {
        uint64_t epochs, global_batch_size, seed, leaf_rows;     /* leaf_rows 0: chosen from the batch size alone */
        fw_optimizer_kind optimizer;
        double learning_rate, momentum, weight_decay, l1, l2, beta1, beta2, epsilon;
        struct { fw_schedule kind; double step_factor; uint64_t step_epochs; double warmup_epochs, final_factor; } schedule;
        bool balanced_classes;         /* class_weights: balanced */
        fw_class_weight *class_weights; size_t n_class_weights;
        struct { char *metric; uint64_t patience; double min_delta; } early_stopping;      /* patience 0: off */
        struct { double every_s; uint64_t every_rounds; } checkpoint;
    } train;
    struct {
        struct { char *name; uint64_t startup_trials; bool univariate; } sampler;          /* startup_trials 0: the sampler's own */
        struct { char *name; uint64_t min_rounds, max_rounds; double reduction_factor; uint64_t startup_trials; double percentile; uint64_t keep; } pruner;
        uint64_t trials, seed, max_failed_trials;
        double timeout_s;                                      /* 0: none */
        uint64_t parallel;                                     /* 0: the number of groups */
        struct { char *metric, *direction; uint64_t folds, seeds; } objective;             /* metric, direction: NULL for clustering alone */
        struct { fw_space_param *v; size_t n; } space;         /* in the order of the file */
    } tune;
    struct { fw_strings fairness_attributes; double fairness_max_difference; uint64_t fairness_min_count; } evaluate;
    struct {
        char *bus;                     /* NULL: nothing is published */
        char *keys;                    /* a folder, relative to the file; NULL: none */
        uint64_t window; double window_s;      /* rows, or a length of time: the other one is 0 */
        char *dashboard, *token;       /* dashboard NULL: there is none; token: path of a file */
        struct {
            double psi, js, ks, chi_square, wasserstein, missing_rate, unseen_rate;        /* thresholds */
            fw_strings alert_on;       /* names of those whose threshold is an effect */
            double false_alarms;
        } drift;
        char *store;                   /* NULL: nothing is kept; relative to dir */
        double keep_s; uint64_t keep_mib;
        struct { char *metric; double drop, false_alarms, deviations; } performance;      /* metric NULL: the task's own */
        struct { char *bus; fw_strings exec; char *webhook; uint64_t quiet_windows; double cool_down_s; } alerts;      /* bus and webhook NULL, exec.n 0: none */
        fw_tell features; double sample;       /* of score's stream: sample of the rows one by one */
    } monitor;
    void *internal;                    /* the parsed tree, origins of the values; common/project alone knows */
} fw_project;

/** Environment (FLYWHEEL_A__B) and command line ("train.learning_rate=0.01") override the file. overrides: n texts.
 *  On FW_ERR_CONFIG err holds all errors, one a line ("p.yaml:3:5: ..."); *out is untouched. */
fw_status fw_project_load(fw_project **out, const char *path, const char *const *overrides, size_t n, fw_error *err);
/** From the resolved YAML text (in a model, a checkpoint, a command); dir: for relative paths. */
fw_status fw_project_parse(fw_project **out, const char *yaml, const char *name, const char *dir, fw_error *err);
/** From fw_project_model_part's text, over other tables: flow YAML of data.tables. */
fw_status fw_project_parse_model_part(fw_project **out, const char *yaml, const char *tables, const char *name, const char *dir, fw_error *err);
void      fw_project_destroy(fw_project **p);

/** Sets one key after loading. What p pointed to before is gone. value_yaml: flow YAML, or a bare text. features.<column>.type of a column
 *  without an entry goes the way of fw_project_set_types. */
fw_status fw_project_set(fw_project *p, const char *key, const char *value_yaml, fw_error *err);
/** A copy with keys set together, each "key=value" as on the command line: the project of a trial. p stays as it is; of its keys
 *  those are left out that mean nothing beside a value that was set (momentum, when the optimizer becomes adam). FW_ERR_CONFIG: all errors. */
fw_status fw_project_with(fw_project **out, const fw_project *p, const char *const *overrides, size_t n, fw_error *err);
/** Types found at ingest, in one pass: features.<column>.type of columns that are features and were auto. A new entry inherits what "*" says.
 *  The target, data.id, private and unlisted columns stay as they are. */
fw_status fw_project_set_types(fw_project *p, const char *const *columns, const fw_feature_type *types, size_t n, fw_error *err);

/** FW_ERR_CONFIG naming everything in the file that this version can't do (clustering, other learners, data.query). */
fw_status fw_project_available(const fw_project *p, fw_error *err);

#define FW_WINDOW_MAX_ROWS 1000000000u
#define FW_WINDOW_MIN_S    1.0
#define FW_WINDOW_MAX_S    604800.0
/** What monitor.window can be, elsewhere: "1000", or a time with its unit ("60 s", "1h") between the limits above. False, and nothing is set: neither. */
bool fw_window_parse(uint64_t *rows, double *seconds, const char *text);

/** Every value, in the order of the life cycle, as YAML that loads to the same struct: canonical, so equal projects give equal text.
 *  Overrides applied, defaults written out. malloc'ed. */
fw_status fw_project_resolved(char **yaml, const fw_project *p, fw_error *err);
/** What was said, in the file and over it, and no default: flow YAML. Read again and changed by fw_project_with it gives what p so changed gives.
 *  malloc'ed. */
fw_status fw_project_given(char **yaml, const fw_project *p, fw_error *err);
/** The part that shapes the dataset, canonical: data without data.dataset, problem.target, problem.task; which columns features makes ingest store,
 *  and their declared types (not those set by fw_project_set_types); attributes of fairness stored for their sake. Its digest tells whether a
 *  dataset is of this project. FW_ERR_CONFIG when this version can't make it. */
fw_status fw_project_data_part(char **yaml, const fw_project *p, fw_error *err);
/** The part that shapes the model given the dataset (problem without success, features, model, train without checkpoint), and what it takes to
 *  score a table with it (project, data.id, data.missing, data.private), canonical.
 *  FW_ERR_CONFIG when this version can't train it. */
fw_status fw_project_model_part(char **yaml, const fw_project *p, fw_error *err);

/** That, and how the model's predictions are told of (monitor.features, monitor.sample, monitor.window): what a model file keeps. */
fw_status fw_project_kept_part(char **yaml, const fw_project *p, fw_error *err);

/** The sections that rows as features follow from, given the dataset: problem, data, features. Two projects with the same text can share such rows. */
fw_status fw_project_rows_part(char **yaml, const fw_project *p, fw_error *err);

fw_status fw_project_print_defaults(FILE *out, const fw_project *p, fw_error *err);    /* key, value, where it comes from */
fw_status fw_project_schema_json(FILE *out, fw_error *err);                            /* JSON Schema (2020-12) for editors */
fw_status fw_project_print_keys(FILE *out, const char *section, fw_error *err);        /* the reference: key, type, default, help; section NULL: all */
/** Where a key stands, for errors found later: "p.yaml:7:11", "command line"; the section around it when it is not given. malloc'ed, NULL: no memory. */
char     *fw_project_place(const fw_project *p, const char *key);
/** The value of one key as flow YAML, the default when it is not given, "null" when it has none. FW_ERR_NOTFOUND: no such key. */
fw_status fw_project_value(char **yaml, const fw_project *p, const char *key, fw_error *err);
/** Keys that stand in the file under another name: "tune.pruner.max_t is max_rounds, ...", malloc'ed; NULL when there are none. */
char     *fw_project_aliases(const fw_project *p);
/** Sections and keys in the file that no command of this version uses, one text ("tune, deploy"), malloc'ed; NULL when there are none. */
char     *fw_project_unused_sections(const fw_project *p);

/** The path of the dataset (absolute or relative to the working directory); malloc'ed. */
fw_status fw_project_dataset_path(char **out, const fw_project *p, fw_error *err);
const char *fw_feature_type_name(fw_feature_type t);

#endif
