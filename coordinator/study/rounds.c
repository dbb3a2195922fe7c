#include "coordinator/study/rounds.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

/* ---- the best round --------------------------------------------------------------------------------------------------------------------- */

void coord_best_add(coord_best *b, const double *value, const fw_project *p)
{
    const double margin = p->train.early_stopping.min_delta;
    const bool smaller = fw_metrics_smaller_is_better(coord_rounds_metric(p));
    const bool better = value != NULL && (b->round == 0 || (smaller ? *value < b->value - margin : *value > b->value + margin));
    b->n++;
    b->since = better ? 0 : b->since + 1;
    if (!better) return;
    b->round = b->n;
    b->value = *value;
}

static bool is_on(const fw_project *p) { return p->train.early_stopping.patience > 0; }

bool coord_best_stops(const coord_best *b, const fw_project *p) { return is_on(p) && b->round > 0 && b->since >= p->train.early_stopping.patience; }

/* ---- rounds ------------------------------------------------------------------------------------------------------------------------------- */

fw_status coord_rounds_take(coord_rounds *r, fw_answer *a, const fw_project *p, fw_error *err)
{
    const char *metric = coord_rounds_metric(p);
    FW_TRY(fw_grow((void **)&r->round, &r->capacity, r->n + a->n_rounds + 1, sizeof *r->round, "rounds", err));
    memcpy(r->round + r->n, a->rounds, a->n_rounds * sizeof *a->rounds);
    for (size_t i = 0; i < a->n_rounds; i++) coord_best_add(&r->best, coord_round_metric(&a->rounds[i], metric), p);
    r->n += a->n_rounds;
    a->n_rounds = 0;
    return FW_OK;
}

void coord_rounds_clear(coord_rounds *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < r->round[i].n_validation; k++) free(r->round[i].validation[k].name);
        free(r->round[i].validation);
        free(r->round[i].by_rank);
    }
    r->n = 0;
    r->best = (coord_best){0};
}

void coord_rounds_release(coord_rounds *r)
{
    coord_rounds_clear(r);
    free(r->round);
    *r = (coord_rounds){0};
}

bool coord_rounds_mark_best(const coord_rounds *r, const fw_project *p) { return is_on(p) && r->best.round > 0 && r->best.round == r->n; }
bool coord_rounds_keeps_best(const coord_rounds *r, const fw_project *p) { return is_on(p) && r->best.round > 0 && r->best.round < r->n; }

const fw_round_result *coord_rounds_kept(const coord_rounds *r, const fw_project *p)
{
    if (r->n == 0) return NULL;
    return &r->round[(coord_rounds_keeps_best(r, p) ? r->best.round : r->n) - 1];
}

/* ---- one round ---------------------------------------------------------------------------------------------------------------------------- */

const char *coord_rounds_metric(const fw_project *p)
{
    if (p->train.early_stopping.metric != NULL) return p->train.early_stopping.metric;
    return p->problem.task == FW_TASK_REGRESSION ? "rmse" : "log_loss";
}

const double *coord_round_metric(const fw_round_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_validation; i++)
        if (fw_text_equal(r->validation[i].name, name)) return &r->validation[i].value;
    return NULL;
}

static json_t *seconds_json(const fw_part_seconds *s)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "load", s->load, "forward", s->forward, "backward", s->backward, "sum", s->sum, "optimizer",
                     s->optimizer, "wait", s->wait);
}

static json_t *validation_json(const fw_round_result *r)
{
    json_t *o = json_object();
    for (size_t i = 0; i < r->n_validation; i++) json_object_set_new(o, r->validation[i].name, json_real(r->validation[i].value));
    return o;
}

json_t *coord_round_json(const fw_round_result *r)
{
    const fw_position *at = &r->position;
    return json_pack("{s:I, s:I, s:I, s:f, s:f, s:o, s:o}", "round", (json_int_t)at->round, "step", (json_int_t)at->step, "rows", (json_int_t)at->rows,
                     "rows_per_s", r->rows_per_s, "train_loss", r->train_loss, "validation", validation_json(r), "seconds", seconds_json(&r->seconds));
}
