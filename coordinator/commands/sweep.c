/** flywheel sweep: a study of many trials on groups of ranks: this job's, or gangs that are started again when they are lost (--groups). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/commands/access.h"
#include "coordinator/commands/best_run.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/dataset.h"
#include "coordinator/commands/rows.h"
#include "coordinator/commands/sweep_progress.h"
#include "coordinator/commands/sweep_show.h"
#include "coordinator/study/gangs.h"
#include "coordinator/study/own_ranks.h"
#include "proto/gang.h"

#define MAX_RESTARTS 10
#define MAX_GROUPS   10000.0

typedef struct sweep {
    coord_call *call;
    fw_project *project;
    char *dataset, *folder;
    fw_text given[2];                  /* --trials and --timeout as keys */
    const char **overrides; size_t n_overrides;
    coord_gangs_opts gang;
    coord_gangs *gangs;                /* NULL: the ranks are this job's */
    coord_own_ranks own;
    coord_source source;
    coord_study *study;
    char *project_given;               /* as text */
    coord_trials trials;
    coord_access access;               /* to the bus */
    coord_sweep_progress *progress;
} sweep;

/* ---- what was typed ------------------------------------------------------------------------------------------------------------------- */

static bool starts_ranks(const coord_call *call)
{
    return coord_option_set(call, "groups") || coord_sweep_shows(call);
}

static fw_status whole_number(uint32_t *out, const coord_call *call, const char *name, double fallback, double low, double high, fw_error *err)
{
    double v = 0.0;
    FW_TRY(coord_option_number(&v, call, name, fallback, low, high, err));
    if (v != (double)(uint64_t)v) return fw_fail(err, FW_ERR_CONFIG, "sweep: --%s is \"%s\"; it must be a whole number", name, coord_option_value(call, name));
    *out = (uint32_t)v;
    return FW_OK;
}

static fw_status group_ranks(uint32_t *ranks, const coord_call *call, fw_error *err)
{
    return whole_number(ranks, call, "ranks-per-trial", 1.0, 1.0, (double)FW_GANG_MAX_RANKS, err);
}

static fw_status read_groups(sweep *s, fw_error *err)
{
    static const char *const of_gangs[] = {"launch", "hosts", "max-restarts", "elastic"};
    uint32_t restarts = 0;
    const coord_call *call = s->call;
    for (size_t i = 0; !coord_option_set(call, "groups") && i < sizeof of_gangs / sizeof *of_gangs; i++)
        if (coord_option_set(call, of_gangs[i])) return fw_fail(err, FW_ERR_CONFIG, "sweep: --%s is about groups that the program starts itself: give --groups", of_gangs[i]);
    if (!coord_option_set(call, "groups")) return FW_OK;
    if (getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL)
        return fw_fail(err, FW_ERR_CONFIG, "sweep: with --groups it starts the ranks itself; start it without mpirun or srun");
    FW_TRY(whole_number(&s->gang.groups, call, "groups", 1.0, 1.0, MAX_GROUPS, err));
    FW_TRY(group_ranks(&s->gang.ranks, call, err));
    FW_TRY(whole_number(&restarts, call, "max-restarts", MAX_RESTARTS, 0.0, 1e6, err));
    s->gang.max_restarts = (int)restarts;
    s->gang.launch = coord_option_value(call, "launch");
    s->gang.hosts = coord_option_value(call, "hosts");
    return coord_gangs_check(&s->gang, err);
}

/* The keys of the command line, and the options that stand for keys. */
static fw_status read_overrides(sweep *s, fw_error *err)
{
    static const char *const options[] = {"trials", "timeout"};
    FW_TRY(fw_alloc_zeroed((void **)&s->overrides, s->call->n_overrides + 2, sizeof *s->overrides, "overrides", err));
    memcpy(s->overrides, s->call->overrides, s->call->n_overrides * sizeof *s->overrides);
    s->n_overrides = s->call->n_overrides;
    for (size_t i = 0; i < 2; i++) {
        if (!coord_option_set(s->call, options[i])) continue;
        fw_text_format(&s->given[i], "tune.%s=%s", options[i], coord_option_value(s->call, options[i]));
        FW_TRY(fw_text_check(&s->given[i], err));
        s->overrides[s->n_overrides++] = s->given[i].data;
    }
    return FW_OK;
}

static fw_status open_project(sweep *s, fw_error *err)
{
    FW_TRY(fw_project_load(&s->project, s->call->positional[0], s->overrides, s->n_overrides, err));
    FW_TRY(fw_project_available(s->project, err));
    FW_TRY(coord_access_complete(&s->access, s->project, s->project->monitor.bus, true, err));
    FW_FREE char *aliases = fw_project_aliases(s->project);
    if (aliases != NULL) fw_log_info("%s", aliases);
    if (s->project->tune.space.n == 0)
        return fw_fail(err, FW_ERR_CONFIG, "%s: there is nothing to search: name parameters under tune.space, as train.learning_rate: {low: 1.0e-4, high: 0.1, log: true}",
                       s->call->positional[0]);
    FW_TRY(fw_project_dataset_path(&s->dataset, s->project, err));
    return coord_dataset_check(s->dataset, s->project, err);
}

static fw_status choose_folder(sweep *s, fw_error *err)
{
    const char *output = coord_option_value(s->call, "output");
    FW_AUTO(fw_text) below = {0};
    if (output != NULL) return fw_copy_text(&s->folder, output, err);
    fw_text_format(&below, "studies/%s", s->project->project);
    FW_TRY(fw_text_check(&below, err));
    return fw_path_join(&s->folder, s->project->dir, below.data, err);
}

/* ---- the study --------------------------------------------------------------------------------------------------------------------------- */

static fw_status open_source(sweep *s, fw_error *err)
{
    if (!coord_option_set(s->call, "groups")) {
        s->own = (coord_own_ranks){.one = s->call->group, .several = s->call->groups};
        s->source = coord_own_ranks_source(&s->own);
        return FW_OK;
    }
    s->gang.folder = s->folder;
    FW_TRY(coord_gangs_create(&s->gangs, &s->gang, err));
    s->source = coord_gangs_source(s->gangs);
    return FW_OK;
}

static fw_status open_study(sweep *s, fw_error *err)
{
    char digest[FW_DIGEST_TEXT];
    const bool resume = coord_option_set(s->call, "resume"), force = coord_option_set(s->call, "force");
    if (resume && force) return fw_fail(err, FW_ERR_CONFIG, "sweep: --resume goes on with a study and --force begins it anew: give one of them");
    FW_TRY(coord_dataset_digest(digest, s->dataset, err));
    const uint32_t slots = s->project->tune.parallel > 0 && coord_option_set(s->call, "lockstep") ? (uint32_t)s->project->tune.parallel : s->source.n;
    const coord_study_opts opts = {.dir = s->folder, .project = s->project, .dataset_digest = digest, .slots = slots, .lockstep = coord_option_set(s->call, "lockstep"),
                                   .how = resume ? COORD_STUDY_RESUME : force ? COORD_STUDY_FORCE : COORD_STUDY_NEW};
    FW_TRY(coord_study_open(&s->study, &opts, err));
    FW_TRY(coord_gangs_end_earlier(s->folder, err));
    if (s->project->tune.trials > coord_study_budget(s->study)) FW_TRY(coord_study_extend(s->study, s->project->tune.trials, err));
    FW_TRY(fw_project_given(&s->project_given, s->project, err));
    s->trials = (coord_trials){.project = s->project, .given = s->project_given, .dataset = s->dataset, .folder = s->folder,
                               .space = coord_study_space(s->study), .metric = coord_study_metric(s->study), .max_rounds = coord_study_max_rounds(s->study),
                               .folds = (uint32_t)FW_MAX(s->project->tune.objective.folds, (uint64_t)1), .seeds = (uint32_t)FW_MAX(s->project->tune.objective.seeds, (uint64_t)1),
                               .shared = s->source.n > 1};
    return FW_OK;
}

/* What a coordinator that was killed could not remove any more. */
static fw_status clean_trials(const sweep *s, fw_error *err)
{
    const coord_trial *best = coord_study_best(s->study);
    for (uint64_t i = 0; i < coord_study_n_trials(s->study); i++) {
        const coord_trial *t = coord_study_trial(s->study, i);
        if (t->state >= COORD_COMPLETE) FW_TRY(coord_trial_clean(&s->trials, i, t == best, err));
    }
    return FW_OK;
}

static fw_status make_best(void *context, coord_group *g, fw_error *err)
{
    sweep *s = context;
    coord_sweep_progress_end(s->progress);
    return coord_best_run(g, s->study, &s->trials, &s->access.identity, err);
}

static void tell(void *context, const coord_runner_event *e, const coord_runner_counts *c)
{
    coord_sweep_progress_event(((sweep *)context)->progress, e, c);
}

static fw_status run_trials(sweep *s, fw_error *err)
{
    const coord_runner_opts opts = {.study = s->study, .source = &s->source, .trials = &s->trials, .slots = coord_study_slots(s->study),
                                    .lockstep = coord_option_set(s->call, "lockstep"), .elastic = coord_option_set(s->call, "elastic"),
                                    .timeout_s = s->project->tune.timeout_s, .finish = make_best, .tell = tell, .context = s};
    FW_TRY(coord_sweep_progress_open(&s->progress, s->project, &s->access.identity, s->study, err));
    fw_log_info("study %s: sampler %s, pruner %s, %llu trials of %llu rounds at most, %u at a time on %u group%s", s->folder, coord_study_sampler_line(s->study),
                coord_study_pruner(s->study), (unsigned long long)coord_study_budget(s->study), (unsigned long long)coord_study_max_rounds(s->study), opts.slots,
                s->source.n, s->source.n == 1 ? "" : "s");
    return coord_runner_run(&opts, err);
}

/* ---- what is shown ------------------------------------------------------------------------------------------------------------------------ */

static fw_status print_point(const sweep *s, const coord_trial *t, fw_error *err)
{
    for (size_t i = 0; i < s->trials.space->n; i++) {
        FW_AUTO(fw_text) text = {0};
        if (t->x[i] != t->x[i]) continue;              /* not active */
        FW_TRY(coord_param_override(&text, &s->trials.space->param[i], t->x[i], err));
        FW_TRY(fw_text_check(&text, err));
        printf("           %s\n", text.data);
    }
    return FW_OK;
}

static fw_status print_summary(const sweep *s, fw_error *err)
{
    char states[160];
    const coord_trial *t = coord_study_best(s->study);
    const coord_runner_counts *c = s->progress != NULL ? coord_sweep_progress_counts(s->progress) : NULL;
    coord_sweep_states(states, sizeof states, s->study);
    printf("study %s: %zu trials: %s\n", s->folder, coord_study_n_trials(s->study), states);
    if (c != NULL && c->rounds > 0)
        printf("  now      %llu rounds in %.1f s on %u group%s, %.0f %% busy\n", (unsigned long long)c->rounds, c->seconds, s->source.n, s->source.n == 1 ? "" : "s",
               100.0 * c->busy);
    if (t == NULL) return FW_OK;
    printf("  best     trial %llu: %s %.6g", (unsigned long long)t->number, coord_study_metric(s->study), t->value);
    if (t->error == t->error) printf(" +- %.2g", t->error);
    printf(" after round %llu\n", (unsigned long long)t->value_round);
    FW_TRY(print_point(s, t, err));
    printf("  model    %s/best/model.h5\n  project  %s/best/resolved.yaml   trains it again: the same file\n", s->folder, s->folder);
    if (s->progress != NULL) printf("  report   %s/report.html\n", s->folder);
    printf("  next     flywheel evaluate %s/best/resolved.yaml %s/best   judges it on the test split\n", s->folder, s->folder);
    return FW_OK;
}

/* Stopped: what there is, and how it goes on. */
static fw_status end(const sweep *s, fw_status status, fw_error *err)
{
    fw_error ignored = {0};
    fw_error why = *err;
    if (status == FW_OK) return print_summary(s, err);
    if (status != FW_ERR_STOPPED) return status;
    print_summary(s, &ignored);
    return fw_fail(err, status, "%s; all is saved in %s; go on with --resume", why.text, s->folder);
}

/* ---- the command -------------------------------------------------------------------------------------------------------------------------- */

static fw_status search(sweep *s, fw_error *err)
{
    FW_TRY(read_groups(s, err));
    FW_TRY(read_overrides(s, err));
    FW_TRY(coord_access_options(&s->access, s->call, err));
    FW_TRY(open_project(s, err));
    FW_TRY(choose_folder(s, err));
    FW_TRY(open_source(s, err));
    FW_TRY(open_study(s, err));
    FW_TRY(clean_trials(s, err));
    fw_status status = run_trials(s, err);
    if (status == FW_OK) status = clean_trials(s, err);
    if (status == FW_OK) status = coord_sweep_report(s->study, s->project->project, err);
    return end(s, status, err);
}

static void release(sweep *s)
{
    coord_sweep_progress_close(&s->progress);
    coord_gangs_destroy(&s->gangs);
    coord_study_close(&s->study);
    fw_project_destroy(&s->project);
    coord_access_release(&s->access);
    for (size_t i = 0; i < 2; i++) fw_text_destroy(&s->given[i]);
    free(s->overrides);
    free(s->dataset);
    free(s->folder);
    free(s->project_given);
}

static fw_status run(coord_call *call, fw_error *err)
{
    if (coord_sweep_shows(call)) return coord_sweep_show(call, err);
    if (call->n_positional > 1) return fw_fail(err, FW_ERR_CONFIG, "sweep: what is \"%s\"? usage: flywheel sweep %s", call->positional[1], call->command->arguments);
    sweep s = {.call = call};
    const fw_status status = search(&s, err);
    release(&s);
    return status;
}

static const coord_option options[] = {
    {"groups", 0, "N", "start N groups of ranks, each trains one trial at a time; watch them, and start them again when a rank is lost; without mpirun in front"},
    {"ranks-per-trial", 0, "M", "ranks of each group (default: 1)"},
    {"launch", 0, "COMMAND", "what starts a group (default: \"mpirun -n {ranks}\"; in a Slurm allocation \"srun --exact -n {ranks}\")"},
    {"hosts", 0, "A:8,B:8", "the hosts whose slots the groups share"},
    {"max-restarts", 0, "N", "give a group up after so many losses one behind the other without progress (default: 10)"},
    {"elastic", 0, NULL, "ranks of groups that have nothing left to do join the others: the same bits, earlier"},
    {"output", 'o', "DIR", "the folder of the study (default: studies/<project> beside the project file)"},
    {"resume", 0, NULL, "go on with the study in that folder"},
    {"force", 0, NULL, "begin the study in that folder anew; what is there is removed"},
    {"trials", 0, "N", "tune.trials; with --resume it may be more than before"},
    {"timeout", 0, "TIME", "tune.timeout, as \"2 h\": then what runs is saved, and the sweep ends with 75"},
    COORD_ACCESS_OPTIONS,
    {"format", 0, COORD_ROWS_FORMATS, "of what list, trials, best, show and export print (default: table)"},
    {"csv", 0, NULL, "the same as --format csv"},
    {"lockstep", 0, NULL, "decide as if all rounds took the same time: the same trials however fast or unlucky the groups are; tune.parallel at a time"},
};

const coord_command coord_command_sweep = {
    .name = "sweep",
    .arguments = "FILE [key=value ...] | list|trials|best|show|export|replay|report [DIR] [N]",
    .summary = "search tune.space of a project file on groups of ranks",
    .description = "Needs no database and no server: the study is a journal in its folder, which one process writes. A trial that fails stops nothing. Killed at any moment and\n"
                   "started again with --resume, no finished trial is run again, and those that ran go on from their checkpoints. The best trial becomes an ordinary run in\n"
                   "DIR/best. SIGUSR1, SIGTERM, SIGINT and the timeout save everything and end it with 75.\n\n"
                   "Under mpirun or srun rank 0 coordinates and the others are cut into groups; a lost rank ends the job (its ranks with 5; mpirun itself\n"
                   "reports the signal, 137 for a killed one), with mpirun --enable-recovery its group alone, and --resume goes on. With --groups the program starts the ranks itself: one that is lost costs its group the steps since the trial's last checkpoint, and no other group\n"
                   "anything. What launcher and ranks of a group print is in DIR/groups/<n>/gang.log.\n\n"
                   "What a study holds is read from its journal, also while it runs: `sweep list`, `trials`, `best`, `show N`, `export`; `replay` makes every decision again\n"
                   "and says whether they are the same; `report` writes its page, as the end of a sweep does.\n\n"
                   "  flywheel sweep callcenter.yaml\n"
                   "  mpirun -n 33 flywheel sweep callcenter.yaml --ranks-per-trial 4\n"
                   "  flywheel sweep callcenter.yaml --groups 8 --ranks-per-trial 4\n"
                   "  flywheel sweep callcenter.yaml --groups 8 --ranks-per-trial 4 --launch \"srun --exact -n {ranks}\"\n"
                   "  flywheel sweep callcenter.yaml --groups 4 --resume --trials 128\n"
                   "  flywheel sweep trials studies/callcenter --format csv\n"
                   "  flywheel sweep replay studies/callcenter\n",
    .min_positional = 1, .max_positional = 3, .needs_group = true, .starts_ranks = starts_ranks, .group_ranks = group_ranks,
    .options = options, .n_options = sizeof options / sizeof *options,
    .run = run,
};
