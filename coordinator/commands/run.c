#include "coordinator/commands/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/model/checkpoint.h"

#define SHORT_DIGEST 8
#define LINE_MAX_BYTES (1u << 20)

/* What makes two runs the same: settings that shape the model, and the data. */
static fw_status short_digest(char out[static FW_DIGEST_TEXT], const fw_project *p, const char *dataset_digest, fw_error *err)
{
    FW_FREE char *part = NULL;
    FW_TRY(fw_project_model_part(&part, p, err));
    fw_digest_text(out, fw_digest_add(fw_hash128(part, strlen(part), 0), fw_hash128(dataset_digest, strlen(dataset_digest), 1)));
    out[SHORT_DIGEST] = '\0';
    return FW_OK;
}

static fw_status fill_paths(coord_run *r, fw_error *err)
{
    FW_TRY(fw_path_join(&r->model, r->dir, "model.h5", err));
    FW_TRY(fw_path_join(&r->checkpoint, r->dir, "checkpoint.h5", err));
    FW_TRY(fw_path_join(&r->previous, r->dir, "checkpoint.h5.previous", err));
    FW_TRY(fw_path_join(&r->progress, r->dir, "progress.jsonl", err));
    FW_TRY(fw_path_join(&r->resolved, r->dir, "resolved.yaml", err));
    FW_TRY(fw_path_join(&r->metrics, r->dir, "metrics.json", err));
    return fw_path_join(&r->report, r->dir, "report.html", err);
}

/* The event in the last whole line of progress.jsonl is `done`; its last lines are enough to see that. */
static bool ends_with_done(const char *progress)
{
    char tail[65536];
    FILE *f = fopen(progress, "rb");
    if (f == NULL) return false;
    const bool from_end = fseek(f, -(long)(sizeof tail - 1), SEEK_END) == 0;
    if (!from_end) rewind(f);
    size_t len = fread(tail, 1, sizeof tail - 1, f);
    fclose(f);
    while (len > 0 && tail[len - 1] != '\n') len--;        /* a torn line */
    if (len == 0) return false;
    tail[len - 1] = '\0';
    const char *line = strrchr(tail, '\n');
    json_t *j = json_loads(line != NULL ? line + 1 : tail, 0, NULL);
    const bool done = fw_text_equal(json_string_value(json_object_get(j, "event")), "done");
    json_decref(j);
    return done;
}

static bool is_empty(const char *path)
{
    uint64_t bytes = 0;
    return fw_file_size(&bytes, path, NULL) != FW_OK || bytes == 0;
}

/* With a model, and its report: the event `done` comes last. A model that came here without a history is finished, too. */
fw_status coord_run_is_finished(bool *out, const char *dir, fw_error *err)
{
    FW_FREE char *model = NULL;
    FW_FREE char *progress = NULL;
    FW_TRY(fw_path_join(&model, dir, "model.h5", err));
    FW_TRY(fw_path_join(&progress, dir, "progress.jsonl", err));
    *out = fw_path_exists(model) && (is_empty(progress) || ends_with_done(progress));
    return FW_OK;
}

/* With something to go on from, or ranks of a gang to end: the fence of one stands there. */
static fw_status is_unfinished(bool *out, const char *dir, fw_error *err)
{
    static const char *const signs[] = {"checkpoint.h5", "checkpoint.h5.previous", "gang.generation"};
    bool finished = false;
    *out = false;
    FW_TRY(coord_run_is_finished(&finished, dir, err));
    for (size_t i = 0; !finished && i < sizeof signs / sizeof *signs; i++) {
        FW_FREE char *path = NULL;
        FW_TRY(fw_path_join(&path, dir, signs[i], err));
        *out = *out || fw_path_exists(path);
    }
    return FW_OK;
}

/* The newest unfinished run folder with this digest, or NULL; names begin with the time, so they sort by it. */
static fw_status find_unfinished(char **out, const char *runs, const char *digest, fw_error *err)
{
    DIR *d = opendir(runs);
    *out = NULL;
    if (d == NULL) return FW_OK;
    fw_status s = FW_OK;
    for (struct dirent *e; s == FW_OK && (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (len < SHORT_DIGEST + 1 || strcmp(e->d_name + len - SHORT_DIGEST, digest) != 0) continue;
        if (*out != NULL && strcmp(strrchr(*out, '/') + 1, e->d_name) > 0) continue;
        FW_FREE char *dir = NULL;
        bool unfinished = false;
        s = fw_path_join(&dir, runs, e->d_name, err);
        if (s == FW_OK) s = is_unfinished(&unfinished, dir, err);
        if (s != FW_OK || !unfinished) continue;
        free(*out);
        *out = dir;
        dir = NULL;
    }
    closedir(d);
    return s;
}

static fw_status new_dir(coord_run *r, const char *runs, const char *digest, fw_error *err)
{
    char name[64];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    for (int k = 0;; k++) {                                /* two in one second */
        size_t n = strftime(name, sizeof name, "%Y%m%dT%H%M%SZ", &utc);
        if (k > 0) n += (size_t)snprintf(name + n, sizeof name - n, ".%d", k);
        snprintf(name + n, sizeof name - n, "-%s", digest);
        free(r->dir);
        r->dir = NULL;
        FW_TRY(fw_path_join(&r->dir, runs, name, err));
        if (!fw_path_exists(r->dir)) return FW_OK;
    }
}

static fw_status choose_dir(coord_run *r, const fw_project *p, const char *dataset_digest, const char *output, coord_resume how, const char *resume_path,
                            fw_error *err)
{
    if (output != NULL) return fw_copy_text(&r->dir, output, err);
    if (how == COORD_RESUME_PATH && fw_path_is_dir(resume_path)) return fw_copy_text(&r->dir, resume_path, err);
    FW_FREE char *runs = NULL;
    FW_FREE char *found = NULL;
    char digest[FW_DIGEST_TEXT];
    FW_TRY(fw_path_join(&runs, p->dir, "runs", err));
    FW_TRY(fw_path_join(&r->latest, runs, "latest", err));
    FW_TRY(short_digest(digest, p, dataset_digest, err));
    if (how == COORD_RESUME_AUTO) FW_TRY(find_unfinished(&found, runs, digest, err));
    return found != NULL ? fw_copy_text(&r->dir, found, err) : new_dir(r, runs, digest, err);
}

/* The newest of the two checkpoints that is whole. */
static fw_status choose_checkpoint(coord_run *r, const char *latest, const char *previous, fw_error *err)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    fw_error first = {0};
    if (fw_path_exists(latest) && fw_checkpoint_open(&c, latest, &first) == FW_OK) return fw_copy_text(&r->resume_from, latest, err);
    if (previous != NULL && fw_path_exists(previous)) {
        fw_status s = fw_checkpoint_open(&c, previous, err);
        if (s != FW_OK) return s;
        r->damaged_latest = true;
        if (first.text[0] != '\0') fw_log_warn("%s; going on from the checkpoint before it", first.text);
        return fw_copy_text(&r->resume_from, previous, err);
    }
    if (first.text[0] != '\0') return fw_fail(err, first.status, "%s; start anew with --resume never", first.text);
    return FW_OK;
}

static fw_status choose_resume(coord_run *r, const char *output, coord_resume how, const char *resume_path, fw_error *err)
{
    if (how == COORD_RESUME_NEVER) return FW_OK;
    if (how == COORD_RESUME_PATH && !fw_path_is_dir(resume_path)) {
        FW_TRY(choose_checkpoint(r, resume_path, NULL, err));
        return r->resume_from != NULL ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "--resume %s: there is no such checkpoint", resume_path);
    }
    if (how == COORD_RESUME_PATH) {
        FW_FREE char *latest = NULL;
        FW_FREE char *previous = NULL;
        FW_TRY(fw_path_join(&latest, resume_path, "checkpoint.h5", err));
        FW_TRY(fw_path_join(&previous, resume_path, "checkpoint.h5.previous", err));
        FW_TRY(choose_checkpoint(r, latest, previous, err));
        return r->resume_from != NULL ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "--resume %s: there is no checkpoint in it", resume_path);
    }
    bool finished = false;
    FW_TRY(coord_run_is_finished(&finished, r->dir, err));
    if (output != NULL && finished)
        return fw_fail(err, FW_ERR_CONFIG, "%s: a finished run is there; choose another folder with -o, or train it anew with --resume never", r->dir);
    return choose_checkpoint(r, r->checkpoint, r->previous, err);
}

/* Two trainings in one folder would take each other's files away. The lock ends with the process, however that ends; a file system without locks
 * goes without. */
static fw_status lock_folder(coord_run *r, fw_error *err)
{
    int fd = open(r->progress, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s", r->progress);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return fw_fail(err, FW_ERR_CONFIG, "%s: another training is at work in this folder; wait for its end, or begin another run with --resume never%s", r->dir,
                       r->latest != NULL ? "" : " and another -o");
    }
    r->lock = fd;
    return FW_OK;
}

fw_status coord_run_open(coord_run **out, const fw_project *p, const char *dataset_digest, const char *output, coord_resume how, const char *resume_path,
                         fw_error *err)
{
    FW_AUTO(coord_run) *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "run");
    r->lock = -1;
    FW_TRY(choose_dir(r, p, dataset_digest, output, how, resume_path, err));
    FW_TRY(fill_paths(r, err));
    FW_TRY(choose_resume(r, output, how, resume_path, err));
    FW_TRY(fw_make_dirs(r->dir, err));
    FW_TRY(lock_folder(r, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

fw_status coord_run_again(coord_run *r, fw_error *err)
{
    char *given = r->resume_from;
    r->resume_from = NULL;
    r->damaged_latest = false;
    fw_status s = choose_checkpoint(r, r->checkpoint, r->previous, err);
    if (s == FW_OK && r->resume_from == NULL) {            /* none was written yet: from where it began */
        r->resume_from = given;
        return FW_OK;
    }
    free(given);
    return s;
}

void coord_run_destroy(coord_run **run)
{
    coord_run *r = *run;
    if (r == NULL) return;
    char *texts[] = {r->dir, r->model, r->checkpoint, r->previous, r->progress, r->resolved, r->metrics, r->report, r->latest, r->resume_from};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    if (r->lock >= 0) close(r->lock);
    free(r);
    *run = NULL;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The model last: until then the earlier run counts as finished. */
static fw_status remove_earlier_run(const coord_run *r, fw_error *err)
{
    if (r->resume_from != NULL && (same_file(r->resume_from, r->checkpoint) || same_file(r->resume_from, r->previous))) return FW_OK;
    const char *const stale[] = {r->checkpoint, r->previous, r->metrics, r->report, r->model};
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
        if (unlink(stale[i]) != 0 && errno != ENOENT) return fw_fail_errno(err, FW_ERR_IO, "%s: what an earlier run left can't be removed", stale[i]);
    return truncate(r->progress, 0) == 0 ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s", r->progress);
}

void coord_run_tidy(const coord_run *r)
{
    const char *const written[] = {r->model, r->checkpoint, r->previous, r->resolved, r->metrics, r->report};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) fw_remove_leftovers(written[i]);
}

fw_status coord_run_begin(const coord_run *r, const fw_project *p, fw_error *err)
{
    FW_FREE char *yaml = NULL;
    coord_run_tidy(r);
    FW_TRY(remove_earlier_run(r, err));
    FW_TRY(fw_project_resolved(&yaml, p, err));
    FW_TRY(fw_write_file(r->resolved, yaml, strlen(yaml), err));
    if (r->latest == NULL) return FW_OK;
    const char *name = strrchr(r->dir, '/');
    return fw_link_replace(r->latest, name != NULL ? name + 1 : r->dir, err);
}

fw_status coord_run_event(const coord_run *r, const char *event, json_t *more, fw_error *err)
{
    char now[FW_UTC_LEN];
    fw_utc_now(now);
    json_t *j = json_pack("{s:s, s:s}", "time", now, "event", event);
    if (j != NULL && more != NULL) json_object_update(j, more);
    char *line = j != NULL ? json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(more);
    json_decref(j);
    if (line == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s", r->progress);
    FILE *f = fopen(r->progress, "a");
    bool good = f != NULL && fprintf(f, "%s\n", line) > 0;
    if (f != NULL && fclose(f) != 0) good = false;
    free(line);
    return good ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s: appending an event", r->progress);
}

fw_status coord_run_model_path(char **out, const char *path, fw_error *err)
{
    if (!fw_path_is_dir(path))
        return fw_path_exists(path) ? fw_copy_text(out, path, err) : fw_fail(err, FW_ERR_CONFIG, "%s: there is no such model or run folder", path);
    FW_FREE char *model = NULL;
    FW_TRY(fw_path_join(&model, path, "model.h5", err));
    if (!fw_path_exists(model)) return fw_fail(err, FW_ERR_CONFIG, "%s: there is no model.h5 in it; its training has not finished", path);
    *out = model;
    model = NULL;
    return FW_OK;
}

/* ---- history ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status round_from_json(fw_round_result *r, const json_t *j, fw_error *err)
{
    const char *name = NULL;
    json_t *value = NULL, *validation = json_object_get(j, "validation");
    *r = (fw_round_result){.position = {(uint64_t)json_integer_value(json_object_get(j, "round")), (uint64_t)json_integer_value(json_object_get(j, "step")),
                                        (uint64_t)json_integer_value(json_object_get(j, "rows"))},
                           .train_loss = json_number_value(json_object_get(j, "train_loss")),
                           .rows_per_s = json_number_value(json_object_get(j, "rows_per_s"))};
    FW_TRY(fw_alloc_zeroed((void **)&r->validation, json_object_size(validation) + 1, sizeof *r->validation, "history", err));
    json_object_foreach(validation, name, value) {
        FW_TRY(fw_copy_text(&r->validation[r->n_validation].name, name, err));
        r->validation[r->n_validation++].value = json_number_value(value);
    }
    return FW_OK;
}

static void free_round(fw_round_result *r)
{
    for (size_t i = 0; i < r->n_validation; i++) free(r->validation[i].name);
    free(r->validation);
}

void coord_run_history_free(fw_round_result *rounds, size_t n)
{
    for (size_t i = 0; rounds != NULL && i < n; i++) free_round(&rounds[i]);
    free(rounds);
}

static fw_status take_line(fw_round_result **rounds, size_t *n, size_t *capacity, const char *line, fw_error *err)
{
    json_t *j = json_loads(line, 0, NULL);
    fw_status s = FW_OK;
    if (fw_text_equal(json_string_value(json_object_get(j, "event")), "round")) {
        uint64_t round = (uint64_t)json_integer_value(json_object_get(j, "round"));
        while (*n > 0 && (*rounds)[*n - 1].position.round >= round) free_round(&(*rounds)[--*n]);     /* done again after a restart */
        s = fw_grow((void **)rounds, capacity, *n + 1, sizeof **rounds, "history", err);
        if (s == FW_OK) s = round_from_json(&(*rounds)[(*n)++], j, err);
    }
    json_decref(j);
    return s;
}

fw_status coord_run_history(fw_round_result **out, size_t *n, const char *dir, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_FREE char *text = NULL;
    size_t capacity = 0, len = 0;
    fw_round_result *rounds = NULL;
    *n = 0;
    *out = NULL;
    FW_TRY(fw_path_join(&path, dir, "progress.jsonl", err));
    if (!fw_path_exists(path)) return FW_OK;
    FW_TRY(fw_read_file(&text, &len, path, 256u * LINE_MAX_BYTES, err));
    fw_status s = FW_OK;
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); s == FW_OK && line != NULL; line = strtok_r(NULL, "\n", &rest))
        s = take_line(&rounds, n, &capacity, line, err);
    if (s == FW_OK) *out = rounds;
    else coord_run_history_free(rounds, *n);
    return s;
}
