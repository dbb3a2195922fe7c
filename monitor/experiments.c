#include "monitor/experiments.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define MAX_ROUNDS  512u
#define MAX_METRICS 16u
#define MAX_TRIALS  500u
#define MAX_POINTS  32u
#define TRIAL       "trial "

typedef struct experiment { char key[64]; json_t *body; int64_t updated_us; bool changed; } experiment;

struct monitor_experiments {
    experiment v[MONITOR_MAX_EXPERIMENTS];
    size_t n;
    char dropped[MONITOR_MAX_EXPERIMENTS][64]; size_t n_dropped;      /* keys of those that had to go, to be removed */
};

static bool is_trial(const fw_progress *p, uint64_t *number)
{
    const size_t n = strlen(TRIAL);
    return strncmp(p->run, TRIAL, n) == 0 && fw_parse_uint64(number, p->run + n, strlen(p->run + n));
}

/** The same for every event of one training, or of one study. */
static void write_key(char out[64], const char *publisher, const fw_progress *p, bool trial)
{
    FW_AUTO(fw_text) whole = {0};
    fw_text_format(&whole, "%s\n%s\n%s", p->project, publisher, trial ? "" : p->run);
    snprintf(out, 64, "%s/%016llx", trial ? "study" : "training", (unsigned long long)fw_hash64(whole.data, whole.len, 0));
}

/* ---- the list ---- */

fw_status monitor_experiments_create(monitor_experiments **out, fw_error *err)
{
    monitor_experiments *e = calloc(1, sizeof *e);
    if (e == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: experiments");
    *out = e;
    return FW_OK;
}

void monitor_experiments_destroy(monitor_experiments **e)
{
    if (e == NULL || *e == NULL) return;
    for (size_t i = 0; i < (*e)->n; i++) json_decref((*e)->v[i].body);
    free(*e);
    *e = NULL;
}

static experiment *find(monitor_experiments *e, const char *key)
{
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->v[i].key, key) == 0) return &e->v[i];
    return NULL;
}

/** A place for one more: the one that was silent longest makes room. */
static experiment *make_room(monitor_experiments *e)
{
    experiment *oldest = &e->v[0];
    if (e->n < MONITOR_MAX_EXPERIMENTS) return &e->v[e->n++];
    for (size_t i = 1; i < e->n; i++)
        if (e->v[i].updated_us < oldest->updated_us) oldest = &e->v[i];
    if (e->n_dropped < MONITOR_MAX_EXPERIMENTS) memcpy(e->dropped[e->n_dropped++], oldest->key, sizeof oldest->key);
    json_decref(oldest->body);
    return oldest;
}

static fw_status add(experiment **out, monitor_experiments *e, const char *key, json_t *body, fw_error *err)
{
    if (body == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: an experiment");
    experiment *x = make_room(e);
    *x = (experiment){.body = body};
    snprintf(x->key, sizeof x->key, "%s", key);
    *out = x;
    return FW_OK;
}

static void set(json_t *object, const char *name, json_t *value) { json_object_set_new(object, name, value); }

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

/** Keeps the first, third, fifth, ... and the last. */
static void thin_out(json_t *list, size_t most)
{
    if (json_array_size(list) <= most) return;
    for (size_t i = json_array_size(list) - 2; i > 0; i--)
        if (i % 2 == 1) json_array_remove(list, i);
}

/* ---- trainings ---- */

static json_t *new_training(const char *publisher, int64_t at_us, const fw_progress *p)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:[], s:[]}", "kind", "training", "project", p->project, "run", p->run, "publisher", publisher, "started_us",
                     (json_int_t)at_us, "metrics", "rounds");
}

/** The metric's place in a round; a name that is new is added at the end. MAX_METRICS: no room. */
static size_t metric_at(json_t *names, const char *name)
{
    const size_t n = json_array_size(names);
    for (size_t i = 0; i < n; i++)
        if (strcmp(json_string_value(json_array_get(names, i)), name) == 0) return i;
    if (n < MAX_METRICS) json_array_append_new(names, json_string(name));
    return n;
}

static void add_round(json_t *body, const fw_progress *p)
{
    json_t *rounds = json_object_get(body, "rounds"), *names = json_object_get(body, "metrics");
    json_t *round = json_pack("[I, o]", (json_int_t)p->round, real(p->train_loss));
    for (size_t i = 0; i < p->n_validation; i++) {
        const size_t at = metric_at(names, p->validation[i].name);
        while (at < MAX_METRICS && json_array_size(round) <= at + 2 && json_array_append_new(round, json_null()) == 0) {}
        if (at < MAX_METRICS) json_array_set_new(round, at + 2, real(p->validation[i].value));
    }
    json_array_append_new(rounds, round);
    thin_out(rounds, MAX_ROUNDS);
}

static void take_training(json_t *body, const fw_progress *p)
{
    set(body, "event", json_string(p->event));
    set(body, "ranks", json_integer((json_int_t)p->ranks));
    set(body, "round", json_integer((json_int_t)p->round));
    set(body, "step", json_integer((json_int_t)p->step));
    set(body, "rows", json_integer((json_int_t)p->rows));
    if (strcmp(p->event, "round") != 0) return;
    set(body, "rows_per_s", real(p->rows_per_s));
    add_round(body, p);
}

/* ---- studies ---- */

static json_t *new_study(const char *publisher, int64_t at_us, const fw_progress *p)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:n, s:i, s:[]}", "kind", "study", "project", p->project, "publisher", publisher, "started_us", (json_int_t)at_us, "metric",
                     "left_out", 0, "trials");
}

static json_t *trial_of(json_t *trials, uint64_t number)
{
    for (size_t i = json_array_size(trials); i-- > 0;)
        if (json_integer_value(json_object_get(json_array_get(trials, i), "trial")) == (json_int_t)number) return json_array_get(trials, i);
    if (json_array_size(trials) >= MAX_TRIALS) return NULL;
    json_array_append_new(trials, json_pack("{s:I, s:n, s:[]}", "trial", (json_int_t)number, "value", "curve"));
    return json_array_get(trials, json_array_size(trials) - 1);
}

static void take_trial(json_t *body, uint64_t number, const fw_progress *p)
{
    json_t *trial = trial_of(json_object_get(body, "trials"), number);
    if (trial == NULL) {
        set(body, "left_out", json_integer(json_integer_value(json_object_get(body, "left_out")) + (strcmp(p->event, "begin") == 0)));
        return;
    }
    set(trial, "state", json_string(p->event));
    set(trial, "round", json_integer((json_int_t)p->round));
    if (p->n_validation == 0) return;
    set(body, "metric", json_string(p->validation[0].name));
    set(trial, "value", real(p->validation[0].value));
    if (strcmp(p->event, "round") != 0) return;
    json_t *curve = json_object_get(trial, "curve");
    json_array_append_new(curve, json_pack("[I, o]", (json_int_t)p->round, real(p->validation[0].value)));
    thin_out(curve, MAX_POINTS);
}

fw_status monitor_experiments_take(monitor_experiments *e, const char *publisher, int64_t at_us, const fw_progress *p, fw_error *err)
{
    uint64_t number = 0;
    char key[64];
    const bool trial = is_trial(p, &number);
    write_key(key, publisher, p, trial);
    experiment *x = find(e, key);
    if (x == NULL) FW_TRY(add(&x, e, key, trial ? new_study(publisher, at_us, p) : new_training(publisher, at_us, p), err));
    if (trial) take_trial(x->body, number, p);
    else take_training(x->body, p);
    x->updated_us = FW_MAX(at_us, x->updated_us);
    set(x->body, "updated_us", json_integer((json_int_t)x->updated_us));
    x->changed = true;
    return FW_OK;
}

/* ---- in the store ---- */

static fw_status put(monitor_store *s, const char *key, int64_t at_us, const json_t *body, fw_error *err)
{
    FW_FREE char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(12));
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: an experiment as JSON");
    const monitor_state_row row = {.key = key, .at_us = at_us, .bytes = {text, strlen(text)}};
    return monitor_store_put_state(s, &row, err);
}

static int newer_first(const void *a, const void *b)
{
    const int64_t x = (*(experiment *const *)a)->updated_us, y = (*(experiment *const *)b)->updated_us;
    return x < y ? 1 : x > y ? -1 : strcmp((*(experiment *const *)a)->key, (*(experiment *const *)b)->key);
}

static fw_status put_index(monitor_experiments *e, monitor_store *s, fw_error *err)
{
    experiment *order[MONITOR_MAX_EXPERIMENTS];
    json_t *index = json_array();
    for (size_t i = 0; i < e->n; i++) order[i] = &e->v[i];
    qsort(order, e->n, sizeof *order, newer_first);
    for (size_t i = 0; i < e->n; i++)
        json_array_append_new(index, json_pack("{s:s, s:O, s:I}", "key", order[i]->key, "kind", json_object_get(order[i]->body, "kind"), "updated_us",
                                               (json_int_t)order[i]->updated_us));
    const fw_status status = put(s, MONITOR_EXPERIMENTS_INDEX, e->n > 0 ? order[0]->updated_us : 0, index, err);
    json_decref(index);
    return status;
}

fw_status monitor_experiments_save(monitor_experiments *e, monitor_store *s, fw_error *err)
{
    bool changed = e->n_dropped > 0;
    for (size_t i = 0; i < e->n_dropped; i++) FW_TRY(monitor_store_remove_state(s, &(monitor_state_row){.key = e->dropped[i]}, err));
    e->n_dropped = 0;
    for (size_t i = 0; i < e->n; i++) {
        experiment *x = &e->v[i];
        if (!x->changed) continue;
        FW_TRY(put(s, x->key, x->updated_us, x->body, err));
        x->changed = false;
        changed = true;
    }
    return changed ? put_index(e, s, err) : FW_OK;
}

/** Whether what was saved has the shape that take relies on. */
static bool is_sound(const json_t *body)
{
    const char *kind = json_string_value(json_object_get(body, "kind"));
    const json_t *names = json_object_get(body, "metrics");
    if (kind == NULL) return false;
    if (strcmp(kind, "study") == 0) return json_is_array(json_object_get(body, "trials"));
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!json_is_string(json_array_get(names, i))) return false;
    return json_is_array(names) && json_is_array(json_object_get(body, "rounds"));
}

static fw_status load_json(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    *(json_t **)context = json_loadb(row->bytes.data, row->bytes.len, JSON_REJECT_DUPLICATES, NULL);
    return FW_OK;
}

static fw_status load_one(monitor_experiments *e, monitor_reader *r, const char *key, fw_error *err)
{
    json_t *body = NULL;
    experiment *x = NULL;
    FW_TRY(monitor_read_state(r, &(monitor_query){.name = key}, load_json, &body, err));
    if (body == NULL || !is_sound(body) || strlen(key) >= sizeof x->key) {
        json_decref(body);
        return FW_OK;
    }
    FW_TRY(add(&x, e, key, body, err));
    x->updated_us = (int64_t)json_integer_value(json_object_get(body, "updated_us"));
    return FW_OK;
}

fw_status monitor_experiments_load(monitor_experiments *e, monitor_reader *r, fw_error *err)
{
    json_t *index = NULL;
    fw_status status = monitor_read_state(r, &(monitor_query){.name = MONITOR_EXPERIMENTS_INDEX}, load_json, &index, err);
    for (size_t i = 0; status == FW_OK && i < json_array_size(index) && e->n < MONITOR_MAX_EXPERIMENTS; i++) {
        const char *key = json_string_value(json_object_get(json_array_get(index, i), "key"));
        if (key != NULL && find(e, key) == NULL) status = load_one(e, r, key, err);
    }
    json_decref(index);
    return status;
}
