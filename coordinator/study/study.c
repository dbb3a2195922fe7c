#include "coordinator/study/study.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

/* ---- the machine --------------------------------------------------------------------------------------------------------------------------- */

fw_status coord_study_set_up(coord_study *s, const json_t *settings, fw_error *err)
{
    coord_settings *set = &s->set;
    FW_TRY(coord_settings_parse(set, settings, err));
    s->sampler = coord_sampler_find(set->sampler_name);
    s->pruner = coord_pruner_find(set->pruner_name);
    if (s->sampler == NULL) return fw_fail(err, FW_ERR_FORMAT, "there is no sampler \"%s\"", set->sampler_name);
    if (s->pruner == NULL) return fw_fail(err, FW_ERR_FORMAT, "there is no pruner \"%s\"", set->pruner_name);
    FW_TRY(s->sampler->create(&s->sampler_state, set->space, &set->sampler, err));
    FW_TRY(s->pruner->create(&s->pruner_state, &set->pruner, err));
    FW_TRY(coord_study_set_slots(s, set->slots, err));
    s->budget = set->trials;
    s->settings = json_deep_copy(settings);
    return s->settings != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "study: its settings");
}

static fw_status create(coord_study **out, const char *dir, bool trusting, fw_error *err)
{
    coord_study *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "study %s", dir);
    s->trusting = trusting;
    *out = s;
    const fw_status status = fw_copy_text(&s->dir, dir, err);
    if (status != FW_OK) coord_study_close(out);
    return status;
}

void coord_study_close(coord_study **of)
{
    coord_study *s = *of;
    if (s == NULL) return;
    coord_journal_close(&s->journal);
    if (s->sampler_state != NULL) s->sampler->destroy(&s->sampler_state);
    if (s->pruner_state != NULL) s->pruner->destroy(&s->pruner_state);
    coord_study_free_trials(s);
    free(s->slot);
    free(s->lost.v);
    free(s->settled.v);
    free(s->stretch);
    fw_text_destroy(&s->record);
    json_decref(s->settings);
    coord_settings_clear(&s->set);
    free(s->dir);
    free(s);
    *of = NULL;
}

fw_status coord_study_resume(coord_study *s, uint64_t slots, fw_error *err)
{
    if (slots == 0 || slots > COORD_MAX_SLOTS) return fw_fail(err, FW_ERR_FORMAT, "%llu slots", (unsigned long long)slots);
    coord_study_begin_record(s, "resume");
    coord_study_put_number(s, "slots", slots);
    FW_TRY(coord_study_lose_all(s, err));          /* they end with the last line before this one */
    FW_TRY(coord_study_end_record(s, true, err));
    for (uint32_t i = 0; i < s->n_slots; i++)
        if (s->slot[i].state == SLOT_WAITING || s->slot[i].state == SLOT_ENDED) s->slot[i].state = SLOT_IDLE;
    return coord_study_set_slots(s, (uint32_t)slots, err);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------------- */

static fw_status count_line(void *context, const coord_journal_line *line, fw_error *err)
{
    (void)line, (void)err;
    ++*(size_t *)context;
    return FW_OK;
}

/* Whether anything is there: a first line that is torn was never acted upon. */
static fw_status is_there(bool *there, const char *path, fw_error *err)
{
    coord_journal *j = NULL;
    size_t lines = 0;
    const coord_journal_opts look = {.chained = true, .read_only = true};
    *there = false;
    if (!fw_path_exists(path)) return FW_OK;
    const fw_status status = coord_journal_open(&j, path, &look, count_line, &lines, err);
    coord_journal_close(&j);
    *there = lines > 0 || status == FW_ERR_FORMAT;
    return status == FW_ERR_FORMAT ? FW_OK : status;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* The journal goes last, so that what is left of a removal that was cut short is still known for a study. */
static fw_status remove_study(const char *dir, const char *journal, fw_error *err)
{
    static const char *const members[] = {"trials", "groups", "best", "report.html"};
    coord_journal *j = NULL;
    const coord_journal_opts hold = {.alone = true};
    FW_TRY(coord_journal_open(&j, journal, &hold, NULL, NULL, err));
    fw_status status = FW_OK;
    for (size_t i = 0; i < sizeof members / sizeof *members && status == FW_OK; i++) {
        FW_FREE char *path = NULL;
        status = fw_path_join(&path, dir, members[i], err);
        if (status == FW_OK && fw_path_exists(path) && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0) status = fw_fail_errno(err, FW_ERR_IO, "%s can't be removed", path);
    }
    if (status == FW_OK && unlink(journal) != 0) status = fw_fail_errno(err, FW_ERR_IO, "%s can't be removed", journal);
    coord_journal_close(&j);
    return status;
}

static fw_status make_room(const char *dir, const char *journal, coord_study_how how, fw_error *err)
{
    bool there;
    FW_TRY(is_there(&there, journal, err));
    if (how == COORD_STUDY_RESUME && !there) return fw_fail(err, FW_ERR_CONFIG, "%s: there is no study in it that could go on; begin it without --resume", dir);
    if (how == COORD_STUDY_NEW && there)
        return fw_fail(err, FW_ERR_CONFIG, "%s: a study is there; go on with it by --resume, begin it anew by --force, or take another folder with -o", dir);
    return how == COORD_STUDY_FORCE && there ? remove_study(dir, journal, err) : FW_OK;
}

static fw_status write_settings(coord_study *s, const json_t *settings, fw_error *err)
{
    FW_FREE char *json = json_dumps(settings, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_t *again = json != NULL ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (again == NULL) return fw_fail(err, FW_ERR_NOMEM, "study: its settings");
    fw_status status = coord_study_set_up(s, again, err);
    json_decref(again);
    fw_text_clear(&s->record);
    fw_text_add_bytes(&s->record, json + 1, strlen(json) - 2);
    if (status == FW_OK) status = coord_study_end_record(s, true, err);
    return status == FW_OK ? coord_journal_sync(s->journal, err) : status;
}

/* As they would come out of a journal: whole numbers and others are told apart there by how they are written. */
static fw_status same_settings(const coord_study *s, const json_t *now, fw_error *err)
{
    FW_FREE char *json = json_dumps(now, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_t *again = json != NULL ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (again == NULL) return fw_fail(err, FW_ERR_NOMEM, "study: its settings");
    const fw_status status = coord_settings_same(s->settings, again, s->dir, err);
    json_decref(again);
    return status;
}

static fw_status go_on(coord_study *s, const json_t *settings, fw_error *err)
{
    FW_TRY(same_settings(s, settings, err));
    s->set.max_failed = (uint64_t)json_integer_value(json_object_get(settings, "max_failed_trials"));
    return coord_study_resume(s, (uint64_t)json_integer_value(json_object_get(settings, "slots")), err);
}

fw_status coord_study_open_as(coord_study **out, const char *dir, const json_t *settings, coord_study_how how, fw_error *err)
{
    coord_study *s = NULL;
    FW_FREE char *path = NULL;
    const coord_journal_opts opts = {.chained = true, .grouped = true, .alone = true};
    FW_TRY(fw_path_join(&path, dir, "journal", err));
    FW_TRY(make_room(dir, path, how, err));
    FW_TRY(fw_make_dirs(dir, err));
    FW_TRY(create(&s, dir, false, err));
    fw_status status = coord_journal_open(&s->journal, path, &opts, coord_study_feed, s, err);
    if (status == FW_OK && how != COORD_STUDY_RESUME && s->settings != NULL)
        status = fw_fail(err, FW_ERR_CONFIG, "%s: another process has begun a study there", dir);
    if (status == FW_OK) status = s->settings != NULL ? go_on(s, settings, err) : write_settings(s, settings, err);
    if (status == FW_OK) *out = s;
    else coord_study_close(&s);
    return status;
}

fw_status coord_study_open(coord_study **out, const coord_study_opts *opts, fw_error *err)
{
    json_t *settings = NULL;
    FW_TRY(coord_settings_json(&settings, opts, err));
    const fw_status status = coord_study_open_as(out, opts->dir, settings, opts->how, err);
    json_decref(settings);
    return status;
}

/* ---- reading alone ------------------------------------------------------------------------------------------------------------------------- */

static fw_status feed_all(coord_study **out, const char *dir, bool trusting, fw_error *err)
{
    coord_study *s = NULL;
    coord_journal *j = NULL;
    FW_FREE char *path = NULL;
    const coord_journal_opts look = {.chained = true, .read_only = true};
    FW_TRY(fw_path_join(&path, dir, "journal", err));
    if (!fw_path_exists(path)) return fw_fail(err, FW_ERR_CONFIG, "%s: there is no study in it", dir);
    FW_TRY(create(&s, dir, trusting, err));
    fw_status status = coord_journal_open(&j, path, &look, coord_study_feed, s, err);
    coord_journal_close(&j);
    if (status == FW_OK && s->settings == NULL) status = fw_fail(err, FW_ERR_CONFIG, "%s: there is no study in it", dir);
    if (status == FW_OK) *out = s;
    else coord_study_close(&s);
    return status;
}

fw_status coord_study_read(coord_study **out, const char *dir, fw_error *err) { return feed_all(out, dir, true, err); }

fw_status coord_study_replay(const char *dir, uint64_t *decisions, fw_error *err)
{
    coord_study *s = NULL;
    FW_TRY(feed_all(&s, dir, false, err));
    *decisions = s->decisions;
    coord_study_close(&s);
    return FW_OK;
}

/* ---- what it holds ------------------------------------------------------------------------------------------------------------------------- */

const coord_space *coord_study_space(const coord_study *s) { return s->set.space; }
size_t             coord_study_n_trials(const coord_study *s) { return s->n_trials; }
const coord_trial *coord_study_trial(const coord_study *s, uint64_t number) { return coord_study_find(s, number); }
const coord_trial *coord_study_best(const coord_study *s) { return s->best; }
uint64_t           coord_study_count(const coord_study *s, coord_trial_state state) { return s->count[state]; }
uint32_t           coord_study_slots(const coord_study *s) { return s->n_slots; }
uint64_t           coord_study_budget(const coord_study *s) { return s->budget; }
uint64_t           coord_study_max_rounds(const coord_study *s) { return s->set.max_rounds; }
const char        *coord_study_metric(const coord_study *s) { return s->set.metric; }
bool               coord_study_maximizes(const coord_study *s) { return s->set.maximize; }
const char        *coord_study_pruner(const coord_study *s) { return s->set.pruner_name; }
const char        *coord_study_dir(const coord_study *s) { return s->dir; }

const char *coord_study_sampler_line(const coord_study *s)
{
    const char *why = s->sampler->why != NULL ? s->sampler->why(s->sampler_state) : NULL;
    return why != NULL ? why : s->set.sampler_name;
}

size_t coord_study_stretches(const coord_study *s, const coord_stretch **out)
{
    *out = s->stretch;
    return s->n_stretches;
}
