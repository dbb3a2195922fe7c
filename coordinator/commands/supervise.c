#include "coordinator/commands/supervise.h"

#include <stdlib.h>

#include "common/core/fs.h"
#include "common/core/text.h"
#include "coordinator/commands/dataset.h"
#include "coordinator/gang/stop.h"
#include "proto/gang.h"

#define MAX_RESTARTS 10

bool coord_supervised(const coord_call *call)
{
    return coord_option_set(call, "ranks") || coord_option_set(call, "hosts") || coord_option_set(call, "launch");
}

static fw_status whole_number(double *out, const coord_call *call, const char *name, double fallback, double low, double high, fw_error *err)
{
    FW_TRY(coord_option_number(out, call, name, fallback, low, high, err));
    if (*out == (double)(uint64_t)*out) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%s: --%s is \"%s\"; it must be a whole number", call->command->name, name, coord_option_value(call, name));
}

static fw_status read_options(coord_keeper_opts *out, const coord_call *call, fw_error *err)
{
    double ranks = 0.0, restarts = 0.0;
    if (getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL)
        return fw_fail(err, FW_ERR_CONFIG, "train: with --ranks, --hosts or --launch it starts the ranks itself; start it without mpirun or srun");
    if (coord_option_set(call, "find-learning-rate"))
        return fw_fail(err, FW_ERR_CONFIG, "train: --find-learning-rate has nothing to be started again for; start it with mpirun -n, without --ranks");
    if (!coord_option_set(call, "ranks") && !coord_option_set(call, "hosts"))
        return fw_fail(err, FW_ERR_CONFIG, "train: --launch needs to know how many ranks: give --ranks, or --hosts with their slots");
    FW_TRY(whole_number(&ranks, call, "ranks", 0.0, coord_option_set(call, "ranks") ? 1.0 : 0.0, (double)FW_GANG_MAX_RANKS, err));
    FW_TRY(whole_number(&restarts, call, "max-restarts", MAX_RESTARTS, 0.0, 1e6, err));
    *out = (coord_keeper_opts){.launch = coord_option_value(call, "launch"), .hosts = coord_option_value(call, "hosts"), .ranks = (uint32_t)ranks,
                               .max_restarts = (int)restarts, .anew = fw_text_equal(coord_option_value(call, "resume"), "never")};
    return coord_keeper_check(out, err);
}

/* Between two orders: who was asked to stop while nothing is trained has nothing to save. */
static fw_status heed_stop(const coord_training *t, fw_error *err)
{
    if (coord_stop_wanted() == 0) return FW_OK;
    const bool any = fw_path_exists(t->run->checkpoint);
    return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal; the checkpoint is %s; run the same command again to go on", any ? t->run->checkpoint : "none yet");
}

/* All that is left to do, by one generation. */
static fw_status one_generation(coord_training *t, fw_error *err)
{
    FW_TRY(heed_stop(t, err));
    FW_TRY(coord_training_open_group(t, err));
    FW_TRY(heed_stop(t, err));
    return coord_training_run(t, err);
}

/* The close is an order; the group ends with its exit code. */
static fw_status close_gang(coord_training *t, fw_status s, fw_error *err)
{
    fw_error ignored = {0};
    coord_group_close(t->group, fw_status_exit_code(s), &ignored);
    coord_group_destroy(&t->group);
    const fw_status ended = coord_keeper_finish(t->keeper, s == FW_OK, s == FW_OK ? err : &ignored);
    return s == FW_OK ? ended : s;
}

static fw_status generations(coord_training *t, fw_error *err)
{
    for (;;) {
        fw_line *line = NULL;
        FW_TRY(coord_keeper_start(t->keeper, &line, err));
        coord_run_tidy(t->run);                                /* the ranks of before are gone, also those of an earlier coordinator */
        FW_TRY(coord_group_create(&t->group, line, err));
        const fw_status s = one_generation(t, err);
        coord_progress_end(t->line);
        if (s != FW_ERR_LOST) return close_gang(t, s, err);
        coord_group_destroy(&t->group);
        FW_TRY(coord_keeper_lost(t->keeper, err));
        coord_training_forget(t);
        t->restarted = true;
        FW_TRY(coord_run_again(t->run, err));
    }
}

/* The run is told as stopped where no order told it. */
static fw_status tell_end(coord_training *t, fw_status s, fw_error *err)
{
    if (s == FW_OK || t->told_end) return s;
    coord_training_stop_event(t);
    if (s != FW_ERR_STOPPED) return s;
    return heed_stop(t, err);
}

fw_status coord_supervise(coord_training *t, const coord_call *call, fw_error *err)
{
    coord_keeper_opts opts;
    char digest[FW_DIGEST_TEXT];
    t->started = fw_mono_now();
    FW_TRY(read_options(&opts, call, err));
    FW_TRY(coord_training_open_project(t, err));
    FW_TRY(coord_dataset_digest(digest, t->dataset, err));
    FW_TRY(coord_training_open_run(t, digest, coord_option_value(call, "output"), coord_option_value(call, "resume"), err));
    opts.folder = t->run->dir;
    opts.from = t->run->checkpoint;
    FW_TRY(coord_keeper_create(&t->keeper, &opts, err));
    fw_status s = tell_end(t, generations(t, err), err);
    coord_group_destroy(&t->group);
    coord_keeper_destroy(&t->keeper);
    return s;
}
