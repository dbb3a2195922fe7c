/** flywheel monitor: starts the program flywheel-monitor, which is installed beside this one, with the same arguments. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/commands/command.h"

#define MONITOR "flywheel-monitor"

/* The path of flywheel-monitor in the folder of this program's file. */
static fw_status beside_this_program(char **out, fw_error *err)
{
    FW_FREE char *dir = NULL;
    FW_FREE char *self = realpath("/proc/self/exe", NULL);
    if (self == NULL) return fw_fail_errno(err, FW_ERR_IO, "monitor: where is this program? /proc/self/exe");
    FW_TRY(fw_path_dir(&dir, self, err));
    return fw_path_join(out, dir, MONITOR, err);
}

static fw_status run(coord_call *call, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_FREE char **argv = NULL;
    FW_TRY(beside_this_program(&path, err));
    FW_TRY(fw_alloc_zeroed((void **)&argv, call->n_positional + 2, sizeof *argv, "arguments", err));
    argv[0] = (char *)MONITOR;
    for (size_t i = 0; i < call->n_positional; i++) argv[i + 1] = (char *)call->positional[i];
    signal(SIGPIPE, SIG_DFL);                          /* what is ignored here would be ignored there */
    signal(SIGXFSZ, SIG_DFL);
    execv(path, argv);
    return fw_fail_errno(err, FW_ERR_NOTFOUND, "monitor: %s can't be started; install it beside flywheel", path);
}

const coord_command coord_command_monitor = {
    .name = "monitor",
    .arguments = "[arguments of " MONITOR "]",
    .summary = "start " MONITOR ": counts predictions per model and window",
    .description = "Everything behind the word goes to " MONITOR "; `flywheel monitor --help` is its help.\n",
    .max_positional = SIZE_MAX, .takes_all = true,
    .run = run,
};
