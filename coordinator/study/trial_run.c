#include "coordinator/study/trial_run.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"

static const char model_file[] = "model.h5", progress_file[] = "progress.jsonl";

uint32_t coord_trials_parts(const coord_trials *t) { return t->folds * t->seeds; }

/* ---- its project --------------------------------------------------------------------------------------------------------------------------- */

/** What a trial sets in the project file, each "key=value": its point, and what the study itself has to say. The ranks are told this alone. */
typedef struct changes { char **v; size_t n; } changes;

static void changes_destroy(changes *c)
{
    while (c->n > 0) free(c->v[--c->n]);
    free(c->v);
}

static fw_status take_change(changes *c, fw_text *text, fw_error *err)
{
    FW_TRY(fw_text_check(text, err));
    c->v[c->n++] = fw_text_take(text);
    return FW_OK;
}

static fw_status add_point(changes *c, const coord_space *space, const double *x, fw_error *err)
{
    for (size_t i = 0; i < space->n; i++) {
        FW_AUTO(fw_text) text = {0};
        if (isnan(x[i])) continue;                     /* not active */
        FW_TRY(coord_param_override(&text, &space->param[i], x[i], err));
        FW_TRY(take_change(c, &text, err));
    }
    return FW_OK;
}

static fw_status add_number(changes *c, const char *key, uint64_t value, fw_error *err)
{
    FW_AUTO(fw_text) text = {0};
    fw_text_format(&text, "%s=%llu", key, (unsigned long long)value);
    return take_change(c, &text, err);
}

/* Of the point, else of the project file. What is no whole number is refused when the project is made. */
static uint64_t number_of(const changes *c, const char *key, uint64_t otherwise)
{
    const size_t len = strlen(key);
    for (size_t i = 0; i < c->n; i++)
        if (strncmp(c->v[i], key, len) == 0 && c->v[i][len] == '=') (void)fw_parse_uint64(&otherwise, c->v[i] + len + 1, strlen(c->v[i] + len + 1));
    return otherwise;
}

static fw_status make_changes(changes *c, const coord_trials *t, const double *x, uint32_t part, fw_error *err)
{
    static const char epochs[] = "train.epochs", seed[] = "train.seed";
    const uint32_t more = part / t->folds;
    FW_TRY(fw_alloc_zeroed((void **)&c->v, t->space->n + 2, sizeof *c->v, "overrides", err));
    FW_TRY(add_point(c, t->space, x, err));
    if (number_of(c, epochs, t->project->train.epochs) > t->max_rounds) FW_TRY(add_number(c, epochs, t->max_rounds, err));
    return more > 0 ? add_number(c, seed, number_of(c, seed, t->project->train.seed) + more, err) : FW_OK;
}

static fw_status changed(fw_project **out, const coord_trials *t, const changes *c, fw_error *err)
{
    return fw_project_with(out, t->project, (const char *const *)c->v, c->n, err);
}

fw_status coord_trial_project(fw_project **out, const coord_trials *t, const double *x, uint32_t part, fw_error *err)
{
    FW_AUTO(changes) c = {0};
    FW_TRY(make_changes(&c, t, x, part, err));
    return changed(out, t, &c, err);
}

/* ---- its folder ------------------------------------------------------------------------------------------------------------------------------ */

fw_status coord_trial_path(char **out, const coord_trials *t, uint64_t trial, const char *name, fw_error *err)
{
    char below[64];
    snprintf(below, sizeof below, "trials/%llu%s%s", (unsigned long long)trial, name != NULL ? "/" : "", name != NULL ? name : "");
    return fw_path_join(out, t->folder, below, err);
}

fw_status coord_trial_clean(const coord_trials *t, uint64_t trial, bool keep_model, fw_error *err)
{
    FW_FREE char *folder = NULL;
    FW_TRY(coord_trial_path(&folder, t, trial, NULL, err));
    DIR *d = opendir(folder);
    if (d == NULL) return errno == ENOENT ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s", folder);
    fw_status s = FW_OK;
    for (struct dirent *e; s == FW_OK && (e = readdir(d)) != NULL;) {
        const bool kept = keep_model && (strcmp(e->d_name, model_file) == 0 || strcmp(e->d_name, progress_file) == 0);
        if (kept || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(d), e->d_name, 0) != 0 && errno != ENOENT) s = fw_fail_errno(err, FW_ERR_IO, "%s/%s can't be removed", folder, e->d_name);
    }
    closedir(d);
    if (s == FW_OK && !keep_model && rmdir(folder) != 0 && errno != ENOENT) s = fw_fail_errno(err, FW_ERR_IO, "%s can't be removed", folder);
    return s;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------------------ */

/* The coordinator's part of it; the ranks don't wait for that. */
static fw_status set_up(coord_trial_run *r, const changes *c, fw_error *err)
{
    char name[40] = "checkpoint.h5";
    FW_FREE char *folder = NULL;
    FW_AUTO(fw_text) previous = {0};
    if (coord_trials_parts(r->all) > 1) snprintf(name, sizeof name, "checkpoint.%u.h5", r->part);
    FW_TRY(changed(&r->project, r->all, c, err));
    r->rounds_wanted = r->project->train.epochs;
    FW_TRY(coord_trial_path(&folder, r->all, r->trial, NULL, err));
    FW_TRY(fw_make_dirs(folder, err));
    FW_TRY(coord_trial_path(&r->checkpoint, r->all, r->trial, name, err));
    fw_text_format(&previous, "%s.previous", r->checkpoint);
    FW_TRY(fw_text_check(&previous, err));
    r->previous = fw_text_take(&previous);
    r->may_go_on = fw_path_exists(r->checkpoint) || fw_path_exists(r->previous);
    return FW_OK;
}

/* What the coordinator found wrong is told better than what the ranks say of the same; but a loss comes first. */
static fw_status worse(fw_status answer, fw_status own, const fw_error *why, fw_error *err)
{
    return own == FW_OK || answer == FW_ERR_LOST ? answer : fw_fail(err, own, "%s", why->text);
}

static fw_status open_rows(coord_trial_run *r, coord_group *g, const double *x, const coord_meanwhile *meanwhile, fw_error *err)
{
    FW_AUTO(changes) c = {0};
    fw_error why = {0};
    const bool folds = r->all->folds > 1;
    FW_TRY(make_changes(&c, r->all, x, r->part, err));
    fw_order open = {.kind = FW_ORDER_OPEN, .project = (char *)r->all->given, .directory = r->all->project->dir, .dataset = (char *)r->all->dataset, .shared = r->all->shared,
                     .folds = folds ? r->all->folds : 0, .fold = folds ? r->part % r->all->folds : 0, .overrides = c.v, .n_overrides = c.n};
    FW_TRY(coord_group_send(g, &open, err));
    meanwhile->call(meanwhile->context);
    const fw_status own = set_up(r, &c, &why);
    return worse(coord_group_answer(g, NULL, NULL, NULL, err), own, &why, err);
}

static fw_order create_order(const coord_trial_run *r, const char *from)
{
    return (fw_order){.kind = from != NULL ? FW_ORDER_RESTORE : FW_ORDER_CREATE, .path = r->checkpoint, .dataset = (char *)from,
                      .checkpoint_every_s = r->project->train.checkpoint.every_s, .checkpoint_every_rounds = r->project->train.checkpoint.every_rounds};
}

static fw_status restore(coord_trial_run *r, coord_group *g, const char *from, fw_error *err)
{
    FW_AUTO(fw_answer) *a = NULL;
    fw_order o = create_order(r, from);
    FW_TRY(coord_group_order(g, &o, NULL, NULL, &a, err));
    r->step = a->position.step;
    return coord_rounds_take(&r->rounds, a, r->project, err);
}

/* The newest that can be read; a new learner when there is none. What a checkpoint of another program or of other settings is good for, its error says. */
static fw_status create(coord_trial_run *r, coord_group *g, fw_error *err)
{
    const char *const from[] = {r->checkpoint, r->previous};
    fw_order o = create_order(r, NULL);
    for (size_t i = 0; i < 2 && r->may_go_on; i++) {
        fw_error why = {0};
        if (!fw_path_exists(from[i])) continue;
        const fw_status s = restore(r, g, from[i], &why);
        if (s == FW_OK) return s;
        if (s != FW_ERR_FORMAT) return fw_fail(err, s, "%s", why.text);
        fw_log_warn("trial %llu: %s; going on from what was before it", (unsigned long long)r->trial, why.text);
    }
    return coord_group_order(g, &o, NULL, NULL, NULL, err);
}

fw_status coord_trial_run_open(coord_trial_run **out, const coord_trials *t, coord_group *g, uint64_t trial, const double *x, uint32_t part,
                              const coord_meanwhile *meanwhile, fw_error *err)
{
    FW_AUTO(coord_trial_run) *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "trial %llu", (unsigned long long)trial);
    r->all = t;
    r->trial = trial;
    r->part = part;
    FW_TRY(open_rows(r, g, x, meanwhile, err));
    FW_TRY(create(r, g, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

void coord_trial_run_destroy(coord_trial_run **run)
{
    coord_trial_run *r = *run;
    if (r == NULL) return;
    coord_rounds_release(&r->rounds);
    fw_project_destroy(&r->project);
    free(r->checkpoint);
    free(r->previous);
    free(r);
    *run = NULL;
}

/* ---- at work ------------------------------------------------------------------------------------------------------------------------------------ */

fw_status coord_trial_run_send_round(coord_trial_run *r, coord_group *g, fw_error *err)
{
    const bool mark = coord_trials_parts(r->all) == 1 && coord_rounds_mark_best(&r->rounds, r->project);
    fw_order o = {.kind = FW_ORDER_ADVANCE, .rounds = 1, .mark_best = mark};
    return coord_group_send(g, &o, err);
}

fw_status coord_trial_run_take_round(coord_trial_run *r, coord_group *g, fw_error *err)
{
    FW_AUTO(fw_answer) *a = NULL;
    FW_TRY(coord_group_answer(g, NULL, NULL, &a, err));
    r->dirty = true;
    r->step = a->position.step;
    return coord_rounds_take(&r->rounds, a, r->project, err);
}

fw_status coord_trial_run_send_checkpoint(coord_trial_run *r, coord_group *g, fw_error *err)
{
    fw_order o = {.kind = FW_ORDER_CHECKPOINT};
    if (!r->dirty || r->writing) return FW_OK;
    FW_TRY(coord_group_send(g, &o, err));
    r->dirty = false;
    r->writing = true;
    return FW_OK;
}

fw_status coord_trial_run_written(coord_trial_run *r, coord_group *g, fw_error *err)
{
    if (!r->writing) return FW_OK;
    r->writing = false;
    const fw_status s = coord_group_answer(g, NULL, NULL, NULL, err);
    r->dirty = s < 0;
    return s;
}

fw_status coord_trial_run_checkpoint(coord_trial_run *r, coord_group *g, fw_error *err)
{
    FW_TRY(coord_trial_run_send_checkpoint(r, g, err));
    return coord_trial_run_written(r, g, err);
}

/* As a training would have written it. */
static fw_status write_progress(const coord_trial_run *r, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_AUTO(fw_text) text = {0};
    char now[FW_UTC_LEN];
    fw_utc_now(now);
    FW_TRY(coord_trial_path(&path, r->all, r->trial, progress_file, err));
    for (size_t i = 0; i < r->rounds.n; i++) {
        json_t *j = json_pack("{s:s, s:s}", "time", now, "event", "round"), *round = coord_round_json(&r->rounds.round[i]);
        if (j == NULL || round == NULL || json_object_update(j, round) != 0) text.failed = true;
        FW_FREE char *line = text.failed ? NULL : json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
        json_decref(round);
        json_decref(j);
        if (line == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s", path);
        fw_text_format(&text, "%s\n", line);
    }
    FW_TRY(fw_text_check(&text, err));
    return fw_write_file(path, text.data != NULL ? text.data : "", text.len, err);
}

fw_status coord_trial_run_save(coord_trial_run *r, coord_group *g, fw_error *err)
{
    FW_FREE char *path = NULL;
    fw_error why = {0};
    const fw_round_result *kept = coord_rounds_kept(&r->rounds, r->project);
    FW_TRY(coord_trial_path(&path, r->all, r->trial, model_file, err));
    fw_order save = {.kind = FW_ORDER_SAVE, .path = path, .best = coord_rounds_keeps_best(&r->rounds, r->project),
                     .values = kept != NULL ? kept->validation : NULL, .n_values = kept != NULL ? kept->n_validation : 0};
    FW_TRY(coord_group_send(g, &save, err));
    const fw_status own = write_progress(r, &why);
    return worse(coord_group_answer(g, NULL, NULL, NULL, err), own, &why, err);
}

bool coord_trial_run_finished(const coord_trial_run *r) { return r->rounds.n >= r->rounds_wanted || coord_best_stops(&r->rounds.best, r->project); }

double coord_trial_run_value(const coord_trial_run *r, uint64_t round)
{
    const double *v = round >= 1 && round <= r->rounds.n ? coord_round_metric(&r->rounds.round[round - 1], r->all->metric) : NULL;
    return v != NULL ? *v : (double)NAN;
}
