/** flywheel train: a study of one trial on one group: the ranks of this job, or a gang that is started again when a rank is lost (--ranks). */
#include "coordinator/commands/learning_rate.h"
#include "coordinator/commands/supervise.h"

static fw_status train(coord_training *t, const coord_call *call, fw_error *err)
{
    t->started = fw_mono_now();
    FW_TRY(coord_training_open_project(t, err));
    FW_TRY(coord_training_open_group(t, err));
    if (coord_option_set(call, "find-learning-rate")) return coord_find_rate(t, err);
    FW_TRY(coord_training_open_run(t, t->opened->digest, coord_option_value(call, "output"), coord_option_value(call, "resume"), err));
    return coord_training_run(t, err);
}

static fw_status run(coord_call *call, fw_error *err)
{
    coord_training t = {.file = call->positional[0], .overrides = call->overrides, .n_overrides = call->n_overrides, .group = call->group,
                        .profile = coord_option_set(call, "profile")};
    FW_TRY(coord_access_options(&t.access, call, err));
    fw_status s = coord_supervised(call) ? coord_supervise(&t, call, err) : train(&t, call, err);
    coord_training_release(&t);
    return s;
}

static const coord_option options[] = {
    {"ranks", 0, "N", "start N ranks, watch them, and start them again from the last checkpoint when one is lost; without mpirun in front"},
    {"hosts", 0, "A:2,B:2", "the hosts of these ranks and how many each holds; one that is lost is left out"},
    {"launch", 0, "COMMAND", "what starts the ranks (default: \"mpirun -n {ranks}\"; with --hosts \"mpirun -n {ranks} --host {hosts}\")"},
    {"max-restarts", 0, "N", "give up after so many losses one behind the other without progress (default: 10)"},
    {"output", 'o', "DIR", "the run folder (default: runs/<UTC time>-<digest> beside the project file)"},
    {"resume", 0, "auto|never|PATH", "go on from an unfinished run of the same settings and data (default: auto), or from this run or file"},
    COORD_ACCESS_OPTIONS,
    {"profile", 0, NULL, "show where the time of a round goes, by part and by rank"},
    {"find-learning-rate", 0, NULL, "learning-rate range test: raise the rate over 200 steps, print the losses and a suggestion; trains nothing"},
};

const coord_command coord_command_train = {
    .name = "train",
    .arguments = "FILE [key=value ...]",
    .summary = "train the model of a project file on the ranks of this job",
    .description = "The model depends on the data, the project file and the seed alone: one rank or sixty-four, stopped and resumed or not, it is the same file.\n"
                   "SIGUSR1 to mpirun or to any rank asks for a checkpoint at the next step; the job then exits 75: start the same command again, on any\n"
                   "number of ranks, and it goes on. SIGTERM and SIGINT ask for the same, but mpirun kills the ranks a second after it has passed them on.\n\n"
                   "With --ranks the program starts the ranks itself and stays outside MPI: a rank, a host or the launcher that is lost, or that makes no step\n"
                   "any more, costs the steps since the last checkpoint and a second. Killed itself and started again, it goes on, too. SIGINT or SIGTERM asks for\n"
                   "a checkpoint and ends it with 75; a second one ends it at once. What launcher and ranks print is in gang.log in the run folder.\n\n"
                   "  mpirun -n 4 flywheel train callcenter.yaml\n"
                   "  flywheel train callcenter.yaml --ranks 4\n"
                   "  flywheel train callcenter.yaml --hosts n1:16,n2:16\n"
                   "  flywheel train callcenter.yaml --ranks 32 --launch \"srun --exact -n {ranks}\"\n"
                   "  flywheel train callcenter.yaml train.epochs=5 model.hidden=[128,64] -o runs/wide\n"
                   "  flywheel train callcenter.yaml --find-learning-rate\n",
    .min_positional = 1, .max_positional = 1, .needs_group = true, .starts_ranks = coord_supervised,
    .options = options, .n_options = sizeof options / sizeof *options,
    .run = run,
};
