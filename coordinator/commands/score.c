/** flywheel score: predictions for a table or a dataset, in input order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/model/model.h"
#include "coordinator/commands/access.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/dataset.h"
#include "coordinator/commands/run.h"
#include "coordinator/gang/group.h"

/* A YAML single-quoted scalar. */
static void add_quoted(fw_text *t, const char *s)
{
    fw_text_add(t, "'");
    for (; *s != '\0'; s++) fw_text_add_bytes(t, *s == '\'' ? "''" : s, *s == '\'' ? 2 : 1);
    fw_text_add(t, "'");
}

static void add_columns(fw_text *t, const char *list)
{
    fw_text_add(t, ", columns: [");
    for (const char *at = list; at != NULL;) {
        const char *comma = strchr(at, ',');
        FW_FREE char *name = strndup(at, comma != NULL ? (size_t)(comma - at) : strlen(at));
        if (at != list) fw_text_add(t, ", ");
        if (name != NULL) add_quoted(t, name);
        at = comma != NULL ? comma + 1 : NULL;
    }
    fw_text_add(t, "]");
}

/* {input: {path: '...', ...}} from the options. */
static fw_status table_text(fw_text *t, const coord_call *call, const char *input, fw_error *err)
{
    FW_FREE char *absolute = realpath(input, NULL);
    if (absolute == NULL) return fw_fail_errno(err, FW_ERR_CONFIG, "%s", input);
    fw_text_add(t, "{input: {path: ");
    add_quoted(t, absolute);
    if (coord_option_set(call, "delimiter")) {
        fw_text_add(t, ", delimiter: ");
        add_quoted(t, coord_option_value(call, "delimiter"));
    }
    if (coord_option_set(call, "no-header")) fw_text_add(t, ", header: false");
    if (coord_option_set(call, "columns")) add_columns(t, coord_option_value(call, "columns"));
    fw_text_add(t, "}}");
    return fw_text_check(t, err);
}

/* key=value on the command line: how predictions are told of; the rest is the model's. */
static fw_status take_overrides(fw_project *p, const coord_call *call, fw_error *err)
{
    for (size_t i = 0; i < call->n_overrides; i++) {
        const char *equals = strchr(call->overrides[i], '=');
        FW_FREE char *key = strndup(call->overrides[i], (size_t)(equals - call->overrides[i]));
        if (key == NULL) return fw_fail(err, FW_ERR_NOMEM, "score: %s", call->overrides[i]);
        if (strncmp(key, "monitor.", strlen("monitor.")) != 0)
            return fw_fail(err, FW_ERR_CONFIG, "score: \"%s\" cannot be set for a model that is made; monitor.features, monitor.sample and monitor.window can", key);
        FW_TRY(fw_project_set(p, key, equals + 1, err));
    }
    return FW_OK;
}

/* How the model's project reads cells, over the table that is to be scored. */
static fw_status scoring_project(char **yaml, const coord_call *call, const fw_model *m, const char *input, fw_error *err)
{
    FW_AUTO(fw_project) *p = NULL;
    FW_AUTO(fw_text) table = {0};
    FW_TRY(table_text(&table, call, input, err));
    FW_TRY(fw_project_parse_model_part(&p, m->project_yaml, table.data, "the project in the model", ".", err));
    if (coord_option_set(call, "id")) {
        FW_AUTO(fw_text) id = {0};
        add_quoted(&id, coord_option_value(call, "id"));
        FW_TRY(fw_text_check(&id, err));
        FW_TRY(fw_project_set(p, "data.id", id.data, err));
    }
    FW_TRY(take_overrides(p, call, err));
    return fw_project_resolved(yaml, p, err);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

static void print_telemetry(const fw_answer *a, const char *bus, const char *spool, const char *record)
{
    if (record != NULL) fw_log_info("written: %s, %.0f messages; flywheel-monitor --once %s judges them", record, fw_answer_value(a, "recorded", 0.0), record);
    if (bus == NULL) return;
    const double spooled = fw_answer_value(a, "spooled", 0.0), dropped = fw_answer_value(a, "dropped", 0.0);
    fw_log_info("published %.0f predictions in %.0f messages on %s: %.0f delivered, %.0f spooled, %.0f dropped; its end took %.1f s", fw_answer_value(a, "published", 0.0),
                fw_answer_value(a, "messages", 0.0), bus, fw_answer_value(a, "delivered", 0.0), spooled, dropped,
                fw_answer_value(a, "ending", 0.0));
    if (spooled > 0) fw_log_info("%s keeps %.0f messages for the monitor, until it takes them from the next publisher on it", spool, spooled);
    if (dropped > 0) fw_log_warn("%.0f messages were dropped: no monitor took them, and they did not fit or were not to be kept (--spool)", dropped);
}

static void print_result(const fw_answer *a, const char *output)
{
    const double rows = fw_answer_value(a, "rows", 0.0), seconds = fw_answer_value(a, "seconds", 0.0), telemetry = fw_answer_value(a, "telemetry", 0.0);
    fw_log_info("scored %.0f rows in %.2f s on %u rank%s (%.0f rows/s)", rows, seconds, a->ranks, a->ranks == 1 ? "" : "s", seconds > 0.0 ? rows / seconds : 0.0);
    fw_log_info("%.0f parts, each read, predicted and written in %.3f ms (p50), %.3f ms (p99)", fw_answer_value(a, "parts", 0.0), 1e3 * fw_answer_value(a, "part_p50", 0.0),
                1e3 * fw_answer_value(a, "part_p99", 0.0));
    if (telemetry > 0.0)
        fw_log_info("telemetry took %.2f %% of that; without its time: %.3f ms (p50), %.3f ms (p99)", 100.0 * telemetry / fw_answer_value(a, "in_parts", 1.0),
                    1e3 * fw_answer_value(a, "bare_p50", 0.0), 1e3 * fw_answer_value(a, "bare_p99", 0.0));
    fw_log_info("missing cells %.0f, unseen categories %.0f, bad rows left out %.0f", fw_answer_value(a, "missing", 0.0), fw_answer_value(a, "unseen", 0.0),
                fw_answer_value(a, "bad", 0.0));
    if (output[0] != '\0') fw_log_info("written: %s", output);
}

/* Where what no monitor has acknowledged is kept: --spool, else in the current folder, under the name of the model; "" for "none". */
static fw_status choose_spool(char **out, const coord_call *call, const char *model_name, fw_error *err)
{
    const char *wanted = coord_option_value(call, "spool");
    if (wanted != NULL) return fw_copy_text(out, strcmp(wanted, "none") == 0 ? "" : wanted, err);
    if (asprintf(out, "%s.spool", model_name) < 0) return fw_fail(err, FW_ERR_NOMEM, "score: a name");
    for (char *c = *out; *c != '\0'; c++)
        if (*c == '/') *c = '-';
    return FW_OK;
}

static fw_status send_score(coord_call *call, const char *model_path, char *yaml, const char *input, bool is_dataset, char *spool, const fw_bus_identity *identity, fw_error *err)
{
    const char *output = coord_option_value(call, "output"), *bus = coord_option_value(call, "bus"), *record = coord_option_value(call, "record");
    double readers = 0.0, wait_s = 0.0, piece = 0.0;
    static const char *const formats[] = {"csv", "hdf5"};
    int format = 0;
    FW_AUTO(fw_answer) *a = NULL;
    if (output == NULL) output = "predictions.csv";
    if (record != NULL && *record == '\0') return fw_fail(err, FW_ERR_CONFIG, "score: --record names no file");
    if (strcmp(output, "-") == 0) return fw_fail(err, FW_ERR_CONFIG, "score: the ranks write predictions into a file, not to standard output: name one with --output");
    FW_TRY(coord_option_choice(&format, call, "format", formats, 2, err));
    if (!coord_option_set(call, "format") && (ends_with(output, ".h5") || ends_with(output, ".hdf5"))) format = 1;
    FW_TRY(coord_option_number(&readers, call, "wait-subscribers", 0.0, 0.0, 1e6, err));
    FW_TRY(coord_option_number(&piece, call, "piece-rows", 0.0, 1.0, 1e6, err));
    FW_TRY(coord_option_number(&wait_s, call, "wait-seconds", 30.0, 0.0, 1e6, err));
    fw_order load = {.kind = FW_ORDER_LOAD_MODEL, .path = (char *)model_path};
    fw_order score = {.kind = FW_ORDER_SCORE, .project = yaml, .directory = (char *)".", .dataset = (char *)(is_dataset ? input : ""),
                      .split = (char *)coord_option_value(call, "split"), .output = (char *)output, .format = (char *)formats[format], .bus = (char *)bus, .keys = (char *)identity->keys, .insecure = identity->insecure,
                      .spool = spool, .record = (char *)record,
                      .wait_readers = (uint32_t)readers, .wait_s = wait_s, .piece_rows = (uint64_t)piece, .skip_bad_rows = coord_option_set(call, "skip-bad-rows")};
    FW_TRY(coord_group_order(call->group, &load, NULL, NULL, NULL, err));
    FW_TRY(coord_group_order(call->group, &score, coord_print_notes, NULL, &a, err));
    print_result(a, output);
    print_telemetry(a, bus, spool, record);
    return FW_OK;
}

/* A table without names: those that the model looks for are said. */
static fw_status columns_wanted(const fw_model *m, fw_error *err)
{
    FW_AUTO(fw_text) list = {0};
    size_t n = m->schema->n_columns;
    for (size_t i = 0; i < n && i < 40; i++) fw_text_format(&list, "%s%s", i > 0 ? "," : "", m->schema->columns[i].name);
    FW_TRY(fw_text_check(&list, err));
    return fw_fail(err, FW_ERR_CONFIG, "score: --no-header needs the names of the columns in their order: --columns A,B,...; the model knows %s%s", list.data, n > 40 ? ",..." : "");
}

static fw_status run(coord_call *call, fw_error *err)
{
    FW_FREE char *model_path = NULL;
    FW_FREE char *yaml = NULL;
    FW_FREE char *spool = NULL;
    FW_AUTO(fw_model) *m = NULL;
    coord_access access;
    const char *input = call->positional[1];
    if (!fw_path_exists(input)) return fw_fail(err, FW_ERR_CONFIG, "%s: there is no such table or dataset", input);
    FW_TRY(coord_access_options(&access, call, err));
    FW_TRY(coord_access_complete(&access, NULL, coord_option_value(call, "bus"), true, err));
    FW_TRY(coord_run_model_path(&model_path, call->positional[0], err));
    FW_TRY(fw_model_load(&m, model_path, err));
    const bool is_dataset = coord_is_flywheel_file(input);
    if (coord_option_set(call, "split") && !is_dataset) return fw_fail(err, FW_ERR_CONFIG, "score: --split goes with a dataset; %s is a table", input);
    if (coord_option_set(call, "no-header") && !coord_option_set(call, "columns")) return columns_wanted(m, err);
    FW_TRY(scoring_project(&yaml, call, m, input, err));
    FW_TRY(choose_spool(&spool, call, m->name, err));
    return send_score(call, model_path, yaml, input, is_dataset, spool, &access.identity, err);
}

static const coord_option options[] = {
    {"output", 'o', "FILE", "where the predictions go (default: predictions.csv)"},
    {"format", 0, "csv|hdf5", "of the output (default: by its ending)"},
    {"split", 0, "NAME", "of a dataset: train, validation or test (default: all rows)"},
    {"id", 0, "COLUMN", "column carried through to the output (default: data.id of the project, else the row number)"},
    {"delimiter", 0, "CHAR", "between the fields: a character, or tab (default: by the ending)"},
    {"no-header", 0, NULL, "the table has no line of names; --columns gives them"},
    {"columns", 0, "A,B,...", "names of the table's columns"},
    {"skip-bad-rows", 0, NULL, "leave rows out that can't be read, and count them (default: the first one ends it)"},
    {"piece-rows", 0, "N", "rows predicted at a time (default: 1024); the output does not depend on it"},
    {"bus", 0, "ENDPOINT", "publish every prediction there (tcp://127.0.0.1:5555)"},
    COORD_ACCESS_OPTIONS,
    {"spool", 0, "FOLDER|none", "what is published stays there until the monitor has taken it, up to 1 GiB (default: <model>.spool here)"},
    {"record", 0, "FILE", "what is or would be published, into a file; flywheel-monitor --once judges it. Needs no --bus"},
    {"wait-subscribers", 0, "N", "begin when N subscribers are there"},
    {"wait-seconds", 0, "S", "how long to wait for them (default: 30)"},
};

const coord_command coord_command_score = {
    .name = "score",
    .arguments = "RUN|MODEL TABLE|DATASET [key=value ...]",
    .summary = "predict every row of a table or dataset, in input order",
    .description = "The output holds the id (or row number), the prediction and the probability of each class; it is the same file for any number of\n"
                   "ranks, and each row's bits are those that evaluation gave. Columns are found by name, in any order.\n\n"
                   "  flywheel score runs/latest new_calls.csv -o routed.csv\n"
                   "  mpirun -n 8 flywheel score model.h5 big.csv.gz -o routed.h5 --bus tcp://127.0.0.1:5555\n"
                   "  flywheel score runs/latest new_calls.csv --record new_calls.rec && flywheel-monitor --once new_calls.rec\n\n"
                   "With --bus or --record every prediction is published, and counts of all rows' features and scores for each monitor.window of them. The keys are\n"
                   "monitor.features=none|summary|full, monitor.sample=SHARE (of the rows one by one) and monitor.window=ROWS|TIME; their defaults are in the model.\n",
    .min_positional = 2, .max_positional = 2, .needs_group = true,
    .options = options, .n_options = sizeof options / sizeof *options,
    .run = run,
};
