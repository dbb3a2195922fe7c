#include "monitor/monitor.h"

#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/alert_desk.h"
#include "monitor/feed.h"
#include "monitor/intake.h"
#include "monitor/print.h"
#include "monitor/recorder.h"
#include "monitor/watch_posted.h"
#include "monitor/watch_publishers.h"
#include "proto/telemetry.h"

#define LOOK_UP_S     0.2      /* how soon a signal or a due window is noticed */
#define DRAIN_S       1.0      /* at the end, for what has already arrived */
#define DRAIN_QUIET_S 0.05
#define SAID_REFUSED  10       /* messages of a publisher whose reason is told; more are only counted */
#define LINGER_S      5.0      /* at the end, for alerts on their way */
#define BUS_LINGER_MS 2000     /* and for readers of those on the bus */

/** What one run of the monitor holds. */
typedef struct watch {
    const monitor_opts *opts;
    monitor_printer printer;
    monitor_feed feed;
    monitor_store *store;              /* NULL, and the recorder too: nothing is kept */
    monitor_recorder *recorder;
    monitor_intake *in;
    monitor_alert_desk *desk;
    monitor_watchers *watchers;
    monitor_alert_bus *alert_bus;      /* NULL: alerts are not published */
    monitor_publishers *publishers;
    monitor_posted *posted;            /* NULL without a store */
    bool news, ended, over;            /* something came since the last commit; a publisher has ended; nothing more will come */
    fw_mono recorded;                  /* the clock of recordings */
    monitor_result result;             /* at the end */
} watch;

static fw_mono clock_of(const watch *w) { return w->opts->n_recordings > 0 ? w->recorded : fw_mono_now(); }

/** A recording is judged by the time that its messages tell, which does not go back. */
static void set_clock(watch *w, const fw_inbox_event *e)
{
    int64_t us;
    if (w->opts->n_recordings > 0 && fw_telemetry_time(&us, e->payload, e->len) && us < INT64_MAX / 1000) w->recorded.ns = FW_MAX(w->recorded.ns, us * 1000);
}

static fw_status take_message(watch *w, const fw_inbox_event *e, fw_error *err)
{
    fw_error why = {0};
    set_clock(w, e);
    monitor_watchers_from(w->watchers, e->publisher->name, e->publisher->endpoint);
    monitor_intake_from(w->in, e->publisher->endpoint);
    FW_TRY(monitor_intake_take(w->in, &e->publisher->stream, e->first, e->topic, e->payload, e->len, clock_of(w), &why, err));
    if (why.status < 0 && monitor_publishers_refuse(w->publishers, e->publisher, why.status) <= SAID_REFUSED)
        fw_log_warn("publisher %s at %s: a message was refused: %s", e->publisher->name, e->publisher->endpoint, why.text);
    return FW_OK;
}

static fw_status take_event(watch *w, const fw_inbox_event *e, fw_error *err)
{
    const fw_inbox_publisher *p = e->publisher;
    FW_TRY(monitor_publishers_take(w->publishers, e, err));
    switch (e->kind) {
    case FW_INBOX_MESSAGE: return take_message(w, e, err);
    case FW_INBOX_FOUND: fw_log_info("publisher %s at %s is there, with %llu messages in its spool", p->name, p->endpoint, (unsigned long long)p->spooled); break;
    case FW_INBOX_SILENT:
        fw_log_warn("publisher %s at %s is not heard any more", p->name, p->endpoint);
        w->ended = w->ended || monitor_intake_count(w->in).ends > 0;
        break;
    case FW_INBOX_ENDED:
        monitor_print_publisher(&w->printer, p);
        w->ended = true;
        break;
    case FW_INBOX_LOST:
        fw_log_warn("publisher %s at %s: messages %llu to %llu are lost", p->name, p->endpoint, (unsigned long long)e->first, (unsigned long long)e->last);
        return monitor_intake_lost(w->in, &p->stream, e->first, e->last, err);
    case FW_INBOX_REFUSED: fw_log_warn("publisher %s at %s: %s", p->name, p->endpoint, e->why); break;
    }
    return FW_OK;
}

/** What comes before the deadline, one thing. FW_END: nothing came. */
static fw_status take_one(watch *w, fw_mono deadline, fw_error *err)
{
    fw_inbox_event e;
    const fw_status status = w->feed.next(w->feed.context, &e, deadline, err);
    w->over = status == FW_END;
    if (status == FW_ERR_TIMEOUT || w->over) return FW_END;
    return status < 0 ? status : take_event(w, &e, err);
}

static fw_status check_output(const monitor_printer *p, fw_error *err)
{
    if (ferror(p->out) || p->failed) return fw_fail(err, FW_ERR_IO, "monitor: cannot write to the output; is its disk full or its reader gone?");
    return FW_OK;
}

static void watch_destroy(watch *w)
{
    monitor_posted_destroy(&w->posted);
    monitor_publishers_destroy(&w->publishers);
    monitor_intake_destroy(&w->in);
    monitor_watchers_destroy(&w->watchers);
    monitor_alert_desk_close(&w->desk, 0);
    monitor_alert_bus_close(&w->alert_bus, 0, NULL);
    monitor_recorder_destroy(&w->recorder);
    monitor_store_close(&w->store);
    monitor_feed_destroy(&w->feed);
}

static fw_status open_store(watch *w, monitor_sink *sink, fw_error *err)
{
    FW_TRY(monitor_store_open(&w->store, w->opts->store, err));
    if (monitor_store_aside(w->store) != NULL) fw_log_warn("the damaged store is now %s; a new one is begun", monitor_store_aside(w->store));
    FW_TRY(monitor_recorder_create(&w->recorder, w->store, sink, err));
    *sink = monitor_recorder_sink(w->recorder);
    return FW_OK;
}

static bool is_watched(const void *context, const monitor_model *m) { return monitor_watchers_has(context, m); }

static fw_status open_alert_bus(monitor_alert_bus **out, watch *w, fw_error *err)
{
    FW_TRY(monitor_alert_bus_open(&w->alert_bus, &w->opts->publish, err));
    fw_log_info("alerts are published at %s", monitor_alert_bus_endpoint(w->alert_bus));
    *out = w->alert_bus;
    return FW_OK;
}

static fw_status open_desk(watch *w, const char *store_path, fw_error *err)
{
    monitor_deliver_opts deliver = w->opts->deliver;
    deliver.show = monitor_print_alert;
    deliver.context = &w->printer;
    if (w->opts->publish.endpoint != NULL) FW_TRY(open_alert_bus(&deliver.bus, w, err));
    return monitor_alert_desk_open(&w->desk, w->store, store_path, &w->opts->alerts, &deliver, fw_utc_now_us(), err);
}

/** Alerts and all that watches, as the last monitor of the store left them. sink: who hears of windows, then with the watchers in front. */
static fw_status open_watchers(watch *w, monitor_sink *sink, fw_error *err)
{
    const monitor_opts *opts = w->opts;
    const char *path = opts->store != NULL ? opts->store->path : NULL;
    FW_TRY(open_desk(w, path, err));
    const monitor_watch_opts watched = {.window = opts->window, .drift = opts->drift, .store = w->store, .desk = w->desk};
    FW_TRY(monitor_watchers_create(&w->watchers, &(monitor_watchers_opts){watched, path, opts->judging, *sink}, err));
    if (path != NULL) FW_TRY(monitor_watchers_restore(w->watchers, clock_of(w), err));
    if (w->recorder != NULL) monitor_recorder_leave(w->recorder, is_watched, w->watchers);
    *sink = monitor_watchers_sink(w->watchers);
    return FW_OK;
}

static fw_status open_intake(watch *w, const monitor_sink *sink, fw_error *err)
{
    const monitor_others others = monitor_watchers_others(w->watchers);
    FW_TRY(monitor_intake_create(&w->in, &w->opts->window, sink, err));
    monitor_intake_pass_on(w->in, &others);
    return w->store != NULL ? monitor_recorder_restore(w->in, w->opts->store->path, clock_of(w), err) : FW_OK;
}

static fw_status open_feed(watch *w, fw_error *err)
{
    const monitor_opts *opts = w->opts;
    return opts->n_recordings > 0 ? monitor_feed_recordings(&w->feed, opts->recordings, opts->n_recordings, err) : monitor_feed_bus(&w->feed, &opts->bus, err);
}

static fw_status open_watch(watch *w, fw_error *err)
{
    const monitor_opts *opts = w->opts;
    monitor_sink sink = monitor_print_sink(&w->printer);
    FW_TRY(open_feed(w, err));
    if (opts->store != NULL) FW_TRY(open_store(w, &sink, err));
    FW_TRY(open_watchers(w, &sink, err));
    FW_TRY(open_intake(w, &sink, err));
    FW_TRY(monitor_publishers_create(&w->publishers, &w->feed, w->store, w->desk, err));
    monitor_publishers_ask(w->publishers, w->in);
    monitor_publishers_own(w->publishers, w->alert_bus);
    if (opts->store != NULL) FW_TRY(monitor_posted_create(&w->posted, w->store, opts->store->path, err));
    const monitor_position *positions = NULL;
    const size_t n = monitor_intake_positions(w->in, &positions);
    for (size_t i = 0; i < n; i++) FW_TRY(w->feed.set_position(w->feed.context, &positions[i].stream, positions[i].last, err));
    return FW_OK;
}

/** What is kept is acknowledged: publishers may let go of it. Without a store that is what was counted. */
static fw_status commit_counts(watch *w, fw_error *err)
{
    if (w->recorder != NULL) {
        FW_TRY(monitor_recorder_commit(w->recorder, w->in, err));
        w->news = !monitor_store_check(w->store).writing;
        if (w->news) return FW_OK;
    }
    w->feed.acknowledge(w->feed.context);
    w->news = false;
    return FW_OK;
}

/** One transaction for all: rows, states, positions. Alerts are told behind it. */
static fw_status commit(watch *w, fw_error *err)
{
    const int64_t now_us = fw_utc_now_us();
    FW_TRY(monitor_alert_desk_tick(w->desk, now_us, err));
    FW_TRY(monitor_watchers_save(w->watchers, now_us, err));
    FW_TRY(monitor_publishers_save(w->publishers, err));
    if (w->news || (w->store != NULL && monitor_store_check(w->store).waiting_rows > 0)) FW_TRY(commit_counts(w, err));
    return monitor_alert_desk_tell(w->desk, err);
}

/** What is due now and then. */
static fw_status look_up(watch *w, fw_error *err)
{
    const fw_mono now = clock_of(w);
    monitor_intake_tick(w->in, now);
    FW_TRY(monitor_watchers_tick(w->watchers, now, err));
    FW_TRY(monitor_publishers_tick(w->publishers, now, err));
    if (w->posted != NULL) FW_TRY(monitor_posted_take(w->posted, w->in, now, err));
    FW_TRY(check_output(&w->printer, err));
    return commit(w, err);
}

static fw_status watch_stream(watch *w, fw_error *err)
{
    fw_mono due = fw_mono_after(fw_mono_now(), LOOK_UP_S);
    while (*w->opts->stop == 0 && !w->over && !(w->opts->until_end && w->ended)) {
        const fw_status s = take_one(w, due, err);
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
    while (!w->over && !fw_mono_passed(end)) {
        const fw_status s = take_one(w, fw_mono_after(fw_mono_now(), DRAIN_QUIET_S), err);
        if (s != FW_OK) return s < 0 ? s : FW_OK;
        w->news = true;
    }
    return FW_OK;
}

static bool is_kept(monitor_store_health h) { return h.writing && h.waiting_rows == 0 && h.dropped_rows == 0; }

/** Windows are closed and totals given, also after a failure. */
static fw_status finish(watch *w, fw_error *err)
{
    uint64_t garbage = 0;
    monitor_intake_finish(w->in);
    fw_status watched = monitor_watchers_finish(w->watchers, err);
    for (size_t i = 0; i < w->feed.n(w->feed.context); i++) {
        const fw_inbox_publisher *p = w->feed.at(w->feed.context, i);
        garbage += p->garbage + p->refused;
        if (p->there) monitor_print_publisher(&w->printer, p);
    }
    const monitor_counts counts = monitor_intake_count(w->in);
    monitor_print_rest(&w->printer, &counts, garbage);
    if (fflush(w->opts->out) != 0) w->printer.failed = true;
    FW_TRY(watched);
    w->news = true;
    FW_TRY(commit(w, err));
    w->result = (monitor_result){.alerts = monitor_alert_desk_count(w->desk), .messages = counts, .watched = monitor_watchers_n(w->watchers)};
    monitor_alert_desk_close(&w->desk, LINGER_S);
    FW_TRY(monitor_publishers_close_own(w->publishers, &w->alert_bus, BUS_LINGER_MS, err));
    if (w->recorder != NULL) FW_TRY(monitor_recorder_commit(w->recorder, w->in, err));
    if (w->store != NULL) w->result.kept = is_kept(monitor_store_check(w->store));
    return check_output(&w->printer, err);
}

fw_status monitor_run(const monitor_opts *opts, monitor_result *result, fw_error *err)
{
    FW_AUTO(watch) w = {.opts = opts, .printer = {.out = opts->out, .jsonl = opts->jsonl}};
    FW_TRY(open_watch(&w, err));
    fw_status status = watch_stream(&w, err);
    if (status >= 0) status = drain(&w, err);
    if (status >= 0 && opts->n_recordings > 0 && !w.over) status = fw_fail(err, FW_ERR_STOPPED, "stopped before the end of the recordings: they are judged in part alone");
    const fw_status end = finish(&w, status < 0 ? NULL : err);
    if (result != NULL) *result = w.result;
    return status < 0 ? status : end;
}
