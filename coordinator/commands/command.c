#include "coordinator/commands/command.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/text.h"

/* The table of commands, in the order of the life cycle. */
const coord_command *const coord_commands[] = {
    &coord_command_init, &coord_command_check, &coord_command_doctor, &coord_command_ingest, &coord_command_train, &coord_command_sweep, &coord_command_evaluate, &coord_command_score,
    &coord_command_monitor, &coord_command_watch, &coord_command_outcomes, &coord_command_keys, &coord_command_inspect, &coord_command_diff, &coord_command_version, NULL};

#define COMMANDS (sizeof coord_commands / sizeof *coord_commands - 1)

const coord_command *coord_command_find(const char *name)
{
    for (size_t i = 0; coord_commands[i] != NULL; i++)
        if (strcmp(coord_commands[i]->name, name) == 0) return coord_commands[i];
    return NULL;
}

/* ---- parsing ---------------------------------------------------------------------------------------------------------------------------- */

static int option_index(const coord_command *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->n_options; i++)
        if (strlen(c->options[i].name) == len && strncmp(c->options[i].name, name, len) == 0) return (int)i;
    return -1;
}

static int letter_index(const coord_command *c, char letter)
{
    for (size_t i = 0; i < c->n_options; i++)
        if (c->options[i].letter == letter) return (int)i;
    return -1;
}

static fw_status unknown_option(const coord_command *c, const char *argument, fw_error *err)
{
    const char *names[33];
    size_t n = 0;
    for (; n < c->n_options; n++) names[n] = c->options[n].name;
    names[n++] = "help";
    const char *near = argument[1] == '-' ? fw_did_you_mean(argument + 2, names, n) : NULL;
    return fw_fail(err, FW_ERR_CONFIG, "%s: unknown option %s%s%s%s; see `flywheel %s --help`", c->name, argument, near ? ", did you mean --" : "",
                   near ? near : "", near ? "?" : "", c->name);
}

/* One option with its value, which may stand in the next argument. Returns how many arguments it took. */
static fw_status parse_option(coord_call *call, char **argv, int left, int *taken, fw_error *err)
{
    const coord_command *c = call->command;
    const char *argument = argv[0], *equals = argument[1] == '-' ? strchr(argument, '=') : NULL, *value = NULL;
    int index = argument[1] == '-' ? option_index(c, argument + 2, equals != NULL ? (size_t)(equals - argument - 2) : strlen(argument + 2))
                                   : letter_index(c, argument[1]);
    *taken = 1;
    if (index < 0) return unknown_option(c, argument, err);
    if (argument[1] != '-' && argument[2] != '\0') value = argument + 2;           /* -oFILE */
    if (equals != NULL) value = equals + 1;
    if (c->options[index].argument == NULL) {
        if (value != NULL) return fw_fail(err, FW_ERR_CONFIG, "%s: --%s takes no value", c->name, c->options[index].name);
        call->values[index] = "";
        return FW_OK;
    }
    if (value == NULL) {
        if (left < 2) return fw_fail(err, FW_ERR_CONFIG, "%s: --%s needs %s", c->name, c->options[index].name, c->options[index].argument);
        value = argv[1];
        *taken = 2;
    }
    call->values[index] = value;
    return FW_OK;
}

/* key=value texts name keys of the project file; what has a slash or no letter in front is a path. */
static bool is_override(const char *s)
{
    const char *equals = strchr(s, '=');
    if (equals == NULL || equals == s) return false;
    for (const char *p = s; p < equals; p++)
        if (!(*p == '.' || *p == '_' || *p == '-' || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9'))) return false;
    return true;
}

static fw_status check_positionals(const coord_call *call, fw_error *err)
{
    const coord_command *c = call->command;
    if (call->n_overrides > 0 && strstr(c->arguments, "key=value") == NULL)
        return fw_fail(err, FW_ERR_CONFIG, "%s: %s: it takes no keys of a project file (a model carries its settings); a path with '=' in it goes behind --; "
                       "see `flywheel %s --help`", c->name, call->overrides[0], c->name);
    if (call->n_positional < c->min_positional)
        return fw_fail(err, FW_ERR_CONFIG, "%s: something is missing; usage: flywheel %s %s", c->name, c->name, c->arguments);
    if (call->n_positional > c->max_positional)
        return fw_fail(err, FW_ERR_CONFIG, "%s: what is \"%s\"? usage: flywheel %s %s", c->name, call->positional[c->max_positional], c->name, c->arguments);
    return FW_OK;
}

fw_status coord_call_parse(coord_call *call, const coord_command *command, int argc, char **argv, fw_error *err)
{
    assert(command->n_options <= sizeof call->values / sizeof *call->values);
    *call = (coord_call){.command = command, .program = "flywheel"};
    call->positional = calloc((size_t)argc + 1, sizeof *call->positional);
    call->overrides = calloc((size_t)argc + 1, sizeof *call->overrides);
    if (call->positional == NULL || call->overrides == NULL) return fw_fail(err, FW_ERR_NOMEM, "command line");
    bool only_positionals = command->takes_all;
    for (int i = 0, taken = 1; i < argc; i += taken) {
        taken = 1;
        if (!only_positionals && strcmp(argv[i], "--") == 0) only_positionals = true;
        else if (!only_positionals && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) return FW_END;
        else if (!only_positionals && argv[i][0] == '-' && argv[i][1] != '\0') FW_TRY(parse_option(call, argv + i, argc - i, &taken, err));
        else if (!only_positionals && is_override(argv[i])) call->overrides[call->n_overrides++] = argv[i];
        else call->positional[call->n_positional++] = argv[i];
    }
    return check_positionals(call, err);
}

void coord_call_release(coord_call *call)
{
    free(call->positional);
    free(call->overrides);
    *call = (coord_call){0};
}

/* ---- values ----------------------------------------------------------------------------------------------------------------------------- */

const char *coord_option_value(const coord_call *call, const char *name)
{
    int i = option_index(call->command, name, strlen(name));
    assert(i >= 0);
    return call->values[i];
}

bool coord_option_set(const coord_call *call, const char *name) { return coord_option_value(call, name) != NULL; }

fw_status coord_option_choice(int *out, const coord_call *call, const char *name, const char *const *words, size_t n, fw_error *err)
{
    const char *v = coord_option_value(call, name);
    if (v == NULL) v = words[0];
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], v) != 0) continue;
        *out = (int)i;
        return FW_OK;
    }
    FW_AUTO(fw_text) list = {0};
    for (size_t i = 0; i < n; i++) fw_text_format(&list, "%s%s", i > 0 ? ", " : "", words[i]);
    return fw_fail(err, FW_ERR_CONFIG, "%s: --%s is \"%s\"; it can be %s", call->command->name, name, v, list.data);
}

fw_status coord_option_number(double *out, const coord_call *call, const char *name, double fallback, double low, double high, fw_error *err)
{
    const char *v = coord_option_value(call, name);
    double x = fallback;
    if (v != NULL && (!fw_parse_double(&x, v, strlen(v)) || !(x >= low && x <= high)))
        return fw_fail(err, FW_ERR_CONFIG, "%s: --%s is \"%s\"; it must be a number from %g to %g", call->command->name, name, v, low, high);
    *out = x;
    return FW_OK;
}
