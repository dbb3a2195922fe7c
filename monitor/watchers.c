#include "monitor/watchers.h"

#include <stdlib.h>

struct monitor_watchers {
    monitor_store *store;
    const char *store_path, *from;
    monitor_watch *models;
    monitor_quality *quality;
    monitor_kpis *kpis;
    monitor_experiments *experiments;
};

static fw_status fill(monitor_watchers *w, const monitor_watchers_opts *o, fw_error *err)
{
    const monitor_judging *j = &o->judging;
    const monitor_version_opts version = {.metric = j->metric, .drop = j->drop, .deviations = j->deviations, .false_alarms = j->false_alarms, .store = o->watch.store, .desk = o->watch.desk};
    w->store = o->watch.store;
    w->store_path = o->store_path;
    w->from = "";
    FW_TRY(monitor_watch_create(&w->models, &o->watch, err));
    FW_TRY(monitor_quality_create(&w->quality, &(monitor_quality_opts){version, w->models, o->store_path, &o->next}, err));
    FW_TRY(monitor_kpis_create(&w->kpis, &(monitor_kpis_opts){j->project, j->kpi, o->watch.store, o->store_path, o->watch.desk, j->false_alarms}, err));
    return monitor_experiments_create(&w->experiments, err);
}

fw_status monitor_watchers_create(monitor_watchers **out, const monitor_watchers_opts *opts, fw_error *err)
{
    FW_AUTO(monitor_watchers) *w = calloc(1, sizeof *w);
    if (w == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: watchers");
    FW_TRY(fill(w, opts, err));
    *out = w;
    w = NULL;
    return FW_OK;
}

void monitor_watchers_destroy(monitor_watchers **watchers)
{
    monitor_watchers *w = *watchers;
    if (w == NULL) return;
    monitor_experiments_destroy(&w->experiments);
    monitor_kpis_destroy(&w->kpis);
    monitor_quality_destroy(&w->quality);
    monitor_watch_destroy(&w->models);
    free(w);
    *watchers = NULL;
}

static fw_status load_experiments(monitor_watchers *w, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    FW_TRY(monitor_reader_open(&reader, w->store_path, err));
    return monitor_experiments_load(w->experiments, reader, err);
}

fw_status monitor_watchers_restore(monitor_watchers *w, fw_mono now, fw_error *err)
{
    FW_TRY(monitor_watch_restore(w->models, w->store_path, now, err));
    FW_TRY(monitor_quality_restore(w->quality, err));
    FW_TRY(monitor_kpis_restore(w->kpis, err));
    return load_experiments(w, err);
}

/* ---- what the intake gives ----------------------------------------------------------------------------------------------------------------- */

static fw_status on_predicted(void *context, const monitor_model *m, uint64_t window, const fw_prediction *rows, size_t n, int64_t made_us, fw_error *err)
{
    const monitor_watchers *w = context;
    return monitor_quality_predicted(w->quality, m, window, rows, n, made_us, err);
}

static void on_lost(void *context, const char *name, const char *digest, uint64_t messages)
{
    const monitor_watchers *w = context;
    monitor_watch_lost(w->models, name, digest, messages);
}

static fw_status on_other(void *context, fw_telemetry_batch *b, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err)
{
    const monitor_watchers *w = context;
    switch (b->kind) {
    case FW_TELEMETRY_MODEL:
    case FW_TELEMETRY_SUMMARY: return monitor_watch_take(w->models, b, bytes, len, now, why, err);
    case FW_TELEMETRY_OUTCOMES: return monitor_quality_take(w->quality, b, why, err);
    case FW_TELEMETRY_KPI: return monitor_kpis_take(w->kpis, b, why, err);
    case FW_TELEMETRY_PROGRESS: return monitor_experiments_take(w->experiments, w->from, b->time_us, &b->progress, err);
    case FW_TELEMETRY_PREDICTIONS:
    case FW_TELEMETRY_ALERT:
    case FW_TELEMETRY_END: break;
    }
    return FW_OK;
}

monitor_sink   monitor_watchers_sink(monitor_watchers *w) { return monitor_quality_sink(w->quality); }
monitor_others monitor_watchers_others(monitor_watchers *w) { return (monitor_others){.context = w, .predicted = on_predicted, .lost = on_lost, .take = on_other}; }
bool           monitor_watchers_has(const monitor_watchers *w, const monitor_model *m) { return monitor_watch_has(w->models, m->name, m->digest); }

size_t         monitor_watchers_n(const monitor_watchers *w) { return monitor_watch_n(w->models); }

void monitor_watchers_from(monitor_watchers *w, const char *publisher, const char *address)
{
    w->from = publisher;
    monitor_watch_from(w->models, address);
}

/* ---- now and then -------------------------------------------------------------------------------------------------------------------------- */

fw_status monitor_watchers_tick(monitor_watchers *w, fw_mono now, fw_error *err) { return monitor_watch_tick(w->models, now, err); }
fw_status monitor_watchers_finish(monitor_watchers *w, fw_error *err) { return monitor_watch_finish(w->models, err); }

fw_status monitor_watchers_save(monitor_watchers *w, int64_t now_us, fw_error *err)
{
    FW_TRY(monitor_watch_save(w->models, err));
    FW_TRY(monitor_quality_save(w->quality, now_us, err));
    FW_TRY(monitor_kpis_save(w->kpis, now_us, err));
    return w->store != NULL ? monitor_experiments_save(w->experiments, w->store, err) : FW_OK;
}
