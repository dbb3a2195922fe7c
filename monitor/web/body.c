#include "monitor/web/body.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/core/time_text.h"
#include "proto/telemetry.h"

#define NAMES(...) (const char *const[]){__VA_ARGS__, NULL}

static size_t count_names(const char *const *names)
{
    size_t n = 0;
    while (names[n] != NULL) n++;
    return n;
}

/** where: "the body", "row 3". Unknown members are told: a time under another name would be lost in silence. */
static fw_status check_members(json_t *object, const char *where, const char *const *names, fw_error *err)
{
    const char *name;
    json_t *value;
    const size_t n = count_names(names);
    if (!json_is_object(object)) return fw_fail(err, FW_ERR_ARG, "%s is no JSON object", where);
    json_object_foreach(object, name, value) {
        size_t i = 0;
        while (i < n && strcmp(names[i], name) != 0) i++;
        if (i < n) continue;
        const char *near = fw_did_you_mean(name, names, n);
        return fw_fail(err, FW_ERR_ARG, "%s has a member that is unknown here%s%s%s", where, near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
    }
    return FW_OK;
}

fw_status monitor_body_parse(monitor_body *out, const char *bytes, size_t len, const char *const *members, fw_error *err)
{
    json_error_t why;
    out->json = len == 0 ? json_object() : json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
    if (out->json == NULL) return fw_fail(err, FW_ERR_ARG, "the body is no JSON object: line %d, column %d", len > 0 ? why.line : 0, len > 0 ? why.column : 0);
    return check_members(out->json, "the body", members, err);
}

void monitor_body_destroy(monitor_body *b)
{
    json_decref(b->json);
    free(b->outcomes);
    free(b->events);
    *b = (monitor_body){0};
}

fw_status monitor_body_text(const char **out, const monitor_body *b, const char *name, fw_error *err)
{
    const json_t *v = json_object_get(b->json, name);
    if (v != NULL && (!json_is_string(v) || json_string_length(v) == 0)) return fw_fail(err, FW_ERR_ARG, "%s: it is a text that is not empty", name);
    *out = json_string_value(v);
    return FW_OK;
}

static fw_status needed_text(const char **out, const monitor_body *b, const char *name, fw_error *err)
{
    FW_TRY(monitor_body_text(out, b, name, err));
    return *out != NULL ? FW_OK : fw_fail(err, FW_ERR_ARG, "%s is missing", name);
}

/* ---- rows ---- */

static fw_status rows_of(json_t **out, const monitor_body *b, const char *name, fw_error *err)
{
    json_t *list = json_object_get(b->json, name);
    const size_t n = json_array_size(list);
    if (n == 0) return fw_fail(err, FW_ERR_ARG, "%s: it is a list of at least one", name);
    if (n > FW_TELEMETRY_MAX_ROWS) return fw_fail(err, FW_ERR_ARG, "%s: a list of %zu; at most %u at once", name, n, FW_TELEMETRY_MAX_ROWS);
    *out = list;
    return FW_OK;
}

static fw_status row_of(json_t **out, json_t *list, size_t i, const char *const *members, fw_error *err)
{
    char where[32];
    snprintf(where, sizeof where, "row %zu", i + 1);
    *out = json_array_get(list, i);
    return check_members(*out, where, members, err);
}

/** A number becomes its text, in the row. */
static fw_status text_of(const char **out, json_t *row, size_t i, const char *name, bool real, fw_error *err)
{
    char text[FW_NUMBER_TEXT] = "";
    json_t *v = json_object_get(row, name);
    if (json_is_integer(v)) snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    else if (real && json_is_real(v)) fw_format_double(text, json_real_value(v));
    if (*text != '\0' && json_object_set_new(row, name, json_string(text)) != 0) return fw_fail(err, FW_ERR_NOMEM, "dashboard: row %zu", i + 1);
    *out = json_string_value(json_object_get(row, name));
    if (*out != NULL && **out != '\0') return FW_OK;
    return fw_fail(err, FW_ERR_ARG, "row %zu: %s is missing, or is neither a text nor a %snumber", i + 1, name, real ? "" : "whole ");
}

static fw_status time_of(int64_t *out_us, const json_t *row, size_t i, fw_error *err)
{
    const json_t *v = json_object_get(row, "time");
    *out_us = 0;
    if (v == NULL || json_is_null(v)) return FW_OK;
    if (json_is_string(v) && fw_parse_time(out_us, json_string_value(v), json_string_length(v)) && *out_us > 0) return FW_OK;
    return fw_fail(err, FW_ERR_ARG, "row %zu: time is no moment since 1970; write 2026-03-01T10:00:00Z, or leave it out, then it is now", i + 1);
}

fw_status monitor_body_outcomes(fw_telemetry_outcomes *out, monitor_body *b, const char *bytes, size_t len, fw_error *err)
{
    json_t *list = NULL, *row = NULL;
    FW_TRY(monitor_body_parse(b, bytes, len, NAMES("model", "outcomes"), err));
    FW_TRY(needed_text(&out->model, b, "model", err));
    FW_TRY(rows_of(&list, b, "outcomes", err));
    out->n = json_array_size(list);
    FW_TRY(fw_alloc_zeroed((void **)&b->outcomes, out->n, sizeof *b->outcomes, "outcomes", err));
    for (size_t i = 0; i < out->n; i++) {
        fw_outcome *o = &b->outcomes[i];
        FW_TRY(row_of(&row, list, i, NAMES("id", "outcome", "time"), err));
        FW_TRY(text_of(&o->id, row, i, "id", false, err));
        FW_TRY(text_of(&o->outcome, row, i, "outcome", true, err));
        FW_TRY(time_of(&o->at_us, row, i, err));
    }
    out->rows = b->outcomes;
    return FW_OK;
}

fw_status monitor_body_kpi(fw_telemetry_kpi *out, monitor_body *b, const char *bytes, size_t len, fw_error *err)
{
    json_t *list = NULL, *row = NULL;
    FW_TRY(monitor_body_parse(b, bytes, len, NAMES("project", "name", "events"), err));
    FW_TRY(needed_text(&out->project, b, "project", err));
    FW_TRY(needed_text(&out->name, b, "name", err));
    FW_TRY(rows_of(&list, b, "events", err));
    out->n = json_array_size(list);
    FW_TRY(fw_alloc_zeroed((void **)&b->events, out->n, sizeof *b->events, "KPI events", err));
    for (size_t i = 0; i < out->n; i++) {
        fw_kpi_event *e = &b->events[i];
        FW_TRY(row_of(&row, list, i, NAMES("id", "value", "time"), err));
        FW_TRY(text_of(&e->id, row, i, "id", false, err));
        const json_t *value = json_object_get(row, "value");
        if (!json_is_number(value)) return fw_fail(err, FW_ERR_ARG, "row %zu: value is missing, or no number", i + 1);
        e->value = json_number_value(value);
        FW_TRY(time_of(&e->at_us, row, i, err));
    }
    out->rows = b->events;
    return FW_OK;
}
