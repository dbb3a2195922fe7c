#include "monitor/outcomes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/dict.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "monitor/joins.h"
#include "monitor/outcomes_windows.h"

#define MAGIC       UINT64_C(0x31746375776c66)      /* "flwuct1" */
#define KEY_BYTES   64
#define US          1e6

struct monitor_outcomes {
    monitor_outcomes_opts opts;            /* with defaults; classes: see dict */
    monitor_shelf shelf;
    size_t n_scores;
    fw_dict *classes;                      /* names -> codes, as they were given */
    monitor_joins *joins;
    monitor_windows_held held;
    monitor_outcomes_counts counts, kept;  /* kept: as they were at the last flush */
};

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
    FW_TRY(monitor_held_init(&o->held, &opts->shape, o->opts.max_windows, err));
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

/* ---- the shelf ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status keep_prediction(const monitor_outcomes *o, const monitor_join *e, double confidence, bool keep, fw_error *err)
{
    const monitor_waiting_prediction_row row = {
        .model = o->opts.model, .id = e->id, .window = (int64_t)e->window, .made_us = e->made_us, .label = e->said, .confidence = confidence, .value = e->value,
        .probabilities = {e->score, e->n_scores * sizeof *e->score}};
    return o->shelf.keep_prediction != NULL ? o->shelf.keep_prediction(o->shelf.context, &row, keep, err) : FW_OK;
}

static fw_status keep_outcome(const monitor_outcomes *o, const monitor_join *e, bool keep, fw_error *err)
{
    char number[FW_NUMBER_TEXT];
    const bool classes = o->opts.shape.task == FW_TASK_CLASSIFICATION;
    if (!classes) fw_format_double(number, e->actual);
    const monitor_waiting_outcome_row row = {
        .model = o->opts.model, .id = e->id, .outcome = classes ? fw_dict_text(o->classes, (int32_t)e->truth, NULL) : number, .at_us = e->at_us};
    return o->shelf.keep_outcome != NULL ? o->shelf.keep_outcome(o->shelf.context, &row, keep, err) : FW_OK;
}

/* window 0: the counts. */
static void key_of(char out[static KEY_BYTES], const monitor_outcomes *o, uint64_t window)
{
    const int n = snprintf(out, KEY_BYTES, "outcomes/%lld", (long long)o->opts.model);
    if (window > 0) snprintf(out + n, KEY_BYTES - (size_t)n, "/%llu", (unsigned long long)window);
}

static fw_status keep_state(const monitor_outcomes *o, uint64_t window, fw_text *bytes, fw_error *err)
{
    char key[KEY_BYTES];
    key_of(key, o, window);
    if (bytes->len > 0) monitor_put_word(bytes, fw_hash64(bytes->data, bytes->len, MAGIC));
    FW_TRY(fw_text_check(bytes, err));
    return o->shelf.keep_state != NULL ? o->shelf.keep_state(o->shelf.context, key, (monitor_bytes){bytes->data, bytes->len}, err) : FW_OK;
}

/* ---- joining ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status let_go(monitor_outcomes *o, monitor_join *e, fw_error *err)
{
    o->counts.unlabelled += e->predicted && !e->known;
    o->counts.unknown += e->known && !e->predicted;
    if (e->predicted) FW_TRY(keep_prediction(o, e, NAN, false, err));
    if (e->known) FW_TRY(keep_outcome(o, e, false, err));
    monitor_joins_remove(o->joins, e);
    return FW_OK;
}

static fw_status add_entry(monitor_join **out, monitor_outcomes *o, const char *id, size_t n_scores, int64_t seen_us, fw_error *err)
{
    while (monitor_joins_full(o->joins)) FW_TRY(let_go(o, monitor_joins_oldest(o->joins), err));
    return monitor_joins_add(out, o->joins, id, n_scores, seen_us, err);
}

static monitor_judged judged_of(const monitor_join *e)
{
    return (monitor_judged){.said = e->said, .truth = e->truth, .score = e->n_scores > 0 ? e->score : NULL, .value = e->value, .actual = e->actual,
                            .lag_s = (double)(e->at_us - e->made_us) / US};
}

static void touch(monitor_held *w)
{
    w->changed = true;
    w->amended = w->amended || w->closed;
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
    FW_TRY(monitor_realised_add(w->realised, &row, err));
    touch(w);
    o->counts.joined++;
    return FW_OK;
}

/* It can't be judged (FW_ERR_NUMERIC): as if the outcome had not come. */
static fw_status forget_outcome(monitor_outcomes *o, monitor_join *e, fw_error *err)
{
    o->counts.refused++;
    FW_TRY(keep_outcome(o, e, false, err));
    e->known = false;
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

static fw_status hold_window(monitor_held **out, monitor_outcomes *o, uint64_t window, fw_error *err)
{
    uint64_t gone = 0;
    FW_AUTO(fw_text) nothing = {0};
    FW_TRY(monitor_held_make(out, &gone, &o->held, window, err));
    return gone > 0 ? keep_state(o, gone, &nothing, err) : FW_OK;
}

static fw_status room_for_scores(monitor_join **e, monitor_outcomes *o, const char *id, size_t n, int64_t made_us, fw_error *err)
{
    if (*e == NULL) return add_entry(e, o, id, n, made_us, err);
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
    FW_TRY(hold_window(&w, o, window, err));
    if (w == NULL) {
        o->counts.late++;
        return FW_OK;
    }
    FW_TRY(room_for_scores(&e, o, p->id, told_scores(o, p) ? o->n_scores : 0, made_us, err));
    fill_prediction(o, e, p, window, made_us);
    w->rows++;
    w->changed = true;
    FW_TRY(keep_prediction(o, e, (double)p->confidence, true, err));
    if (!e->known) return FW_OK;
    const fw_status s = join(o, e, err);
    return s == FW_ERR_NUMERIC ? forget_outcome(o, e, err) : s;
}

/* ---- outcomes ----------------------------------------------------------------------------------------------------------------------------- */

typedef struct outcome { uint32_t truth; double actual; int64_t at_us; } outcome;

static fw_status parse_outcome(outcome *out, const monitor_outcomes *o, const char *id, const char *text, int64_t at_us, fw_error *err)
{
    *out = (outcome){.at_us = at_us};
    if (o->opts.shape.task == FW_TASK_REGRESSION) {
        if (fw_parse_double(&out->actual, text, strlen(text))) return FW_OK;
        return fw_fail(err, FW_ERR_DATA, "outcome '%.100s' of id '%.100s' is no number", text, id);
    }
    const int32_t code = fw_dict_find(o->classes, text, strlen(text));
    if (code < 0) return fw_fail(err, FW_ERR_DATA, "outcome '%.100s' of id '%.100s' is no class of the model", text, id);
    out->truth = (uint32_t)code;
    return FW_OK;
}

static void set_outcome(monitor_join *e, const outcome *v)
{
    e->known = true;
    e->truth = v->truth;
    e->actual = v->actual;
    e->at_us = v->at_us;
}

static bool same_value(const monitor_join *e, const outcome *v) { return e->truth == v->truth && !(e->actual < v->actual) && !(e->actual > v->actual); }

/* The outcome of a later time, instead of the one that is there. */
static fw_status correct(monitor_outcomes *o, monitor_join *e, const outcome *v, fw_error *err)
{
    monitor_held *w = e->predicted ? monitor_held_find(&o->held, e->window) : NULL;
    monitor_join after = *e;
    set_outcome(&after, v);
    const monitor_judged old = judged_of(e), new = judged_of(&after);
    if (w != NULL) {
        FW_TRY(monitor_realised_add(w->realised, &new, err));
        FW_TRY(monitor_realised_take_out(w->realised, &old, err));
        touch(w);
    }
    set_outcome(e, v);
    o->counts.corrected++;
    o->counts.late += e->predicted && w == NULL;
    return keep_outcome(o, e, true, err);
}

static fw_status take_again(monitor_outcomes *o, monitor_join *e, const outcome *v, fw_error *err)
{
    if (same_value(e, v)) {
        o->counts.doubled++;
        return FW_OK;
    }
    if (v->at_us > e->at_us) return correct(o, e, v, err);
    o->counts.conflicts++;
    return FW_OK;
}

static fw_status take_first(monitor_outcomes *o, monitor_join *e, const outcome *v, fw_error *err)
{
    set_outcome(e, v);
    if (e->predicted) {
        const fw_status s = join(o, e, err);
        if (s < 0) {
            e->known = false;
            return s;
        }
    }
    return keep_outcome(o, e, true, err);
}

fw_status monitor_outcomes_take(monitor_outcomes *o, const char *id, const char *text, int64_t at_us, int64_t now_us, fw_error *why, fw_error *err)
{
    outcome v;
    fw_error reason = {0};
    if (id == NULL || *id == '\0') return FW_OK;
    o->counts.outcomes++;
    fw_status s = parse_outcome(&v, o, id, text, at_us, &reason);
    if (s == FW_OK) {
        monitor_join *e = monitor_joins_find(o->joins, id);
        if (e == NULL) FW_TRY(add_entry(&e, o, id, 0, now_us, err));
        s = e->known ? take_again(o, e, &v, &reason) : take_first(o, e, &v, &reason);
    }
    if (s == FW_ERR_DATA || s == FW_ERR_NUMERIC) {
        o->counts.refused++;
        if (why != NULL) *why = reason;
        return FW_OK;
    }
    return s < 0 ? fw_fail(err, s, "%s", reason.text) : FW_OK;
}

/* ---- windows ------------------------------------------------------------------------------------------------------------------------------ */

fw_status monitor_outcomes_close(monitor_outcomes *o, uint64_t window, const fw_qualities *estimated, fw_error *err)
{
    monitor_held *w = NULL;
    if (window == 0) return fw_fail(err, FW_ERR_ARG, "outcomes: windows are numbered from 1");
    FW_TRY(hold_window(&w, o, window, err));
    if (w == NULL) return FW_OK;
    if (estimated != NULL) w->estimated = *estimated;
    w->closed = w->changed = true;
    return FW_OK;
}

fw_status monitor_outcomes_tick(monitor_outcomes *o, int64_t now_us, fw_error *err)
{
    const int64_t horizon_us = (int64_t)fmin(o->opts.horizon_s * US, 9e18);
    for (monitor_join *e; (e = monitor_joins_oldest(o->joins)) != NULL && now_us - e->seen_us > horizon_us;) FW_TRY(let_go(o, e, err));
    return FW_OK;
}

static void judge_due(const monitor_outcomes *o, monitor_held *w)
{
    const uint64_t labelled = monitor_realised_rows(w->realised);
    w->due = w->closed && !w->judged && labelled >= o->opts.least_labelled && (double)labelled >= o->opts.least_share * (double)w->rows;
    w->judged = w->judged || w->due;
    w->revised += w->amended;
}

static fw_status tell_window(const monitor_outcomes *o, const monitor_held *w, fw_error *err)
{
    const monitor_quality_window v = {
        .model = o->opts.model, .window = w->window, .rows = w->rows, .labelled = monitor_realised_rows(w->realised), .lag_s = monitor_realised_lag(w->realised),
        .revised = w->revised, .closed = w->closed, .due = w->due, .realised = monitor_realised_figures(w->realised), .estimated = w->estimated};
    return o->shelf.tell != NULL ? o->shelf.tell(o->shelf.context, &v, err) : FW_OK;
}

static fw_status flush_window(monitor_outcomes *o, monitor_held *w, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    judge_due(o, w);
    FW_TRY(tell_window(o, w, err));
    monitor_held_save(w, &bytes);
    FW_TRY(keep_state(o, w->window, &bytes, err));
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
    FW_TRY(keep_state(o, 0, &bytes, err));
    o->kept = o->counts;
    return FW_OK;
}

fw_status monitor_outcomes_flush(monitor_outcomes *o, fw_error *err)
{
    for (size_t i = 0; i < o->held.n; i++)
        if (o->held.v[i].changed) FW_TRY(flush_window(o, &o->held.v[i], err));
    return flush_counts(o, err);
}

monitor_outcomes_counts monitor_outcomes_count(const monitor_outcomes *o) { return o->counts; }
size_t                  monitor_outcomes_waiting(const monitor_outcomes *o) { return monitor_joins_n(o->joins); }

/* ---- restoring ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status restore_counts(monitor_outcomes *o, monitor_words *in, fw_error *err)
{
    uint64_t words[sizeof o->counts / sizeof(uint64_t)];
    bool there = true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) there = there && monitor_take_word(in, &words[i]);
    if (!there || in->left > 0) return fw_fail(err, FW_ERR_DATA, "outcomes: the saved counts of model %lld are damaged", (long long)o->opts.model);
    memcpy(&o->counts, words, sizeof words);
    o->kept = o->counts;
    return FW_OK;
}

/* What the key names: a window, 0 for the counts; false: it is of somebody else. */
static bool parse_key(uint64_t *window, const monitor_outcomes *o, const char *key)
{
    char mine[KEY_BYTES];
    key_of(mine, o, 0);
    const size_t n = strlen(mine);
    *window = 0;
    if (strncmp(key, mine, n) != 0) return false;
    if (key[n] == '\0') return true;
    return key[n] == '/' && fw_parse_uint64(window, key + n + 1, strlen(key + n + 1)) && *window > 0;
}

fw_status monitor_outcomes_restore_state(monitor_outcomes *o, const char *key, monitor_bytes bytes, fw_error *err)
{
    monitor_words in = {bytes.data, bytes.len}, end = {(const unsigned char *)bytes.data + (bytes.len >= 8 ? bytes.len - 8 : 0), FW_MIN(bytes.len, 8)};
    uint64_t window = 0, hash = 0;
    monitor_held *w = NULL;
    if (!parse_key(&window, o, key)) return FW_OK;
    if (!monitor_take_word(&end, &hash) || hash != fw_hash64(bytes.data, bytes.len - 8, MAGIC))
        return fw_fail(err, FW_ERR_DATA, "outcomes: %zu bytes under '%s' are no saved state, or damaged", bytes.len, key);
    in.left -= 8;
    if (window == 0) return restore_counts(o, &in, err);
    FW_TRY(hold_window(&w, o, window, err));
    if (w == NULL) return FW_OK;
    const fw_status s = monitor_held_restore(w, &in, err);
    if (s < 0) w->rows = w->revised = 0, w->closed = w->judged = false, w->estimated = fw_qualities_none();
    return s;
}

fw_status monitor_outcomes_restore_prediction(monitor_outcomes *o, const monitor_waiting_prediction_row *row, int64_t now_us, fw_error *err)
{
    const size_t n = row->probabilities.len / sizeof(float);
    monitor_join *e = NULL;
    if (row->model != o->opts.model || row->id == NULL || *row->id == '\0' || row->window < 1 || row->label < 0 ||
        row->label >= FW_MAX((int64_t)o->opts.shape.n_classes, 1) || (n != 0 && n != o->n_scores) || row->probabilities.len % sizeof(float) != 0)
        return fw_fail(err, FW_ERR_DATA, "outcomes: a kept prediction is not one of model %lld", (long long)o->opts.model);
    if (monitor_joins_find(o->joins, row->id) != NULL) return FW_OK;
    FW_TRY(add_entry(&e, o, row->id, n, FW_MIN(row->made_us, now_us), err));
    e->predicted = true;
    e->said = (uint32_t)row->label;
    e->value = isfinite(row->value) ? row->value : 0;
    e->window = (uint64_t)row->window;
    e->made_us = row->made_us;
    if (n > 0) memcpy(e->score, row->probabilities.data, n * sizeof *e->score);
    return FW_OK;
}

fw_status monitor_outcomes_restore_outcome(monitor_outcomes *o, const monitor_waiting_outcome_row *row, int64_t now_us, fw_error *err)
{
    outcome v;
    if (row->model != o->opts.model || row->id == NULL || *row->id == '\0' || row->outcome == NULL)
        return fw_fail(err, FW_ERR_DATA, "outcomes: a kept outcome is not one of model %lld", (long long)o->opts.model);
    FW_TRY(parse_outcome(&v, o, row->id, row->outcome, row->at_us, err));
    monitor_join *e = monitor_joins_find(o->joins, row->id);
    if (e == NULL) FW_TRY(add_entry(&e, o, row->id, 0, now_us, err));
    set_outcome(e, &v);
    return FW_OK;
}
