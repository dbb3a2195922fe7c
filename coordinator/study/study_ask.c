#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

/* ---- what comes next ------------------------------------------------------------------------------------------------------------------------ */

static fw_status promoted(const coord_study *s, uint64_t number, fw_error *err)
{
    const coord_trial *t = coord_study_find(s, number);
    if (t != NULL && t->paused) return FW_OK;
    return fw_fail(err, FW_ERR_INTERNAL, "pruner %s: promotes trial %llu, which is not paused", s->pruner->name, (unsigned long long)number);
}

static fw_status suggest(coord_study *s, double **x, fw_error *err)
{
    const size_t n = s->set.space->n;
    double *point = calloc(n > 0 ? n : 1, sizeof *point);
    if (point == NULL) return fw_fail(err, FW_ERR_NOMEM, "study: a point");
    fw_status status = s->sampler->suggest(s->sampler_state, s->n_trials, point, err);
    if (status == FW_OK && !coord_space_holds(s->set.space, point))
        status = fw_fail(err, FW_ERR_INTERNAL, "sampler %s: the point of trial %zu is not in the space", s->sampler->name, s->n_trials);
    if (status == FW_OK) *x = point;
    else free(point);
    return status;
}

/* The point of a line that is believed. */
static fw_status recorded_point(const coord_study *s, double **x, fw_error *err)
{
    const json_t *from = json_object_get(s->fed->entry, "x");
    const size_t n = s->set.space->n;
    double *point = calloc(n > 0 ? n : 1, sizeof *point);
    if (point == NULL) return fw_fail(err, FW_ERR_NOMEM, "study: a point");
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(from, i);
        point[i] = json_is_number(v) ? json_number_value(v) : (double)NAN;
    }
    *x = point;
    if (json_array_size(from) == n && coord_space_holds(s->set.space, point)) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "the point is not in the space");
}

static bool new_is_fed(const coord_study *s)
{
    return s->fed != NULL && s->trusting && json_is_true(json_object_get(s->fed->entry, "new"));
}

static bool held_anywhere(const coord_study *s)
{
    for (uint32_t i = 0; i < s->n_slots && s->set.lockstep; i++)
        if (s->slot[i].state == SLOT_HELD) return true;
    return false;
}

fw_status coord_study_next(coord_study *s, uint32_t slot, study_next *what, uint64_t *trial, double **x, fw_error *err)
{
    *trial = s->slot[slot].trial;
    *what = NEXT_HELD;
    if (s->slot[slot].state == SLOT_HELD) return FW_OK;
    *what = NEXT_OLD;
    if (coord_study_pop(&s->lost, trial) || coord_study_pop(&s->settled, trial)) return FW_OK;
    if (s->pruner->promote(s->pruner_state, trial)) return promoted(s, *trial, err);
    if (s->n_trials < s->budget && !s->exhausted) {
        *what = NEXT_NEW;
        *trial = s->n_trials;
        const fw_status status = new_is_fed(s) ? recorded_point(s, x, err) : suggest(s, x, err);
        if (status != FW_END) return status;
        s->exhausted = true;
    }
    *what = s->count[COORD_RUNNING] > 0 || held_anywhere(s) ? NEXT_WAIT : s->paused > 0 ? NEXT_SETTLE : NEXT_DONE;
    return FW_OK;
}

/* ---- nothing new comes any more -------------------------------------------------------------------------------------------------------------- */

/* The pruner lets go on whom it likes; the other paused ones are pruned. */
static fw_status promote_last(coord_study *s, fw_error *err)
{
    uint64_t number;
    s->pruner->settle(s->pruner_state);
    while (s->pruner->promote(s->pruner_state, &number)) {
        FW_TRY(promoted(s, number, err));
        coord_study_put_number(s, NULL, number);
        coord_study_set_paused(s, coord_study_find(s, number), false);
        FW_TRY(coord_study_push(&s->settled, number, err));
    }
    return FW_OK;
}

static fw_status prune_paused(coord_study *s, fw_error *err)
{
    for (size_t i = 0; i < s->n_trials; i++) {
        coord_trial *t = &s->trial[i]->t;
        if (!t->paused) continue;
        coord_study_set_paused(s, t, false);
        coord_study_set_state(s, t, COORD_PRUNED);
        t->value = coord_study_last_value(t);
        t->value_round = t->rounds;
        memcpy(t->ended, s->now, sizeof t->ended);
        FW_TRY(coord_study_tell(s, t, coord_study_loss(s, t->value), err));
    }
    return FW_OK;
}

fw_status coord_study_settle(coord_study *s, uint32_t slot, fw_error *err)
{
    const uint64_t paused = s->paused;
    coord_study_begin_record(s, "settle");
    coord_study_put_number(s, "slot", slot);
    fw_text_add(&s->record, ",\"go_on\":[");
    FW_TRY(promote_last(s, err));
    fw_text_add(&s->record, "]");
    coord_study_put_number(s, "pruned", s->paused);
    FW_TRY(coord_study_end_record(s, true, err));
    FW_TRY(prune_paused(s, err));
    if (s->paused < paused) return FW_OK;
    return fw_fail(err, FW_ERR_INTERNAL, "study: nothing was settled");
}

/* ---- a job ----------------------------------------------------------------------------------------------------------------------------------- */

uint64_t coord_study_end_of_job(const coord_study *s, const coord_trial *t)
{
    const uint64_t end = s->pruner->milestone(s->pruner_state, t->number, t->rounds);
    return FW_MIN(FW_MAX(end, t->rounds + 1), s->set.max_rounds);
}

static void record_ask(coord_study *s, uint32_t slot, const coord_trial *t, bool is_new, uint64_t to)
{
    coord_study_begin_record(s, "ask");
    coord_study_put_number(s, "slot", slot);
    coord_study_put_number(s, "trial", t->number);
    fw_text_add(&s->record, is_new ? ",\"new\":true,\"x\":[" : ",\"new\":false");
    for (size_t i = 0; i < s->set.space->n && is_new; i++) coord_study_put_double(s, NULL, t->x[i]);
    if (is_new) fw_text_add(&s->record, "]");
    coord_study_put_number(s, "from", t->rounds);
    coord_study_put_number(s, "to", to);
}

static fw_status create(coord_study *s, const double *x, coord_trial **t, fw_error *err)
{
    FW_TRY(coord_study_add_trial(s, t, err));
    memcpy((*t)->x, x, s->set.space->n * sizeof *x);
    return FW_OK;
}

fw_status coord_study_give(coord_study *s, uint32_t slot, study_next what, uint64_t trial, double *x, coord_job *job, fw_error *err)
{
    coord_trial *t = coord_study_find(s, trial);
    if (what == NEXT_NEW) FW_TRY(create(s, x, &t, err));
    const uint64_t to = what == NEXT_HELD ? s->slot[slot].to : coord_study_end_of_job(s, t);
    record_ask(s, slot, t, what == NEXT_NEW, to);
    FW_TRY(coord_study_end_record(s, false, err));
    coord_study_set_paused(s, t, false);
    coord_study_set_state(s, t, COORD_RUNNING);
    t->slot = slot;
    s->slot[slot].state = SLOT_BUSY;
    s->slot[slot].trial = t->number;
    s->slot[slot].to = to;
    if (what == NEXT_NEW) {
        memcpy(t->created, s->now, sizeof t->created);
        FW_TRY(coord_study_tell(s, t, NAN, err));
    }
    *job = (coord_job){.trial = t->number, .x = t->x, .from = t->rounds, .to = to, .max_rounds = s->set.max_rounds, .resumed = t->rounds > 0};
    return coord_study_begin_stretch(s, slot, t, err);
}

static fw_status may_ask(const coord_study *s, uint32_t slot, fw_error *err)
{
    FW_TRY(coord_study_usable(s, err));
    if (slot >= s->n_slots) return fw_fail(err, FW_ERR_ARG, "study: slot %u of %u", slot, s->n_slots);
    if (s->slot[slot].state == SLOT_BUSY) return fw_fail(err, FW_ERR_ARG, "study: slot %u asks, and has a job", slot);
    return FW_OK;
}

static fw_status over(coord_study *s, coord_answer_kind *kind, fw_error *err)
{
    *kind = COORD_DONE;
    return coord_journal_sync(s->journal, err);
}

fw_status coord_study_ask(coord_study *s, uint32_t slot, coord_answer_kind *kind, coord_job *job, fw_error *err)
{
    study_next what;
    uint64_t trial;
    FW_FREE double *x = NULL;
    FW_TRY(may_ask(s, slot, err));
    if (s->stopped || s->count[COORD_FAIL] > s->set.max_failed) return over(s, kind, err);
    if (s->slot[slot].state == SLOT_WAITING || s->slot[slot].state == SLOT_ENDED) {
        *kind = s->slot[slot].state == SLOT_WAITING ? COORD_WAIT : COORD_DONE;
        return FW_OK;
    }
    if (s->slot[slot].state != SLOT_HELD) FW_TRY(coord_study_in_turn(s, slot, err));
    FW_TRY(coord_study_next(s, slot, &what, &trial, &x, err));
    if (what == NEXT_SETTLE) {
        FW_TRY(coord_study_settle(s, slot, err));
        FW_TRY(coord_study_next(s, slot, &what, &trial, &x, err));
    }
    if (what == NEXT_WAIT || what == NEXT_DONE) {
        if (s->set.lockstep) s->slot[slot].state = what == NEXT_WAIT ? SLOT_WAITING : SLOT_ENDED;
        *kind = COORD_WAIT;
        return what == NEXT_WAIT ? FW_OK : over(s, kind, err);
    }
    *kind = COORD_JOB;
    return coord_study_give(s, slot, what, trial, x, job, err);
}
