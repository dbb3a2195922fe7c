/** flywheel init: a commented project file from a table, or a whole example project. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/example_callcenter.h"
#include "coordinator/commands/survey.h"

/* ---- the example ------------------------------------------------------------------------------------------------------------------------ */

static fw_status init_example(const coord_call *call, fw_error *err)
{
    static const char *const examples[] = {"callcenter"};
    int which;
    double rows, seed;
    FW_TRY(coord_option_choice(&which, call, "example", examples, 1, err));
    FW_TRY(coord_option_number(&rows, call, "rows", COORD_CALLCENTER_ROWS, 100, 1e9, err));
    FW_TRY(coord_option_number(&seed, call, "seed", 1, 0, 9007199254740992.0, err));
    if (rows != (double)(uint64_t)rows || seed != (double)(uint64_t)seed)
        return fw_fail(err, FW_ERR_CONFIG, "init: --rows and --seed must be whole numbers");
    const char *dir = call->positional[0];
    coord_callcenter_facts facts;
    FW_TRY(coord_callcenter_write(dir, (uint64_t)rows, (uint64_t)seed, coord_option_set(call, "force"), &facts, err));
    fw_log_info("init: %s/callcenter.yaml and %s/calls.csv, %llu calls; the best reachable accuracy is %.4f", dir, dir,
                (unsigned long long)facts.rows, facts.bayes_accuracy);
    fw_log_info("next: flywheel check %s/callcenter.yaml", dir);
    return FW_OK;
}

/* ---- from a table ----------------------------------------------------------------------------------------------------------------------- */

/** "data/adult.data.csv.gz" -> "adult". */
static fw_status stem_of(char **out, const char *path, fw_error *err)
{
    const char *slash = strrchr(path, '/');
    FW_TRY(fw_copy_text(out, slash != NULL ? slash + 1 : path, err));
    char *dot = strchr(*out + 1, '.');
    if ((*out)[0] != '\0' && dot != NULL) *dot = '\0';
    return FW_OK;
}

/** The table's path as the new file should say it: as typed when the file stands in the current folder, absolute otherwise. */
static fw_status path_in_file(char **out, const char *data, const char *output, fw_error *err)
{
    if (strchr(output, '/') == NULL || data[0] == '/') return fw_copy_text(out, data, err);
    *out = realpath(data, NULL);
    return *out != NULL ? FW_OK : fw_fail_errno(err, FW_ERR_CONFIG, "init: %s", data);
}

static fw_status write_project(const char *output, const coord_survey *s, const char *name, const char *table_path, fw_error *err)
{
    FW_AUTO(fw_text) text = {0};
    coord_survey_project(&text, s, name, table_path);
    FW_TRY(fw_text_check(&text, err));
    FW_AUTO(fw_project) *p = NULL;
    fw_error why;
    if (fw_project_parse(&p, text.data, output, ".", &why) < 0)
        return fw_fail(err, FW_ERR_INTERNAL, "init: the project file made is wrong: %s", why.text);
    return fw_write_file(output, text.data, text.len, err);
}

static fw_status init_table(const coord_call *call, fw_error *err)
{
    const char *data = call->positional[0], *target = coord_option_value(call, "target"), *output = coord_option_value(call, "output");
    if (target == NULL) return fw_fail(err, FW_ERR_CONFIG, "init: which column is to be predicted? flywheel init %s --target COLUMN", data);
    FW_FREE char *stem = NULL, *named = NULL, *table_path = NULL;
    FW_TRY(stem_of(&stem, data, err));
    if (output == NULL) {
        FW_AUTO(fw_text) name = {0};
        fw_text_format(&name, "%s.yaml", stem);
        FW_TRY(fw_text_check(&name, err));
        output = named = fw_text_take(&name);
    }
    if (fw_path_exists(output) && !coord_option_set(call, "force"))
        return fw_fail(err, FW_ERR_CONFIG, "init: %s is already there: choose another name with --output, or --force to replace it", output);
    if (!fw_path_exists(data)) return fw_fail(err, FW_ERR_CONFIG, "init: %s: no such file", data);
    if (fw_path_is_dir(data)) return fw_fail(err, FW_ERR_CONFIG, "init: %s is a folder: name a table in it", data);
    FW_TRY(path_in_file(&table_path, data, output, err));
    FW_AUTO(coord_survey) *survey = NULL;
    coord_table_form form = {.no_header = coord_option_set(call, "no-header")};
    if (coord_option_set(call, "delimiter")) FW_TRY(coord_table_delimiter(&form.delimiter, coord_option_value(call, "delimiter"), err));
    FW_TRY(coord_survey_create(&survey, data, &form, target, err));
    FW_TRY(write_project(output, survey, stem, table_path, err));
    fw_log_info("init: %s, from %llu rows; read it, correct what was guessed wrong, then: flywheel check %s", output,
                (unsigned long long)coord_survey_rows(survey), output);
    return FW_OK;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------------ */

static fw_status run(coord_call *call, fw_error *err)
{
    bool example = coord_option_set(call, "example");
    if (example && (coord_option_set(call, "target") || coord_option_set(call, "output") || coord_option_set(call, "no-header") || coord_option_set(call, "delimiter")))
        return fw_fail(err, FW_ERR_CONFIG, "init: --target, --output, --no-header and --delimiter are for tables; an example is written into DIR");
    if (!example && (coord_option_set(call, "rows") || coord_option_set(call, "seed")))
        return fw_fail(err, FW_ERR_CONFIG, "init: --rows and --seed are for --example callcenter");
    return example ? init_example(call, err) : init_table(call, err);
}

static const coord_option options[] = {
    {"target", 't', "COLUMN", "the column to predict"},
    {"output", 'o', "FILE", "the project file; default: named after the table, in the current folder"},
    {"no-header", 0, NULL, "the table has no line of names: its columns are named c1, c2, ..."},
    {"delimiter", 0, "CHAR", "between the fields: a character, or tab (default: found)"},
    {"force", 0, NULL, "replace what is there"},
    {"example", 0, "NAME", "write an example project with its data into DIR: callcenter"},
    {"rows", 0, "N", "rows of the example; default 30000"},
    {"seed", 0, "S", "seed of the example; default 1"},
};

const coord_command coord_command_init = {
    .name = "init",
    .arguments = "DATA --target COLUMN | --example callcenter DIR",
    .summary = "write a commented project file from a table, or an example project",
    .description = "Looks at a table (CSV or TSV, plain, .gz or .zst), infers the types of its columns and writes a project file\n"
                   "in which every guess is a line with its reason. With --example, draws a call centre whose best reachable\n"
                   "accuracy is known.\n"
                   "\n"
                   "  flywheel init customers.csv --target churned\n"
                   "  flywheel init binary.train --no-header --target c1\n"
                   "  flywheel init --example callcenter demo\n",
    .min_positional = 1,
    .max_positional = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .run = run,
};
