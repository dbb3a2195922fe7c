#include "coordinator/commands/sweep_show.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/text.h"
#include "common/core/size.h"
#include "coordinator/commands/rows.h"
#include "coordinator/commands/thing.h"

#define DIGITS  6
#define STUDIES "studies"

/* ---- as JSON ------------------------------------------------------------------------------------------------------------------------------ */

static json_t *number_or_null(double v) { return isfinite(v) ? json_real(v) : json_null(); }

/* A choice is YAML in flow form; what is JSON as well becomes its value. */
static json_t *choice_json(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    return v != NULL ? v : json_string(text);
}

static json_t *value_json(const coord_param *p, double x)
{
    if (p->kind == COORD_PARAM_CATEGORICAL) return choice_json(p->choice[(size_t)x]);
    return p->kind == COORD_PARAM_INT ? json_integer((json_int_t)x) : json_real(x);
}

static json_t *params_json(const coord_space *space, const double *x)
{
    json_t *o = json_object();
    for (size_t i = 0; i < space->n; i++)
        if (!isnan(x[i])) json_object_set_new(o, space->param[i].name, value_json(&space->param[i], x[i]));
    return o;
}

json_t *coord_sweep_trial_json(const coord_study *s, const coord_trial *t)
{
    json_t *o = json_pack("{s:I, s:s, s:o, s:I, s:o}", "trial", (json_int_t)t->number, "state", coord_trial_state_name(t->state), "value",
                          number_or_null(t->value), "rounds", (json_int_t)t->rounds, "params", params_json(coord_study_space(s), t->x));
    if (isfinite(t->error)) json_object_set_new(o, "error", json_real(t->error));
    json_object_set_new(o, "reason", t->reason != NULL ? json_string(t->reason) : json_null());
    return o;
}

/* All that is known of one trial. */
static json_t *whole_trial_json(const coord_study *s, const coord_trial *t)
{
    json_t *o = coord_sweep_trial_json(s, t), *rounds = json_array();
    for (uint64_t i = 0; i < t->rounds; i++) {
        json_t *r = json_pack("{s:I, s:o}", "round", (json_int_t)i + 1, coord_study_metric(s), number_or_null(t->at[i]));
        if (isfinite(t->error_at[i])) json_object_set_new(r, "error", json_real(t->error_at[i]));
        json_array_append_new(rounds, r);
    }
    json_object_set_new(o, "created", t->created[0] != '\0' ? json_string(t->created) : json_null());
    json_object_set_new(o, "ended", t->ended[0] != '\0' ? json_string(t->ended) : json_null());
    json_object_set_new(o, "by_round", rounds);
    return o;
}

static double seconds_of(const coord_study *s)
{
    const coord_stretch *stretch = NULL;
    const size_t n = coord_study_stretches(s, &stretch);
    double end = 0.0;
    for (size_t i = 0; i < n; i++) end = FW_MAX(end, stretch[i].end_s);
    return end;
}

static json_t *study_json(const coord_study *s, const char *name)
{
    const coord_trial *best = coord_study_best(s);
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:s, s:s, s:f}", "study", name, "trials", (json_int_t)coord_study_budget(s), "complete",
                          (json_int_t)coord_study_count(s, COORD_COMPLETE), "pruned", (json_int_t)coord_study_count(s, COORD_PRUNED), "fail",
                          (json_int_t)coord_study_count(s, COORD_FAIL), "open",
                          (json_int_t)(coord_study_count(s, COORD_WAITING) + coord_study_count(s, COORD_RUNNING)), "metric", coord_study_metric(s), "best",
                          best != NULL ? json_real(best->value) : json_null(), "best_trial", best != NULL ? json_integer((json_int_t)best->number) : json_null(),
                          "sampler", coord_study_sampler_line(s), "pruner", coord_study_pruner(s), "seconds", seconds_of(s));
    return o;
}

/* ---- which study -------------------------------------------------------------------------------------------------------------------------- */

static bool is_study(const char *dir)
{
    FW_FREE char *journal = NULL;
    return fw_path_join(&journal, dir, "journal", NULL) == FW_OK && fw_path_exists(journal);
}

/* The folders below `parent` that hold a journal, sorted by name; each malloc'ed, as is *out. */
static fw_status studies_below(char ***out, size_t *n, const char *parent, fw_error *err)
{
    struct dirent **entry = NULL;
    size_t capacity = 0;
    *out = NULL;
    *n = 0;
    const int found = scandir(parent, &entry, NULL, alphasort);
    fw_status s = FW_OK;
    for (int i = 0; i < found; i++) {
        char *path = NULL;
        if (s == FW_OK && entry[i]->d_name[0] != '.') s = fw_path_join(&path, parent, entry[i]->d_name, err);
        if (s == FW_OK && path != NULL && is_study(path) && (s = fw_grow((void **)out, &capacity, *n + 1, sizeof **out, "studies", err)) == FW_OK) (*out)[(*n)++] = path;
        else free(path);
        free(entry[i]);
    }
    free(entry);
    return s;
}

static void free_paths(char **paths, size_t n)
{
    for (size_t i = 0; i < n; i++) free(paths[i]);
    free(paths);
}

static struct timespec changed(const char *dir)
{
    FW_FREE char *journal = NULL;
    struct stat st = {0};
    if (fw_path_join(&journal, dir, "journal", NULL) == FW_OK) (void)stat(journal, &st);
    return st.st_mtim;
}

static bool later(struct timespec a, struct timespec b) { return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec; }

/* The one that was written last, of those below studies/. */
static fw_status newest(char **out, fw_error *err)
{
    char **paths = NULL;
    size_t n = 0, best = 0;
    fw_status s = studies_below(&paths, &n, STUDIES, err);
    for (size_t i = 1; i < n; i++)
        if (later(changed(paths[i]), changed(paths[best]))) best = i;
    if (s == FW_OK && n == 0) s = fw_fail(err, FW_ERR_CONFIG, "there is no study in " STUDIES "/; name its folder");
    if (s == FW_OK) {
        *out = paths[best];
        paths[best] = NULL;
        if (n > 1) fw_log_info("study %s, the newest of %zu", *out, n);
    }
    free_paths(paths, n);
    return s;
}

/* A folder, or its name below studies/; NULL: the newest one there. */
static fw_status find_study(char **out, const char *given, fw_error *err)
{
    FW_FREE char *below = NULL;
    if (given == NULL) return newest(out, err);
    if (is_study(given)) return fw_copy_text(out, given, err);
    FW_TRY(fw_path_join(&below, STUDIES, given, err));
    if (is_study(below)) {
        *out = below;
        below = NULL;
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_CONFIG, "%s is no study: neither it nor " STUDIES "/%s holds a journal; `flywheel sweep list` names those that are there", given, given);
}

static const char *name_of(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : dir;
}

/* ---- the words ---------------------------------------------------------------------------------------------------------------------------- */

/* The call's study, opened, from the argument at `at`. */
static fw_status read_study(coord_study **out, char **dir, const coord_call *call, size_t at, fw_error *err)
{
    FW_TRY(find_study(dir, at < call->n_positional ? call->positional[at] : NULL, err));
    return coord_study_read(out, *dir, err);
}

static fw_status show_list(coord_call *call, fw_error *err)
{
    coord_rows_format format;
    char **paths = NULL;
    size_t n = 0;
    const char *parent = call->n_positional > 1 ? call->positional[1] : STUDIES;
    FW_TRY(coord_rows_format_of(&format, call, err));
    FW_TRY(studies_below(&paths, &n, parent, err));
    json_t *rows = json_array();
    fw_status s = FW_OK;
    for (size_t i = 0; s == FW_OK && i < n; i++) {
        coord_study *study = NULL;
        fw_error damaged = {0};
        if (coord_study_read(&study, paths[i], &damaged) == FW_OK) json_array_append_new(rows, study_json(study, name_of(paths[i])));
        else fw_log_warn("%s", damaged.text);
        coord_study_close(&study);
    }
    if (n == 0) fw_log_info("no study in %s", parent);
    else s = coord_rows_print(stdout, rows, format, DIGITS, err);
    json_decref(rows);
    free_paths(paths, n);
    return s;
}

static fw_status print_trials(const coord_study *study, coord_rows_format format, fw_error *err)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < coord_study_n_trials(study); i++) json_array_append_new(rows, coord_sweep_trial_json(study, coord_study_trial(study, i)));
    fw_status s = coord_rows_print(stdout, rows, format, DIGITS, err);
    json_decref(rows);
    return s;
}

static fw_status show_trials(coord_call *call, fw_error *err)
{
    FW_FREE char *dir = NULL;
    coord_rows_format format;
    coord_study *study = NULL;
    FW_TRY(coord_rows_format_of(&format, call, err));
    fw_status s = read_study(&study, &dir, call, 1, err);
    if (s == FW_OK) s = print_trials(study, format, err);
    coord_study_close(&study);
    return s;
}

/* As trials, for a spreadsheet unless another form is asked for. */
static fw_status show_export(coord_call *call, fw_error *err)
{
    FW_FREE char *dir = NULL;
    coord_rows_format format = COORD_ROWS_CSV;
    coord_study *study = NULL;
    if (coord_option_set(call, "format")) FW_TRY(coord_rows_format_of(&format, call, err));
    if (coord_option_set(call, "csv")) format = COORD_ROWS_CSV;
    fw_status s = read_study(&study, &dir, call, 1, err);
    if (s == FW_OK) s = print_trials(study, format, err);
    coord_study_close(&study);
    return s;
}

/* One trial: a description for people, an object for programs, a row for spreadsheets. */
static fw_status print_trial(const coord_call *call, json_t *trial, fw_error *err)
{
    coord_rows_format format;
    fw_status s = coord_rows_format_of(&format, call, err);
    if (s == FW_OK && format == COORD_ROWS_TABLE) s = coord_description_print(stdout, trial, DIGITS, err);
    else if (s == FW_OK && format != COORD_ROWS_CSV) s = coord_description_print_json(stdout, trial, err);
    else if (s == FW_OK) {
        json_t *rows = json_array();
        json_object_del(trial, "by_round");
        json_array_append(rows, trial);
        s = coord_rows_print(stdout, rows, format, DIGITS, err);
        json_decref(rows);
    }
    json_decref(trial);
    return s;
}

static fw_status show_best(coord_call *call, fw_error *err)
{
    FW_FREE char *dir = NULL, *model = NULL, *project = NULL;
    coord_study *study = NULL;
    fw_status s = read_study(&study, &dir, call, 1, err);
    const coord_trial *best = s == FW_OK ? coord_study_best(study) : NULL;
    if (s == FW_OK && best == NULL) s = fw_fail(err, FW_ERR_CHECK, "%s: no trial is complete yet", dir);
    if (s == FW_OK) s = fw_path_join(&model, dir, "best/model.h5", err);
    if (s == FW_OK) s = fw_path_join(&project, dir, "best/resolved.yaml", err);
    if (s == FW_OK) {
        json_t *o = coord_sweep_trial_json(study, best);
        if (fw_path_exists(model)) json_object_set_new(o, "model", json_string(model));
        if (fw_path_exists(project)) json_object_set_new(o, "project", json_string(project));
        s = print_trial(call, o, err);
    }
    coord_study_close(&study);
    return s;
}

/* show N | show STUDY N */
static fw_status show_one(coord_call *call, fw_error *err)
{
    FW_FREE char *dir = NULL;
    coord_study *study = NULL;
    uint64_t number = 0;
    const char *text = call->n_positional > 1 ? call->positional[call->n_positional - 1] : "";
    if (!fw_parse_uint64(&number, text, strlen(text))) return fw_fail(err, FW_ERR_CONFIG, "sweep show: \"%s\" is no number of a trial; write: flywheel sweep show [STUDY] N", text);
    FW_TRY(find_study(&dir, call->n_positional > 2 ? call->positional[1] : NULL, err));
    fw_status s = coord_study_read(&study, dir, err);
    if (s == FW_OK && number >= coord_study_n_trials(study))
        s = fw_fail(err, FW_ERR_CONFIG, "%s has no trial %" PRIu64 ": it has %zu, from 0", dir, number, coord_study_n_trials(study));
    if (s == FW_OK) s = print_trial(call, whole_trial_json(study, coord_study_trial(study, number)), err);
    coord_study_close(&study);
    return s;
}

static fw_status show_replay(coord_call *call, fw_error *err)
{
    FW_FREE char *dir = NULL;
    uint64_t decisions = 0;
    FW_TRY(find_study(&dir, call->n_positional > 1 ? call->positional[1] : NULL, err));
    FW_TRY(coord_study_replay(dir, &decisions, err));
    printf("%s: all %" PRIu64 " decisions are the same again\n", dir, decisions);
    return FW_OK;
}

static fw_status show_report(coord_call *call, fw_error *err)
{
    FW_FREE char *dir = NULL;
    coord_study *study = NULL;
    fw_status s = read_study(&study, &dir, call, 1, err);
    if (s == FW_OK) s = coord_sweep_report(study, name_of(dir), err);
    if (s == FW_OK) printf("%s/report.html\n", dir);
    coord_study_close(&study);
    return s;
}

static const struct { const char *word; size_t most; fw_status (*run)(coord_call *, fw_error *); } words[] = {
    {"list", 2, show_list},     {"trials", 2, show_trials}, {"best", 2, show_best},     {"show", 3, show_one},
    {"export", 2, show_export}, {"replay", 2, show_replay}, {"report", 2, show_report},
};
#define N_WORDS (sizeof words / sizeof *words)

static size_t word_of(const coord_call *call)
{
    for (size_t i = 0; i < N_WORDS; i++)
        if (call->n_positional > 0 && strcmp(call->positional[0], words[i].word) == 0) return i;
    return N_WORDS;
}

bool coord_sweep_shows(const coord_call *call) { return word_of(call) < N_WORDS; }

fw_status coord_sweep_show(coord_call *call, fw_error *err)
{
    const size_t w = word_of(call);
    if (call->n_positional > words[w].most)
        return fw_fail(err, FW_ERR_CONFIG, "sweep %s: \"%s\" is one argument too many", words[w].word, call->positional[words[w].most]);
    if (call->n_overrides > 0) return fw_fail(err, FW_ERR_CONFIG, "sweep %s: it reads no project file, so \"%s\" means nothing", words[w].word, call->overrides[0]);
    return words[w].run(call, err);
}
