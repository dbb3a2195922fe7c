#include "common/project/keys.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define P(field) offsetof(fw_project, field)
#define F(field) offsetof(fw_feature_spec, field)
#define T(field) offsetof(fw_table_spec, field)
#define WORDS(...) (const char *const[]){__VA_ARGS__, NULL}
#define MAX_INTEGER 9007199254740992.0      /* 2^53: what JSON and YAML readers keep exactly */

#define DATA    FW_KEY_IN_DATA
#define MODEL   FW_KEY_IN_MODEL
#define USE     FW_KEY_IN_USE
#define LATER   FW_KEY_LATER
#define SORTED  FW_KEY_ANY_ORDER
#define OPEN    (FW_KEY_LOW_OPEN | FW_KEY_HIGH_OPEN)

/* What a feature of a type can have; auto may turn out to be any, ignore keeps what was written for another day. */
#define FOR_NUMBER   "features.*.type number auto ignore"
#define FOR_SCALED   "features.*.type number image auto ignore"
#define FOR_PRESENT  "features.*.type number category image auto ignore"
#define FOR_TABULAR  "features.*.type number category auto ignore"
#define FOR_CATEGORY "features.*.type category auto ignore"
#define FOR_TEXT     "features.*.type text auto ignore"
#define FOR_TIME     "features.*.type time auto ignore"
#define FOR_NET      "model.learner mlp cnn"
#define FOR_ADAM     "train.optimizer adam adamw"
#define FOR_MODELS   "tune.sampler.name auto tpe gp"
#define FOR_PRUNERS  "tune.pruner.name asha hyperband median percentile one_epoch_top_k"

const fw_key fw_keys[] = {
{"project", FW_KEY_TEXT, FW_KEY_REQUIRED | MODEL, P(project), .help = "name of the project; files are named after it"},

{"goal", FW_KEY_SECTION, 0, .help = "business goal"},
{"goal.statement", FW_KEY_TEXT, 0, P(goal.statement), .help = "what is to become better, for whom"},
{"goal.kpi", FW_KEY_SECTION, 0, .help = "the figure of the business that shows it"},
{"goal.kpi.name", FW_KEY_TEXT, 0, P(goal.kpi.name), .help = "name of the KPI"},
{"goal.kpi.direction", FW_KEY_WORD_TEXT, 0, P(goal.kpi.direction), .words = WORDS("minimize", "maximize"), .help = "which way is better"},
{"goal.kpi.baseline", FW_KEY_NUMBER, 0, P(goal.kpi.baseline), .help = "the KPI today"},
{"goal.kpi.target", FW_KEY_NUMBER, 0, P(goal.kpi.target), .help = "the KPI aimed at"},

{"problem", FW_KEY_SECTION, FW_KEY_REQUIRED, .help = "framing as a machine-learning problem"},
{"problem.task", FW_KEY_TASK, FW_KEY_REQUIRED | DATA | MODEL, P(problem.task), .words = WORDS("classification", "regression", "clustering"),
 .help = "kind of problem"},
{"problem.target", FW_KEY_TEXT, DATA | MODEL, P(problem.target), .help = "column to predict"},
{"problem.positive", FW_KEY_TEXT, MODEL, P(problem.positive), .help = "the positive class of a binary problem; default: the last of the two in sorted order"},
{"problem.success", FW_KEY_GATES, 0, P(problem.success), P(problem.n_success), .help = "gates on the test split, e.g. {accuracy: \">= 0.85\"}"},

{"data", FW_KEY_SECTION, FW_KEY_REQUIRED, .help = "collection, integration, cleaning"},
{"data.tables", FW_KEY_MAP, FW_KEY_REQUIRED | DATA, P(data.tables), P(data.n_tables), .element_bytes = sizeof(fw_table_spec), .brief = "path",
 .help = "tables by name: a path, or a map; their rows follow each other"},
{"data.tables.*.path", FW_KEY_TEXT, DATA, T(path), .help = "CSV or TSV, plain, .gz or .zst; relative to the project file"},
{"data.tables.*.header", FW_KEY_BOOL, DATA, T(header), .fallback = "true", .help = "the first record names the columns"},
{"data.tables.*.delimiter", FW_KEY_CHAR, DATA, T(delimiter), .help = "between fields, one character or \"tab\"; default: tab for .tsv, else a comma"},
{"data.tables.*.quote", FW_KEY_CHAR, DATA, T(quote), .fallback = "\"\\\"\"", .help = "around fields, one character or \"none\""},
{"data.tables.*.trim", FW_KEY_BOOL, DATA, T(trim), .fallback = "true", .help = "blanks around unquoted fields do not count"},
{"data.tables.*.columns", FW_KEY_TEXTS, DATA, T(columns), .help = "names of the columns, when there is no header or instead of it"},
{"data.tables.*.images", FW_KEY_TEXT, DATA, T(images), .help = "IDX pictures, plain or .gz: one column `image`"},
{"data.tables.*.labels", FW_KEY_TEXT, DATA, T(labels), .help = "IDX labels of the pictures: one column `label`"},
{"data.query", FW_KEY_TEXT, LATER | DATA, .help = "SQL over the tables"},
{"data.dataset", FW_KEY_TEXT, 0, P(data.dataset), .help = "where ingest writes; default: <project>.dataset.h5 beside the project file"},
{"data.missing", FW_KEY_TEXTS, DATA | MODEL | SORTED, P(data.missing), .fallback = "[\"\", \"?\", N/A, NA, \"NULL\", NaN, nan, \"null\"]",
 .help = "texts that stand for a missing value"},
{"data.labels", FW_KEY_SECTION, 0, .help = "cleaning of the target's classes"},
{"data.labels.exclude", FW_KEY_TEXTS, DATA | SORTED, P(data.labels.exclude), .fallback = "[]", .help = "classes whose rows are left out"},
{"data.labels.merge", FW_KEY_MERGE, DATA, P(data.labels.merge), P(data.labels.n_merge), .fallback = "{}", .help = "new class: [old classes]"},
{"data.private", FW_KEY_TEXTS, DATA | MODEL | SORTED, P(data.private_columns), .fallback = "[]", .help = "columns that are never stored and never published"},
{"data.id", FW_KEY_TEXT, DATA | MODEL, P(data.id), .help = "column carried through to the output of score; default: the row number"},
{"data.bad_rows", FW_KEY_WORD, DATA, P(data.bad_rows), .words = WORDS("error", "skip"), .fallback = "error", .help = "rows that can't be read: stop, or count and list"},
{"data.split", FW_KEY_SECTION, 0, .help = "which rows train, steer and judge the model"},
{"data.split.by", FW_KEY_WORD, DATA, P(data.split.by), .words = WORDS("random", "time", "group", "given"), .fallback = "random",
 .help = "hash of the row number, order in time, groups kept whole, or tables of their own"},
{"data.split.train", FW_KEY_SHARE, DATA, P(data.split.train), P(data.split.given_train), .low = 0, .high = 1, .fallback = "0.8",
 .help = "share for training; by given: list of tables"},
{"data.split.validation", FW_KEY_NUMBER, DATA, P(data.split.validation), .low = 0, .high = 1, .fallback = "0.1",
 .help = "share that steers training; by given: share of the train tables"},
{"data.split.test", FW_KEY_SHARE, DATA, P(data.split.test), P(data.split.given_test), .low = 0, .high = 1, .fallback = "0.1",
 .help = "share seen only by evaluate; by given: list of tables"},
{"data.split.stratify", FW_KEY_BOOL, DATA, P(data.split.stratify), .when = "data.split.by random given", .help = "each class in the same shares; default: true for classification by random"},
{"data.split.column", FW_KEY_TEXT, DATA, P(data.split.column), .when = "data.split.by time group", .help = "column of the time or of the group"},
{"data.split.seed", FW_KEY_INTEGER, DATA, P(data.split.seed), .high = MAX_INTEGER, .fallback = "1", .help = "seed of the split"},

{"features", FW_KEY_MAP, MODEL | SORTED, P(features.v), P(features.n), .element_bytes = sizeof(fw_feature_spec), .fallback = "{\"*\": auto}", .brief = "type",
 .help = "column: type, or a map; \"*\" is every other column but the target"},
{"features.*.type", FW_KEY_WORD, MODEL, F(type), .words = WORDS("auto", "ignore", "number", "category", "text", "time", "image"), .fallback = "auto",
 .help = "auto: found at ingest and said"},
{"features.*.missing", FW_KEY_MISSING, MODEL, F(missing), F(missing_value), F(has_missing), .words = WORDS("mean", "median", "constant", "error", "own"),
 .when = FOR_PRESENT, .help = "default: median for numbers, with an indicator when training rows have gaps; own, a value of its own, for categories"},
{"features.*.indicator", FW_KEY_BOOL, MODEL, F(indicator), .fallback = "false", .when = FOR_TABULAR, .help = "one more feature: 1 where the value is missing"},
{"features.*.clip", FW_KEY_CLIP, MODEL, F(clip), .given_at = F(has_clip), .when = FOR_NUMBER, .help = "two quantiles that bound the values, e.g. [0.01, 0.99]"},
{"features.*.log1p", FW_KEY_BOOL, MODEL, F(log1p), .fallback = "false", .when = FOR_NUMBER, .help = "log(1 + x) before scaling; values below 0 are refused"},
{"features.*.scale", FW_KEY_WORD, MODEL, F(scale), .given_at = F(has_scale), .words = WORDS("standard", "minmax", "robust", "none"), .when = FOR_SCALED,
 .help = "default: standard for numbers; none for images, which are divided by 255"},
{"features.*.encoding", FW_KEY_WORD, MODEL, F(encoding), .words = WORDS("one_hot", "ordinal"), .fallback = "one_hot", .when = FOR_CATEGORY, .help = "how a category becomes numbers"},
{"features.*.unseen", FW_KEY_WORD, MODEL, F(unseen), .words = WORDS("error", "other", "missing"), .fallback = "other", .when = FOR_CATEGORY,
 .help = "a category that training has not seen"},
{"features.*.min_count", FW_KEY_INTEGER, MODEL, F(min_count), .low = 1, .high = MAX_INTEGER, .fallback = "1", .when = FOR_CATEGORY, .help = "rarer categories count as other"},
{"features.*.ngrams", FW_KEY_SIZES, LATER | MODEL, .low = 1, .high = 8, .when = FOR_TEXT, .help = "shortest and longest n-gram of a text"},
{"features.*.buckets", FW_KEY_INTEGER, LATER | MODEL, .low = 1, .high = 1 << 30, .when = FOR_TEXT, .help = "hash buckets of a text"},
{"features.*.parts", FW_KEY_TEXTS, LATER | MODEL, .words = WORDS("year", "month", "day", "weekday", "hour", "minute"), .when = FOR_TIME, .help = "parts of a time"},

{"select", FW_KEY_SECTION, LATER, .help = "feature selection"},
{"select.method", FW_KEY_WORD_TEXT, LATER, .words = WORDS("mutual_information", "variance", "l1"), .help = "how features are ranked"},
{"select.keep", FW_KEY_INTEGER, LATER, .low = 1, .high = MAX_INTEGER, .help = "how many are kept"},

{"model", FW_KEY_SECTION, 0, .help = "the learner and its shape"},
{"model.learner", FW_KEY_WORD_TEXT, MODEL, P(model.learner), .words = WORDS("linear", "mlp", "cnn", "gbdt", "kmeans"), .fallback = "mlp", .help = "kind of model"},
{"model.hidden", FW_KEY_SIZES, MODEL, P(model.hidden), .low = 1, .high = 65536, .fallback = "[64, 32]", .when = FOR_NET, .help = "units of the hidden layers"},
{"model.activation", FW_KEY_WORD_TEXT, MODEL, P(model.activation), .words = WORDS("relu", "tanh", "gelu"), .fallback = "relu", .when = FOR_NET, .help = "of the hidden layers"},
{"model.dropout", FW_KEY_NUMBER, MODEL | FW_KEY_HIGH_OPEN, P(model.dropout), .low = 0, .high = 1, .fallback = "0", .when = FOR_NET, .help = "share of hidden units left out in a step"},

{"train", FW_KEY_SECTION, 0, .help = "how the model is fitted"},
{"train.epochs", FW_KEY_INTEGER, MODEL, P(train.epochs), .low = 1, .high = 1000000, .fallback = "20", .help = "passes over the training rows"},
{"train.global_batch_size", FW_KEY_INTEGER, MODEL, P(train.global_batch_size), .low = 1, .high = 1 << 24, .fallback = "256", .help = "rows a step, over all ranks"},
{"train.leaf_rows", FW_KEY_INTEGER, MODEL, P(train.leaf_rows), .low = 0, .high = 1 << 20, .fallback = "0", .help = "rows that are summed together; 0: chosen from the batch size alone"},
{"train.optimizer", FW_KEY_WORD, MODEL, P(train.optimizer), .words = WORDS("sgd", "adam", "adamw"), .fallback = "adam", .help = "how a gradient becomes a step"},
{"train.learning_rate", FW_KEY_NUMBER, MODEL | FW_KEY_LOW_OPEN, P(train.learning_rate), .low = 0, .high = 1000, .fallback = "0.001", .help = "size of a step"},
{"train.momentum", FW_KEY_NUMBER, MODEL | FW_KEY_HIGH_OPEN, P(train.momentum), .low = 0, .high = 1, .fallback = "0", .when = "train.optimizer sgd", .help = "share of the last step that is kept"},
{"train.weight_decay", FW_KEY_NUMBER, MODEL, P(train.weight_decay), .low = 0, .high = 1000, .fallback = "0", .help = "weights shrink by this share of the learning rate a step"},
{"train.l1", FW_KEY_NUMBER, MODEL, P(train.l1), .low = 0, .high = 1000000, .fallback = "0", .help = "L1 penalty of the weights"},
{"train.l2", FW_KEY_NUMBER, MODEL, P(train.l2), .low = 0, .high = 1000000, .fallback = "0", .help = "L2 penalty of the weights"},
{"train.beta1", FW_KEY_NUMBER, MODEL | FW_KEY_HIGH_OPEN, P(train.beta1), .low = 0, .high = 1, .fallback = "0.9", .when = FOR_ADAM, .help = "decay of the mean gradient"},
{"train.beta2", FW_KEY_NUMBER, MODEL | FW_KEY_HIGH_OPEN, P(train.beta2), .low = 0, .high = 1, .fallback = "0.999", .when = FOR_ADAM, .help = "decay of the mean squared gradient"},
{"train.epsilon", FW_KEY_NUMBER, MODEL | FW_KEY_LOW_OPEN, P(train.epsilon), .low = 0, .high = 1, .fallback = "1.0e-08", .when = FOR_ADAM, .help = "added to the root of the mean squared gradient"},
{"train.seed", FW_KEY_INTEGER, MODEL, P(train.seed), .high = MAX_INTEGER, .fallback = "1", .help = "seed of weights, order and dropout"},
{"train.schedule", FW_KEY_SECTION, 0, .brief = "kind", .help = "learning rate over the epochs: a word, or a map"},
{"train.schedule.kind", FW_KEY_WORD, MODEL, P(train.schedule.kind), .words = WORDS("constant", "step", "cosine"), .fallback = "constant", .help = "shape of the schedule"},
{"train.schedule.warmup_epochs", FW_KEY_NUMBER, MODEL, P(train.schedule.warmup_epochs), .low = 0, .high = 1000000, .fallback = "0", .help = "linear rise at the start"},
{"train.schedule.step_epochs", FW_KEY_INTEGER, MODEL, P(train.schedule.step_epochs), .low = 1, .high = 1000000, .fallback = "10", .when = "train.schedule.kind step", .help = "epochs between two steps down"},
{"train.schedule.step_factor", FW_KEY_NUMBER, MODEL | FW_KEY_LOW_OPEN, P(train.schedule.step_factor), .low = 0, .high = 1, .fallback = "0.1", .when = "train.schedule.kind step", .help = "factor of a step down"},
{"train.schedule.final_factor", FW_KEY_NUMBER, MODEL, P(train.schedule.final_factor), .low = 0, .high = 1, .fallback = "0", .when = "train.schedule.kind cosine", .help = "of the learning rate, at the end"},
{"train.class_weights", FW_KEY_WEIGHTS, MODEL, P(train.class_weights), P(train.n_class_weights), .given_at = P(train.balanced_classes), .help = "balanced, or class: weight"},
{"train.early_stopping", FW_KEY_SECTION, 0, .brief = "patience", .help = "end when the validation metric gets no better"},
{"train.early_stopping.metric", FW_KEY_TEXT, MODEL, P(train.early_stopping.metric), .help = "default: log_loss or rmse"},
{"train.early_stopping.patience", FW_KEY_INTEGER, MODEL, P(train.early_stopping.patience), .low = 0, .high = 1000000, .fallback = "0", .help = "rounds without improvement; 0: off"},
{"train.early_stopping.min_delta", FW_KEY_NUMBER, MODEL, P(train.early_stopping.min_delta), .low = 0, .high = 1000000, .fallback = "0", .help = "the least that counts as improvement"},
{"train.checkpoint", FW_KEY_SECTION, 0, .brief = "every", .help = "what a killed run goes on from"},
{"train.checkpoint.every", FW_KEY_EVERY, 0, P(train.checkpoint.every_s), P(train.checkpoint.every_rounds), .fallback = "60 s", .help = "\"60 s\", \"5 min\" or \"5 rounds\""},

{"tune", FW_KEY_SECTION, 0, .help = "search of hyperparameters"},
{"tune.sampler", FW_KEY_SECTION, 0, .brief = "name", .help = "how the next trial is chosen: a word, or a map"},
{"tune.sampler.name", FW_KEY_WORD_TEXT, 0, P(tune.sampler.name), .words = WORDS("auto", "random", "grid", "sobol", "tpe", "gp", "cmaes"), .fallback = "auto", .help = "auto: by budget, dimension and conditions, and said"},
{"tune.sampler.startup_trials", FW_KEY_INTEGER, 0, P(tune.sampler.startup_trials), .low = 0, .high = 1000000, .fallback = "0", .when = FOR_MODELS, .help = "drawn by sobol before a model is made; 0: the sampler's own number"},
{"tune.sampler.univariate", FW_KEY_BOOL, 0, P(tune.sampler.univariate), .fallback = "false", .when = "tune.sampler.name tpe", .help = "each parameter by itself; false: all together"},
{"tune.pruner", FW_KEY_SECTION, 0, .brief = "name", .help = "how bad trials are ended early: a word, or a map"},
{"tune.pruner.name", FW_KEY_WORD_TEXT, 0, P(tune.pruner.name), .words = WORDS("none", "asha", "hyperband", "median", "percentile", "one_epoch_top_k"), .fallback = "none", .help = "who decides"},
{"tune.pruner.min_rounds", FW_KEY_INTEGER, 0, P(tune.pruner.min_rounds), .low = 1, .high = 1000000, .fallback = "1", .when = FOR_PRUNERS, .alias = "grace_period", .help = "rounds before the first verdict"},
{"tune.pruner.max_rounds", FW_KEY_INTEGER, 0, P(tune.pruner.max_rounds), .low = 1, .high = 1000000, .alias = "max_t", .help = "rounds of a whole trial; default: train.epochs"},
{"tune.pruner.reduction_factor", FW_KEY_NUMBER, 0, P(tune.pruner.reduction_factor), .low = 1.1, .high = 1000, .fallback = "3", .when = "tune.pruner.name asha hyperband one_epoch_top_k", .help = "one of so many goes on at a rung"},
{"tune.pruner.startup_trials", FW_KEY_INTEGER, 0, P(tune.pruner.startup_trials), .low = 1, .high = 1000000, .fallback = "5", .when = "tune.pruner.name median percentile", .help = "trials that are complete before the first verdict"},
{"tune.pruner.percentile", FW_KEY_NUMBER, OPEN, P(tune.pruner.percentile), .low = 0, .high = 100, .fallback = "25", .when = "tune.pruner.name percentile", .help = "share of the trials that goes on, in percent"},
{"tune.pruner.keep", FW_KEY_INTEGER, 0, P(tune.pruner.keep), .low = 0, .high = 1000000, .fallback = "0", .when = "tune.pruner.name one_epoch_top_k", .help = "trials that go on; 0: trials / reduction_factor"},
{"tune.trials", FW_KEY_INTEGER, 0, P(tune.trials), .low = 1, .high = 1000000, .fallback = "64", .help = "number of trials"},
{"tune.seed", FW_KEY_INTEGER, 0, P(tune.seed), .high = MAX_INTEGER, .fallback = "1", .help = "seed of the sampler"},
{"tune.max_failed_trials", FW_KEY_INTEGER, 0, P(tune.max_failed_trials), .low = 0, .high = 1000000, .fallback = "16", .help = "the study ends when more trials than this have failed"},
{"tune.timeout", FW_KEY_DURATION, 0, P(tune.timeout_s), .help = "time after which no trial is begun, and what runs is saved, e.g. \"2 h\"; default: none"},
{"tune.parallel", FW_KEY_INTEGER, 0, P(tune.parallel), .low = 0, .high = 100000, .fallback = "0", .help = "trials at a time, as the sampler sees it (slots of lockstep); 0: the number of groups"},
{"tune.objective", FW_KEY_SECTION, 0, .brief = "metric", .help = "what a trial is judged by: a metric, or a map"},
{"tune.objective.metric", FW_KEY_TEXT, 0, P(tune.objective.metric), .help = "metric on the validation split; default: that of early stopping, else log_loss or rmse"},
{"tune.objective.direction", FW_KEY_WORD_TEXT, 0, P(tune.objective.direction), .words = WORDS("minimize", "maximize"), .help = "which way is better; default: that of the metric"},
{"tune.objective.folds", FW_KEY_INTEGER, 0, P(tune.objective.folds), .low = 1, .high = 100, .fallback = "1", .help = "folds of cross-validation in place of the validation split; 1: none"},
{"tune.objective.seeds", FW_KEY_INTEGER, 0, P(tune.objective.seeds), .low = 1, .high = 100, .fallback = "1", .help = "trainings of a trial with train.seed, train.seed + 1, ...; their mean counts"},
{"tune.space", FW_KEY_SPACE, 0, P(tune.space.v), P(tune.space.n), .help = "what is searched, by the paths of keys below features, model and train"},

{"evaluate", FW_KEY_SECTION, 0, .help = "proof on unseen rows"},
{"evaluate.fairness", FW_KEY_SECTION, 0, .help = "decisions compared between groups"},
{"evaluate.fairness.attributes", FW_KEY_TEXTS, 0, P(evaluate.fairness_attributes), .fallback = "[]", .help = "columns whose values are the groups"},
{"evaluate.fairness.max_difference", FW_KEY_NUMBER, 0, P(evaluate.fairness_max_difference), .low = 0, .high = 1, .fallback = "0.1", .help = "largest difference that is accepted"},
{"evaluate.fairness.min_count", FW_KEY_INTEGER, 0, P(evaluate.fairness_min_count), .low = 1, .high = MAX_INTEGER, .fallback = "30", .help = "smaller groups are named, not compared"},

{"deploy", FW_KEY_SECTION, LATER, .help = "serving"},
{"deploy.registry", FW_KEY_TEXT, LATER, .help = "folder of the registry"},
{"deploy.listen", FW_KEY_TEXT, LATER, .help = "address and port of the server"},
{"deploy.candidates", FW_KEY_ANY, LATER, .help = "alias: share of the traffic"},

{"monitor", FW_KEY_SECTION, 0, .help = "the stream of predictions, and what watches it"},
{"monitor.bus", FW_KEY_TEXT, 0, P(monitor.bus), .help = "ZeroMQ endpoint, e.g. tcp://127.0.0.1:5555; default: nothing is published"},
{"monitor.keys", FW_KEY_TEXT, 0, P(monitor.keys), .help = "folder of keys for the bus (`flywheel keys`); without keys it stays on this host"},
{"monitor.window", FW_KEY_WINDOW, USE, P(monitor.window), P(monitor.window_s), .low = 1, .high = FW_WINDOW_MAX_ROWS, .fallback = "1000",
 .help = "predictions in a window, or its length, e.g. \"60 s\": it then begins at a multiple of that, UTC"},
{"monitor.features", FW_KEY_WORD, USE, P(monitor.features), .words = WORDS("none", "summary", "full"), .fallback = "summary",
 .help = "what is published of the features: nothing, counts of each window, or also the values of each row"},
{"monitor.sample", FW_KEY_NUMBER, USE | FW_KEY_LOW_OPEN, P(monitor.sample), .low = 0, .high = 1, .fallback = "1",
 .help = "share of the rows that are published one by one; counts are of all"},
{"monitor.dashboard", FW_KEY_TEXT, 0, P(monitor.dashboard), .help = "address and port of the monitor's page, e.g. 127.0.0.1:8090; default: none"},
{"monitor.token", FW_KEY_TEXT, 0, P(monitor.token), .help = "file with the token that the page asks for; needed when others can reach its address"},
{"monitor.drift", FW_KEY_SECTION, 0, .help = "drift of features, scores and classes against the reference in the model"},
{"monitor.drift.false_alarms", FW_KEY_NUMBER, OPEN, P(monitor.drift.false_alarms), .low = 0, .high = 1, .fallback = "0.05",
 .help = "chance of any false alarm over the whole life of a model, all of its columns together"},
{"monitor.drift.alert_on", FW_KEY_TEXTS, SORTED, P(monitor.drift.alert_on),
 .words = WORDS("psi", "js", "ks", "chi_square", "wasserstein", "missing_rate", "unseen_rate"), .fallback = "[js, missing_rate, psi, unseen_rate]",
 .help = "figures whose threshold is an alert once there is evidence too; the others are shown"},
{"monitor.drift.psi", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.drift.psi), .low = 0, .high = 100, .fallback = "0.2", .help = "population stability index that matters"},
{"monitor.drift.js", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.drift.js), .low = 0, .high = 1, .fallback = "0.1", .help = "Jensen-Shannon distance (base 2) that matters"},
{"monitor.drift.ks", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.drift.ks), .low = 0, .high = 1, .fallback = "0.2", .help = "Kolmogorov-Smirnov distance that matters"},
{"monitor.drift.chi_square", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.drift.chi_square), .low = 0, .high = 100, .fallback = "0.3", .help = "Cohen's w of the G-test that matters"},
{"monitor.drift.wasserstein", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.drift.wasserstein), .low = 0, .high = 1000000, .fallback = "0.1", .help = "Wasserstein-1 distance in standard deviations of the reference that matters"},
{"monitor.drift.missing_rate", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.drift.missing_rate), .low = 0, .high = 1, .fallback = "0.01", .help = "change of the share of missing values that matters"},
{"monitor.drift.unseen_rate", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.drift.unseen_rate), .low = 0, .high = 1, .fallback = "0.01", .help = "change of the share of unseen values that matters"},
{"monitor.store", FW_KEY_TEXT, 0, P(monitor.store), .help = "file in which the monitor keeps what it saw, relative to the project file; default: none"},
{"monitor.keep", FW_KEY_DURATION, 0, P(monitor.keep_s), .fallback = "7776000 s", .help = "how long windows and alerts that are over stay in it"},
{"monitor.keep_mib", FW_KEY_INTEGER, 0, P(monitor.keep_mib), .low = 16, .high = 1048576, .fallback = "1024",
 .help = "its size; beyond, the oldest windows go before their time"},
{"monitor.alerts", FW_KEY_SECTION, 0, .help = "who is told of alerts, and when they are over"},
{"monitor.alerts.bus", FW_KEY_TEXT, 0, P(monitor.alerts.bus), .help = "endpoint at which the monitor publishes alerts, e.g. tcp://127.0.0.1:5556; default: none"},
{"monitor.alerts.exec", FW_KEY_TEXTS, FW_KEY_REPEATS, P(monitor.alerts.exec),
 .help = "program with its arguments, started for each event of an alert, which it gets as JSON on standard input; no shell, 30 s; default: none"},
{"monitor.alerts.webhook", FW_KEY_TEXT, 0, P(monitor.alerts.webhook), .help = "address to which each event is posted as JSON, e.g. https://host/path; default: none"},
{"monitor.alerts.quiet_windows", FW_KEY_INTEGER, 0, P(monitor.alerts.quiet_windows), .low = 1, .high = 1000000, .fallback = "3",
 .help = "windows in a row below 0.8 of the threshold after which an alert is resolved"},
{"monitor.alerts.cool_down", FW_KEY_DURATION, 0, P(monitor.alerts.cool_down_s), .fallback = "600 s",
 .help = "from its resolving on, until the same cause can raise another"},
{"monitor.performance", FW_KEY_SECTION, 0, .help = "quality in use"},
{"monitor.performance.metric", FW_KEY_TEXT, 0, P(monitor.performance.metric), .help = "what is judged of each window; default: accuracy, of a regression rmse"},
{"monitor.performance.drop", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.performance.drop), .low = 0, .high = 1000000, .fallback = "0.05",
 .help = "how much worse than the model's reference is an alert; of log_loss, rmse and mae a share of it"},
{"monitor.performance.false_alarms", FW_KEY_NUMBER, OPEN, P(monitor.performance.false_alarms), .low = 0, .high = 1, .fallback = "0.05",
 .help = "chance of any false alarm on the outcomes of a model over its whole life, its estimates included; and on the KPI"},
{"monitor.performance.deviations", FW_KEY_NUMBER, FW_KEY_LOW_OPEN, P(monitor.performance.deviations), .low = 0, .high = 1000000, .fallback = "3",
 .help = "standard deviations of the reference's chunks that an estimate without outcomes may be off"},

{"retrain", FW_KEY_SECTION, LATER, .help = "turning the wheel again"},
{"retrain.when", FW_KEY_TEXTS, LATER, .help = "drift, performance, or a time such as \"30 d\""},
{"retrain.launch", FW_KEY_TEXT, LATER, .help = "launcher, e.g. mpirun -n 4"},
{"retrain.promote", FW_KEY_WORD_TEXT, LATER, .words = WORDS("never", "canary", "always"), .help = "what becomes of a better model"},
};
const size_t fw_n_keys = sizeof fw_keys / sizeof fw_keys[0];

const char *fw_key_name(const fw_key *key)
{
    const char *dot = strrchr(key->path, '.');
    return dot == NULL ? key->path : dot + 1;
}

/* ---- who stands below whom: told from the paths once, since each reading and each writing asks it of every key ------------------------------------ */

static const char *parent_path[sizeof fw_keys / sizeof fw_keys[0]];       /* the parent's own text; NULL: top level */
static pthread_once_t parents_are_known = PTHREAD_ONCE_INIT;

/* "features" of "features.*.clip", "train" of "train.epochs". */
static size_t parent_length(const fw_key *key)
{
    const size_t len = key->path == fw_key_name(key) ? 0 : (size_t)(fw_key_name(key) - key->path) - 1;
    return len > 2 && strncmp(key->path + len - 2, ".*", 2) == 0 ? len - 2 : len;
}

static void find_parents(void)
{
    for (size_t i = 0; i < fw_n_keys; i++) {
        const size_t len = parent_length(&fw_keys[i]);
        for (size_t k = 0; k < fw_n_keys && len > 0; k++)
            if (strlen(fw_keys[k].path) == len && strncmp(fw_keys[k].path, fw_keys[i].path, len) == 0) parent_path[i] = fw_keys[k].path;
    }
}

bool fw_key_is_child(const fw_key *key, const fw_key *parent)
{
    pthread_once(&parents_are_known, find_parents);
    return parent_path[key - fw_keys] == (parent != NULL ? parent->path : NULL);
}

const fw_key *fw_key_find(const char *path)
{
    for (size_t i = 0; i < fw_n_keys; i++)
        if (strcmp(fw_keys[i].path, path) == 0) return &fw_keys[i];
    return NULL;
}

const fw_key *fw_key_below(const fw_key *parent, const char *name)
{
    for (size_t i = 0; i < fw_n_keys; i++)
        if (fw_key_is_child(&fw_keys[i], parent) && strcmp(fw_key_name(&fw_keys[i]), name) == 0) return &fw_keys[i];
    return NULL;
}

const fw_key *fw_key_aliased(const fw_key *parent, const char *name)
{
    for (size_t i = 0; i < fw_n_keys; i++)
        if (fw_keys[i].alias != NULL && strcmp(fw_keys[i].alias, name) == 0 && fw_key_is_child(&fw_keys[i], parent)) return &fw_keys[i];
    return NULL;
}
