/** What --help prints, broken to the width of the terminal. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/core/size.h"
#include "coordinator/commands/command.h"

#define WIDTH        80                /* where stdout is no terminal */
#define WIDEST       110               /* longer lines are hard to read */
#define OPTION_WIDTH 33                /* of the column of the options' names */

size_t coord_line_width(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 60) return WIDTH;
    return FW_MIN((size_t)size.ws_col, (size_t)WIDEST);
}

/** One paragraph of len bytes, blanks where they fit; `column` characters of its first line are there already, later lines begin with as many blanks
 *  as `indent` says. */
static void print_wrapped(const char *s, size_t len, size_t column, size_t indent)
{
    const size_t width = coord_line_width();
    const char *end = s + len;
    bool first = true;
    while (s < end) {
        size_t word = 0;
        while (s + word < end && s[word] != ' ' && s[word] != '\n') word++;
        if (!first && column + 1 + word > width) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, s);
        column += word;
        s += word;
        while (s < end && (*s == ' ' || *s == '\n')) s++;
        first = false;
    }
    putchar('\n');
}

/** Lines that begin with blanks (examples) and empty ones stay as they are; the others are paragraphs. */
static void print_description(const char *s)
{
    while (*s != '\0') {
        size_t len = strcspn(s, "\n");
        if (len == 0 || *s == ' ') {
            printf("%.*s\n", (int)len, s);
        } else {
            while (s[len] == '\n' && s[len + 1] != '\0' && s[len + 1] != '\n' && s[len + 1] != ' ') len += 1 + strcspn(s + len + 1, "\n");
            print_wrapped(s, len, 0, 0);
        }
        s += len + (s[len] == '\n');
    }
}

static void print_program_help(void)
{
    printf("flywheel %s: the machine-learning life cycle on MPI clusters\n\n"
           "usage: flywheel COMMAND ...               one rank\n"
           "       mpirun -n 4 flywheel COMMAND ...   four ranks; the results are the same bits\n\n"
           "commands, in the order of the life cycle:\n", FW_VERSION);
    for (size_t i = 0; coord_commands[i] != NULL; i++) printf("  %-10s %s\n", coord_commands[i]->name, coord_commands[i]->summary);
    printf("\n`flywheel COMMAND --help` explains a command.\n"
           "Any key of the project file can stand behind a command, as train.epochs=5.\n\n"
           "exit codes: 0 done, 1 failed, 2 usage or project file, 3 a check said no,\n"
           "            4 the data breaks its contract, 5 a rank was lost,\n"
           "            75 stopped on purpose with a valid checkpoint\n");
}

static void print_option(const coord_option *o)
{
    char left[64];
    int n = snprintf(left, sizeof left, "  %s%c%s--%s", o->letter ? "-" : " ", o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name);
    if (o->argument != NULL && n > 0 && (size_t)n < sizeof left) snprintf(left + n, sizeof left - (size_t)n, " %s", o->argument);
    const size_t width = strlen(left);
    printf("%s%*s", left, (int)(width + 1 < OPTION_WIDTH ? OPTION_WIDTH - width : 1), "");
    print_wrapped(o->help, strlen(o->help), FW_MAX(width + 1, (size_t)OPTION_WIDTH), OPTION_WIDTH);
}

void coord_print_help(const coord_command *command)
{
    if (command == NULL) {
        print_program_help();
        return;
    }
    printf("usage: %sflywheel %s%s%s\n\n%s\n\n", command->needs_group ? "[mpirun -n N] " : "", command->name, *command->arguments != '\0' ? " " : "", command->arguments,
           command->summary);
    print_description(command->description);
    printf("%soptions:\n", *command->description != '\0' ? "\n" : "");
    for (size_t i = 0; i < command->n_options; i++) print_option(&command->options[i]);
    print_option(&(coord_option){"help", 'h', NULL, "this text"});
}
