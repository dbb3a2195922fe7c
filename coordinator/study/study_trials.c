#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

/* ---- trials ------------------------------------------------------------------------------------------------------------------------------ */

const char *coord_trial_state_name(coord_trial_state s)
{
    static const char *const names[] = {"WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"};
    return names[s];
}

static void free_trial(study_trial *t)
{
    if (t == NULL) return;
    free(t->t.x);
    free(t->t.at);
    free(t->t.error_at);
    free(t->t.reason);
    free(t);
}

void coord_study_free_trials(coord_study *s)
{
    for (size_t i = 0; i < s->n_trials; i++) free_trial(s->trial[i]);
    free(s->trial);
}

fw_status coord_study_add_trial(coord_study *s, coord_trial **out, fw_error *err)
{
    FW_TRY(fw_grow((void **)&s->trial, &s->trials_capacity, s->n_trials + 1, sizeof *s->trial, "study: trials", err));
    study_trial *t = calloc(1, sizeof *t);
    if (t != NULL) t->t.x = calloc(s->set.space->n > 0 ? s->set.space->n : 1, sizeof *t->t.x);
    if (t == NULL || t->t.x == NULL) {
        free_trial(t);
        return fw_fail(err, FW_ERR_NOMEM, "study: a trial");
    }
    t->t.number = s->n_trials;
    t->t.value = t->t.error = NAN;
    s->trial[s->n_trials++] = t;
    s->count[COORD_WAITING]++;
    *out = &t->t;
    return FW_OK;
}

coord_trial *coord_study_find(const coord_study *s, uint64_t number)
{
    return number < s->n_trials ? &s->trial[number]->t : NULL;
}

void coord_study_set_state(coord_study *s, coord_trial *t, coord_trial_state state)
{
    s->count[t->state]--;
    s->count[state]++;
    t->state = state;
}

void coord_study_set_paused(coord_study *s, coord_trial *t, bool paused)
{
    s->paused = s->paused + paused - t->paused;
    t->paused = paused;
}

fw_status coord_study_add_round(coord_study *s, coord_trial *t, double value, double error, fw_error *err)
{
    study_trial *more = s->trial[t->number];
    size_t capacity = more->capacity;
    FW_TRY(fw_grow((void **)&t->error_at, &capacity, t->rounds + 1, sizeof *t->at, "study: rounds", err));
    capacity = more->capacity;
    FW_TRY(fw_grow((void **)&t->at, &capacity, t->rounds + 1, sizeof *t->at, "study: rounds", err));
    more->capacity = capacity;
    t->at[t->rounds] = value;
    t->error_at[t->rounds] = error;
    t->rounds++;
    return FW_OK;
}

double coord_study_loss(const coord_study *s, double value) { return s->set.maximize ? -value : value; }
double coord_study_last_value(const coord_trial *t) { return t->rounds > 0 ? t->at[t->rounds - 1] : (double)NAN; }

fw_status coord_study_tell(coord_study *s, const coord_trial *t, double loss, fw_error *err)
{
    if (s->trusting) return FW_OK;
    const coord_seen seen = {.number = t->number, .x = t->x, .loss = loss, .rounds = t->rounds, .state = t->state};
    return s->sampler->tell(s->sampler_state, &seen, err);
}

/* ---- stretches --------------------------------------------------------------------------------------------------------------------------- */

static double since_first(const coord_study *s) { return (double)(s->now_us - s->first_us) / 1e6; }

fw_status coord_study_begin_stretch(coord_study *s, uint32_t slot, const coord_trial *t, fw_error *err)
{
    FW_TRY(fw_grow((void **)&s->stretch, &s->stretches_capacity, s->n_stretches + 1, sizeof *s->stretch, "study: timeline", err));
    const double now = since_first(s);
    s->slot[slot].stretch = s->n_stretches;
    s->stretch[s->n_stretches++] = (coord_stretch){.slot = slot, .trial = t->number, .from = t->rounds, .to = t->rounds, .begin_s = now, .end_s = now, .end = COORD_RUNNING};
    return FW_OK;
}

void coord_study_end_stretch(coord_study *s, uint32_t slot, const coord_trial *t, coord_trial_state end)
{
    coord_stretch *last = &s->stretch[s->slot[slot].stretch];
    last->to = t->rounds;
    last->end_s = since_first(s);
    last->end = end;
}

/* ---- queues ------------------------------------------------------------------------------------------------------------------------------ */

fw_status coord_study_push(study_fifo *f, uint64_t v, fw_error *err)
{
    if (f->head > 0 && f->head == f->n) f->head = f->n = 0;
    FW_TRY(fw_grow((void **)&f->v, &f->capacity, f->n + 1, sizeof *f->v, "study: a queue", err));
    f->v[f->n++] = v;
    return FW_OK;
}

bool coord_study_pop(study_fifo *f, uint64_t *v)
{
    if (f->head == f->n) return false;
    *v = f->v[f->head++];
    return true;
}
