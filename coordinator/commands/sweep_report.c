/** From a study to its page: what the charts need, in their units. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "coordinator/commands/sweep_show.h"
#include "coordinator/report/study.h"
#include "coordinator/report/words.h"
#include "coordinator/study/importance.h"

#define TICK_CHOICES 8       /* more are not written at an axis */
#define WORDS        48      /* bytes of a value's text */
#define LEAST_AT_ROUND 20    /* trials that a round must have to be compared at it, if there are so many */

/* Everything the page points to. */
typedef struct page {
    const coord_study *study;
    const coord_space *space;
    coord_study_axis *axis;
    double *tick_at;                 /* (axes, TICK_CHOICES) */
    char (*tick_words)[WORDS];       /* (axes * TICK_CHOICES) */
    const char **tick;
    coord_study_row *row;
    double *u;                       /* (trials, axes) */
    char (*words)[WORDS];            /* (trials * axes) */
    const char **text;
    uint64_t *finished;
    coord_study_bar *bar;
    double *share;
    char method[320];
} page;

static void release(page *p)
{
    void *all[] = {p->axis, p->tick_at, p->tick_words, p->tick, p->row, p->u, p->words, p->text, p->finished, p->bar, p->share};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static fw_status reserve(page *p, size_t trials, size_t stretches, fw_error *err)
{
    const size_t axes = p->space->n;
    FW_TRY(fw_alloc_zeroed((void **)&p->axis, axes + 1, sizeof *p->axis, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->tick_at, axes * TICK_CHOICES + 1, sizeof *p->tick_at, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->tick_words, axes * TICK_CHOICES + 1, sizeof *p->tick_words, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->tick, axes * TICK_CHOICES + 1, sizeof *p->tick, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->row, trials + 1, sizeof *p->row, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->u, trials * axes + 1, sizeof *p->u, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->words, trials * axes + 1, sizeof *p->words, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->text, trials * axes + 1, sizeof *p->text, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->finished, trials + 1, sizeof *p->finished, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->bar, stretches + 1, sizeof *p->bar, "report", err));
    return fw_alloc_zeroed((void **)&p->share, axes + 1, sizeof *p->share, "report", err);
}

/* ---- axes ------------------------------------------------------------------------------------------------------------------------------- */

static void value_words(char out[static WORDS], const coord_param *p, double v)
{
    if (p->kind == COORD_PARAM_CATEGORICAL) snprintf(out, WORDS, "%.40s", p->choice[(size_t)v]);
    else snprintf(out, WORDS, p->kind == COORD_PARAM_INT ? "%.0f" : "%.4g", v);
}

static void fill_axis(page *p, size_t i)
{
    const coord_param *param = &p->space->param[i];
    const size_t n = param->kind == COORD_PARAM_CATEGORICAL ? FW_MIN(param->n_choices, (size_t)TICK_CHOICES) : 3, first = i * TICK_CHOICES;
    for (size_t k = 0; k < n; k++) {
        const double v = param->kind == COORD_PARAM_CATEGORICAL ? (double)k : coord_param_from_unit(param, (double)k / 2);
        p->tick_at[first + k] = coord_param_to_unit(param, v);
        value_words(p->tick_words[first + k], param, v);
        p->tick[first + k] = p->tick_words[first + k];
    }
    p->axis[i] = (coord_study_axis){.name = param->name, .tick_at = p->tick_at + first, .tick = p->tick + first, .n_ticks = n, .importance = NAN};
}

/* ---- trials ----------------------------------------------------------------------------------------------------------------------------- */

static coord_study_end end_of(coord_trial_state s)
{
    return s == COORD_COMPLETE ? COORD_STUDY_COMPLETE : s == COORD_PRUNED ? COORD_STUDY_PRUNED : s == COORD_FAIL ? COORD_STUDY_FAIL : COORD_STUDY_OPEN;
}

static void fill_row(page *p, size_t i)
{
    const coord_trial *t = coord_study_trial(p->study, i);
    const size_t axes = p->space->n;
    for (size_t k = 0; k < axes; k++) {
        p->u[i * axes + k] = isnan(t->x[k]) ? (double)NAN : coord_param_to_unit(&p->space->param[k], t->x[k]);
        if (!isnan(t->x[k])) value_words(p->words[i * axes + k], &p->space->param[k], t->x[k]);
        p->text[i * axes + k] = p->words[i * axes + k];
    }
    const double last = t->rounds > 0 ? t->at[t->rounds - 1] : (double)NAN;
    p->row[i] = (coord_study_row){.number = t->number, .end = end_of(t->state), .value = isfinite(t->value) || t->state == COORD_FAIL ? t->value : last,
                                  .rounds = t->rounds, .u = p->u + i * axes, .text = p->text + i * axes};
}

typedef struct ended { const char *when; uint64_t number; } ended;

static int by_end(const void *a, const void *b)
{
    const ended *x = a, *y = b;
    const int order = strcmp(x->when, y->when);
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

static fw_status fill_finished(page *p, size_t *n, size_t trials, fw_error *err)
{
    FW_FREE ended *order = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&order, trials + 1, sizeof *order, "report", err));
    *n = 0;
    for (size_t i = 0; i < trials; i++)
        if (p->row[i].end != COORD_STUDY_OPEN) order[(*n)++] = (ended){coord_study_trial(p->study, i)->ended, i};
    if (*n > 0) qsort(order, *n, sizeof *order, by_end);
    for (size_t i = 0; i < *n; i++) p->finished[i] = order[i].number;
    return FW_OK;
}

/* ---- importance ------------------------------------------------------------------------------------------------------------------------- */

/* The highest round that at least LEAST_AT_ROUND trials, or all that have any, came to. */
static uint64_t round_to_compare(const page *p, size_t trials)
{
    uint64_t best = 0;
    size_t any = 0;
    for (size_t i = 0; i < trials; i++) any += p->row[i].rounds > 0;
    for (size_t i = 0; i < trials; i++) {
        size_t came = 0;
        if (p->row[i].rounds <= best) continue;
        for (size_t k = 0; k < trials; k++) came += p->row[k].rounds >= p->row[i].rounds;
        if (came >= FW_MIN(any, (size_t)LEAST_AT_ROUND)) best = p->row[i].rounds;
    }
    return best;
}

static fw_status fill_importance(page *p, size_t trials, fw_error *err)
{
    FW_FREE double *u = NULL, *y = NULL;
    const size_t axes = p->space->n;
    const uint64_t round = round_to_compare(p, trials);
    size_t n = 0;
    FW_TRY(fw_alloc_zeroed((void **)&u, trials * axes + 1, sizeof *u, "report", err));
    FW_TRY(fw_alloc_zeroed((void **)&y, trials + 1, sizeof *y, "report", err));
    for (size_t i = 0; i < trials; i++) {
        const coord_trial *t = coord_study_trial(p->study, i);
        if (round == 0 || t->rounds < round || !isfinite(t->at[round - 1])) continue;
        memcpy(u + n * axes, p->u + i * axes, axes * sizeof *u);
        y[n++] = t->at[round - 1];
    }
    FW_TRY(coord_importance(p->share, u, y, n, axes, err));
    for (size_t i = 0; i < axes; i++) p->axis[i].importance = p->share[i];
    snprintf(p->method, sizeof p->method, "Permutation importance on a forest of %d regression trees: how much worse it predicts the ranked %s after round %llu of %zu trials when a "
                                          "parameter's values are shuffled, as parts of the whole. It says what mattered among these trials, which the sampler chose, not everywhere.",
             COORD_IMPORTANCE_TREES, coord_study_metric(p->study), (unsigned long long)round, n);
    return FW_OK;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------------------- */

static double fill_bars(page *p, const coord_stretch *stretch, size_t n, double *busy)
{
    double end = 0.0, worked = 0.0;
    for (size_t i = 0; i < n; i++) {
        p->bar[i] = (coord_study_bar){stretch[i].slot, stretch[i].trial, stretch[i].begin_s, stretch[i].end_s, end_of(stretch[i].end)};
        end = FW_MAX(end, stretch[i].end_s);
        worked += stretch[i].end_s - stretch[i].begin_s;
    }
    const double all = end * (double)coord_study_slots(p->study);
    *busy = all > 0.0 ? FW_MIN(worked / all, 1.0) : 0.0;
    return end;
}

static fw_status write_page(const page *p, const coord_study_page *r, fw_error *err)
{
    FW_FREE char *path = NULL, *text = NULL;
    size_t len = 0;
    FW_TRY(fw_path_join(&path, coord_study_dir(p->study), "report.html", err));
    FILE *f = open_memstream(&text, &len);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s", path);
    fw_status s = coord_study_html(f, r, err);
    if (fclose(f) != 0 && s == FW_OK) s = fw_fail(err, FW_ERR_NOMEM, "%s", path);
    return s == FW_OK ? fw_write_file(path, text, len, err) : s;
}

static fw_status make(page *p, const char *name, fw_error *err)
{
    const coord_study *s = p->study;
    const coord_stretch *stretch = NULL;
    const size_t trials = coord_study_n_trials(s), n_stretches = coord_study_stretches(s, &stretch);
    const coord_trial *best = coord_study_best(s);
    FW_TRY(reserve(p, trials, n_stretches, err));
    coord_study_page r = {.name = name, .metric = coord_study_metric(s), .maximize = coord_study_maximizes(s), .sampler = coord_study_sampler_line(s),
                            .pruner = coord_study_pruner(s), .program = FW_VERSION, .budget = coord_study_budget(s), .max_rounds = coord_study_max_rounds(s),
                            .axis = p->axis, .n_axes = p->space->n, .row = p->row, .n_rows = trials, .finished = p->finished, .best = best != NULL ? (int64_t)best->number : -1,
                            .bar = p->bar, .n_bars = n_stretches, .slots = coord_study_slots(s)};
    for (size_t i = 0; i < p->space->n; i++) fill_axis(p, i);
    for (size_t i = 0; i < trials; i++) fill_row(p, i);
    FW_TRY(fill_finished(p, &r.n_finished, trials, err));
    FW_TRY(fill_importance(p, trials, err));
    r.importance_method = p->method;
    r.seconds = fill_bars(p, stretch, n_stretches, &r.busy);
    return write_page(p, &r, err);
}

fw_status coord_sweep_report(const coord_study *study, const char *name, fw_error *err)
{
    page p = {.study = study, .space = coord_study_space(study)};
    const fw_status s = make(&p, name, err);
    release(&p);
    return s;
}
