#include "monitor/store_tables.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "monitor/store.h"

#define ABSENT UINT32_MAX      /* the length of a text that is NULL */

#define INTEGER(row, member)       {.name = #member, .kind = MONITOR_INTEGER, .at = offsetof(monitor_##row##_row, member)}
#define MERGED(row, member, how)   {.name = #member, .kind = MONITOR_INTEGER, .at = offsetof(monitor_##row##_row, member), .merge = how}
#define REAL(row, member)          {.name = #member, .kind = MONITOR_REAL, .at = offsetof(monitor_##row##_row, member), .nullable = true}
#define TEXT(row, member)          {.name = #member, .kind = MONITOR_TEXT, .at = offsetof(monitor_##row##_row, member)}
#define MAY(row, member)           {.name = #member, .kind = MONITOR_TEXT, .at = offsetof(monitor_##row##_row, member), .nullable = true}
#define JSON(row, member)          {.name = #member, .kind = MONITOR_JSON, .at = offsetof(monitor_##row##_row, member), .nullable = true}
#define BYTES(row, member)         {.name = #member, .kind = MONITOR_BYTES, .at = offsetof(monitor_##row##_row, member)}

static const monitor_column models[] = {
    INTEGER(model, model), TEXT(model, name), TEXT(model, digest), MAY(model, task), JSON(model, classes), BYTES(model, reference),
    MERGED(model, first_us, MONITOR_KEEP), INTEGER(model, last_us), INTEGER(model, predictions)};
static const monitor_column publishers[] = {
    BYTES(publisher, stream), MAY(publisher, name), MAY(publisher, address), INTEGER(publisher, position), INTEGER(publisher, produced),
    INTEGER(publisher, delivered), INTEGER(publisher, spooled), INTEGER(publisher, dropped), JSON(publisher, reasons), INTEGER(publisher, missing),
    INTEGER(publisher, duplicates), INTEGER(publisher, malformed), MERGED(publisher, first_us, MONITOR_KEEP), INTEGER(publisher, heard_us), INTEGER(publisher, ended)};
static const monitor_column windows[] = {
    INTEGER(window, model), INTEGER(window, number), INTEGER(window, from_us), INTEGER(window, to_us), INTEGER(window, rows), INTEGER(window, revised),
    MAY(window, closed), JSON(window, body)};
static const monitor_column figures[] = {
    INTEGER(figures, model), INTEGER(figures, window), INTEGER(figures, bins), INTEGER(figures, at_us), BYTES(figures, bytes)};
static const monitor_column performance[] = {
    INTEGER(performance, model), INTEGER(performance, window), TEXT(performance, metric), REAL(performance, realised), REAL(performance, low),
    REAL(performance, high), REAL(performance, estimated), REAL(performance, reference), REAL(performance, labelled)};
static const monitor_column waiting_predictions[] = {
    INTEGER(waiting_prediction, model), TEXT(waiting_prediction, id), INTEGER(waiting_prediction, window), INTEGER(waiting_prediction, made_us),
    INTEGER(waiting_prediction, label), REAL(waiting_prediction, confidence), REAL(waiting_prediction, value), BYTES(waiting_prediction, probabilities)};
static const monitor_column waiting_outcomes[] = {
    INTEGER(waiting_outcome, model), TEXT(waiting_outcome, id), TEXT(waiting_outcome, outcome), INTEGER(waiting_outcome, at_us)};
static const monitor_column kpi[] = {
    TEXT(kpi, name), INTEGER(kpi, model), INTEGER(kpi, at_us), REAL(kpi, value), REAL(kpi, baseline), REAL(kpi, target)};
static const monitor_column alerts[] = {
    INTEGER(alert, alert), TEXT(alert, kind), INTEGER(alert, model), MAY(alert, name), MAY(alert, digest), TEXT(alert, subject), INTEGER(alert, since_us),
    INTEGER(alert, raised_us), INTEGER(alert, last_us), MERGED(alert, acknowledged_us, MONITOR_LARGER), MERGED(alert, silenced_until_us, MONITOR_KEEP),
    MERGED(alert, resolved_us, MONITOR_LARGER), REAL(alert, level), REAL(alert, peak), REAL(alert, threshold), REAL(alert, certainty),
    INTEGER(alert, loud), INTEGER(alert, quiet), INTEGER(alert, told), JSON(alert, features), MAY(alert, text), MAY(alert, advice)};
static const monitor_column alert_events[] = {
    INTEGER(event, alert), INTEGER(event, at_us), TEXT(event, event), {.name = "by", .kind = MONITOR_TEXT, .at = offsetof(monitor_event_row, by), .nullable = true, .merge = MONITOR_KEEP}, INTEGER(event, delivery), MAY(event, note)};
static const monitor_column states[] = {TEXT(state, key), INTEGER(state, at_us), BYTES(state, bytes)};
static const monitor_column posted[] = {INTEGER(posted, posted), INTEGER(posted, at_us), TEXT(posted, topic), BYTES(posted, bytes)};

#define TABLE(TABLE_NAME, columns_, keys, row, ...)                                                                                       \
    [MONITOR_##TABLE_NAME] = {.name = #columns_, .columns = columns_, .n = sizeof columns_ / sizeof *columns_, .n_keys = keys,             \
                              .row_bytes = sizeof(monitor_##row##_row), __VA_ARGS__}

const monitor_table monitor_tables[MONITOR_N_TABLES] = {
    TABLE(MODELS, models, 1, model, .by_name = "name", .by_range = "last_us"),
    TABLE(PUBLISHERS, publishers, 1, publisher, .by_name = "name", .by_range = "heard_us"),
    TABLE(WINDOWS, windows, 2, window, .by_range = "to_us", .by_window = "number", .history = true),
    TABLE(FIGURES, figures, 3, figures, .by_range = "window", .by_window = "window", .history = true),
    TABLE(PERFORMANCE, performance, 3, performance, .by_name = "metric", .by_range = "window", .by_window = "window", .history = true),
    TABLE(WAITING_PREDICTIONS, waiting_predictions, 2, waiting_prediction, .by_name = "id", .by_range = "made_us", .history = true),
    TABLE(WAITING_OUTCOMES, waiting_outcomes, 2, waiting_outcome, .by_name = "id", .by_range = "at_us", .history = true),
    TABLE(KPI, kpi, 3, kpi, .by_name = "name", .by_range = "at_us", .history = true),
    TABLE(ALERTS, alerts, 1, alert, .by_name = "kind", .by_range = "raised_us"),
    TABLE(ALERT_EVENTS, alert_events, 3, event, .by_range = "at_us", .history = true),
    TABLE(STATES, states, 1, state, .by_name = "key", .by_range = "at_us"),
    TABLE(POSTED, posted, 1, posted, .by_name = "topic", .by_range = "posted"),
};

/* ---- statements ---- */

static void add_names(fw_text *out, const monitor_table *t)
{
    for (size_t i = 0; i < t->n; i++) fw_text_format(out, "%s\"%s\"", i > 0 ? ", " : "", t->columns[i].name);
}

static void add_changes(fw_text *out, const monitor_table *t)
{
    bool first = true;
    for (size_t i = t->n_keys; i < t->n; i++) {
        const monitor_column *c = &t->columns[i];
        if (c->merge == MONITOR_KEEP) continue;
        fw_text_format(out, "%s\"%s\" = ", first ? "" : ", ", c->name);
        if (c->merge == MONITOR_LARGER) fw_text_format(out, "max(%s.\"%s\", excluded.\"%s\")", t->name, c->name, c->name);
        else fw_text_format(out, "excluded.\"%s\"", c->name);
        first = false;
    }
}

void monitor_table_upsert(fw_text *out, const monitor_table *t)
{
    fw_text_format(out, "INSERT INTO %s (", t->name);
    add_names(out, t);
    fw_text_add(out, ") VALUES (");
    for (size_t i = 0; i < t->n; i++) fw_text_add(out, i > 0 ? ", ?" : "?");
    fw_text_add(out, ") ON CONFLICT (");
    for (size_t i = 0; i < t->n_keys; i++) fw_text_format(out, "%s\"%s\"", i > 0 ? ", " : "", t->columns[i].name);
    fw_text_add(out, ") DO UPDATE SET ");
    add_changes(out, t);
}

void monitor_table_delete(fw_text *out, const monitor_table *t)
{
    fw_text_format(out, "DELETE FROM %s WHERE ", t->name);
    for (size_t i = 0; i < t->n_keys; i++) fw_text_format(out, "%s\"%s\" = ?", i > 0 ? " AND " : "", t->columns[i].name);
}

void monitor_table_select(fw_text *out, const monitor_table *t)
{
    fw_text_add(out, "SELECT ");
    add_names(out, t);
    fw_text_format(out, " FROM %s", t->name);
}

/* ---- a row in memory ---- */

static const void *field(const void *row, const monitor_column *c) { return (const char *)row + c->at; }

static fw_status check_text(const char *s, size_t len, const monitor_table *t, const monitor_column *c, fw_error *err)
{
    if (fw_utf8_valid(s, len) != len) return fw_fail(err, FW_ERR_DATA, "store: %s.%s is not UTF-8", t->name, c->name);
    if (c->kind != MONITOR_JSON) return FW_OK;
    json_error_t why;
    json_t *json = json_loadb(s, len, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL) return fw_fail(err, FW_ERR_DATA, "store: %s.%s is not JSON: %.200s", t->name, c->name, why.text);
    json_decref(json);
    return FW_OK;
}

static fw_status pack_sized(fw_text *out, const void *data, size_t len, const monitor_table *t, const monitor_column *c, fw_error *err)
{
    if (len > MONITOR_STORE_MAX_FIELD) return fw_fail(err, FW_ERR_ARG, "store: %s.%s has %zu bytes; at most %zu fit", t->name, c->name, len, MONITOR_STORE_MAX_FIELD);
    const uint32_t n = data == NULL && c->nullable ? ABSENT : (uint32_t)len;
    fw_text_add_bytes(out, (const char *)&n, sizeof n);
    if (len > 0) fw_text_add_bytes(out, data, len);
    return FW_OK;
}

static fw_status pack_column(fw_text *out, const monitor_table *t, const monitor_column *c, const void *row, fw_error *err)
{
    const void *at = field(row, c);
    if (c->kind == MONITOR_INTEGER || c->kind == MONITOR_REAL) {
        fw_text_add_bytes(out, at, 8);
        return FW_OK;
    }
    if (c->kind == MONITOR_BYTES) {
        const monitor_bytes *b = at;
        return pack_sized(out, b->data, b->data == NULL ? 0 : b->len, t, c, err);
    }
    const char *s = *(const char *const *)at;
    if (s == NULL && !c->nullable) return fw_fail(err, FW_ERR_ARG, "store: %s.%s is missing", t->name, c->name);
    const size_t len = s == NULL ? 0 : strlen(s);
    if (s != NULL) FW_TRY(check_text(s, len, t, c, err));
    return pack_sized(out, s, len, t, c, err);
}

/** Bytes that a column takes when it is packed, at most. */
static size_t room_for(const monitor_column *c, const void *row)
{
    const void *at = field(row, c);
    if (c->kind == MONITOR_INTEGER || c->kind == MONITOR_REAL) return 8;
    if (c->kind == MONITOR_BYTES) return sizeof(uint32_t) + ((const monitor_bytes *)at)->len;
    const char *s = *(const char *const *)at;
    return sizeof(uint32_t) + (s != NULL ? strlen(s) : 0);
}

fw_status monitor_row_pack(fw_text *out, size_t *key_len, const monitor_table *t, const void *row, bool keys_only, fw_error *err)
{
    size_t key = 0, room = 0;
    for (size_t i = 0; i < (keys_only ? t->n_keys : t->n); i++) room += room_for(&t->columns[i], row);
    if (room <= MONITOR_STORE_MAX_FIELD) fw_text_room(out, room);      /* at once; a field that is too long is refused below */
    for (size_t i = 0; i < (keys_only ? t->n_keys : t->n); i++) {
        FW_TRY(pack_column(out, t, &t->columns[i], row, err));
        if (i + 1 == t->n_keys) key = out->len;
    }
    FW_TRY(fw_text_check(out, err));
    *key_len = key;
    return FW_OK;
}

static int bind_one(sqlite3_stmt *statement, int i, const monitor_column *c, const char **at)
{
    if (c->kind == MONITOR_INTEGER) {
        int64_t v;
        memcpy(&v, *at, sizeof v);
        *at += sizeof v;
        return sqlite3_bind_int64(statement, i, v);
    }
    if (c->kind == MONITOR_REAL) {
        double v;
        memcpy(&v, *at, sizeof v);
        *at += sizeof v;
        return sqlite3_bind_double(statement, i, v);      /* NaN becomes NULL */
    }
    uint32_t len;
    memcpy(&len, *at, sizeof len);
    *at += sizeof len;
    if (len == ABSENT) return sqlite3_bind_null(statement, i);
    const char *bytes = *at;
    *at += len;
    if (c->kind != MONITOR_BYTES) return sqlite3_bind_text(statement, i, bytes, (int)len, SQLITE_STATIC);
    return len == 0 ? sqlite3_bind_zeroblob(statement, i, 0) : sqlite3_bind_blob(statement, i, bytes, (int)len, SQLITE_STATIC);
}

int monitor_row_bind(sqlite3_stmt *statement, const monitor_table *t, const char *packed, size_t n_columns)
{
    for (size_t i = 0; i < n_columns; i++) {
        const int rc = bind_one(statement, (int)i + 1, &t->columns[i], &packed);
        if (rc != SQLITE_OK) return rc;
    }
    return SQLITE_OK;
}

/* ---- reading ---- */

static fw_status fill_text(const char **to, sqlite3_stmt *statement, int i, const monitor_table *t, const monitor_column *c, fw_error *err)
{
    const char *s = (const char *)sqlite3_column_text(statement, i);
    const size_t len = (size_t)sqlite3_column_bytes(statement, i);
    if (s == NULL && !c->nullable) return fw_fail(err, FW_ERR_FORMAT, "store: %s.%s is missing in a row: the store is damaged", t->name, c->name);
    if (s != NULL && fw_utf8_valid(s, len) != len) return fw_fail(err, FW_ERR_FORMAT, "store: %s.%s of a row is not UTF-8: the store is damaged", t->name, c->name);
    *to = s;
    return FW_OK;
}

fw_status monitor_row_fill(void *row, sqlite3_stmt *statement, int first, const monitor_table *t, fw_error *err)
{
    for (size_t i = 0; i < t->n; i++) {
        const monitor_column *c = &t->columns[i];
        void *at = (char *)row + c->at;
        const int from = first + (int)i;
        switch (c->kind) {
        case MONITOR_INTEGER: *(int64_t *)at = sqlite3_column_int64(statement, from); break;
        case MONITOR_REAL: *(double *)at = sqlite3_column_type(statement, from) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, from); break;
        case MONITOR_TEXT:
        case MONITOR_JSON: FW_TRY(fill_text(at, statement, from, t, c, err)); break;
        case MONITOR_BYTES: {
            const void *data = sqlite3_column_blob(statement, from);
            *(monitor_bytes *)at = (monitor_bytes){.data = data, .len = (size_t)sqlite3_column_bytes(statement, from)};
            break;
        }
        }
    }
    return FW_OK;
}
