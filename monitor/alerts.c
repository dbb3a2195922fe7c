#include "monitor/alerts.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"

#define QUIET_LOOKS     3
#define RESOLVING_SHARE 0.8
#define COOL_DOWN_S     600.0

/* ---- the life of an alert: states and transitions ---- */

typedef enum life { NONE, RAISED, ACKNOWLEDGED, COOLING, N_LIVES } life;
typedef enum step { LOUD, QUIET_LONG, ACKNOWLEDGE, RESOLVE, COOLED, N_STEPS } step;

static const struct { life to; const char *event; } transitions[N_LIVES][N_STEPS] = {
    [NONE]         = {[LOUD] = {RAISED, "raised"}},
    [RAISED]       = {[QUIET_LONG] = {COOLING, "resolved"}, [RESOLVE] = {COOLING, "resolved"}, [ACKNOWLEDGE] = {ACKNOWLEDGED, "acknowledged"}},
    [ACKNOWLEDGED] = {[QUIET_LONG] = {COOLING, "resolved"}, [RESOLVE] = {COOLING, "resolved"}},
    [COOLING]      = {[COOLED] = {NONE, "cooled"}},
};

/** A cause with its last alert. */
typedef struct cause {
    life life;
    bool silent;                       /* it is silenced, as far as was seen at the last tick */
    monitor_alert_kind kind;
    monitor_alert_row row;
    char *name, *digest, *subject, *features, *text;      /* what the row points to */
} cause;

struct monitor_alerts {
    monitor_alert_opts opts;
    monitor_alert_sink sink;
    cause **causes; size_t capacity;
    uint64_t *hashes; size_t hashes_capacity;             /* of the causes, beside each other: to find one */
    size_t n;
    int64_t next;
    monitor_alert_counts counts;
};

/* ---- causes ---- */

static void cause_destroy(cause **c)
{
    if (*c == NULL) return;
    free((*c)->name);
    free((*c)->digest);
    free((*c)->subject);
    free((*c)->features);
    free((*c)->text);
    free(*c);
    *c = NULL;
}

static uint64_t hash_of(monitor_alert_kind kind, int64_t model, const char *subject)
{
    return fw_hash64(subject, strlen(subject), (uint64_t)model * MONITOR_N_ALERT_KINDS + (uint64_t)kind);
}

static cause *find_cause(const monitor_alerts *a, monitor_alert_kind kind, int64_t model, const char *subject)
{
    const uint64_t hash = hash_of(kind, model, subject);
    for (size_t i = 0; i < a->n; i++) {
        const cause *c = a->causes[i];
        if (a->hashes[i] == hash && c->kind == kind && c->row.model == model && strcmp(c->subject, subject) == 0) return a->causes[i];
    }
    return NULL;
}

static void forget(monitor_alerts *a, size_t i)
{
    cause_destroy(&a->causes[i]);
    a->n--;
    a->causes[i] = a->causes[a->n];
    a->hashes[i] = a->hashes[a->n];
}

static fw_status copy_or_null(char **out, const char *text, fw_error *err)
{
    FW_FREE char *copy = NULL;
    if (text != NULL) FW_TRY(fw_copy_text(&copy, text, err));
    free(*out);
    *out = copy;
    copy = NULL;
    return FW_OK;
}

/** The row with texts of the cause's own. */
static fw_status own_row(cause *c, const monitor_alert_row *row, fw_error *err)
{
    c->row = *row;
    FW_TRY(copy_or_null(&c->name, row->name, err));
    FW_TRY(copy_or_null(&c->digest, row->digest, err));
    FW_TRY(copy_or_null(&c->subject, row->subject, err));
    FW_TRY(copy_or_null(&c->features, row->features, err));
    FW_TRY(copy_or_null(&c->text, row->text, err));
    c->row.kind = monitor_alert_kind_name(c->kind);
    c->row.name = c->name;
    c->row.digest = c->digest;
    c->row.subject = c->subject;
    c->row.features = c->features;
    c->row.text = c->text;
    c->row.advice = monitor_alert_advice(c->kind, c->subject);
    return FW_OK;
}

/** A new cause for the row; *out stays NULL, and it is counted, when there is no room. */
static fw_status add_cause(cause **out, monitor_alerts *a, monitor_alert_kind kind, const monitor_alert_row *row, fw_error *err)
{
    if (a->n >= MONITOR_MAX_ALERTS) {
        a->counts.refused++;
        return FW_OK;
    }
    FW_TRY(fw_grow((void **)&a->causes, &a->capacity, a->n + 1, sizeof(cause *), "alerts", err));
    FW_TRY(fw_grow((void **)&a->hashes, &a->hashes_capacity, a->n + 1, sizeof *a->hashes, "alerts", err));
    FW_AUTO(cause) *c = calloc(1, sizeof *c);
    if (c == NULL) return fw_fail(err, FW_ERR_NOMEM, "an alert");
    c->kind = kind;
    FW_TRY(own_row(c, row, err));
    a->hashes[a->n] = hash_of(kind, row->model, row->subject);
    a->causes[a->n++] = *out = c;
    c = NULL;
    return FW_OK;
}

/* ---- create ---- */

fw_status monitor_alerts_create(monitor_alerts **out, const monitor_alert_opts *opts, const monitor_alert_sink *sink, fw_error *err)
{
    monitor_alerts *a = calloc(1, sizeof *a);
    if (a == NULL) return fw_fail(err, FW_ERR_NOMEM, "alerts");
    a->opts = *opts;
    if (a->opts.quiet_looks == 0) a->opts.quiet_looks = QUIET_LOOKS;
    if (!(a->opts.resolving_share > 0)) a->opts.resolving_share = RESOLVING_SHARE;
    if (!(fabs(a->opts.cool_down_s) > 0)) a->opts.cool_down_s = COOL_DOWN_S;
    a->next = FW_MAX(a->opts.first_number, (int64_t)1);
    a->sink = *sink;
    *out = a;
    return FW_OK;
}

void monitor_alerts_destroy(monitor_alerts **a)
{
    if (a == NULL || *a == NULL) return;
    while ((*a)->n > 0) forget(*a, (*a)->n - 1);
    free((*a)->causes);
    free((*a)->hashes);
    free(*a);
    *a = NULL;
}

/* ---- steps ---- */

static fw_status tell(const monitor_alerts *a, cause *c, const char *event, int64_t at_us, fw_error *err)
{
    if (event != NULL && c->life == RAISED) c->row.told = !c->silent;
    return a->sink.changed(a->sink.context, &c->row, event, at_us, event != NULL && !c->silent, err);
}

/** One step of its life, when it has one; at_us: the moment that goes into the row. */
static fw_status advance(monitor_alerts *a, cause *c, step s, int64_t at_us, fw_error *err)
{
    const char *event = transitions[c->life][s].event;
    if (event == NULL) return FW_OK;
    c->life = transitions[c->life][s].to;
    switch (c->life) {
    case RAISED: c->row.raised_us = at_us; a->counts.raised[c->kind]++; break;
    case ACKNOWLEDGED: c->row.acknowledged_us = at_us; break;
    case COOLING: c->row.resolved_us = at_us; break;
    case NONE:
    case N_LIVES: return FW_OK;
    }
    return tell(a, c, event, at_us, err);
}

/** What time alone does. */
static fw_status settle(monitor_alerts *a, cause *c, int64_t now_us, fw_error *err)
{
    if (c->life == COOLING && now_us >= c->row.resolved_us + (int64_t)(fmax(a->opts.cool_down_s, 0) * 1e6)) FW_TRY(advance(a, c, COOLED, now_us, err));
    if (!c->silent || now_us < c->row.silenced_until_us) return FW_OK;
    c->silent = false;
    return c->life == RAISED ? tell(a, c, "raised", now_us, err) : FW_OK;      /* it is still there, and nobody was told */
}

static life life_of(const monitor_alert_row *row)
{
    if (row->resolved_us > 0) return COOLING;
    return row->acknowledged_us > 0 ? ACKNOWLEDGED : RAISED;
}

fw_status monitor_alerts_restore(monitor_alerts *a, const monitor_alert_row *row, int64_t now_us, fw_error *err)
{
    monitor_alert_kind kind;
    a->next = FW_MAX(a->next, row->alert + 1);
    if (!monitor_alert_kind_find(&kind, row->kind)) return FW_OK;              /* of a newer program: it stays in the store as it is */
    cause *c = find_cause(a, kind, row->model, row->subject);
    if (c == NULL) FW_TRY(add_cause(&c, a, kind, row, err));
    else if (row->alert < c->row.alert) return FW_OK;
    else FW_TRY(own_row(c, row, err));
    if (c == NULL) return FW_OK;
    c->life = life_of(row);
    c->silent = row->silenced_until_us > now_us || (c->life == RAISED && !row->told);      /* its silence ended meanwhile: the next tick tells */
    return FW_OK;
}

/* ---- looks ---- */

static fw_status describe(cause *c, const monitor_look *look, fw_error *err)
{
    FW_AUTO(fw_text) text = {0};
    monitor_alert_describe(&text, look, &c->row);
    FW_TRY(fw_text_check(&text, err));
    free(c->text);
    c->row.text = c->text = fw_text_take(&text);
    return FW_OK;
}

static fw_status list_features(char **out, const monitor_look *look, fw_error *err)
{
    if (look->n_features == 0) return FW_OK;
    json_t *list = json_array();
    bool whole = list != NULL;
    for (size_t i = 0; i < look->n_features; i++) whole = json_array_append_new(list, json_string(look->features[i])) == 0 && whole;
    *out = whole ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return *out != NULL ? FW_OK : fw_fail(err, FW_ERR_DATA, "alert: the names of its features are not UTF-8, or there is no memory");
}

static void take_level(cause *c, const monitor_look *look, bool loud, int64_t now_us)
{
    c->row.level = look->level;
    c->row.threshold = look->threshold;
    c->row.certainty = look->certainty;
    if (!loud) return;
    c->row.peak = fmax(c->row.peak, look->level);
    c->row.last_us = now_us;
    c->row.loud++;
}

/** A new alert of a cause that is not there, or is there and at rest. */
static fw_status raise_alert(monitor_alerts *a, cause *c, const monitor_look *look, int64_t now_us, fw_error *err)
{
    FW_FREE char *features = NULL;
    FW_TRY(list_features(&features, look, err));
    const monitor_alert_row row = {
        .alert = a->next, .model = look->model, .name = look->name, .digest = look->digest, .subject = look->subject != NULL ? look->subject : "",
        .since_us = look->since_us > 0 ? look->since_us : now_us, .raised_us = now_us, .silenced_until_us = c != NULL ? c->row.silenced_until_us : 0,
        .peak = look->level, .features = features};
    if (c == NULL) FW_TRY(add_cause(&c, a, look->kind, &row, err));
    else FW_TRY(own_row(c, &row, err));
    if (c == NULL) return FW_OK;
    a->next++;
    take_level(c, look, true, now_us);
    FW_TRY(describe(c, look, err));
    return advance(a, c, LOUD, now_us, err);
}

static fw_status look_at_open(monitor_alerts *a, cause *c, const monitor_look *look, bool loud, bool quiet, int64_t now_us, fw_error *err)
{
    take_level(c, look, loud, now_us);
    c->row.quiet = quiet ? c->row.quiet + 1 : 0;
    if (loud) FW_TRY(describe(c, look, err));
    if ((uint64_t)c->row.quiet >= a->opts.quiet_looks) return advance(a, c, QUIET_LONG, now_us, err);
    return tell(a, c, NULL, now_us, err);
}

fw_status monitor_alerts_look(monitor_alerts *a, const monitor_look *look, int64_t now_us, fw_error *err)
{
    if ((unsigned)look->kind >= MONITOR_N_ALERT_KINDS || !(look->threshold > 0) || !isfinite(look->threshold))
        return fw_fail(err, FW_ERR_ARG, "alert: a look needs a kind and a threshold above 0");
    if (isnan(look->level)) return FW_OK;
    const bool loud = look->level >= look->threshold && look->evidence, quiet = look->level < look->threshold * a->opts.resolving_share;
    cause *c = find_cause(a, look->kind, look->model, look->subject != NULL ? look->subject : "");
    if (c != NULL) FW_TRY(settle(a, c, now_us, err));
    if (c == NULL || c->life == NONE) return loud ? raise_alert(a, c, look, now_us, err) : FW_OK;
    return c->life == COOLING ? FW_OK : look_at_open(a, c, look, loud, quiet, now_us, err);
}

/* ---- users and time ---- */

fw_status monitor_alerts_act(monitor_alerts *a, const monitor_alert_row *row, int64_t now_us, fw_error *err)
{
    for (size_t i = 0; i < a->n; i++) {
        cause *c = a->causes[i];
        if (c->row.alert != row->alert) continue;
        if (row->silenced_until_us != c->row.silenced_until_us) {
            c->row.silenced_until_us = row->silenced_until_us;
            c->silent = row->silenced_until_us > now_us;
            if (c->silent) c->row.told = 0;
        }
        if (row->acknowledged_us > 0 && c->row.acknowledged_us == 0) FW_TRY(advance(a, c, ACKNOWLEDGE, row->acknowledged_us, err));
        if (row->resolved_us > 0 && c->row.resolved_us == 0) FW_TRY(advance(a, c, RESOLVE, row->resolved_us, err));
        return FW_OK;
    }
    return FW_OK;
}

fw_status monitor_alerts_tick(monitor_alerts *a, int64_t now_us, fw_error *err)
{
    for (size_t i = a->n; i-- > 0;) {
        cause *c = a->causes[i];
        FW_TRY(settle(a, c, now_us, err));
        if (c->life == NONE && !c->silent) forget(a, i);
    }
    return FW_OK;
}

monitor_alert_counts monitor_alerts_count(const monitor_alerts *a)
{
    monitor_alert_counts counts = a->counts;
    counts.remembered = a->n;
    for (size_t i = 0; i < a->n; i++) counts.open += a->causes[i]->life == RAISED || a->causes[i]->life == ACKNOWLEDGED;
    return counts;
}
