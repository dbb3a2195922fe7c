/** The project file of the example, written to be read: every section that works, with its reasons. */
#include <stdlib.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "coordinator/commands/example_callcenter.h"

static const char head[] =
    "# A call centre wants each caller to reach an agent with the right skill at once. Drawn by `flywheel init --example callcenter`.\n"
    "#\n"
    "#   flywheel check callcenter.yaml              is everything in order?\n"
    "#   mpirun -n 2 flywheel ingest callcenter.yaml\n"
    "#   mpirun -n 2 flywheel train callcenter.yaml\n"
    "#   mpirun -n 2 flywheel evaluate callcenter.yaml\n"
    "#\n"
    "# Every key: flywheel check --keys. Any key can be given as key=value behind a command: flywheel train callcenter.yaml train.epochs=5\n"
    "#\n";

static const char facts_text[] =
    "# The calls come from a known probabilistic model, so the best reachable result is known. For these %llu calls (seed %llu, %llu of them\n"
    "# kept, %llu with a wrong label) a classifier that knows the model has accuracy %.4f and macro F1 %.4f. Nobody does better but by chance.\n"
    "\n";

static const char body[] =
    "project: callcenter\n"
    "\n"
    "goal:                                   # business goal: what is to become better, and how the business will see it\n"
    "  statement: Send each caller to an agent with the right skill the first time.\n"
    "  kpi: {name: transfer_rate, direction: minimize, baseline: 0.34, target: 0.20}\n"
    "\n"
    "problem:                                # the goal as a machine-learning problem\n"
    "  task: classification                  # classification | regression\n"
    "  target: skill                         # the column to predict\n"
    "  success: {accuracy: \">= 0.87\", macro_f1: \">= 0.82\"}       # gates on the test split: evaluate ends with exit code 3 when one fails\n"
    "\n"
    "data:                                   # collection, integration, cleaning\n"
    "  tables: {calls: calls.csv}            # paths are relative to this file; .gz and .zst are read too\n"
    "  id: call_id                           # carried through to the output of score; never a feature\n"
    "  labels:\n"
    "    exclude: [wrong_number]             # nobody has a skill for wrong numbers\n"
    "    merge: {kindle: [kindle_account, kindle_device, kindle_content]}       # one team answers all three\n"
    "  private: [customer_name, phone]       # never stored, never published\n"
    "  bad_rows: error                       # error | skip (count and list the first ones)\n"
    "  split: {train: 0.8, validation: 0.1, test: 0.1, by: random, stratify: true, seed: 1}       # by: random | time | group | given\n"
    "\n"
    "features:                               # preprocessing; the same transforms in training, evaluate and score\n"
    "  call_time: ignore                     # the hour is a column of its own\n"
    "  hour: {type: number, scale: standard}\n"
    "  topic_account: number                 # words of a topic in the utterance; numbers are scaled to mean 0, variance 1\n"
    "  topic_device: number\n"
    "  topic_content: number\n"
    "  topic_delivery: number\n"
    "  topic_payment: number\n"
    "  topic_returns: number\n"
    "  topic_prime: number\n"
    "  topic_gift: number\n"
    "  owns_echo: category                   # one feature a value\n"
    "  owns_kindle: category\n"
    "  owns_fire_tv: category\n"
    "  prime_member: {type: category, unseen: other}       # a value that training has not seen counts as other\n"
    "  days_since_last_order: {type: number, missing: median, indicator: true, clip: [0.01, 0.99], log1p: true, scale: standard}\n"
    "  last_order_category: {type: category, min_count: 50}       # rarer categories count as other\n"
    "\n"
    "model: {learner: mlp, hidden: [64, 32], activation: relu}       # linear | mlp\n"
    "\n"
    "train:                                  # the same bits on any number of ranks\n"
    "  epochs: 20\n"
    "  global_batch_size: 256                # rows a step over all ranks\n"
    "  optimizer: adam                       # sgd | adam | adamw\n"
    "  learning_rate: 0.003                  # flywheel train callcenter.yaml --find-learning-rate suggests one\n"
    "  seed: 1\n"
    "  early_stopping: {metric: log_loss, patience: 5}       # rounds without a better value on the validation split\n"
    "  checkpoint: {every: 60 s}             # a killed run goes on from here, on any number of ranks\n"
    "\n"
    "# tune:                                 # to search: take the '#' off these lines, then flywheel sweep callcenter.yaml --groups 2\n"
    "#   trials: 64\n"
    "#   pruner: asha                        # trials that look poor after a round make room for others\n"
    "#   objective: macro_f1                 # on the validation split\n"
    "#   space:\n"
    "#     train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}\n"
    "#     model.learner: {choices: [linear, mlp]}\n"
    "#     model.hidden: {choices: [[32], [64, 32], [128, 64]], when: {model.learner: mlp}}\n"
    "\n"
    "evaluate:\n"
    "  fairness: {attributes: [prime_member], max_difference: 0.10}       # are the groups served alike?\n"
    "\n"
    "monitor:\n"
    "  bus: tcp://127.0.0.1:5555             # train and score publish here; flywheel watch and flywheel-monitor listen\n"
    "  window: 1000                          # predictions\n";

fw_status coord_callcenter_project(FILE *out, const coord_callcenter_facts *f, fw_error *err)
{
    fputs(head, out);
    fprintf(out, facts_text, (unsigned long long)f->rows, (unsigned long long)f->seed, (unsigned long long)f->kept, (unsigned long long)f->wrong_labels,
            f->bayes_accuracy, f->bayes_macro_f1);
    fputs(body, out);
    return ferror(out) ? fw_fail_errno(err, FW_ERR_IO, "writing the project file of the example") : FW_OK;
}

static fw_status place(char **path, const char *dir, const char *name, bool force, fw_error *err)
{
    FW_TRY(fw_path_join(path, dir, name, err));
    if (!force && fw_path_exists(*path)) return fw_fail(err, FW_ERR_CONFIG, "init: %s is already there: choose another folder, or --force to replace it", *path);
    return FW_OK;
}

fw_status coord_callcenter_write(const char *dir, uint64_t rows, uint64_t seed, bool force, coord_callcenter_facts *facts, fw_error *err)
{
    FW_FREE char *calls_path = NULL, *project_path = NULL;
    FW_TRY(place(&calls_path, dir, "calls.csv", force, err));
    FW_TRY(place(&project_path, dir, "callcenter.yaml", force, err));
    FW_TRY(fw_make_dirs(dir, err));
    FW_AUTO(fw_atomic_file) *calls = NULL, *project = NULL;
    FW_TRY(fw_atomic_file_create(&calls, calls_path, err));
    fw_status s = coord_callcenter_calls(fw_atomic_file_stream(calls), rows, seed, facts, err);
    if (s != FW_OK) return fw_wrap(err, s, "%s", calls_path);
    FW_TRY(fw_atomic_file_commit(calls, err));
    FW_TRY(fw_atomic_file_create(&project, project_path, err));
    s = coord_callcenter_project(fw_atomic_file_stream(project), facts, err);
    if (s != FW_OK) return fw_wrap(err, s, "%s", project_path);
    return fw_atomic_file_commit(project, err);
}
