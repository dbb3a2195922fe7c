/** The program `flywheel`: finds the command; where it needs ranks, starts MPI, runs the command in a coordinator thread beside rank 0 and lets every
 *  rank obey. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fault.h"
#include "common/core/kernels.h"
#include "common/core/log.h"
#include "common/core/text.h"
#include "common/core/thread.h"
#include "coordinator/commands/command.h"
#include "coordinator/gang/group.h"
#include "coordinator/gang/groups.h"
#include "worker/worker.h"

#define ORDERS_ENDPOINT "inproc://orders"

typedef struct coordinator { coord_call *call; int exit_code; } coordinator;

/* What was printed has arrived; a reader that has seen enough ("| head") is no failure. */
static fw_status end_output(fw_error *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return FW_OK;
    return errno == EPIPE ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "standard output can't be written");
}

/* Runs the command and says what went wrong, once. */
static int run_command(coord_call *call)
{
    fw_error err = {0};
    fw_status s = call->command->run(call, &err);
    fw_status printed = end_output(s < 0 ? NULL : &err);
    if (s >= 0) s = printed;
    if (s >= 0) return 0;
    if (err.text[0] != '\0') {
        if (s == FW_ERR_STOPPED) fw_log_info("%s", err.text);
        else fw_log_error("%s", err.text);
    }
    return fw_status_exit_code(s);
}

static void *coordinate(void *context)
{
    coordinator *c = context;
    fw_error err = {0};
    c->exit_code = run_command(c->call);
    if (coord_group_close(c->call->group, c->exit_code, &err) != FW_OK) {
        fw_log_error("%s", err.text);
        _exit(c->exit_code != 0 ? c->exit_code : 1);
    }
    return NULL;
}

/* Rank 0: the coordinator's thread, with the line between it and this rank. */
static fw_status start_coordinator(pthread_t *thread, coordinator *c, fw_bus **bus, fw_line **line, fw_error *err)
{
    fw_line *theirs = NULL;
    FW_TRY(fw_bus_create(bus, err));
    FW_TRY(fw_line_bind(line, *bus, ORDERS_ENDPOINT, err));
    FW_TRY(fw_line_connect(&theirs, *bus, ORDERS_ENDPOINT, err));
    FW_TRY(coord_group_create(&c->call->group, theirs, err));
    return fw_thread_start(thread, coordinate, c, "the coordinator's thread", err);
}

static int fail(const fw_error *err)
{
    if (err->text[0] != '\0') fw_log_error("%s", err->text);
    return fw_status_exit_code(err->status);
}

/* What needs no MPI, and errors before MPI starts, are every process's; the launcher's first one does and says them, and it alone ends with their exit
 * code: at the first other than 0 a launcher kills the rest, perhaps before they have spoken. */
static bool is_first(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank != NULL) return strcmp(rank, "0") == 0;
    }
    return true;
}

static int serve(worker_group *g, coord_call *call)
{
    coordinator c = {.call = call};
    pthread_t thread;
    fw_bus *bus = NULL;
    fw_line *line = NULL;
    fw_error err = {0};
    worker_end end = {.exit_code = 1};
    const bool leader = worker_group_rank(g) == 0;
    const fw_reduce *reduce = worker_group_reduce(g);
    fw_status s = leader ? start_coordinator(&thread, &c, &bus, &line, &err) : FW_OK;
    s = reduce->agree(reduce->context, s, &err);
    if (s != FW_OK) return leader ? fail(&err) : fw_status_exit_code(s);
    s = worker_serve(g, line, &end, &err);
    if (s != FW_OK) {
        if (leader) fail(&err);
        _exit(fw_status_exit_code(s));                 /* the group is broken: no collective would come back */
    }
    if (leader) {
        pthread_join(thread, NULL);
        coord_group_destroy(&call->group);
        fw_line_destroy(&line);
        fw_bus_destroy(&bus);
    }
    return end.exit_code;
}

static int run_in_one_group(coord_call *call)
{
    worker_group *g = NULL;
    fw_error err = {0};
    fw_status s = worker_group_of_all(&g, &err);
    if (s != FW_OK) return fail(&err);
    fw_log_init(worker_group_rank(g), 1);
    s = fw_fault_init(worker_group_rank(g), &err);      /* the same at every rank */
    if (s == FW_OK) s = worker_choose_kernels(g, &err);
    if (s != FW_OK && worker_group_rank(g) == 0) fail(&err);
    int exit_code = s == FW_OK ? serve(g, call) : fw_status_exit_code(s);
    worker_group_stop(&g, false);
    return exit_code;
}

/* Rank 0 of a job that is cut into groups: the cards go to the ranks, and the command gives the groups their orders. */
static int lead_groups(coord_call *call, const worker_split *split)
{
    fw_error err = {0};
    void *cards = NULL;
    size_t len = 0;
    bool lost = false;
    const coord_groups_opts opts = {.n = (uint32_t)split->groups, .ranks = (uint32_t)split->each, .left_over = (uint32_t)split->left_over,
                                    .local = split->nodes == 1};
    fw_status s = fw_fault_init(0, &err);
    if (s == FW_OK) s = fw_kernels_choose(&err);
    if (s == FW_OK) s = coord_groups_create(&call->groups, &opts, &err);
    if (s == FW_OK) s = coord_groups_cards(call->groups, &cards, &len, &err);
    fw_status shared = worker_split_share(&cards, &len, s == FW_OK ? &err : NULL);      /* none: the ranks end */
    if (s == FW_OK) s = shared;
    free(cards);
    if (s == FW_OK && split->left_over > 0)
        fw_log_info("%d groups of %d ranks; %d left over, idle", split->groups, split->each, split->left_over);
    const int exit_code = s == FW_OK ? run_command(call) : fail(&err);
    coord_groups_end(&call->groups, exit_code, &lost);
    if (lost) {
        fflush(NULL);
        _exit(exit_code);                              /* MPI would wait for the lost */
    }
    worker_mpi_end();
    return exit_code;
}

static int follow_in_group(worker_group *g, const worker_split *split)
{
    fw_error err = {0};
    void *cards = NULL;
    size_t len = 0;
    fw_status s = worker_split_share(&cards, &len, &err);
    const char *card = cards, *end = card + len;
    for (int i = 0; s == FW_OK && i < split->mine && card < end; i++) card += strlen(card) + 1;
    int exit_code = s != FW_OK ? fail(&err) : 1;
    if (s == FW_OK && card < end) exit_code = worker_run_member(g, card, strlen(card), split->rank);
    else worker_group_stop(&g, false);                 /* rank 0 could not begin, and says why */
    free(cards);
    return exit_code;
}

static int run_in_groups(coord_call *call, uint32_t each)
{
    worker_split split;
    worker_group *g = NULL;
    fw_error err = {0};
    fw_status s = worker_split_create(&split, &g, (int)each, &err);
    if (s != FW_OK) {
        const int exit_code = is_first() ? fail(&err) : fw_status_exit_code(s);
        worker_mpi_end();
        return exit_code;
    }
    fw_log_init(split.rank, 1);
    return split.mine < 0 ? lead_groups(call, &split) : follow_in_group(g, &split);
}

/* each: ranks of a group, when the job is to be cut; 0: it is one group. */
static int run_on_ranks(coord_call *call, uint32_t each, int argc, char **argv)
{
    fw_error err = {0};
    if (worker_mpi_start(&argc, &argv, &err) != FW_OK) return fail(&err);
    return each > 0 && worker_mpi_size() > 1 ? run_in_groups(call, each) : run_in_one_group(call);
}

/* Without a launcher one process is one rank: no daemon is asked for, and no session folder, which all such processes of a user would share:
 * one that ends takes it away while another begins. */
static void prepare_singleton(void)
{
    if (getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL) return;
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    setenv("OMPI_MCA_orte_create_session_dirs", "0", 0);
}

static int print_help(const coord_command *command)
{
    fw_error err = {0};
    if (!is_first()) return 0;
    coord_print_help(command);
    return end_output(&err) == FW_OK ? 0 : fail(&err);
}

static int unknown_command(const char *name)
{
    const char *names[32];
    size_t n = 0;
    for (; coord_commands[n] != NULL; n++) names[n] = coord_commands[n]->name;
    const char *near = fw_did_you_mean(name, names, n);
    if (!is_first()) return 0;
    fw_log_error("there is no command \"%s\"%s%s%s; `flywheel --help` lists them", name, near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
    return 2;
}

/* A rank of a gang: started by the launcher of a coordinator, not by people, so it is in no list of commands. */
static const coord_option worker_options[] = {
    {"gang", 0, "FILE", "the card of the gang"},
    {"generation", 0, "N", "of the gang"},
};

static const coord_command worker_command = {
    .name = "worker", .arguments = "--gang FILE --generation N", .summary = "a rank of a gang", .description = "Started by `flywheel train --ranks`.\n",
    .options = worker_options, .n_options = sizeof worker_options / sizeof *worker_options,
};

static int be_worker(int argc, char **argv)
{
    coord_call call;
    fw_error err = {0};
    double generation = 0.0;
    fw_status s = coord_call_parse(&call, &worker_command, argc - 2, argv + 2, &err);
    if (s == FW_END) return print_help(&worker_command);
    if (s == FW_OK) s = coord_option_number(&generation, &call, "generation", 0.0, 1.0, 1e15, &err);
    const char *card = s == FW_OK ? coord_option_value(&call, "gang") : NULL;
    if (s == FW_OK && card == NULL) s = fw_fail(&err, FW_ERR_CONFIG, "worker: it is started by `flywheel train --ranks`, with --gang and --generation");
    int exit_code = s == FW_OK ? worker_run_gang(&argc, &argv, card, (uint64_t)generation) : fail(&err);
    coord_call_release(&call);
    return exit_code;
}

int main(int argc, char **argv)
{
    coord_call call;
    fw_error err = {0};
    int exit_code = 0;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);      /* past a limit on file sizes a write fails, as on a full disk */
    fw_log_init(0, 1);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        exit_code = print_help(NULL);
        return argc < 2 ? 2 : exit_code;
    }
    if (strcmp(argv[1], "worker") == 0) return be_worker(argc, argv);
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const coord_command *command = coord_command_find(name);
    if (command == NULL) return unknown_command(name);
    fw_status s = coord_call_parse(&call, command, argc - 2, argv + 2, &err);
    if (s < 0) {
        if (is_first() || s == FW_ERR_NOMEM) exit_code = fail(&err);      /* each process reads the same words, but has its own memory */
    } else if (s == FW_END) {
        exit_code = print_help(command);
    } else if (command->needs_group && !(command->starts_ranks != NULL && command->starts_ranks(&call))) {
        uint32_t each = 0;
        prepare_singleton();
        s = command->group_ranks != NULL ? command->group_ranks(&each, &call, &err) : FW_OK;
        if (s == FW_OK) exit_code = run_on_ranks(&call, each, argc, argv);
        else if (is_first()) exit_code = fail(&err);
    } else if (is_first()) {
        s = fw_kernels_choose(&err);
        exit_code = s == FW_OK ? run_command(&call) : fail(&err);
    }
    coord_call_release(&call);
    return exit_code;
}
