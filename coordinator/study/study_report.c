/* What comes back of a job: rounds, its end, a failure, a loss. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

#define MAX_REASON 1000            /* bytes */

static bool same_bits(double a, double b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

/* The trial of a job that a slot has now. */
static fw_status running(const coord_study *s, const coord_job *job, coord_trial **t, fw_error *err)
{
    *t = coord_study_find(s, job->trial);
    if (*t != NULL && (*t)->state == COORD_RUNNING) return FW_OK;
    return fw_fail(err, FW_ERR_ARG, "study: trial %llu has no job", (unsigned long long)job->trial);
}

static void begin_record_of(coord_study *s, const char *event, const coord_trial *t)
{
    coord_study_begin_record(s, event);
    coord_study_put_number(s, "slot", t->slot);
    coord_study_put_number(s, "trial", t->number);
}

/* The slot is free again. */
static void end_job(coord_study *s, coord_trial *t, coord_trial_state state)
{
    coord_study_set_state(s, t, state);
    coord_study_end_stretch(s, t->slot, t, state);
    s->slot[t->slot].state = SLOT_IDLE;
    if (state != COORD_WAITING) memcpy(t->ended, s->now, sizeof t->ended);
    coord_study_wake(s, t->slot);
}

/* ---- rounds -------------------------------------------------------------------------------------------------------------------------------- */

static fw_status check_again(const coord_trial *t, uint64_t rounds, double value, double error, fw_error *err)
{
    const double was = t->at[rounds - 1], was_error = t->error_at[rounds - 1];
    if (same_bits(was, value) && same_bits(was_error, error)) return FW_OK;
    return fw_fail(err, FW_ERR_INTERNAL, "trial %llu, round %llu: %.17g +- %.17g was reported before, and now %.17g +- %.17g; the same bits were promised",
                   (unsigned long long)t->number, (unsigned long long)rounds, was, was_error, value, error);
}

/* At a milestone: goes on to the next one, or the job is over. */
static fw_status judged(coord_study *s, coord_trial *t, coord_verdict_on verdict, fw_error *err)
{
    const double value = coord_study_last_value(t);
    if (verdict == COORD_GO_ON) {
        coord_study_wake(s, t->slot);
        return coord_study_tell(s, t, coord_study_loss(s, value), err);
    }
    if (verdict == COORD_PRUNE) {
        t->value = value;
        t->error = t->error_at[t->rounds - 1];
        t->value_round = t->rounds;
    }
    coord_study_set_paused(s, t, verdict == COORD_PAUSE);
    end_job(s, t, verdict == COORD_PAUSE ? COORD_WAITING : COORD_PRUNED);
    return coord_study_tell(s, t, coord_study_loss(s, value), err);
}

static fw_status add_round(coord_study *s, coord_trial *t, double value, double error, coord_verdict_on *verdict, fw_error *err)
{
    study_slot *slot = &s->slot[t->slot];
    const bool milestone = t->rounds + 1 == slot->to && slot->to < s->set.max_rounds;
    if (milestone) FW_TRY(coord_study_in_turn(s, t->slot, err));
    *verdict = COORD_GO_ON;
    FW_TRY(coord_study_add_round(s, t, value, error, err));
    slot->clock++;
    if (milestone) FW_TRY(s->pruner->judge(s->pruner_state, t->number, t->rounds, coord_study_loss(s, value), verdict, err));
    if (milestone && *verdict == COORD_GO_ON) slot->to = coord_study_end_of_job(s, t);
    begin_record_of(s, "report", t);
    coord_study_put_number(s, "round", t->rounds);
    coord_study_put_double(s, "value", value);
    if (!isnan(error)) coord_study_put_double(s, "error", error);
    if (milestone) coord_study_put_text(s, "verdict", coord_verdict_on_name(*verdict));
    if (milestone && *verdict == COORD_GO_ON) coord_study_put_number(s, "to", slot->to);
    FW_TRY(coord_study_end_record(s, false, err));
    coord_study_end_stretch(s, t->slot, t, COORD_RUNNING);
    return milestone ? judged(s, t, *verdict, err) : FW_OK;
}

fw_status coord_study_report(coord_study *s, coord_job *job, uint64_t rounds, double value, double error, coord_verdict_on *verdict, fw_error *err)
{
    coord_trial *t;
    coord_verdict_on said = COORD_GO_ON;
    FW_TRY(coord_study_usable(s, err));
    FW_TRY(running(s, job, &t, err));
    if (rounds == 0 || rounds > t->rounds + 1 || rounds > s->slot[t->slot].to)
        return fw_fail(err, FW_ERR_ARG, "study: trial %llu reports round %llu after %llu, of a job that ends at %llu", (unsigned long long)t->number, (unsigned long long)rounds,
                       (unsigned long long)t->rounds, (unsigned long long)s->slot[t->slot].to);
    if (rounds <= t->rounds) FW_TRY(check_again(t, rounds, value, error, err));
    else FW_TRY(add_round(s, t, value, error, &said, err));
    job->to = s->slot[t->slot].to;
    *verdict = said;
    return FW_OK;
}

/* ---- the end of a trial -------------------------------------------------------------------------------------------------------------------- */

/* The end of a job counts one round after its last report, or with it at the very end. */
static void charge(coord_study *s, const coord_trial *t) { s->slot[t->slot].clock += t->rounds < s->set.max_rounds; }

bool coord_study_would_be_best(const coord_study *s, uint64_t trial, double value)
{
    const coord_trial *best = s->best;
    if (isnan(value)) return false;
    if (best == NULL || best->number == trial) return true;
    const double loss = coord_study_loss(s, value), least = coord_study_loss(s, best->value);
    return loss < least || (loss <= least && trial < best->number);
}

fw_status coord_study_complete(coord_study *s, const coord_job *job, double value, double error, uint64_t value_round, fw_error *err)
{
    coord_trial *t;
    FW_TRY(coord_study_usable(s, err));
    FW_TRY(running(s, job, &t, err));
    if (value_round > t->rounds)
        return fw_fail(err, FW_ERR_ARG, "study: trial %llu is complete with round %llu of %llu", (unsigned long long)t->number, (unsigned long long)value_round, (unsigned long long)t->rounds);
    FW_TRY(coord_study_in_turn(s, t->slot, err));
    begin_record_of(s, "complete", t);
    coord_study_put_double(s, "value", value);
    if (!isnan(error)) coord_study_put_double(s, "error", error);
    coord_study_put_number(s, "round", value_round);
    FW_TRY(coord_study_end_record(s, true, err));
    charge(s, t);
    t->value = value;
    t->error = error;
    t->value_round = value_round;
    end_job(s, t, COORD_COMPLETE);
    if (coord_study_would_be_best(s, t->number, value)) s->best = t;
    const double loss = coord_study_loss(s, value);
    FW_TRY(s->pruner->ended(s->pruner_state, t->number, t->rounds, loss, err));
    return coord_study_tell(s, t, loss, err);
}

static fw_status too_many(const coord_study *s, fw_error *err)
{
    if (s->fed != NULL || s->count[COORD_FAIL] <= s->set.max_failed) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%llu trials have failed, and tune.max_failed_trials is %llu: the study ends here. Look at the reasons, then go on with --resume and a "
                   "larger tune.max_failed_trials, or change tune.space and begin anew", (unsigned long long)s->count[COORD_FAIL], (unsigned long long)s->set.max_failed);
}

fw_status coord_study_fail(coord_study *s, const coord_job *job, const char *reason, fw_error *err)
{
    coord_trial *t;
    FW_TRY(coord_study_usable(s, err));
    FW_TRY(running(s, job, &t, err));
    FW_TRY(coord_study_in_turn(s, t->slot, err));
    const size_t len = fw_utf8_valid(reason, strnlen(reason, MAX_REASON));
    FW_FREE char *text = strndup(reason, len);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "study: a reason");
    begin_record_of(s, "fail", t);
    coord_study_put_text(s, "reason", text);
    FW_TRY(coord_study_end_record(s, true, err));
    charge(s, t);
    t->reason = text;
    text = NULL;
    end_job(s, t, COORD_FAIL);
    FW_TRY(s->pruner->ended(s->pruner_state, t->number, t->rounds, NAN, err));
    FW_TRY(coord_study_tell(s, t, INFINITY, err));
    return too_many(s, err);
}

fw_status coord_study_lost(coord_study *s, const coord_job *job, fw_error *err)
{
    coord_trial *t;
    FW_TRY(coord_study_usable(s, err));
    FW_TRY(running(s, job, &t, err));
    begin_record_of(s, "lost", t);
    FW_TRY(coord_study_end_record(s, false, err));
    return coord_study_lose(s, t->slot, err);
}

/* ---- the study as a whole ------------------------------------------------------------------------------------------------------------------ */

void coord_study_stop(coord_study *s) { s->stopped = true; }

fw_status coord_study_extend(coord_study *s, uint64_t trials, fw_error *err)
{
    FW_TRY(coord_study_usable(s, err));
    if (trials <= s->budget) return FW_OK;
    if (trials > COORD_MAX_TRIALS) return fw_fail(err, FW_ERR_CONFIG, "%llu trials: %u is the most", (unsigned long long)trials, COORD_MAX_TRIALS);
    coord_study_begin_record(s, "extend");
    coord_study_put_number(s, "trials", trials);
    FW_TRY(coord_study_end_record(s, true, err));
    s->budget = trials;
    for (uint32_t i = 0; i < s->n_slots; i++)
        if (s->slot[i].state == SLOT_WAITING || s->slot[i].state == SLOT_ENDED) s->slot[i].state = SLOT_IDLE;
    return FW_OK;
}
