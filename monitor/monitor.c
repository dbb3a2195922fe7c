#include "monitor/monitor.h"

#include "common/bus/bus.h"
#include "common/core/log.h"
#include "monitor/intake.h"
#include "monitor/print.h"
#include "monitor/recorder.h"
#include "proto/telemetry.h"

#define LOOK_UP_S     0.2      /* how soon a signal or a due window is noticed */
#define DRAIN_S       1.0      /* at the end, for what has already arrived */
#define DRAIN_QUIET_S 0.05
#define SAID_MALFORMED 10      /* reasons told; more are only counted */

static fw_status subscribe(fw_subscriber **out, fw_bus *bus, const monitor_opts *opts, fw_error *err)
{
    if (opts->n_endpoints == 0) return fw_fail(err, FW_ERR_ARG, "monitor: no endpoint to connect to");
    FW_AUTO(fw_subscriber) *s = NULL;
    FW_TRY(fw_subscriber_create(&s, bus, opts->endpoints[0], FW_TOPIC_PREDICTION, err));
    for (size_t i = 1; i < opts->n_endpoints; i++) FW_TRY(fw_subscriber_connect(s, opts->endpoints[i], err));
    *out = s;
    s = NULL;
    return FW_OK;
}

/** One message, if one comes before the deadline. FW_END: none came. */
static fw_status take_one(monitor_intake *in, fw_subscriber *s, fw_mono deadline, fw_error *err)
{
    const char *topic = NULL;
    const void *bytes = NULL;
    size_t len = 0;
    fw_status status = fw_subscriber_receive(s, &topic, &bytes, &len, deadline, err);
    const char *trouble = fw_subscriber_trouble(s);
    if (trouble != NULL) fw_log_warn("%s", trouble);
    if (status == FW_ERR_TIMEOUT) return FW_END;
    if (status < 0) return status;
    fw_error why = {0};
    FW_TRY(monitor_intake_take(in, topic, bytes, len, fw_mono_now(), &why, err));
    if (why.status < 0 && monitor_intake_count(in).malformed <= SAID_MALFORMED) fw_log_warn("a message was refused: %s", why.text);
    return FW_OK;
}

static fw_status check_output(const monitor_printer *p, fw_error *err)
{
    if (ferror(p->out) || p->failed) return fw_fail(err, FW_ERR_IO, "monitor: cannot write to the output; is its disk full or its reader gone?");
    return FW_OK;
}

/** What one run of the monitor holds. */
typedef struct watch {
    const monitor_opts *opts;
    monitor_printer printer;
    fw_bus *bus;
    fw_subscriber *subscriber;
    monitor_store *store;              /* NULL, and the recorder too: nothing is kept */
    monitor_recorder *recorder;
    monitor_intake *in;
    bool news;                         /* something came since the last commit */
} watch;

static void watch_destroy(watch *w)
{
    monitor_intake_destroy(&w->in);
    monitor_recorder_destroy(&w->recorder);
    monitor_store_close(&w->store);
    fw_subscriber_destroy(&w->subscriber);
    fw_bus_destroy(&w->bus);
}

static fw_status open_store(watch *w, monitor_sink *sink, fw_error *err)
{
    FW_TRY(monitor_store_open(&w->store, w->opts->store, err));
    if (monitor_store_aside(w->store) != NULL) fw_log_warn("the damaged store is now %s; a new one is begun", monitor_store_aside(w->store));
    FW_TRY(monitor_recorder_create(&w->recorder, w->store, sink, err));
    *sink = monitor_recorder_sink(w->recorder);
    return FW_OK;
}

static fw_status open_watch(watch *w, fw_error *err)
{
    const monitor_opts *opts = w->opts;
    monitor_sink sink = monitor_print_sink(&w->printer);
    if (opts->store != NULL) FW_TRY(open_store(w, &sink, err));
    FW_TRY(fw_bus_create(&w->bus, err));
    FW_TRY(fw_bus_secure(w->bus, &opts->identity, err));
    FW_TRY(monitor_intake_create(&w->in, &opts->window, &sink, err));
    if (opts->store != NULL) FW_TRY(monitor_recorder_restore(w->in, opts->store->path, fw_mono_now(), err));
    return subscribe(&w->subscriber, w->bus, opts, err);
}

static fw_status commit(watch *w, fw_error *err)
{
    if (w->recorder == NULL || !w->news) return FW_OK;
    FW_TRY(monitor_recorder_commit(w->recorder, w->in, err));
    w->news = !monitor_store_check(w->store).writing;
    return FW_OK;
}

/** What is due now and then. */
static fw_status look_up(watch *w, fw_error *err)
{
    monitor_intake_tick(w->in, fw_mono_now());
    FW_TRY(check_output(&w->printer, err));
    return commit(w, err);
}

static fw_status watch_stream(watch *w, fw_error *err)
{
    fw_mono due = fw_mono_after(fw_mono_now(), LOOK_UP_S);
    const uint64_t ends = monitor_intake_count(w->in).ends;      /* of an earlier run */
    while (*w->opts->stop == 0 && !(w->opts->once && monitor_intake_count(w->in).ends > ends)) {
        const fw_status s = take_one(w->in, w->subscriber, due, err);
        if (s < 0) return s;
        w->news = w->news || s == FW_OK;
        if (!fw_mono_passed(due)) continue;
        FW_TRY(look_up(w, err));
        due = fw_mono_after(fw_mono_now(), LOOK_UP_S);
    }
    return FW_OK;
}

static fw_status drain(watch *w, fw_error *err)
{
    const fw_mono end = fw_mono_after(fw_mono_now(), DRAIN_S);
    while (!fw_mono_passed(end)) {
        const fw_status s = take_one(w->in, w->subscriber, fw_mono_after(fw_mono_now(), DRAIN_QUIET_S), err);
        if (s != FW_OK) return s < 0 ? s : FW_OK;
        w->news = true;
    }
    return FW_OK;
}

/** Windows are closed and totals given, also after a failure. */
static fw_status finish(watch *w, fw_error *err)
{
    monitor_intake_finish(w->in);
    const monitor_counts counts = monitor_intake_count(w->in);
    monitor_print_rest(&w->printer, &counts, fw_subscriber_skipped(w->subscriber));
    if (fflush(w->opts->out) != 0) w->printer.failed = true;
    w->news = true;
    FW_TRY(commit(w, err));
    return check_output(&w->printer, err);
}

fw_status monitor_run(const monitor_opts *opts, fw_error *err)
{
    FW_AUTO(watch) w = {.opts = opts, .printer = {.out = opts->out, .jsonl = opts->jsonl}};
    FW_TRY(open_watch(&w, err));
    fw_status status = watch_stream(&w, err);
    if (status >= 0) status = drain(&w, err);
    const fw_status end = finish(&w, status < 0 ? NULL : err);
    return status < 0 ? status : end;
}
