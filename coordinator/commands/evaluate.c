/** flywheel evaluate: a trained model against a split it has not seen; the gates of problem.success decide between exit 0 and 3. */
#include <stdio.h>
#include <stdlib.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/dataset.h"
#include "coordinator/commands/evaluation.h"
#include "coordinator/commands/history.h"
#include "coordinator/commands/run.h"
#include "coordinator/study/rounds.h"

/* The run folder or model named second; runs/latest when none is. */
static fw_status model_and_dir(char **model, char **dir, const coord_call *call, const fw_project *p, fw_error *err)
{
    FW_FREE char *latest = NULL;
    FW_TRY(fw_path_join(&latest, p->dir, "runs/latest", err));
    const char *given = call->n_positional > 1 ? call->positional[1] : latest;
    if (call->n_positional < 2 && !fw_path_exists(latest))
        return fw_fail(err, FW_ERR_CONFIG, "%s: nothing was trained yet; run `flywheel train %s`, or name a run folder or a model.h5", latest, p->path);
    FW_TRY(coord_run_model_path(model, given, err));
    return fw_path_is_dir(given) ? fw_copy_text(dir, given, err) : fw_path_dir(dir, given, err);
}

static fw_status print_report(const coord_call *call, const coord_evaluation *e, fw_error *err)
{
    static const char *const formats[] = {"table", "json"};
    int format = 0;
    FW_TRY(coord_option_choice(&format, call, "format", formats, 2, err));
    if (format == 0) return coord_report_table(stdout, coord_evaluation_report(e), err);
    json_t *j = NULL;
    FW_TRY(coord_report_json(&j, coord_evaluation_report(e), err));
    int rc = json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(j);
    putchar('\n');
    return rc == 0 ? FW_OK : fw_fail(err, FW_ERR_IO, "standard output can't be written");
}

static fw_status judge(coord_call *call, const coord_evaluation_opts *opts, const char *dir, fw_error *err)
{
    FW_AUTO(coord_evaluation) *e = NULL;
    FW_TRY(coord_evaluation_run(&e, call->group, opts, err));
    FW_TRY(print_report(call, e, err));
    FW_TRY(coord_evaluation_write(e, dir, err));
    fw_log_info("written: %s/metrics.json, %s/report.html", dir, dir);
    FW_FREE char *failures = coord_evaluation_failures(e);
    return failures == NULL ? FW_OK : fw_fail(err, FW_ERR_CHECK, "a gate is not passed: %s", failures);
}

static fw_status evaluate(coord_call *call, fw_project *p, fw_error *err)
{
    FW_FREE char *model = NULL;
    FW_FREE char *dir = NULL;
    FW_FREE char *dataset = NULL;
    FW_FREE coord_history_row *history = NULL;
    const char *split = coord_option_value(call, "split"), *metric = coord_rounds_metric(p);
    coord_evaluation_opts opts = {.project = p, .split = FW_TEST, .gates = true};
    if (split != NULL && !fw_split_parse(&opts.split, split))
        return fw_fail(err, FW_ERR_CONFIG, "evaluate: --split is \"%s\"; it can be train, validation, test", split);
    FW_TRY(model_and_dir(&model, &dir, call, p, err));
    if (coord_option_set(call, "dataset")) {
        FW_TRY(fw_copy_text(&dataset, coord_option_value(call, "dataset"), err));
        if (!fw_path_exists(dataset)) return fw_fail(err, FW_ERR_CONFIG, "%s: there is no such dataset", dataset);
    } else {
        FW_TRY(fw_project_dataset_path(&dataset, p, err));
        FW_TRY(coord_dataset_check(dataset, p, err));
    }
    fw_round_result *rounds = NULL;
    size_t n = 0;
    FW_TRY(coord_run_history(&rounds, &n, dir, err));
    fw_status s = coord_history_rows(&history, &metric, rounds, n, err);
    coord_run_history_free(rounds, n);
    FW_TRY(s);
    opts.model_path = model;
    opts.dataset_path = dataset;
    opts.history = history;
    opts.n_history = n;
    opts.history_metric = metric;
    return judge(call, &opts, coord_option_set(call, "output") ? coord_option_value(call, "output") : dir, err);
}

static fw_status run(coord_call *call, fw_error *err)
{
    FW_AUTO(fw_project) *p = NULL;
    FW_TRY(fw_project_load(&p, call->positional[0], call->overrides, call->n_overrides, err));
    return evaluate(call, p, err);
}

static const coord_option options[] = {
    {"split", 0, "NAME", "train, validation or test (default)"},
    {"dataset", 0, "FILE", "another dataset.h5 than the project's"},
    {"output", 'o', "DIR", "where metrics.json and report.html go (default: the run folder)"},
    {"format", 0, "table|json", "what is printed (default: table)"},
};

const coord_command coord_command_evaluate = {
    .name = "evaluate",
    .arguments = "FILE [RUN|MODEL] [key=value ...]",
    .summary = "judge a model on the test split: metrics, fairness, gates, a report",
    .description = "Each row of the split is predicted once, by the path that `score` takes. Exit 0 when every gate of problem.success (and the\n"
                   "limit of evaluate.fairness) is passed, 3 when one is not. Without RUN: runs/latest.\n\n"
                   "  flywheel evaluate callcenter.yaml\n"
                   "  mpirun -n 4 flywheel evaluate callcenter.yaml runs/wide --format json\n",
    .min_positional = 1, .max_positional = 2, .needs_group = true,
    .options = options, .n_options = sizeof options / sizeof *options,
    .run = run,
};
