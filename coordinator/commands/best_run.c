#include "coordinator/commands/best_run.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "coordinator/commands/training.h"

#define MODEL_MAX_BYTES ((size_t)1 << 36)

/* ---- its project ------------------------------------------------------------------------------------------------------------------------ */

/* How a file in folder `from` names the file `to`; both are there. */
static fw_status relative_path(char **out, const char *from, const char *to, fw_error *err)
{
    FW_FREE char *folder = realpath(from, NULL);
    FW_FREE char *file = folder != NULL ? realpath(to, NULL) : NULL;
    FW_AUTO(fw_text) text = {0};
    size_t same = 0;
    if (file == NULL) return fw_fail_errno(err, FW_ERR_IO, "%s", folder == NULL ? from : to);
    for (size_t i = 0; folder[i] == file[i] || (folder[i] == '\0' && file[i] == '/'); i++) {
        if (file[i] == '/') same = i + 1;
        if (folder[i] == '\0') break;
    }
    const size_t len = strlen(folder);
    for (size_t i = same; i < len; i++)
        if (i == same || folder[i] == '/') fw_text_add(&text, "../");
    fw_text_add(&text, file + same);
    FW_TRY(fw_text_check(&text, err));
    *out = fw_text_take(&text);
    return FW_OK;
}

/* Of folds and seeds the rounds are known: what stopped early on their mean is trained for as many. */
static fw_status fix_rounds(fw_project **of, const coord_trials *t, const coord_trial *best, fw_error *err)
{
    char epochs[40], most[48];
    const char *const set[] = {epochs, most, "tune.pruner.name=none", "train.early_stopping.patience=0"};
    fw_project *p = NULL;
    if (coord_trials_parts(t) == 1 || (*of)->train.early_stopping.patience == 0) return FW_OK;
    snprintf(epochs, sizeof epochs, "train.epochs=%llu", (unsigned long long)best->value_round);
    snprintf(most, sizeof most, "tune.pruner.max_rounds=%llu", (unsigned long long)best->value_round);
    FW_TRY(fw_project_with(&p, *of, set, sizeof set / sizeof *set, err));
    fw_project_destroy(of);
    *of = p;
    return FW_OK;
}

static fw_status quoted(char **out, const char *text, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    fw_text_add(&t, "'");
    for (const char *c = text; *c != '\0'; c++) fw_text_add_bytes(&t, *c == '\'' ? "''" : c, *c == '\'' ? 2 : 1);
    fw_text_add(&t, "'");
    FW_TRY(fw_text_check(&t, err));
    *out = fw_text_take(&t);
    return FW_OK;
}

static fw_status best_project(fw_project **out, const coord_study *s, const coord_trials *t, const char *dir, fw_error *err)
{
    FW_AUTO(fw_project) *p = NULL;
    FW_FREE char *dataset = NULL;
    FW_FREE char *text = NULL;
    const coord_trial *best = coord_study_best(s);
    FW_TRY(coord_trial_project(&p, t, best->x, 0, err));
    FW_TRY(fix_rounds(&p, t, best, err));
    FW_TRY(fw_make_dirs(dir, err));
    FW_TRY(relative_path(&dataset, dir, t->dataset, err));
    FW_TRY(quoted(&text, dataset, err));
    FW_TRY(fw_project_set(p, "data.dataset", text, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

/* ---- whether it is there ------------------------------------------------------------------------------------------------------------------ */

static fw_status is_same_project(bool *out, const fw_project *p, const char *dir, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_FREE char *yaml = NULL;
    FW_FREE char *there = NULL;
    size_t len = 0;
    *out = false;
    FW_TRY(fw_path_join(&path, dir, "resolved.yaml", err));
    if (!fw_path_exists(path)) return FW_OK;
    FW_TRY(fw_project_resolved(&yaml, p, err));
    FW_TRY(fw_read_file(&there, &len, path, FW_COMMAND_MAX_BYTES, err));
    *out = strcmp(yaml, there) == 0;
    return FW_OK;
}

fw_status coord_best_run_is_there(bool *out, const coord_study *s, const coord_trials *t, fw_error *err)
{
    FW_AUTO(fw_project) *p = NULL;
    FW_FREE char *dir = NULL;
    bool finished = false;
    *out = true;
    if (coord_study_best(s) == NULL) return FW_OK;
    FW_TRY(fw_path_join(&dir, t->folder, "best", err));
    FW_TRY(best_project(&p, s, t, dir, err));
    FW_TRY(is_same_project(out, p, dir, err));
    FW_TRY(coord_run_is_finished(&finished, dir, err));
    *out = *out && finished;
    return FW_OK;
}

/* ---- making it --------------------------------------------------------------------------------------------------------------------------------- */

static fw_status copy_model(const char *to, const char *from, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    size_t len = 0;
    FW_TRY(fw_read_file(&bytes, &len, from, MODEL_MAX_BYTES, err));
    return fw_write_file(to, bytes, len, err);
}

/* The trial's rounds become the run's, and its model too. */
static fw_status take_over(coord_training *t, const char *model, const char *folder, fw_error *err)
{
    fw_round_result *rounds = NULL;
    FW_TRY(coord_run_history(&rounds, &t->rounds.n, folder, err));
    t->rounds.round = rounds;
    t->rounds.capacity = t->rounds.n;
    FW_TRY(coord_training_event(t, "start", NULL, err));
    for (size_t i = 0; i < t->rounds.n; i++) {
        t->at = rounds[i].position;
        FW_TRY(coord_training_event(t, "round", &rounds[i], err));
    }
    FW_TRY(copy_model(t->run->model, model, err));
    FW_TRY(coord_training_report(t, err));
    return coord_training_event(t, "done", NULL, err);
}

static fw_status make(coord_training *t, const coord_trial *best, const coord_trials *all, const char *dir, fw_error *err)
{
    bool same = false;
    FW_FREE char *model = NULL;
    FW_FREE char *folder = NULL;
    FW_TRY(is_same_project(&same, t->project, dir, err));
    FW_TRY(coord_training_open_group(t, err));
    FW_TRY(coord_trial_path(&folder, all, best->number, NULL, err));
    FW_TRY(coord_trial_path(&model, all, best->number, "model.h5", err));
    const bool there = fw_path_exists(model);
    FW_TRY(coord_run_open(&t->run, t->project, t->opened->digest, dir, same && !there ? COORD_RESUME_AUTO : COORD_RESUME_NEVER, NULL, err));
    FW_TRY(coord_run_begin(t->run, t->project, err));
    return there ? take_over(t, model, folder, err) : coord_training_run(t, err);
}

fw_status coord_best_run(coord_group *g, const coord_study *s, const coord_trials *all, const fw_bus_identity *identity, fw_error *err)
{
    FW_FREE char *dir = NULL;
    bool there = false;
    FW_TRY(coord_best_run_is_there(&there, s, all, err));
    if (there) return FW_OK;
    coord_training t = {.file = all->project->path, .group = g, .access = {.identity = *identity}, .quiet = true, .started = fw_mono_now()};
    fw_status status = fw_path_join(&dir, all->folder, "best", err);
    if (status == FW_OK) status = best_project(&t.project, s, all, dir, err);
    if (status == FW_OK) status = fw_copy_text(&t.dataset, all->dataset, err);
    if (status == FW_OK) {
        t.metric = coord_rounds_metric(t.project);
        status = make(&t, coord_study_best(s), all, dir, err);
    }
    coord_training_release(&t);
    return status;
}
