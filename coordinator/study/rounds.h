/** The rounds of one training as decisions see them: one metric of validation a round, the best of them, and whether it stops early. */
#ifndef COORD_STUDY_ROUNDS_H
#define COORD_STUDY_ROUNDS_H

#include <jansson.h>

#include "common/project/project.h"
#include "proto/command.h"

/** The best of the rounds so far by the metric that decides; a resumed training adds its history again and stands where it stood. */
typedef struct coord_best {
    size_t n;                          /* rounds added */
    size_t round;                      /* the best one, from 1; 0: none had a value */
    uint64_t since;                    /* rounds after it */
    double value;
} coord_best;

void coord_best_add(coord_best *b, const double *value, const fw_project *p);      /* value NULL: the round has none */
/** Early stopping: no better round for train.early_stopping.patience rounds. */
bool coord_best_stops(const coord_best *b, const fw_project *p);

typedef struct coord_rounds {
    fw_round_result *round; size_t n, capacity;
    coord_best best;
} coord_rounds;

/** Appends the answer's rounds, whose texts move over. */
fw_status coord_rounds_take(coord_rounds *r, fw_answer *a, const fw_project *p, fw_error *err);
void      coord_rounds_clear(coord_rounds *r);         /* none, as at first */
void      coord_rounds_release(coord_rounds *r);

/** With early stopping, and the best round is the last: its weights are to be marked before the next round changes them. */
bool coord_rounds_mark_best(const coord_rounds *r, const fw_project *p);
/** With early stopping, and the best round is not the last: the model is made of the weights that were marked. */
bool coord_rounds_keeps_best(const coord_rounds *r, const fw_project *p);
/** The round whose weights become the model; NULL: there was none. */
const fw_round_result *coord_rounds_kept(const coord_rounds *r, const fw_project *p);

/** The metric that decides and is shown: early stopping's, else log_loss or rmse. */
const char   *coord_rounds_metric(const fw_project *p);
/** Of one round; NULL: it has none of that name. */
const double *coord_round_metric(const fw_round_result *r, const char *name);
/** Position, speed, loss, validation and seconds, as in progress.jsonl; a new reference, NULL: no memory. */
json_t       *coord_round_json(const fw_round_result *r);

#endif
