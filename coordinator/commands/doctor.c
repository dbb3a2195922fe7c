/** flywheel doctor: what is good here, what is not, and what to do. Changes nothing; what it writes to try a folder is gone when it ends. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/thread.h"
#include "coordinator/commands/command.h"
#include "coordinator/doctor/doctor.h"
#include "coordinator/gang/group.h"

#define PROBE_DEADLINE_S 60          /* for the ranks, beside the folder's deadline */

/* ---- the ranks, with an end to the waiting ---------------------------------------------------------------------------------------------- */

/** Ends the program when the ranks do not answer: a message that never arrives holds MPI up for ever. */
typedef struct alarm_clock { pthread_t thread; pthread_mutex_t lock; pthread_cond_t done; bool over; coord_folder *folder; } alarm_clock;

static void *wait_for_ranks(void *context)
{
    alarm_clock *a = context;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += PROBE_DEADLINE_S;
    pthread_mutex_lock(&a->lock);
    int rc = 0;
    while (!a->over && rc == 0) rc = pthread_cond_timedwait(&a->done, &a->lock, &end);
    if (!a->over) {
        fw_log_error("doctor: the ranks gave no answer within %d s: a message between them does not arrive\n"
                     "  what to do  try fewer hosts (mpirun -n 2 --host A,B flywheel doctor), --mca btl_tcp_if_include NETWORK, and look for a firewall",
                     PROBE_DEADLINE_S);
        coord_folder_leave(a->folder);
        _exit(fw_status_exit_code(FW_ERR_CHECK));
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static fw_status take_rank(void *context, const fw_answer *progress, fw_error *err)
{
    FW_FREE void *bytes = NULL;
    fw_answer *copy = NULL;
    size_t len = 0;
    if (strcmp(progress->kind, "rank") != 0) return FW_OK;
    FW_TRY(fw_answer_pack(&bytes, &len, progress, err));
    FW_TRY(fw_answer_unpack(&copy, bytes, len, err));
    fw_status s = coord_doctor_add_rank(context, copy, err);
    if (s < 0) fw_answer_destroy(&copy);
    return s;
}

static fw_status ask_ranks(coord_doctor *d, coord_group *group, fw_error *err)
{
    alarm_clock a = {.lock = PTHREAD_MUTEX_INITIALIZER, .folder = &d->folder};
    pthread_condattr_t monotonic;
    fw_order order = {.kind = FW_ORDER_PROBE, .path = d->folder.probe, .deadline_s = COORD_FOLDER_DEADLINE_S};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a.done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    FW_TRY(fw_thread_start(&a.thread, wait_for_ranks, &a, "doctor: the thread that waits for the ranks", err));
    fw_status s = coord_group_order(group, &order, take_rank, d, NULL, err);
    pthread_mutex_lock(&a.lock);
    a.over = true;
    pthread_cond_signal(&a.done);
    pthread_mutex_unlock(&a.lock);
    pthread_join(a.thread, NULL);
    pthread_cond_destroy(&a.done);
    return s;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------------ */

static fw_status show(const coord_call *call, const coord_doctor *d, fw_error *err)
{
    static const char *const formats[] = {"table", "json"};
    FW_AUTO(fw_text) fails = {0};
    int format = 0;
    FW_TRY(coord_option_choice(&format, call, "format", formats, 2, err));
    if (format == 1) FW_TRY(coord_doctor_json(stdout, d, &fails, err));
    else FW_TRY(coord_doctor_show(stdout, d, coord_line_width(), fw_log_colour(STDOUT_FILENO), &fails, err));
    if (fails.len == 0) return FW_OK;
    fflush(stdout);
    return fw_fail(err, FW_ERR_CHECK, "this will not work here: %s", fails.data);
}

static bool has_option(const char *command, const char *option)
{
    const coord_command *c = coord_command_find(command);
    for (size_t i = 0; c != NULL && i < c->n_options; i++)
        if (strcmp(c->options[i].name, option) == 0) return true;
    return false;
}

static fw_status examine(coord_call *call, coord_doctor *d, fw_error *err)
{
    const char *dir = coord_option_value(call, "dir");
    fw_error need_error = {0};
    if (d->project != NULL && coord_need_of(&d->need, d->project, &need_error) < 0) d->need_error = need_error.text;
    if (dir == NULL && d->project != NULL && d->project->dir[0] != '\0') dir = d->project->dir;
    FW_TRY(coord_folder_try(&d->folder, dir != NULL ? dir : ".", COORD_FOLDER_DEADLINE_S, err));
    FW_TRY(ask_ranks(d, call->group, err));
    if (d->n_ranks == 0 || d->n_hosts == 0) return fw_fail(err, FW_ERR_INTERNAL, "doctor: no rank told anything");
    return show(call, d, err);
}

static fw_status run(coord_call *call, fw_error *err)
{
    FW_AUTO(fw_project) *p = NULL;
    coord_doctor d = {.libraries = FW_LIBRARIES, .supervises = has_option("train", "ranks")};
    if (call->n_positional > 0) {
        FW_TRY(fw_project_load(&p, call->positional[0], call->overrides, call->n_overrides, err));
        d.project = p;
        d.project_path = call->positional[0];
    } else if (call->n_overrides > 0) {
        return fw_fail(err, FW_ERR_CONFIG, "doctor: %s: of which project file? usage: flywheel doctor [PROJECT] [key=value ...]", call->overrides[0]);
    }
    fw_status s = examine(call, &d, err);
    coord_doctor_release(&d);
    return s;
}

static const coord_option options[] = {
    {"dir", 0, "DIR", "where runs would be written (default: beside the project file, or here)"},
    {"format", 0, "table|json", "what is printed (default: table)"},
};

const coord_command coord_command_doctor = {
    .name = "doctor",
    .arguments = "[PROJECT] [key=value ...]",
    .summary = "look at machine, MPI, memory and file system, and say what to do",
    .description = "Start it as you would start the training. Every rank is asked: cores and binding, kernels, MPI, memory, clocks; the folder of runs is tried\n"
                   "out. Each line is ok, note, warn or fail, with what to do. Exit 3 when a check fails, else 0. With PROJECT its dataset's need is\n"
                   "compared with what is there. Takes a few seconds, and leaves nothing behind.\n\n"
                   "  flywheel doctor\n"
                   "  mpirun -n 4 flywheel doctor callcenter.yaml\n"
                   "  srun --mpi=pmix flywheel doctor --dir runs --format json\n",
    .max_positional = 1, .needs_group = true,
    .options = options, .n_options = sizeof options / sizeof *options,
    .run = run,
};
