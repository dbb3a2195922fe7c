#include "coordinator/commands/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "coordinator/commands/dataset.h"
#include "coordinator/commands/evaluation.h"
#include "coordinator/commands/history.h"

/* ---- events -------------------------------------------------------------------------------------------------------------------------------- */

/* Why it was started again, and how long it took from the loss to the next step. */
static void add_loss(const coord_training *t, json_t *more)
{
    json_object_update_new(more, json_pack("{s:s, s:I, s:f}", "reason", coord_keeper_reason(t->keeper), "generation",
                                           (json_int_t)coord_keeper_generation(t->keeper), "seconds", coord_keeper_back_s(t->keeper)));
}

fw_status coord_training_event(coord_training *t, const char *name, const fw_round_result *r, fw_error *err)
{
    const fw_position *at = &t->at;
    json_t *more = r != NULL ? coord_round_json(r)
                             : json_pack("{s:I, s:I, s:I}", "round", (json_int_t)at->round, "step", (json_int_t)at->step, "rows", (json_int_t)at->rows);
    if (more != NULL) json_object_set_new(more, "ranks", json_integer(t->opened != NULL ? (json_int_t)t->opened->ranks : 0));
    if (more != NULL && t->restarted && strcmp(name, "restart") == 0) add_loss(t, more);
    coord_progress_publish(t->line, name, at, r);
    return coord_run_event(t->run, name, more, err);
}

/* When it ends before its end: what stopped it is more important than an event that can't be written. */
void coord_training_stop_event(coord_training *t)
{
    fw_error err = {0};
    t->told_end = true;
    coord_progress_end(t->line);
    if (coord_training_event(t, "stop", NULL, &err) != FW_OK) fw_log_warn("%s", err.text);
}

static fw_status first_step(coord_training *t, fw_error *err)
{
    t->stepped = true;
    if (t->restarted) FW_TRY(coord_training_event(t, "restart", NULL, err));
    t->restarted = false;
    return coord_training_event(t, "step", NULL, err);
}

static fw_status on_progress(void *context, const fw_answer *a, fw_error *err)
{
    coord_training *t = context;
    if (strcmp(a->kind, "note") == 0) {
        coord_progress_end(t->line);
        return coord_print_notes(NULL, a, err);
    }
    const fw_position before = t->at;
    t->at = a->position;
    if (strcmp(a->kind, "checkpoint") == 0) {
        if (t->keeper != NULL) coord_keeper_progress(t->keeper, t->at.step);
        const fw_status s = coord_training_event(t, "checkpoint", NULL, err);
        if (before.step > t->at.step) t->at = before;          /* training went on while it was written */
        return s;
    }
    if (!t->stepped) FW_TRY(first_step(t, err));
    coord_progress_step(t->line, a);
    return FW_OK;
}

/* ---- the parts of a training ---------------------------------------------------------------------------------------------------------------- */

fw_status coord_training_open_project(coord_training *t, fw_error *err)
{
    FW_TRY(fw_project_load(&t->project, t->file, t->overrides, t->n_overrides, err));
    FW_TRY(fw_project_available(t->project, err));
    FW_TRY(coord_access_complete(&t->access, t->project, t->project->monitor.bus, true, err));
    FW_FREE char *unused = fw_project_unused_sections(t->project);
    if (unused != NULL) fw_log_info("not used by this command: %s", unused);
    FW_TRY(fw_project_dataset_path(&t->dataset, t->project, err));
    t->metric = coord_rounds_metric(t->project);
    return coord_dataset_check(t->dataset, t->project, err);
}

fw_status coord_training_open_group(coord_training *t, fw_error *err)
{
    FW_FREE char *yaml = NULL;
    FW_TRY(fw_project_resolved(&yaml, t->project, err));
    fw_order open = {.kind = FW_ORDER_OPEN, .project = yaml, .directory = t->project->dir, .dataset = t->dataset};
    FW_TRY(coord_group_order(t->group, &open, coord_print_notes, NULL, &t->opened, err));
    const fw_answer *a = t->opened;
    fw_log_info("dataset %.8s: %.0f rows to train on, %.0f to validate, %.0f features; %u rank%s", a->digest, fw_answer_value(a, "train", 0.0),
                fw_answer_value(a, "validation", 0.0), fw_answer_value(a, "features", 0.0), a->ranks, a->ranks == 1 ? "" : "s");
    if ((double)t->project->train.global_batch_size > fw_answer_value(a, "train", 0.0))
        fw_log_warn("train.global_batch_size is %llu, more than the %.0f training rows: a step takes them all",
                    (unsigned long long)t->project->train.global_batch_size, fw_answer_value(a, "train", 0.0));
    return FW_OK;
}

static fw_status keep_rounds(coord_training *t, fw_answer *a, fw_error *err)
{
    FW_TRY(coord_rounds_take(&t->rounds, a, t->project, err));
    t->at = a->position;
    return FW_OK;
}

/* With the part of the round at hand: all rounds have the same rows. */
static double rounds_done(const coord_training *t) { return (double)t->at.rows / fw_answer_value(t->opened, "train", 1.0); }

fw_status coord_training_create_learner(coord_training *t, fw_error *err)
{
    FW_AUTO(fw_answer) *a = NULL;
    fw_order o = {.kind = FW_ORDER_CREATE, .path = t->run != NULL ? t->run->checkpoint : NULL,
                  .checkpoint_every_s = t->project->train.checkpoint.every_s, .checkpoint_every_rounds = t->project->train.checkpoint.every_rounds};
    if (t->run != NULL && t->run->resume_from != NULL) {
        o.kind = FW_ORDER_RESTORE;
        o.dataset = t->run->resume_from;
    }
    FW_TRY(coord_group_order(t->group, &o, coord_print_notes, NULL, &a, err));
    if (o.kind == FW_ORDER_RESTORE) {
        fw_log_info("going on from %s: round %llu, step %llu", t->run->resume_from, (unsigned long long)a->position.round + 1,
                    (unsigned long long)a->position.step);
        FW_TRY(keep_rounds(t, a, err));
        coord_progress_from(t->line, rounds_done(t));
    }
    return FW_OK;
}

static fw_status stopped(coord_training *t, fw_error *why, fw_error *err)
{
    coord_training_stop_event(t);
    return fw_fail(err, FW_ERR_STOPPED, "%s; the checkpoint is %s; run the same command again to go on", why->text, t->run->checkpoint);
}

static fw_status one_round(coord_training *t, fw_error *err)
{
    fw_error why = {0};
    FW_AUTO(fw_answer) *a = NULL;
    fw_order advance = {.kind = FW_ORDER_ADVANCE, .rounds = 1, .mark_best = coord_rounds_mark_best(&t->rounds, t->project)};
    fw_status s = coord_group_order(t->group, &advance, on_progress, t, &a, &why);
    if (s == FW_ERR_STOPPED) return stopped(t, &why, err);
    if (s == FW_ERR_LOST && t->keeper != NULL) return fw_fail(err, s, "%s", why.text);
    if (s < 0) {
        coord_training_stop_event(t);
        return fw_fail(err, s, "%s%s%s", why.text, fw_path_exists(t->run->checkpoint) ? "; the last checkpoint is " : "",
                       fw_path_exists(t->run->checkpoint) ? t->run->checkpoint : "");
    }
    FW_TRY(keep_rounds(t, a, err));
    if (t->keeper != NULL) coord_keeper_progress(t->keeper, t->at.step);
    const fw_round_result *r = &t->rounds.round[t->rounds.n - 1];
    coord_progress_round(t->line, r, t->metric);
    return coord_training_event(t, "round", r, err);
}

static fw_status all_rounds(coord_training *t, fw_error *err)
{
    const coord_best *best = &t->rounds.best;
    while (t->rounds.n < t->project->train.epochs && !coord_best_stops(best, t->project)) FW_TRY(one_round(t, err));
    coord_progress_end(t->line);
    if (coord_best_stops(best, t->project))
        fw_log_info("stopped early: %s did not get better for %llu rounds; the best was round %zu", t->metric, (unsigned long long)best->since, best->round);
    return FW_OK;
}

static fw_status save_model(coord_training *t, fw_error *err)
{
    const fw_round_result *r = coord_rounds_kept(&t->rounds, t->project);
    FW_AUTO(fw_answer) *a = NULL;
    fw_order save = {.kind = FW_ORDER_SAVE, .path = t->run->model, .best = coord_rounds_keeps_best(&t->rounds, t->project),
                     .values = r != NULL ? r->validation : NULL, .n_values = r != NULL ? r->n_validation : 0};
    return coord_group_order(t->group, &save, on_progress, t, &a, err);
}

/* ---- what is shown --------------------------------------------------------------------------------------------------------------------------- */

static void print_share(const char *name, double part, double all)
{
    printf("  %-10s %8.3f s  %5.1f %%\n", name, part, all > 0.0 ? 100.0 * part / all : 0.0);
}

/* Where the time of the last round went, by part and by rank. */
static void print_profile(const coord_training *t)
{
    const fw_round_result *r = &t->rounds.round[t->rounds.n - 1];
    const fw_part_seconds *s = &r->seconds;
    const double all = s->load + s->forward + s->backward + s->sum + s->optimizer + s->wait;
    printf("\nwhere a round's time goes (the slowest rank of each part; rank %u had most to do)\n", r->slowest_rank);
    print_share("load", s->load, all);
    print_share("forward", s->forward, all);
    print_share("backward", s->backward, all);
    print_share("sum", s->sum, all);
    print_share("optimizer", s->optimizer, all);
    print_share("wait", s->wait, all);
    printf("  %-6s %9s %9s %9s %9s %9s %9s\n", "rank", "load", "forward", "backward", "sum", "optimizer", "wait");
    for (size_t i = 0; i < r->n_by_rank; i++) {
        const fw_part_seconds *p = &r->by_rank[i];
        printf("  %-6zu %9.3f %9.3f %9.3f %9.3f %9.3f %9.3f\n", i, p->load, p->forward, p->backward, p->sum, p->optimizer, p->wait);
    }
}

static void print_summary(const coord_training *t, const coord_report *r)
{
    printf("trained %s in %.1f s: %zu rounds on %u rank%s\n", t->project->project, fw_mono_seconds(t->started, fw_mono_now()), t->rounds.n, t->opened->ranks,
           t->opened->ranks == 1 ? "" : "s");
    printf("  model    %s  (%s)\n", t->run->model, r->model->digest);
    if (r->metrics->task == FW_TASK_REGRESSION)
        printf("  on the %s split (%llu rows): rmse %.6g, mae %.6g, r2 %.4f\n", r->split, (unsigned long long)r->rows, r->metrics->rmse, r->metrics->mae, r->metrics->r2);
    else
        printf("  on the %s split (%llu rows): accuracy %.4f, macro_f1 %.4f, log_loss %.4f\n", r->split, (unsigned long long)r->rows, r->metrics->accuracy,
               r->metrics->macro_f1, r->metrics->log_loss);
    printf("  report   %s/report.html\n  next     flywheel evaluate %s %s   judges it on the test split\n", t->run->dir, t->file, t->run->dir);
}

/* metrics.json and report.html of the validation split, or of the training split where there is no other. */
fw_status coord_training_report(coord_training *t, fw_error *err)
{
    FW_FREE coord_history_row *history = NULL;
    FW_AUTO(coord_evaluation) *e = NULL;
    const char *metric = t->metric;
    FW_TRY(coord_history_rows(&history, &metric, t->rounds.round, t->rounds.n, err));
    coord_evaluation_opts opts = {.model_path = t->run->model, .dataset_path = t->dataset, .project = t->project,
                                  .split = fw_answer_value(t->opened, "validation", 0.0) > 0.0 ? FW_VALIDATION : FW_TRAIN, .history = history,
                                  .n_history = t->rounds.n, .history_metric = metric};
    FW_TRY(coord_evaluation_run(&e, t->group, &opts, err));
    FW_TRY(coord_evaluation_write(e, t->run->dir, err));
    if (!t->quiet) print_summary(t, coord_evaluation_report(e));
    if (t->profile && t->rounds.n > 0 && t->rounds.round[t->rounds.n - 1].n_by_rank > 0) print_profile(t);
    return FW_OK;
}

/* ---- from the run folder to the end --------------------------------------------------------------------------------------------------------- */

fw_status coord_training_open_run(coord_training *t, const char *dataset_digest, const char *output, const char *how, fw_error *err)
{
    coord_resume resume = how == NULL || strcmp(how, "auto") == 0 ? COORD_RESUME_AUTO : strcmp(how, "never") == 0 ? COORD_RESUME_NEVER : COORD_RESUME_PATH;
    FW_TRY(coord_run_open(&t->run, t->project, dataset_digest, output, resume, how, err));
    FW_TRY(coord_run_begin(t->run, t->project, err));
    fw_log_info("run folder %s", t->run->dir);
    return FW_OK;
}

fw_status coord_training_run(coord_training *t, fw_error *err)
{
    if (t->line == NULL) FW_TRY(coord_progress_open(&t->line, t->project, &t->access.identity, t->run->dir, t->opened->ranks, t->project->train.epochs, err));
    FW_TRY(coord_training_create_learner(t, err));
    if (!t->restarted) FW_TRY(coord_training_event(t, t->run->resume_from != NULL ? "resume" : "start", NULL, err));
    FW_TRY(all_rounds(t, err));
    FW_TRY(save_model(t, err));
    FW_TRY(coord_training_report(t, err));
    return coord_training_event(t, "done", NULL, err);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------------------------ */

void coord_training_forget(coord_training *t)
{
    coord_rounds_clear(&t->rounds);
    t->stepped = false;
    t->at = (fw_position){0};
    fw_answer_destroy(&t->opened);
}

void coord_training_release(coord_training *t)
{
    coord_progress_close(&t->line);
    coord_training_forget(t);
    coord_rounds_release(&t->rounds);
    free(t->dataset);
    coord_access_release(&t->access);
    coord_run_destroy(&t->run);
    fw_project_destroy(&t->project);
}
