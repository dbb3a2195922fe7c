#include "monitor/store_outcomes.h"

#include <math.h>
#include <string.h>

/* ---- keeping ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status keep_prediction(void *context, const monitor_waiting_prediction_row *row, bool keep, fw_error *err)
{
    monitor_store *s = ((monitor_store_shelf *)context)->store;
    return keep ? monitor_store_put_waiting_prediction(s, row, err) : monitor_store_remove_waiting_prediction(s, row, err);
}

static fw_status keep_outcome(void *context, const monitor_waiting_outcome_row *row, bool keep, fw_error *err)
{
    monitor_store *s = ((monitor_store_shelf *)context)->store;
    return keep ? monitor_store_put_waiting_outcome(s, row, err) : monitor_store_remove_waiting_outcome(s, row, err);
}

static fw_status keep_state(void *context, const char *key, monitor_bytes bytes, fw_error *err)
{
    const monitor_store_shelf *s = context;
    const monitor_state_row row = {.key = key, .at_us = s->now_us, .bytes = bytes};
    return bytes.len > 0 ? monitor_store_put_state(s->store, &row, err) : monitor_store_remove_state(s->store, &row, err);
}

static double reference_of(const fw_reference *r, const char *metric)
{
    for (size_t i = 0; r != NULL && i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, metric) == 0) return r->metrics[i].value;
    return NAN;
}

static fw_status tell(void *context, const monitor_quality_window *w, fw_error *err)
{
    const monitor_store_shelf *s = context;
    for (fw_quality_metric m = 0; m < FW_N_QUALITIES; m++) {
        const fw_interval *got = &w->realised.of[m];
        if (isnan(got->value) && isnan(w->estimated.of[m].value)) continue;
        const monitor_performance_row row = {
            .model = w->model, .window = (int64_t)w->window, .metric = fw_quality_name(m), .realised = got->value, .low = got->low, .high = got->high,
            .estimated = w->estimated.of[m].value, .reference = reference_of(s->reference, fw_quality_name(m)),
            .labelled = w->rows > 0 ? (double)w->labelled / (double)w->rows : NAN};
        if (s->store != NULL) FW_TRY(monitor_store_put_performance(s->store, &row, err));
    }
    return s->heard != NULL ? s->heard(s->context, w, err) : FW_OK;
}

static fw_status tell_kpi(void *context, const monitor_kpi_window *w, fw_error *err)
{
    const monitor_store_shelf *s = context;
    const monitor_kpi_row row = {.name = w->name, .at_us = w->from_us, .value = w->value.value, .baseline = w->baseline, .target = w->target};
    if (s->store != NULL) FW_TRY(monitor_store_put_kpi(s->store, &row, err));
    return s->heard_kpi != NULL ? s->heard_kpi(s->context, w, err) : FW_OK;
}

monitor_shelf monitor_store_shelf_of(monitor_store_shelf *s)
{
    if (s->store == NULL) return (monitor_shelf){.context = s, .tell = tell};
    return (monitor_shelf){.context = s, .keep_prediction = keep_prediction, .keep_outcome = keep_outcome, .keep_state = keep_state, .tell = tell};
}

monitor_kpi_teller monitor_store_teller_of(monitor_store_shelf *s) { return (monitor_kpi_teller){.context = s, .tell = tell_kpi}; }

/* ---- restoring ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct restoring {
    monitor_outcomes *outcomes;
    monitor_kpi *kpi;
    int64_t now_us;
    size_t *left_out;
    fw_error *why;
} restoring;

/* What is damaged is left out; all else stops. */
static fw_status judge(const restoring *r, fw_status s, const fw_error *reason, fw_error *err)
{
    if (s != FW_ERR_DATA) return s < 0 ? fw_fail(err, s, "%s", reason->text) : FW_OK;
    if ((*r->left_out)++ == 0 && r->why != NULL) *r->why = *reason;
    return FW_OK;
}

static fw_status one_state(void *context, const monitor_state_row *row, fw_error *err)
{
    const restoring *r = context;
    fw_error reason = {0};
    const fw_status s = r->outcomes != NULL ? monitor_outcomes_restore_state(r->outcomes, row->key, row->bytes, &reason)
                                            : monitor_kpi_restore_state(r->kpi, row->key, row->bytes, &reason);
    return judge(r, s, &reason, err);
}

static fw_status one_prediction(void *context, const monitor_waiting_prediction_row *row, fw_error *err)
{
    const restoring *r = context;
    fw_error reason = {0};
    return judge(r, monitor_outcomes_restore_prediction(r->outcomes, row, r->now_us, &reason), &reason, err);
}

static fw_status one_outcome(void *context, const monitor_waiting_outcome_row *row, fw_error *err)
{
    const restoring *r = context;
    fw_error reason = {0};
    const fw_status s = r->outcomes != NULL ? monitor_outcomes_restore_outcome(r->outcomes, row, r->now_us, &reason)
                                            : monitor_kpi_restore_event(r->kpi, row, r->now_us, &reason);
    return judge(r, s, &reason, err);
}

fw_status monitor_outcomes_restore(monitor_outcomes *o, int64_t model, monitor_reader *reader, int64_t now_us, size_t *left_out, fw_error *why, fw_error *err)
{
    restoring r = {.outcomes = o, .now_us = now_us, .left_out = left_out, .why = why};
    const monitor_query of_model = {.model = model};
    *left_out = 0;
    FW_TRY(monitor_read_state(reader, NULL, one_state, &r, err));
    FW_TRY(monitor_read_waiting_prediction(reader, &of_model, one_prediction, &r, err));
    return monitor_read_waiting_outcome(reader, &of_model, one_outcome, &r, err);
}

fw_status monitor_kpi_restore(monitor_kpi *k, monitor_reader *reader, int64_t now_us, size_t *left_out, fw_error *why, fw_error *err)
{
    restoring r = {.kpi = k, .now_us = now_us, .left_out = left_out, .why = why};
    *left_out = 0;
    FW_TRY(monitor_read_state(reader, NULL, one_state, &r, err));
    return monitor_read_waiting_outcome(reader, NULL, one_outcome, &r, err);
}
