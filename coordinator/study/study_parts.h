/** What the files of the study share, and nobody else. An operation changes the machine and then *records*: it writes the line to the journal, or, while a
 *  journal is fed to it, compares the line with the one that stands there. So feeding and working are one code. */
#ifndef COORD_STUDY_PARTS_H
#define COORD_STUDY_PARTS_H

#include <jansson.h>

#include "common/core/clock.h"
#include "common/core/text.h"
#include "coordinator/journal/journal.h"
#include "coordinator/study/study.h"

/* ---- settings: the first line of the journal -------------------------------------------------------------------------------------------- */

typedef struct coord_settings {
    coord_space *space;
    char *metric, *sampler_name, *pruner_name;
    bool maximize, lockstep;
    uint32_t slots;
    uint64_t trials, max_failed, max_rounds;
    coord_sampler_opts sampler;
    coord_pruner_opts pruner;
} coord_settings;

#define COORD_MAX_SLOTS    100000u
#define COORD_MAX_LOCKSTEP 4096u           /* slots of a study in lockstep: whose turn it is, is looked for among all */
#define COORD_MAX_TRIALS   1000000u
#define COORD_MAX_ROUNDS   1000000u
#define COORD_STUDY_FORMAT 1

/** As an object (the caller's), of a project. */
fw_status coord_settings_json(json_t **out, const coord_study_opts *opts, fw_error *err);
/** From the object; everything in it is checked. FW_ERR_FORMAT. Zeroed before, ended with clear, also after an error. */
fw_status coord_settings_parse(coord_settings *out, const json_t *json, fw_error *err);
void      coord_settings_clear(coord_settings *s);
/** FW_ERR_CONFIG: what differs, key by key. More trials, another max_failed_trials, without lockstep other slots, and another program are no difference. */
fw_status coord_settings_same(const json_t *journal, const json_t *now, const char *dir, fw_error *err);

/** tune.space on its way through the journal. */
json_t   *coord_space_json(const coord_space *s);                              /* NULL: no memory */
fw_status coord_space_parse(coord_space **out, const json_t *json, fw_error *err);

/* ---- the machine ------------------------------------------------------------------------------------------------------------------------- */

typedef struct study_trial { coord_trial t; size_t capacity; } study_trial;    /* of at and error_at */

/** HELD: in lockstep, the group of a job was lost; the slot takes it up again where its clock stands. */
typedef enum study_slot_state { SLOT_IDLE, SLOT_BUSY, SLOT_HELD, SLOT_WAITING, SLOT_ENDED } study_slot_state;
typedef struct study_slot {
    study_slot_state state;
    uint64_t clock;                /* rounds */
    uint64_t trial, to;            /* BUSY and HELD: the job */
    size_t stretch;
} study_slot;

typedef struct study_fifo { uint64_t *v; size_t head, n, capacity; } study_fifo;

struct coord_study {
    coord_settings set;
    char *dir;
    coord_journal *journal;        /* NULL: for reading alone */
    const coord_sampler_kind *sampler; void *sampler_state;
    const coord_pruner_kind *pruner; void *pruner_state;
    study_trial **trial; size_t n_trials, trials_capacity;
    uint64_t count[COORD_FAIL + 1], paused;
    const coord_trial *best;
    study_slot *slot; uint32_t n_slots;
    study_fifo lost, settled;      /* WAITING, first in line; promoted when nothing new came any more */
    uint64_t budget;
    bool exhausted;                /* the sampler has no more points */
    bool held;                     /* lines wait for coord_study_write */
    bool stopped, broken;          /* broken: a line could not be written, nothing is done any more */
    coord_stretch *stretch; size_t n_stretches, stretches_capacity;
    fw_text record;                /* the line that is being made, without its time */
    char now[FW_UTC_LEN];          /* of the last line */
    int64_t first_us, now_us;
    const coord_journal_line *fed; /* the line that is fed; NULL: at work */
    bool matched;                  /* it was recorded */
    bool trusting;                 /* points are taken from the journal, the sampler is not asked */
    uint64_t decisions;            /* lines that were compared */
    json_t *settings;              /* the first line */
};

/* ---- study_trials.c: trials, their states, stretches -------------------------------------------------------------------------------------- */

fw_status coord_study_add_trial(coord_study *s, coord_trial **out, fw_error *err);        /* WAITING; point to be filled in */
void      coord_study_free_trials(coord_study *s);
coord_trial *coord_study_find(const coord_study *s, uint64_t number);                    /* NULL: none */
void      coord_study_set_state(coord_study *s, coord_trial *t, coord_trial_state state);
void      coord_study_set_paused(coord_study *s, coord_trial *t, bool paused);
fw_status coord_study_add_round(coord_study *s, coord_trial *t, double value, double error, fw_error *err);
double    coord_study_loss(const coord_study *s, double value);                          /* lower is better */
double    coord_study_last_value(const coord_trial *t);                                   /* NaN: none */
/** Tells the sampler how the trial stands. */
fw_status coord_study_tell(coord_study *s, const coord_trial *t, double loss, fw_error *err);
fw_status coord_study_begin_stretch(coord_study *s, uint32_t slot, const coord_trial *t, fw_error *err);
void      coord_study_end_stretch(coord_study *s, uint32_t slot, const coord_trial *t, coord_trial_state end);
fw_status coord_study_push(study_fifo *f, uint64_t v, fw_error *err);
bool      coord_study_pop(study_fifo *f, uint64_t *v);

/* ---- study_slots.c: who runs what where; lockstep ------------------------------------------------------------------------------------------ */

fw_status coord_study_set_slots(coord_study *s, uint32_t n, fw_error *err);
/** FW_ERR_STOPPED: not this slot's turn, and it won't come before a resume. FW_ERR_INTERNAL: it is another's turn. */
fw_status coord_study_in_turn(const coord_study *s, uint32_t slot, fw_error *err);
/** Something was decided on this slot at its key: who waits may ask again. */
void      coord_study_wake(coord_study *s, uint32_t slot);
/** Every BUSY slot has lost its group. */
fw_status coord_study_lose_all(coord_study *s, fw_error *err);
fw_status coord_study_lose(coord_study *s, uint32_t slot, fw_error *err);
/** While a journal is fed: the asks before this slot's turn that got no job, and so left no line. */
fw_status coord_study_pass_waits(coord_study *s, uint32_t slot, fw_error *err);

/* ---- study_ask.c --------------------------------------------------------------------------------------------------------------------------- */

typedef enum study_next { NEXT_HELD, NEXT_OLD, NEXT_NEW, NEXT_WAIT, NEXT_SETTLE, NEXT_DONE } study_next;
/** What the slot does next. A trial that goes on is taken off where it waited; of a new one the point is in *x (malloc'ed). */
fw_status coord_study_next(coord_study *s, uint32_t slot, study_next *what, uint64_t *trial, double **x, fw_error *err);
fw_status coord_study_give(coord_study *s, uint32_t slot, study_next what, uint64_t trial, double *x, coord_job *job, fw_error *err);
fw_status coord_study_settle(coord_study *s, uint32_t slot, fw_error *err);
/** Finished rounds at which the trial is judged next, or max_rounds. */
uint64_t  coord_study_end_of_job(const coord_study *s, const coord_trial *t);

/* ---- study_record.c, study_feed.c: lines ---------------------------------------------------------------------------------------------------- */

void      coord_study_begin_record(coord_study *s, const char *event);
void      coord_study_put_number(coord_study *s, const char *name, uint64_t v);
void      coord_study_put_double(coord_study *s, const char *name, double v);           /* name NULL: an element of an array. Exact; NaN null, infinities as texts */
void      coord_study_put_text(coord_study *s, const char *name, const char *v);
/** Writes or compares. Sets the time for what is stamped afterwards: call it before. */
fw_status coord_study_end_record(coord_study *s, bool urgent, fw_error *err);
/** The time of the line that is fed. */
fw_status coord_study_stamp_fed(coord_study *s, fw_error *err);
fw_status coord_study_usable(const coord_study *s, fw_error *err);
/** The first line makes the machine, each further one is done again. A coord_journal_reader. */
fw_status coord_study_feed(void *context, const coord_journal_line *line, fw_error *err);
/* ---- study.c ------------------------------------------------------------------------------------------------------------------------------- */

/** The machine, from its settings. */
fw_status coord_study_set_up(coord_study *s, const json_t *settings, fw_error *err);
/** Who ran has lost its group. */
fw_status coord_study_resume(coord_study *s, uint64_t slots, fw_error *err);
/** coord_study_open with the settings (the caller's) in place of a project. */
fw_status coord_study_open_as(coord_study **out, const char *dir, const json_t *settings, coord_study_how how, fw_error *err);

#endif
