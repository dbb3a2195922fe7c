#include "monitor/monitor.h"

#include "common/bus/bus.h"
#include "common/core/log.h"
#include "monitor/intake.h"
#include "monitor/print.h"
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

static fw_status watch_stream(monitor_intake *in, fw_subscriber *s, const monitor_opts *opts, const monitor_printer *p, fw_error *err)
{
    fw_mono look_up = fw_mono_after(fw_mono_now(), LOOK_UP_S);
    while (*opts->stop == 0 && !(opts->once && monitor_intake_count(in).ends > 0)) {
        FW_TRY(take_one(in, s, look_up, err));
        if (fw_mono_passed(look_up)) {
            monitor_intake_tick(in, fw_mono_now());
            FW_TRY(check_output(p, err));
            look_up = fw_mono_after(fw_mono_now(), LOOK_UP_S);
        }
    }
    return FW_OK;
}

static fw_status drain(monitor_intake *in, fw_subscriber *s, fw_error *err)
{
    fw_mono end = fw_mono_after(fw_mono_now(), DRAIN_S);
    while (!fw_mono_passed(end)) {
        fw_status status = take_one(in, s, fw_mono_after(fw_mono_now(), DRAIN_QUIET_S), err);
        if (status != FW_OK) return status < 0 ? status : FW_OK;
    }
    return FW_OK;
}

fw_status monitor_run(const monitor_opts *opts, fw_error *err)
{
    monitor_printer printer = {.out = opts->out, .jsonl = opts->jsonl};
    monitor_sink sink = monitor_print_sink(&printer);
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_subscriber) *subscriber = NULL;
    FW_AUTO(monitor_intake) *in = NULL;
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_bus_secure(bus, &opts->identity, err));
    FW_TRY(subscribe(&subscriber, bus, opts, err));
    FW_TRY(monitor_intake_create(&in, &opts->window, &sink, err));
    fw_status status = watch_stream(in, subscriber, opts, &printer, err);
    if (status >= 0) status = drain(in, subscriber, err);
    monitor_intake_finish(in);
    monitor_counts counts = monitor_intake_count(in);
    monitor_print_rest(&printer, &counts, fw_subscriber_skipped(subscriber));
    if (fflush(opts->out) != 0) printer.failed = true;
    if (status < 0) return status;
    return check_output(&printer, err);
}
