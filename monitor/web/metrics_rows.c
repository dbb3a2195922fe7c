#include "monitor/web/metrics_rows.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "monitor/bodies.h"
#include "monitor/store_drift.h"

/** Whole characters of it. */
static void copy(monitor_label out, const char *s)
{
    size_t n = s != NULL ? strnlen(s, MONITOR_METRICS_LABEL - 1) : 0;
    if (n > 0) memcpy(out, s, n = fw_utf8_valid(s, n));
    out[n] = '\0';
}

/** A place behind the array's last, zeroed. NULL: there is no room (which is counted), or no memory (then *failed). */
static void *place(monitor_metrics_rows *rows, void *array, size_t *n, size_t *room, size_t bytes, size_t most, fw_status *failed, fw_error *err)
{
    void **a = array;
    if (*n == most) {
        rows->left_out++;
        return NULL;
    }
    *failed = fw_grow(a, room, *n + 1, bytes, "rows of /metrics", err);
    if (*failed < 0) return NULL;
    void *at = (char *)*a + (*n)++ * bytes;
    memset(at, 0, bytes);
    return at;
}
#define PLACE(rows, noun, most, failed, err) place(rows, &(rows)->noun, &(rows)->n_##noun, &(rows)->noun##_room, sizeof *(rows)->noun, most, failed, err)

/* ---- models and their newest window ---- */

static fw_status take_model(void *context, const monitor_model_row *row, fw_error *err)
{
    monitor_metrics_rows *rows = context;
    fw_status s = FW_OK;
    monitor_metrics_model *m = PLACE(rows, models, MONITOR_METRICS_MODELS, &s, err);
    if (m == NULL) return s;
    *m = (monitor_metrics_model){.model = row->model, .predictions = row->predictions, .last_us = row->last_us, .newest = true, .rate = NAN, .confidence = NAN,
                                 .latency_s = {NAN, NAN, NAN}, .late = NAN, .clock = NAN};
    copy(m->name, row->name);
    copy(m->version, row->digest);
    m->version[12] = '\0';
    for (size_t i = 0; i + 1 < rows->n_models; i++) {
        if (strcmp(rows->models[i].name, m->name) != 0) continue;
        m->newest = false;
        if (strcmp(rows->models[i].version, m->version) == 0) snprintf(m->version + 12, sizeof m->version - 12, "-%lld", (long long)row->model);
    }
    return FW_OK;
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static fw_status take_window(void *context, const monitor_window_row *row, fw_error *err)
{
    (void)err;
    monitor_metrics_model *m = context;
    json_t *body = row->body != NULL ? json_loads(row->body, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *latency = json_object_get(body, "latency");
    m->window = row->number;
    m->window_rows = row->rows;
    m->rate = number_of(body, "rate");
    m->confidence = number_of(body, "confidence");
    m->latency_s[0] = number_of(latency, "p50");
    m->latency_s[1] = number_of(latency, "p90");
    m->latency_s[2] = number_of(latency, "p99");
    json_decref(body);
    return FW_OK;
}

static fw_status take_misplaced(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    monitor_metrics_model *m = context;
    json_t *body = json_loadb(row->bytes.data, row->bytes.len, JSON_REJECT_DUPLICATES, NULL);
    m->late = number_of(body, "late");
    m->clock = number_of(body, "clock");
    json_decref(body);
    return FW_OK;
}

static fw_status read_misplaced(monitor_metrics_model *m, monitor_reader *r, fw_error *err)
{
    char key[64];
    snprintf(key, sizeof key, MONITOR_MISPLACED_KEY "%lld", (long long)m->model);
    return monitor_read_state(r, &(monitor_query){.name = key}, take_misplaced, m, err);
}

/* ---- what hangs on the newest version of a model ---- */

typedef struct of_model { monitor_metrics_rows *rows; const char *name; int64_t window; } of_model;

static fw_status find_drift(void *context, const monitor_drift_row *row, fw_error *err)
{
    (void)err;
    ((of_model *)context)->window = row->window;
    return FW_END;
}

static fw_status find_performance(void *context, const monitor_performance_row *row, fw_error *err)
{
    (void)err;
    ((of_model *)context)->window = row->window;
    return FW_END;
}

static fw_status take_drift(void *context, const monitor_drift_row *row, fw_error *err)
{
    of_model *of = context;
    fw_status s = FW_OK;
    monitor_metrics_drift *d = PLACE(of->rows, drift, MONITOR_METRICS_DRIFT, &s, err);
    if (d == NULL) return s;
    *d = (monitor_metrics_drift){.statistic = row->statistic, .threshold = row->threshold, .evidence = row->evidence};
    copy(d->model, of->name);
    copy(d->feature, row->feature);
    copy(d->test, row->test);
    return FW_OK;
}

static fw_status take_performance(void *context, const monitor_performance_row *row, fw_error *err)
{
    of_model *of = context;
    fw_status s = FW_OK;
    monitor_metrics_performance *p = PLACE(of->rows, performance, MONITOR_METRICS_PERFORMANCE, &s, err);
    if (p == NULL) return s;
    *p = (monitor_metrics_performance){.realised = row->realised, .estimated = row->estimated, .reference = row->reference, .labelled = row->labelled};
    copy(p->model, of->name);
    copy(p->metric, row->metric);
    return FW_OK;
}

static fw_status read_model(monitor_metrics_rows *rows, monitor_metrics_model *m, monitor_reader *r, fw_error *err)
{
    of_model drift = {rows, m->name, 0}, performance = {rows, m->name, 0};
    const monitor_query newest = {.model = m->model, .newest_first = true, .limit = 1};
    FW_TRY(monitor_read_window(r, &newest, take_window, m, err));
    FW_TRY(monitor_read_drift(r, &newest, find_drift, &drift, err));
    if (drift.window != 0) FW_TRY(monitor_read_drift(r, &(monitor_query){.model = m->model, .window = drift.window}, take_drift, &drift, err));
    FW_TRY(monitor_read_performance(r, &newest, find_performance, &performance, err));
    if (performance.window == 0) return FW_OK;
    return monitor_read_performance(r, &(monitor_query){.model = m->model, .window = performance.window}, take_performance, &performance, err);
}

/* ---- the rest ---- */

static fw_status take_kpi(void *context, const monitor_kpi_row *row, fw_error *err)
{
    monitor_metrics_rows *rows = context;
    monitor_label name;
    fw_status s = FW_OK;
    copy(name, row->name);
    for (size_t i = 0; i < rows->n_kpi; i++)
        if (strcmp(rows->kpi[i].name, name) == 0) return FW_OK;      /* the newest came first */
    monitor_metrics_kpi *k = PLACE(rows, kpi, MONITOR_METRICS_KPI, &s, err);
    if (k == NULL) return s;
    *k = (monitor_metrics_kpi){.value = row->value, .baseline = row->baseline, .target = row->target};
    copy(k->name, row->name);
    return FW_OK;
}

static fw_status take_alert(void *context, const monitor_alert_row *row, fw_error *err)
{
    monitor_metrics_rows *rows = context;
    monitor_metrics_alerts *a = NULL;
    monitor_label model;
    fw_status s = FW_OK;
    copy(model, row->name);
    for (size_t i = 0; i < rows->n_alerts && a == NULL; i++)
        if (strcmp(rows->alerts[i].model, model) == 0 && strcmp(rows->alerts[i].kind, row->kind) == 0) a = &rows->alerts[i];
    if (a == NULL) {
        a = PLACE(rows, alerts, MONITOR_METRICS_ALERTS, &s, err);
        if (a == NULL) return s;
        copy(a->model, row->name);
        copy(a->kind, row->kind);
    }
    a->raised++;
    a->open += row->resolved_us == 0;
    return FW_OK;
}

/** Those of the object that are numbers. */
static fw_status add_reasons(monitor_metrics_rows *rows, const char *publisher, bool refused, json_t *reasons, fw_error *err)
{
    const char *reason;
    json_t *n;
    fw_status s = FW_OK;
    json_object_foreach(reasons, reason, n) {
        monitor_metrics_reason *r = s == FW_OK && json_is_integer(n) ? PLACE(rows, reasons, MONITOR_METRICS_REASONS, &s, err) : NULL;
        if (r == NULL) continue;
        copy(r->publisher, publisher);
        copy(r->reason, reason);
        r->refused = refused;
        r->n = (int64_t)json_integer_value(n);
    }
    return s;
}

static fw_status take_reasons(monitor_metrics_rows *rows, const char *publisher, const char *text, fw_error *err)
{
    json_t *reasons = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    fw_status s = add_reasons(rows, publisher, false, reasons, err);
    if (s >= 0) s = add_reasons(rows, publisher, true, json_object_get(reasons, "refused"), err);
    json_decref(reasons);
    return s;
}

/** Several publishers may go by one name: then each is told by its stream as well, so that no two samples have the same labels. */
static void name_publisher(const monitor_metrics_rows *rows, monitor_metrics_publisher *p, const char *name)
{
    copy(p->name, name != NULL && *name != '\0' ? name : p->stream);
    for (size_t i = 0; i + 1 < rows->n_publishers; i++) {
        if (strcmp(rows->publishers[i].name, p->name) != 0) continue;
        const size_t n = FW_MIN(strlen(p->name), MONITOR_METRICS_LABEL - 32), whole = fw_utf8_valid(p->name, n);
        snprintf(p->name + whole, sizeof p->name - whole, "/%s-%zu", p->stream, rows->n_publishers);
        return;
    }
}

static fw_status take_publisher(void *context, const monitor_publisher_row *row, fw_error *err)
{
    monitor_metrics_rows *rows = context;
    fw_status s = FW_OK;
    monitor_metrics_publisher *p = PLACE(rows, publishers, MONITOR_METRICS_PUBLISHERS, &s, err);
    if (p == NULL) return s;
    *p = (monitor_metrics_publisher){.produced = row->produced, .delivered = row->delivered, .spooled = row->spooled, .dropped = row->dropped,
                                     .missing = row->missing, .duplicates = row->duplicates, .malformed = row->malformed, .heard_us = row->heard_us};
    for (size_t i = 0; i < 4 && i < row->stream.len; i++) snprintf(p->stream + 2 * i, 3, "%02x", ((const unsigned char *)row->stream.data)[i]);
    name_publisher(rows, p, row->name);
    return take_reasons(rows, p->name, row->reasons, err);
}

static fw_status read_all(monitor_metrics_rows *rows, monitor_reader *r, fw_error *err)
{
    const monitor_query newest = {.newest_first = true, .limit = 10000};
    uint64_t used = 0;
    FW_TRY(monitor_reader_size(r, &rows->store_bytes, &used, err));
    FW_TRY(monitor_read_model(r, &newest, take_model, rows, err));
    for (size_t i = 0; i < rows->n_models; i++) {
        FW_TRY(read_misplaced(&rows->models[i], r, err));
        if (rows->models[i].newest) FW_TRY(read_model(rows, &rows->models[i], r, err));
    }
    FW_TRY(monitor_read_kpi(r, &(monitor_query){.newest_first = true, .limit = 1000}, take_kpi, rows, err));
    FW_TRY(monitor_read_alert(r, &newest, take_alert, rows, err));
    return monitor_read_publisher(r, &newest, take_publisher, rows, err);
}

fw_status monitor_metrics_read(monitor_metrics_rows **out, monitor_reader *r, fw_error *err)
{
    FW_AUTO(monitor_metrics_rows) *rows = calloc(1, sizeof *rows);
    if (rows == NULL) return fw_fail(err, FW_ERR_NOMEM, "dashboard: rows of /metrics");
    if (r != NULL) FW_TRY(read_all(rows, r, err));
    *out = rows;
    rows = NULL;
    return FW_OK;
}

void monitor_metrics_rows_destroy(monitor_metrics_rows **rows)
{
    monitor_metrics_rows *r = rows != NULL ? *rows : NULL;
    if (r == NULL) return;
    free(r->models);
    free(r->drift);
    free(r->performance);
    free(r->kpi);
    free(r->alerts);
    free(r->publishers);
    free(r->reasons);
    free(r);
    *rows = NULL;
}
