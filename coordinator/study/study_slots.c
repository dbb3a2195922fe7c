/* Slots, and the order of lockstep. The clock of a slot counts the rounds of its jobs. What a slot does next counts at its *key*: an ask at its clock, the end of a
 * job, however it ends, one round later than the last report. The least key by (rounds, slot) is next. A slot that was told to wait has no key until
 * something is decided on another one; then its clock is at least that one's. So neither the speed nor the loss of a group changes an order. */
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

fw_status coord_study_set_slots(coord_study *s, uint32_t n, fw_error *err)
{
    size_t capacity = s->n_slots;
    if (n <= s->n_slots) return FW_OK;
    FW_TRY(fw_grow((void **)&s->slot, &capacity, n, sizeof *s->slot, "study: slots", err));
    memset(s->slot + s->n_slots, 0, (n - s->n_slots) * sizeof *s->slot);
    s->n_slots = n;
    return FW_OK;
}

/* ---- whose turn it is -------------------------------------------------------------------------------------------------------------------- */

static bool has_key(const study_slot *slot) { return slot->state == SLOT_IDLE || slot->state == SLOT_BUSY || slot->state == SLOT_HELD; }

static uint64_t key_of(const coord_study *s, const study_slot *slot)
{
    if (slot->state == SLOT_IDLE || s->trial[slot->trial]->t.rounds >= s->set.max_rounds) return slot->clock;
    return slot->clock + 1;
}

static int64_t least_key(const coord_study *s)
{
    int64_t least = -1;
    for (uint32_t i = 0; i < s->n_slots; i++)
        if (has_key(&s->slot[i]) && (least < 0 || key_of(s, &s->slot[i]) < key_of(s, &s->slot[least]))) least = i;
    return least;
}

int64_t coord_study_turn(const coord_study *s)
{
    if (!s->set.lockstep || s->stopped) return -1;
    for (uint32_t i = 0; i < s->n_slots; i++)
        if (s->slot[i].state == SLOT_HELD) return i;       /* its job has no effect on the order, and may go on at once */
    return least_key(s);
}

fw_status coord_study_in_turn(const coord_study *s, uint32_t slot, fw_error *err)
{
    const int64_t next = s->set.lockstep ? least_key(s) : (int64_t)slot;
    if (next == (int64_t)slot) return FW_OK;
    if (s->stopped) return fw_fail(err, FW_ERR_STOPPED, "the study is being stopped: what slot %u has to tell comes after slot %lld, and is told again after --resume", slot, (long long)next);
    return fw_fail(err, FW_ERR_INTERNAL, "study: slot %u spoke, and it is the turn of slot %lld", slot, (long long)next);
}

void coord_study_wake(coord_study *s, uint32_t slot)
{
    for (uint32_t i = 0; i < s->n_slots && s->set.lockstep; i++) {
        if (s->slot[i].state != SLOT_WAITING) continue;
        s->slot[i].state = SLOT_IDLE;
        s->slot[i].clock = FW_MAX(s->slot[i].clock, s->slot[slot].clock);
    }
}

/* ---- asks that get nothing ----------------------------------------------------------------------------------------------------------------- */

fw_status coord_study_pass_waits(coord_study *s, uint32_t slot, fw_error *err)
{
    while (s->set.lockstep && s->fed != NULL) {
        const int64_t next = least_key(s);
        study_next what;
        uint64_t trial;
        FW_FREE double *x = NULL;
        if (next == (int64_t)slot) break;
        if (next < 0 || s->slot[next].state != SLOT_IDLE)
            return fw_fail(err, FW_ERR_FORMAT, "slot %u comes before its turn, which is that of slot %lld", slot, (long long)next);
        FW_TRY(coord_study_next(s, (uint32_t)next, &what, &trial, &x, err));
        if (what != NEXT_WAIT && what != NEXT_DONE) return fw_fail(err, FW_ERR_FORMAT, "slot %lld gets a job here, of which there is no record", (long long)next);
        s->slot[next].state = what == NEXT_WAIT ? SLOT_WAITING : SLOT_ENDED;
    }
    return FW_OK;
}

/* ---- losses ------------------------------------------------------------------------------------------------------------------------------ */

fw_status coord_study_lose(coord_study *s, uint32_t slot, fw_error *err)
{
    study_slot *of = &s->slot[slot];
    coord_trial *t = coord_study_find(s, of->trial);
    coord_study_end_stretch(s, slot, t, COORD_WAITING);
    coord_study_set_state(s, t, COORD_WAITING);
    of->state = s->set.lockstep ? SLOT_HELD : SLOT_IDLE;
    return s->set.lockstep ? FW_OK : coord_study_push(&s->lost, t->number, err);
}

fw_status coord_study_lose_all(coord_study *s, fw_error *err)
{
    for (uint32_t i = 0; i < s->n_slots; i++)
        if (s->slot[i].state == SLOT_BUSY) FW_TRY(coord_study_lose(s, i, err));
    return FW_OK;
}
