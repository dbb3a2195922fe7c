/** Subcommands: one file each, one line each in the table in command.c. The table gives parsing, --help, completion. */
#ifndef COORD_COMMANDS_COMMAND_H
#define COORD_COMMANDS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "coordinator/gang/group.h"

typedef struct coord_option {
    const char *name;          /* without "--"; "output" */
    char letter;               /* 'o', or 0 */
    const char *argument;      /* "FILE"; NULL: a flag */
    const char *help;          /* one line */
} coord_option;

/** What the user typed, parsed and checked against the command's table. */
typedef struct coord_call {
    const struct coord_command *command;
    const char **positional; size_t n_positional;      /* key=value texts are not among them */
    const char **overrides;  size_t n_overrides;       /* "train.epochs=3" */
    const char *values[32];                            /* by index of the option in the command's table; NULL: not given; flags: "" */
    coord_group *group;                                /* the line to the leader of the ranks; only with needs_group */
    struct coord_groups *groups;                       /* (coordinator/gang/groups.h) instead of group: this process is rank 0 of a job that is cut into groups */
    const char *program;
} coord_call;

typedef struct coord_command {
    const char *name;
    const char *arguments;     /* "FILE [key=value ...]" */
    const char *summary;       /* one line for `flywheel --help` */
    const char *description;   /* paragraphs for `flywheel NAME --help`, with examples */
    size_t min_positional, max_positional;
    bool needs_group;          /* runs under MPI: the ranks wait for orders; else the launcher's first rank does it alone */
    bool (*starts_ranks)(const struct coord_call *call);   /* NULL, or whether this call starts ranks of its own: then it needs no group */
    /** NULL, or the ranks of each group into which an MPI job of more than one rank is cut for this call (0: it is one group). FW_ERR_CONFIG. */
    fw_status (*group_ranks)(uint32_t *ranks, const struct coord_call *call, fw_error *err);
    bool takes_all;            /* its arguments are another program's: all are positional, options too */
    const coord_option *options; size_t n_options;
    /** Data to stdout, talk to stderr. Returns FW_OK or the failure, whose text main prints once and whose exit code it uses. */
    fw_status (*run)(coord_call *call, fw_error *err);
} coord_command;

extern const coord_command *const coord_commands[];      /* NULL-terminated, in the order of the life cycle */

const char *coord_option_value(const coord_call *call, const char *name);     /* NULL: not given; asserts that the table has it */
bool        coord_option_set(const coord_call *call, const char *name);
/** One of the words, default `words[0]`; else FW_ERR_CONFIG. */
fw_status   coord_option_choice(int *out, const coord_call *call, const char *name, const char *const *words, size_t n, fw_error *err);
fw_status   coord_option_number(double *out, const coord_call *call, const char *name, double fallback, double low, double high, fw_error *err);

/** Parses argv behind the command's name. FW_ERR_CONFIG with "did you mean". FW_END: --help is wanted. */
fw_status coord_call_parse(coord_call *call, const coord_command *command, int argc, char **argv, fw_error *err);
void      coord_call_release(coord_call *call);
void      coord_print_help(const coord_command *command);        /* NULL: the program's */
size_t    coord_line_width(void);                                 /* of stdout: the terminal's, 80 elsewhere */
const coord_command *coord_command_find(const char *name);

/* One per file, in the order of the life cycle. */
extern const coord_command coord_command_init, coord_command_check, coord_command_doctor, coord_command_ingest, coord_command_train, coord_command_sweep,
    coord_command_evaluate, coord_command_score, coord_command_monitor, coord_command_watch, coord_command_outcomes, coord_command_keys, coord_command_inspect, coord_command_diff, coord_command_version;

#endif
