#include "monitor/watch_kpi.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "monitor/doubt.h"
#include "monitor/store_reader.h"

#define STATE_KEY "kpi/"
#define PROOF_KEY "fall/kpi/"

typedef struct followed { char *name; monitor_kpi *kpi; } followed;

struct monitor_kpis {
    monitor_kpis_opts opts;
    char *project, *goal;
    monitor_store_shelf shelf;
    monitor_proof proof;                   /* of the goal; n 0: it has no baseline, or there is nobody to tell */
    followed of[MONITOR_KPIS]; size_t n;
};

static bool is_goal(const monitor_kpis *k, const char *name) { return k->goal != NULL && strcmp(k->goal, name) == 0; }

static void on_event(void *context, const char *name, double value)
{
    monitor_kpis *k = ((const monitor_store_shelf *)context)->context;
    if (is_goal(k, name)) monitor_doubt_event(&k->proof, &k->opts.goal, value);
}

static fw_status hear(void *context, const monitor_kpi_window *w, fw_error *err)
{
    monitor_kpis *k = context;
    monitor_finding f;
    if (k->proof.n == 0 || !is_goal(k, w->name)) return FW_OK;
    monitor_doubt_window(&k->proof, w);
    if (!monitor_performance_kpi(&f, w, monitor_proof_sure(&k->proof))) return FW_OK;
    monitor_proof_judge(&k->proof, f.look.level, f.look.threshold);
    return monitor_alert_desk_look(k->opts.desk, &f.look, fw_utc_now_us(), err);
}

/* ---- one KPI ------------------------------------------------------------------------------------------------------------------------------- */

static monitor_kpi *find(const monitor_kpis *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->of[i].name, name) == 0) return k->of[i].kpi;
    return NULL;
}

/* FW_ERR_ARG, FW_ERR_DATA: it can't be. */
static fw_status follow(monitor_kpi **out, monitor_kpis *k, const char *name, fw_error *err)
{
    *out = find(k, name);
    if (*out != NULL) return FW_OK;
    if (k->n == MONITOR_KPIS) return fw_fail(err, FW_ERR_DATA, "events of KPI '%.60s': %u are followed, no more", name, MONITOR_KPIS);
    monitor_kpi_opts opts = {.baseline = NAN, .target = NAN};
    if (is_goal(k, name)) opts = k->opts.goal;
    opts.name = name;
    const monitor_shelf shelf = monitor_store_shelf_of(&k->shelf);
    monitor_kpi_teller teller = monitor_store_teller_of(&k->shelf);
    teller.took = on_event;
    followed f = {0};
    FW_TRY(monitor_kpi_create(&f.kpi, &opts, &shelf, &teller, err));
    const fw_status s = fw_copy_text(&f.name, name, err);
    if (s < 0) {
        monitor_kpi_destroy(&f.kpi);
        return s;
    }
    k->of[k->n++] = f;
    *out = f.kpi;
    return FW_OK;
}

fw_status monitor_kpis_create(monitor_kpis **out, const monitor_kpis_opts *opts, fw_error *err)
{
    monitor_kpi *goal = NULL;
    FW_AUTO(monitor_kpis) *k = calloc(1, sizeof *k);
    if (k == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: KPIs");
    k->opts = *opts;
    k->shelf = (monitor_store_shelf){.store = opts->store, .now_us = fw_utc_now_us(), .context = k, .heard_kpi = hear};
    if (opts->project != NULL) FW_TRY(fw_copy_text(&k->project, opts->project, err));
    if (opts->goal.name != NULL) FW_TRY(fw_copy_text(&k->goal, opts->goal.name, err));
    if (k->goal != NULL && k->opts.desk != NULL) k->proof = monitor_doubt_of_kpi(&k->opts.goal, opts->false_alarms > 0 ? opts->false_alarms : MONITOR_FALSE_ALARMS);
    if (k->goal != NULL) FW_TRY(follow(&goal, k, k->goal, err));
    *out = k;
    k = NULL;
    return FW_OK;
}

void monitor_kpis_destroy(monitor_kpis **kpis)
{
    monitor_kpis *k = *kpis;
    if (k == NULL) return;
    for (size_t i = 0; i < k->n; i++) {
        free(k->of[i].name);
        monitor_kpi_destroy(&k->of[i].kpi);
    }
    free(k->project);
    free(k->goal);
    free(k);
    *kpis = NULL;
}

/* ---- events -------------------------------------------------------------------------------------------------------------------------------- */

/* What it is called here. */
static fw_status name_of(fw_text *out, const monitor_kpis *k, const fw_telemetry_kpi *b, fw_error *err)
{
    if (k->project == NULL || strcmp(k->project, b->project) == 0) fw_text_add(out, b->name);
    else fw_text_format(out, "%s:%s", b->project, b->name);
    return fw_text_check(out, err);
}

static fw_status take_rows(monitor_kpi *kpi, const fw_telemetry_batch *b, fw_error *why, fw_error *err)
{
    const int64_t now_us = fw_utc_now_us();
    for (size_t i = 0; i < b->kpi.n; i++) {
        const fw_kpi_event *e = &b->kpi.rows[i];
        FW_TRY(monitor_kpi_take(kpi, e->id, e->value, e->at_us > 0 ? e->at_us : b->time_us, now_us, why->status < 0 ? NULL : why, err));
    }
    return FW_OK;
}

fw_status monitor_kpis_take(monitor_kpis *k, const fw_telemetry_batch *b, fw_error *why, fw_error *err)
{
    FW_AUTO(fw_text) name = {0};
    monitor_kpi *kpi = NULL;
    fw_error reason = {0};
    if (b->kind != FW_TELEMETRY_KPI) return FW_OK;
    FW_TRY(name_of(&name, k, &b->kpi, err));
    const fw_status s = follow(&kpi, k, name.data, &reason);
    if (s == FW_ERR_NOMEM) return fw_fail(err, s, "%s", reason.text);
    if (s >= 0) FW_TRY(take_rows(kpi, b, &reason, err));
    if (why != NULL) *why = reason;
    return FW_OK;
}

/* ---- keeping ------------------------------------------------------------------------------------------------------------------------------- */

static fw_status put_proof(monitor_kpis *k, int64_t now_us, fw_error *err)
{
    FW_AUTO(fw_text) key = {0}, bytes = {0};
    if (k->proof.n == 0) return FW_OK;
    FW_TRY(monitor_proof_save(&k->proof, NULL, &bytes, err));
    if (bytes.len == 0 || k->opts.store == NULL) return FW_OK;
    fw_text_format(&key, PROOF_KEY "%s", k->goal);
    FW_TRY(fw_text_check(&key, err));
    return monitor_store_put_state(k->opts.store, &(monitor_state_row){.key = key.data, .at_us = now_us, .bytes = {bytes.data, bytes.len}}, err);
}

fw_status monitor_kpis_save(monitor_kpis *k, int64_t now_us, fw_error *err)
{
    k->shelf.now_us = now_us;
    for (size_t i = 0; i < k->n; i++) FW_TRY(monitor_kpi_flush(k->of[i].kpi, now_us, err));
    return put_proof(k, now_us, err);
}

static fw_status restore_proof(void *context, const monitor_state_row *row, fw_error *err)
{
    monitor_kpis *k = context;
    fw_error why = {0};
    (void)err;
    if (k->proof.n == 0 || strncmp(row->key, PROOF_KEY, strlen(PROOF_KEY)) != 0 || !is_goal(k, row->key + strlen(PROOF_KEY))) return FW_OK;
    if (monitor_proof_restore(&k->proof, NULL, row->bytes.data, row->bytes.len, &why) < 0) fw_log_warn("KPI %s: store, state %s: %s", k->goal, row->key, why.text);
    return FW_OK;
}

/* A state "kpi/NAME/TIME": its KPI is followed. */
static fw_status follow_state(void *context, const monitor_state_row *row, fw_error *err)
{
    monitor_kpis *k = context;
    monitor_kpi *kpi = NULL;
    FW_AUTO(fw_text) name = {0};
    fw_error why = {0};
    const char *end = strrchr(row->key, '/');
    const size_t n = strlen(STATE_KEY);
    if (strncmp(row->key, STATE_KEY, n) != 0 || end <= row->key + n) return FW_OK;
    fw_text_format(&name, "%.*s", (int)(end - row->key - (ptrdiff_t)n), row->key + n);
    FW_TRY(fw_text_check(&name, err));
    const fw_status s = follow(&kpi, k, name.data, &why);
    if (s == FW_ERR_NOMEM) return fw_fail(err, s, "%s", why.text);
    if (s < 0) fw_log_warn("store: state %s is left out: %s", row->key, why.text);
    return FW_OK;
}

fw_status monitor_kpis_restore(monitor_kpis *k, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    FW_TRY(monitor_reader_open(&reader, k->opts.store_path, err));
    FW_TRY(monitor_read_state(reader, NULL, follow_state, k, err));
    FW_TRY(monitor_read_state(reader, NULL, restore_proof, k, err));
    for (size_t i = 0; i < k->n; i++) {
        fw_error why = {0};
        size_t left_out = 0;
        FW_TRY(monitor_kpi_restore(k->of[i].kpi, reader, fw_utc_now_us(), &left_out, &why, err));
        if (left_out > 0) fw_log_warn("KPI %s: %zu states are left out: %s", k->of[i].name, left_out, why.text);
    }
    return FW_OK;
}
