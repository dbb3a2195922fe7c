/* Lines that stand in a journal are done again: what went in is read from the line, the operation decides anew, and its record is compared with the line. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

/* ---- what went in ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status number_of(const coord_study *s, const char *name, uint64_t *out, fw_error *err)
{
    const json_t *v = json_object_get(s->fed->entry, name);
    if (!json_is_integer(v) || json_integer_value(v) < 0) return fw_fail(err, FW_ERR_FORMAT, "\"%s\" is missing, or is no count", name);
    *out = (uint64_t)json_integer_value(v);
    return FW_OK;
}

/* null and what is not there: NaN. */
static fw_status double_of(const coord_study *s, const char *name, double *out, fw_error *err)
{
    const json_t *v = json_object_get(s->fed->entry, name);
    const char *text = json_string_value(v);
    if (v == NULL || json_is_null(v)) *out = NAN;
    else if (json_is_number(v)) *out = json_number_value(v);
    else if (fw_text_equal(text, "inf")) *out = INFINITY;
    else if (fw_text_equal(text, "-inf")) *out = -INFINITY;
    else return fw_fail(err, FW_ERR_FORMAT, "\"%s\" is no number", name);
    return FW_OK;
}

static fw_status slot_of(const coord_study *s, uint32_t *slot, fw_error *err)
{
    uint64_t v;
    FW_TRY(number_of(s, "slot", &v, err));
    if (v >= s->n_slots) return fw_fail(err, FW_ERR_FORMAT, "slot %llu of %u", (unsigned long long)v, s->n_slots);
    *slot = (uint32_t)v;
    return FW_OK;
}

static fw_status job_of(const coord_study *s, coord_job *job, fw_error *err)
{
    FW_TRY(number_of(s, "trial", &job->trial, err));
    const coord_trial *t = coord_study_find(s, job->trial);
    if (t == NULL || t->state != COORD_RUNNING) return fw_fail(err, FW_ERR_FORMAT, "trial %llu does not run here", (unsigned long long)job->trial);
    return FW_OK;
}

/* ---- one for each event -------------------------------------------------------------------------------------------------------------------- */

static fw_status feed_ask(coord_study *s, fw_error *err)
{
    uint32_t slot;
    study_next what;
    uint64_t trial;
    coord_job job;
    FW_FREE double *x = NULL;
    FW_TRY(slot_of(s, &slot, err));
    if (s->slot[slot].state == SLOT_BUSY) return fw_fail(err, FW_ERR_FORMAT, "slot %u has a job already", slot);
    if (s->slot[slot].state != SLOT_HELD) FW_TRY(coord_study_pass_waits(s, slot, err));
    FW_TRY(coord_study_next(s, slot, &what, &trial, &x, err));
    if (what == NEXT_WAIT || what == NEXT_SETTLE || what == NEXT_DONE) return fw_fail(err, FW_ERR_FORMAT, "there is no trial for slot %u here", slot);
    return coord_study_give(s, slot, what, trial, x, &job, err);
}

static fw_status feed_settle(coord_study *s, fw_error *err)
{
    uint32_t slot;
    study_next what;
    uint64_t trial;
    FW_FREE double *x = NULL;
    FW_TRY(slot_of(s, &slot, err));
    FW_TRY(coord_study_pass_waits(s, slot, err));
    FW_TRY(coord_study_next(s, slot, &what, &trial, &x, err));
    return what == NEXT_SETTLE ? coord_study_settle(s, slot, err) : fw_fail(err, FW_ERR_FORMAT, "there is nothing to settle here");
}

static fw_status feed_report(coord_study *s, fw_error *err)
{
    coord_job job = {0};
    uint64_t rounds;
    double value, error;
    coord_verdict_on verdict;
    FW_TRY(job_of(s, &job, err));
    FW_TRY(number_of(s, "round", &rounds, err));
    FW_TRY(double_of(s, "value", &value, err));
    FW_TRY(double_of(s, "error", &error, err));
    if (json_object_get(s->fed->entry, "verdict") != NULL) FW_TRY(coord_study_pass_waits(s, coord_study_find(s, job.trial)->slot, err));
    return coord_study_report(s, &job, rounds, value, error, &verdict, err);
}

static fw_status feed_complete(coord_study *s, fw_error *err)
{
    coord_job job = {0};
    uint64_t round;
    double value, error;
    FW_TRY(job_of(s, &job, err));
    FW_TRY(number_of(s, "round", &round, err));
    FW_TRY(double_of(s, "value", &value, err));
    FW_TRY(double_of(s, "error", &error, err));
    FW_TRY(coord_study_pass_waits(s, coord_study_find(s, job.trial)->slot, err));
    return coord_study_complete(s, &job, value, error, round, err);
}

static fw_status feed_fail(coord_study *s, fw_error *err)
{
    coord_job job = {0};
    const char *reason = json_string_value(json_object_get(s->fed->entry, "reason"));
    FW_TRY(job_of(s, &job, err));
    if (reason == NULL) return fw_fail(err, FW_ERR_FORMAT, "\"reason\" is missing");
    FW_TRY(coord_study_pass_waits(s, coord_study_find(s, job.trial)->slot, err));
    return coord_study_fail(s, &job, reason, err);
}

static fw_status feed_lost(coord_study *s, fw_error *err)
{
    coord_job job = {0};
    FW_TRY(job_of(s, &job, err));
    return coord_study_lost(s, &job, err);
}

static fw_status feed_extend(coord_study *s, fw_error *err)
{
    uint64_t trials;
    FW_TRY(number_of(s, "trials", &trials, err));
    return coord_study_extend(s, trials, err);
}

static fw_status feed_resume(coord_study *s, fw_error *err)
{
    uint64_t slots;
    FW_TRY(number_of(s, "slots", &slots, err));
    return coord_study_resume(s, slots, err);
}

static const struct { const char *event; fw_status (*feed)(coord_study *s, fw_error *err); } events[] = {
    {"ask", feed_ask}, {"report", feed_report}, {"complete", feed_complete}, {"fail", feed_fail},
    {"lost", feed_lost}, {"settle", feed_settle}, {"extend", feed_extend}, {"resume", feed_resume},
};

static fw_status feed_event(coord_study *s, fw_error *err)
{
    const char *event = json_string_value(json_object_get(s->fed->entry, "event"));
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (fw_text_equal(event, events[i].event)) return events[i].feed(s, err);
    return fw_fail(err, FW_ERR_FORMAT, "there is no event \"%s\"", event != NULL ? event : "");
}

static fw_status feed_settings(coord_study *s, fw_error *err)
{
    if (!fw_text_equal(json_string_value(json_object_get(s->fed->entry, "event")), "study")) return fw_fail(err, FW_ERR_FORMAT, "a journal of a study begins with its settings");
    FW_TRY(coord_study_stamp_fed(s, err));
    return coord_study_set_up(s, s->fed->entry, err);
}

static fw_status feed_line(coord_study *s, fw_error *err)
{
    if (s->settings == NULL) return feed_settings(s, err);
    s->matched = false;
    FW_TRY(feed_event(s, err));
    return s->matched ? FW_OK : fw_fail(err, FW_ERR_FORMAT, "it changes nothing here");
}

fw_status coord_study_feed(void *context, const coord_journal_line *line, fw_error *err)
{
    coord_study *s = context;
    s->fed = line;
    const fw_status status = feed_line(s, err);
    s->fed = NULL;
    if (status == FW_OK) return FW_OK;
    const fw_status kind = status == FW_ERR_NOMEM ? status : FW_ERR_FORMAT;
    return fw_wrap(err, kind, "%s/journal: line %llu (byte %llu)", s->dir, (unsigned long long)line->number, (unsigned long long)line->byte);
}
