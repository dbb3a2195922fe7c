#include "monitor/outcomes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/outcomes_parts.h"

#define US 1e6

/* ---- making ------------------------------------------------------------------------------------------------------------------------------- */

static fw_status take_opts(monitor_outcomes *o, const monitor_outcomes_opts *opts, fw_error *err)
{
    const monitor_shape *s = &opts->shape;
    const bool classes = s->task == FW_TASK_CLASSIFICATION;
    if (classes ? s->n_classes < 2 || s->n_classes > FW_TELEMETRY_MAX_CLASSES || s->positive >= s->n_classes : s->n_classes != 0)
        return fw_fail(err, FW_ERR_ARG, "outcomes: a model of %zu classes, of which number %zu is the positive one", s->n_classes, s->positive);
    o->opts = *opts;
    o->opts.classes = NULL;
    if (opts->max_ids == 0) o->opts.max_ids = MONITOR_OUTCOMES_IDS;
    if (opts->max_windows == 0) o->opts.max_windows = MONITOR_OUTCOMES_WINDOWS;
    if (opts->max_open == 0) o->opts.max_open = MONITOR_OUTCOMES_OPEN;
    if (opts->max_bytes == 0) o->opts.max_bytes = MONITOR_OUTCOMES_BYTES;
    if (!(opts->horizon_s > 0)) o->opts.horizon_s = MONITOR_OUTCOMES_HORIZON_S;
    if (opts->least_labelled == 0) o->opts.least_labelled = MONITOR_OUTCOMES_LEAST;
    if (!(opts->least_share > 0)) o->opts.least_share = 0.5;
    return FW_OK;
}

static fw_status take_classes(monitor_outcomes *o, const char *const *classes, fw_error *err)
{
    FW_TRY(fw_dict_create(&o->classes, err));
    for (size_t i = 0; i < o->opts.shape.n_classes; i++) {
        int32_t code = 0;
        FW_TRY(fw_dict_add(&code, o->classes, classes[i], strlen(classes[i]), err));
        if ((size_t)code != i) return fw_fail(err, FW_ERR_ARG, "outcomes: two classes are called '%.100s'", classes[i]);
    }
    return FW_OK;
}

fw_status monitor_outcomes_create(monitor_outcomes **out, const monitor_outcomes_opts *opts, const monitor_shelf *shelf, fw_error *err)
{
    FW_AUTO(monitor_outcomes) *o = calloc(1, sizeof *o);
    if (o == NULL) return fw_fail(err, FW_ERR_NOMEM, "outcomes");
    FW_TRY(take_opts(o, opts, err));
    FW_TRY(take_classes(o, opts->classes, err));
    FW_TRY(monitor_joins_create(&o->joins, o->opts.max_ids, err));
    FW_TRY(monitor_held_init(&o->held, &opts->shape, o->opts.max_windows, o->opts.max_open, o->opts.max_bytes, err));
    o->n_scores = monitor_shape_scores(&opts->shape);
    o->shelf = *shelf;
    *out = o;
    o = NULL;
    return FW_OK;
}

void monitor_outcomes_destroy(monitor_outcomes **o)
{
    if (*o == NULL) return;
    fw_dict_destroy(&(*o)->classes);
    monitor_joins_destroy(&(*o)->joins);
    monitor_held_release(&(*o)->held);
    free(*o);
    *o = NULL;
}

/* ---- joining ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status let_go(monitor_outcomes *o, monitor_join *e, fw_error *err)
{
    o->counts.unlabelled += e->predicted && !e->known;
    o->counts.unknown += e->known && !e->predicted;
    if (e->predicted) FW_TRY(monitor_outcomes_keep_prediction(o, e, NAN, false, err));
    if (e->known) FW_TRY(monitor_outcomes_keep_outcome(o, e, false, err));
    monitor_joins_remove(o->joins, e);
    return FW_OK;
}

fw_status monitor_outcomes_add(monitor_join **out, monitor_outcomes *o, const char *id, size_t n_scores, int64_t seen_us, fw_error *err)
{
    while (monitor_joins_full(o->joins)) FW_TRY(let_go(o, monitor_joins_oldest(o->joins), err));
    return monitor_joins_add(out, o->joins, id, n_scores, seen_us, err);
}

static monitor_judged judged_of(const monitor_join *e)
{
    return (monitor_judged){.said = e->said, .truth = e->truth, .score = e->n_scores > 0 ? e->score : NULL, .value = e->value, .actual = e->actual,
                            .lag_s = (double)(e->at_us - e->made_us) / US};
}

static fw_status touch(monitor_outcomes *o, monitor_held *w, fw_error *err)
{
    w->amended = w->amended || w->closed;
    return monitor_held_change(w, &o->held, err);
}

/* Both sides are there. */
static fw_status join(monitor_outcomes *o, const monitor_join *e, fw_error *err)
{
    monitor_held *w = monitor_held_find(&o->held, e->window);
    if (w == NULL) {
        o->counts.late++;
        return FW_OK;
    }
    const monitor_judged row = judged_of(e);
    FW_TRY(monitor_held_open(w, &o->held, err));
    FW_TRY(monitor_realised_add(w->realised, &row, err));
    o->counts.joined++;
    FW_TRY(touch(o, w, err));
    return o->shelf.joined != NULL ? o->shelf.joined(o->shelf.context, &row, err) : FW_OK;
}

/* It can't be judged (FW_ERR_NUMERIC): as if the outcome had not come. */
static fw_status forget_outcome(monitor_outcomes *o, monitor_join *e, fw_error *err)
{
    o->counts.refused++;
    FW_TRY(monitor_outcomes_keep_outcome(o, e, false, err));
    e->known = false;
    return FW_OK;
}

/* ---- windows that are held ----------------------------------------------------------------------------------------------------------------------- */

static void judge_due(const monitor_outcomes *o, monitor_held *w)
{
    const uint64_t labelled = monitor_realised_rows(monitor_held_counts(w, &o->held));
    w->due = w->closed && !w->judged && labelled >= o->opts.least_labelled && (double)labelled >= o->opts.least_share * (double)w->rows;
    w->judged = w->judged || w->due;
    w->revised += w->amended;
}

static fw_status tell_window(const monitor_outcomes *o, const monitor_held *w, fw_error *err)
{
    const monitor_realised *r = monitor_held_counts(w, &o->held);
    const monitor_quality_window v = {
        .model = o->opts.model, .window = w->window, .rows = w->rows, .labelled = monitor_realised_rows(r), .lag_s = monitor_realised_lag(r),
        .revised = w->revised, .closed = w->closed, .due = w->due, .realised = monitor_realised_figures(r), .estimated = w->estimated};
    return o->shelf.tell != NULL ? o->shelf.tell(o->shelf.context, &v, err) : FW_OK;
}

static fw_status judge_and_tell(monitor_outcomes *o, monitor_held *w, fw_error *err)
{
    if (w->packed != NULL) FW_TRY(monitor_held_open(w, &o->held, err));
    judge_due(o, w);
    return tell_window(o, w, err);
}

/* What it has not told yet is told first. */
static fw_status let_window_go(monitor_outcomes *o, monitor_held *w, fw_error *err)
{
    FW_AUTO(fw_text) nothing = {0};
    const uint64_t window = w->window;
    if (w->changed) FW_TRY(judge_and_tell(o, w, err));
    monitor_held_drop(&o->held, w);
    return monitor_outcomes_keep_state(o, window, &nothing, err);
}

fw_status monitor_outcomes_hold(monitor_held **out, monitor_outcomes *o, uint64_t window, fw_error *err)
{
    FW_TRY(monitor_held_make(out, &o->held, window, err));
    for (monitor_held *w; (w = monitor_held_over(&o->held)) != NULL;) FW_TRY(let_window_go(o, w, err));
    if (*out != NULL) *out = monitor_held_find(&o->held, window);
    return FW_OK;
}

/* ---- predictions -------------------------------------------------------------------------------------------------------------------------- */

static bool told_scores(const monitor_outcomes *o, const fw_prediction *p)
{
    return o->n_scores > 0 && (o->n_scores == 1 || p->n_probabilities == o->n_scores);
}

static void fill_prediction(const monitor_outcomes *o, monitor_join *e, const fw_prediction *p, uint64_t window, int64_t made_us)
{
    const size_t positive = o->opts.shape.positive;
    e->predicted = true;
    e->said = p->label;
    e->value = p->value;
    e->window = window;
    e->made_us = made_us;
    if (e->n_scores == 1) e->score[0] = p->n_probabilities == 2 ? p->probabilities[positive] : p->label == positive ? p->confidence : 1 - p->confidence;
    else if (e->n_scores > 1) memcpy(e->score, p->probabilities, e->n_scores * sizeof *e->score);
}

static fw_status room_for_scores(monitor_join **e, monitor_outcomes *o, const char *id, size_t n, int64_t made_us, fw_error *err)
{
    if (*e == NULL) return monitor_outcomes_add(e, o, id, n, made_us, err);
    return n > 0 ? monitor_joins_widen(e, o->joins, n, err) : FW_OK;
}

fw_status monitor_outcomes_predict(monitor_outcomes *o, const fw_prediction *p, uint64_t window, int64_t made_us, fw_error *err)
{
    monitor_held *w = NULL;
    if (p->id == NULL || *p->id == '\0') return FW_OK;
    if (window == 0) return fw_fail(err, FW_ERR_ARG, "outcomes: windows are numbered from 1");
    o->counts.predictions++;
    monitor_join *e = monitor_joins_find(o->joins, p->id);
    if (e != NULL && e->predicted) {
        o->counts.repeated++;
        return FW_OK;
    }
    if (p->label >= FW_MAX(o->opts.shape.n_classes, (size_t)1)) {
        o->counts.refused++;
        return FW_OK;
    }
    FW_TRY(monitor_outcomes_hold(&w, o, window, err));
    if (w == NULL) {
        o->counts.late++;
        return FW_OK;
    }
    FW_TRY(room_for_scores(&e, o, p->id, told_scores(o, p) ? o->n_scores : 0, made_us, err));
    fill_prediction(o, e, p, window, made_us);
    w->rows++;
    FW_TRY(monitor_held_change(w, &o->held, err));
    FW_TRY(monitor_outcomes_keep_prediction(o, e, (double)p->confidence, true, err));
    if (!e->known) return FW_OK;
    const fw_status s = join(o, e, err);
    return s == FW_ERR_NUMERIC ? forget_outcome(o, e, err) : s;
}

/* ---- outcomes ----------------------------------------------------------------------------------------------------------------------------- */

fw_status monitor_outcome_parse(monitor_outcome *out, const monitor_outcomes *o, const char *id, const char *text, int64_t at_us, fw_error *err)
{
    *out = (monitor_outcome){.at_us = at_us};
    if (o->opts.shape.task == FW_TASK_REGRESSION) {
        if (fw_parse_double(&out->actual, text, strlen(text))) return FW_OK;
        return fw_fail(err, FW_ERR_DATA, "outcome '%.100s' of id '%.100s' is no number", text, id);
    }
    const int32_t code = fw_dict_find(o->classes, text, strlen(text));
    if (code < 0) return fw_fail(err, FW_ERR_DATA, "outcome '%.100s' of id '%.100s' is no class of the model", text, id);
    out->truth = (uint32_t)code;
    return FW_OK;
}

const char *monitor_outcome_text(char number[static FW_NUMBER_TEXT], const monitor_outcomes *o, const monitor_join *e)
{
    if (o->opts.shape.task == FW_TASK_CLASSIFICATION) return fw_dict_text(o->classes, (int32_t)e->truth, NULL);
    fw_format_double(number, e->actual);
    return number;
}

void monitor_outcome_set(monitor_join *e, const monitor_outcome *v)
{
    e->known = true;
    e->truth = v->truth;
    e->actual = v->actual;
    e->at_us = v->at_us;
}

static bool same_value(const monitor_join *e, const monitor_outcome *v) { return e->truth == v->truth && !(e->actual < v->actual) && !(e->actual > v->actual); }

/* The outcome of a later time, instead of the one that is there. */
static fw_status correct(monitor_outcomes *o, monitor_join *e, const monitor_outcome *v, fw_error *err)
{
    monitor_held *w = e->predicted ? monitor_held_find(&o->held, e->window) : NULL;
    monitor_join after = *e;
    monitor_outcome_set(&after, v);
    const monitor_judged old = judged_of(e), new = judged_of(&after);
    if (w != NULL) {
        FW_TRY(monitor_held_open(w, &o->held, err));
        FW_TRY(monitor_realised_add(w->realised, &new, err));
        FW_TRY(monitor_realised_take_out(w->realised, &old, err));
        FW_TRY(touch(o, w, err));
    }
    monitor_outcome_set(e, v);
    o->counts.corrected++;
    o->counts.late += e->predicted && w == NULL;
    return monitor_outcomes_keep_outcome(o, e, true, err);
}

static fw_status take_again(monitor_outcomes *o, monitor_join *e, const monitor_outcome *v, fw_error *err)
{
    if (same_value(e, v)) {
        o->counts.doubled++;
        return FW_OK;
    }
    if (v->at_us > e->at_us) return correct(o, e, v, err);
    o->counts.conflicts++;
    return FW_OK;
}

static fw_status take_first(monitor_outcomes *o, monitor_join *e, const monitor_outcome *v, fw_error *err)
{
    monitor_outcome_set(e, v);
    if (e->predicted) {
        const fw_status s = join(o, e, err);
        if (s < 0) {
            e->known = false;
            return s;
        }
    }
    return monitor_outcomes_keep_outcome(o, e, true, err);
}

fw_status monitor_outcomes_take(monitor_outcomes *o, const char *id, const char *text, int64_t at_us, int64_t now_us, fw_error *why, fw_error *err)
{
    monitor_outcome v;
    fw_error reason = {0};
    if (id == NULL || *id == '\0') return FW_OK;
    o->counts.outcomes++;
    fw_status s = monitor_outcome_parse(&v, o, id, text, at_us, &reason);
    if (s == FW_OK) {
        monitor_join *e = monitor_joins_find(o->joins, id);
        if (e == NULL) FW_TRY(monitor_outcomes_add(&e, o, id, 0, now_us, err));
        s = e->known ? take_again(o, e, &v, &reason) : take_first(o, e, &v, &reason);
    }
    if (s == FW_ERR_DATA || s == FW_ERR_NUMERIC) {
        o->counts.refused++;
        if (why != NULL) *why = reason;
        return FW_OK;
    }
    return s < 0 ? fw_fail(err, s, "%s", reason.text) : FW_OK;
}

fw_status monitor_outcomes_inherit(monitor_outcomes *o, const monitor_outcomes *from, int64_t now_us, fw_error *err)
{
    for (const monitor_join *e = monitor_joins_oldest(from->joins); e != NULL; e = e->newer) {
        char number[FW_NUMBER_TEXT];
        if (!e->known || e->predicted) continue;
        FW_TRY(monitor_outcomes_take(o, e->id, monitor_outcome_text(number, from, e), e->at_us, now_us, NULL, err));
    }
    return FW_OK;
}

/* ---- windows ------------------------------------------------------------------------------------------------------------------------------ */

fw_status monitor_outcomes_close(monitor_outcomes *o, uint64_t window, const fw_qualities *estimated, fw_error *err)
{
    monitor_held *w = NULL;
    if (window == 0) return fw_fail(err, FW_ERR_ARG, "outcomes: windows are numbered from 1");
    FW_TRY(monitor_outcomes_hold(&w, o, window, err));
    if (w == NULL) return FW_OK;
    if (estimated != NULL) w->estimated = *estimated;
    w->closed = true;
    return monitor_held_change(w, &o->held, err);
}

fw_status monitor_outcomes_tick(monitor_outcomes *o, int64_t now_us, fw_error *err)
{
    const int64_t horizon_us = (int64_t)fmin(o->opts.horizon_s * US, 9e18);
    for (monitor_join *e; (e = monitor_joins_oldest(o->joins)) != NULL && now_us - e->seen_us > horizon_us;) FW_TRY(let_go(o, e, err));
    return FW_OK;
}

static fw_status flush_window(monitor_outcomes *o, monitor_held *w, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    FW_TRY(judge_and_tell(o, w, err));
    monitor_held_save(w, &o->held, &bytes);
    FW_TRY(monitor_outcomes_keep_state(o, w->window, &bytes, err));
    w->changed = w->amended = w->due = false;
    return FW_OK;
}

static fw_status flush_counts(monitor_outcomes *o, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    uint64_t words[sizeof o->counts / sizeof(uint64_t)];
    if (memcmp(&o->counts, &o->kept, sizeof o->counts) == 0) return FW_OK;
    memcpy(words, &o->counts, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) monitor_put_word(&bytes, words[i]);
    FW_TRY(monitor_outcomes_keep_state(o, 0, &bytes, err));
    o->kept = o->counts;
    return FW_OK;
}

fw_status monitor_outcomes_flush(monitor_outcomes *o, fw_error *err)
{
    monitor_held_sort_changed(&o->held);
    for (size_t i = 0; i < o->held.n_changed; i++) {
        monitor_held *w = monitor_held_find(&o->held, o->held.changed[i]);
        if (w != NULL && w->changed) FW_TRY(flush_window(o, w, err));
    }
    o->held.n_changed = 0;
    return flush_counts(o, err);
}

monitor_outcomes_counts monitor_outcomes_count(const monitor_outcomes *o) { return o->counts; }
size_t                  monitor_outcomes_waiting(const monitor_outcomes *o) { return monitor_joins_n(o->joins); }

