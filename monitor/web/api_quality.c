/** GET /api/drift, /api/histogram, /api/performance, /api/kpi: how the model's world has changed, and how well it does. */
#include <stdio.h>
#include <string.h>

#include "monitor/bodies.h"
#include "monitor/store_drift.h"
#include "monitor/web/json.h"
#include "monitor/web/rows.h"

static fw_status add_drift(void *context, const monitor_drift_row *d, fw_error *err)
{
    return monitor_page_add(context,
                            json_pack("{s:I, s:s, s:s, s:o, s:o, s:I, s:o, s:o}", "window", (json_int_t)d->window, "feature", d->feature, "test", d->test, "statistic",
                                      monitor_json_real(d->statistic), "threshold", monitor_json_real(d->threshold), "effect", (json_int_t)d->effect, "evidence",
                                      monitor_json_real(d->evidence), "p", monitor_json_real(d->p)),
                            d->window, err);
}

static fw_status newest_window(void *context, const monitor_drift_row *d, fw_error *err)
{
    (void)err;
    *(int64_t *)context = d->window;
    return FW_END;
}

/** All features in the newest window; with `feature`, or with `since` (the number of a window), the windows one after another. */
MONITOR_ANSWER(drift)
{
    FW_AUTO(monitor_page) page = {0};
    FW_AUTO(monitor_asked_model) model = {0};
    FW_TRY(monitor_asked_model_find(&model, ask, err));
    FW_TRY(monitor_page_begin(&page, ask, 1000, 10000, err));
    page.query.model = model.model;
    page.query.name = monitor_target_get(ask->target, "feature");
    if (page.query.name == NULL && page.query.from == 0)
        FW_TRY(monitor_read_drift(ask->reader, &(monitor_query){.model = model.model, .newest_first = true, .limit = 1}, newest_window, &page.query.window, err));
    FW_TRY(monitor_read_drift(ask->reader, &page.query, add_drift, &page, err));
    return monitor_page_answer(&page, out, json_incref(model.about), "drift", err);
}

static json_t *column_of(const json_t *state, const char *name)
{
    const json_t *columns = json_object_get(state, "columns");
    for (size_t i = 0; i < json_array_size(columns); i++) {
        json_t *column = json_array_get(columns, i);
        const char *its = json_string_value(json_object_get(column, "name"));
        if (its != NULL && strcmp(its, name) == 0) return json_incref(column);
    }
    return json_null();
}

static fw_status read_column(json_t **out, const monitor_ask *ask, const char *kind, int64_t model, const char *name, json_t **window, fw_error *err)
{
    char key[64];
    json_t *state = NULL;
    snprintf(key, sizeof key, "%s%lld", kind, (long long)model);
    FW_TRY(monitor_read_json_state(&state, ask->reader, key, err));
    *out = column_of(state, name);
    json_t *number = json_object_get(state, "window");
    if (window != NULL) *window = number != NULL ? json_incref(number) : json_null();
    json_decref(state);
    return FW_OK;
}

/** One column's counts: in the reference, with its bins, and in the newest window. */
MONITOR_ANSWER(histogram)
{
    FW_AUTO(monitor_asked_model) model = {0};
    json_t *reference = NULL, *current = NULL, *window = NULL;
    const char *feature = monitor_target_get(ask->target, "feature");
    if (feature == NULL) return fw_fail(err, FW_ERR_ARG, "which feature? write &feature=NAME; /api/drift has the names");
    FW_TRY(monitor_asked_model_find(&model, ask, err));
    FW_TRY(read_column(&reference, ask, MONITOR_REFERENCE_KEY, model.model, feature, NULL, err));
    const fw_status status = read_column(&current, ask, MONITOR_CURRENT_KEY, model.model, feature, &window, err);
    if (status < 0) {
        json_decref(reference);
        return status;
    }
    json_t *body = json_incref(model.about);
    json_object_set_new(body, "feature", json_string(feature));
    json_object_set_new(body, "window", window);
    json_object_set_new(body, "reference", reference);
    json_object_set_new(body, "current", current);
    return monitor_json_answer(out, body, err);
}

static fw_status add_performance(void *context, const monitor_performance_row *p, fw_error *err)
{
    return monitor_page_add(context,
                            json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "window", (json_int_t)p->window, "metric", p->metric, "realised",
                                      monitor_json_real(p->realised), "low", monitor_json_real(p->low), "high", monitor_json_real(p->high), "estimated",
                                      monitor_json_real(p->estimated), "reference", monitor_json_real(p->reference), "labelled", monitor_json_real(p->labelled)),
                            p->window, err);
}

/** since: the number of a window. */
MONITOR_ANSWER(performance)
{
    FW_AUTO(monitor_page) page = {0};
    FW_AUTO(monitor_asked_model) model = {0};
    FW_TRY(monitor_asked_model_find(&model, ask, err));
    FW_TRY(monitor_page_begin(&page, ask, 1000, 10000, err));
    page.query.model = model.model;
    page.query.name = monitor_target_get(ask->target, "metric");
    FW_TRY(monitor_read_performance(ask->reader, &page.query, add_performance, &page, err));
    return monitor_page_answer(&page, out, json_incref(model.about), "performance", err);
}

static fw_status add_kpi(void *context, const monitor_kpi_row *k, fw_error *err)
{
    return monitor_page_add(context,
                            json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", k->name, "at", monitor_json_time(k->at_us), "value", monitor_json_real(k->value), "baseline",
                                      monitor_json_real(k->baseline), "target", monitor_json_real(k->target)),
                            k->at_us, err);
}

/** since: microseconds since 1970. */
MONITOR_ANSWER(kpi)
{
    FW_AUTO(monitor_page) page = {0};
    FW_TRY(monitor_page_begin(&page, ask, 200, 1000, err));
    page.query.name = monitor_target_get(ask->target, "name");
    FW_TRY(monitor_read_kpi(ask->reader, &page.query, add_kpi, &page, err));
    return monitor_page_answer(&page, out, json_object(), "kpi", err);
}
