#include "monitor/alert_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/log.h"
#include "common/core/text.h"

#define SPOOL_BYTES ((uint64_t)16 << 20)      /* some ten thousand events */

struct monitor_alert_bus {
    fw_bus *bus;
    fw_outbox *outbox;
    fw_telemetry *telemetry;
    char name[FW_READER_NAME];
};

static void warn(void *context, const char *text)
{
    (void)context;
    fw_log_warn("%s", text);
}

fw_status monitor_alert_bus_open(monitor_alert_bus **out, const monitor_alert_bus_opts *opts, fw_error *err)
{
    monitor_alert_bus *b = calloc(1, sizeof *b);
    if (b == NULL) return fw_fail(err, FW_ERR_NOMEM, "alerts: bus");
    const fw_outbox_opts o = {.name = opts->name, .spool = opts->spool, .cap_bytes = SPOOL_BYTES, .say = warn};
    fw_status s = fw_bus_create(&b->bus, err);
    if (s >= 0) s = fw_bus_secure(b->bus, &opts->identity, err);
    if (s >= 0) s = fw_outbox_open(&b->outbox, b->bus, opts->endpoint, &o, err);
    if (s >= 0) s = fw_telemetry_create(&b->telemetry, err);
    if (s < 0) {
        monitor_alert_bus_close(&b, 0, NULL);
        return s;
    }
    snprintf(b->name, sizeof b->name, "%s", opts->name != NULL ? opts->name : "alerts");
    *out = b;
    return FW_OK;
}

static void fill_counts(fw_inbox_publisher *out, const fw_spool_counts *c)
{
    out->position = out->highest = c->highest;
    out->produced = c->produced;
    out->delivered = c->delivered;
    out->spooled = c->spooled;
    memcpy(out->dropped, c->dropped, sizeof out->dropped);
}

void monitor_alert_bus_account(fw_inbox_publisher *out, const monitor_alert_bus *b)
{
    const fw_outbox_counts c = fw_outbox_count(b->outbox);
    memset(out, 0, sizeof *out);                /* the bytes between members too: accounts are compared */
    snprintf(out->endpoint, sizeof out->endpoint, "%s", fw_outbox_endpoint(b->outbox));
    memcpy(out->name, b->name, sizeof out->name);
    out->stream = fw_outbox_stream(b->outbox);
    out->there = out->adds_up = true;
    fill_counts(out, &c.spool);
}

void monitor_alert_bus_close(monitor_alert_bus **bus, int linger_ms, fw_inbox_publisher *last)
{
    if (bus == NULL || *bus == NULL) return;
    monitor_alert_bus *b = *bus;
    fw_error err = {0};
    fw_outbox_counts rest = {0};
    if (last != NULL) monitor_alert_bus_account(last, b);
    if (b->outbox != NULL && linger_ms > 0) {
        if (fw_outbox_close(&b->outbox, linger_ms, &rest, &err) < 0) fw_log_warn("alerts on the bus: %s", err.text);
        if (last != NULL) fill_counts(last, &rest.spool);
    }
    fw_outbox_destroy(&b->outbox);
    fw_telemetry_destroy(&b->telemetry);
    fw_bus_destroy(&b->bus);
    free(b);
    *bus = NULL;
}

const char *monitor_alert_bus_endpoint(const monitor_alert_bus *b) { return fw_outbox_endpoint(b->outbox); }

fw_status monitor_alert_bus_put(monitor_alert_bus *b, const fw_alert *alert, fw_error *err)
{
    FW_AUTO(fw_text) topic = {0};
    FW_AUTO(fw_text) message = {0};
    fw_text_format(&topic, FW_TOPIC_ALERT "%s", alert->model != NULL ? alert->model : "monitor");
    FW_TRY(fw_text_check(&topic, err));
    FW_TRY(fw_telemetry_alert(b->telemetry, &message, topic.data, alert, err));
    const fw_status s = fw_outbox_put(b->outbox, topic.data, message.data, message.len, err);
    return s == FW_END ? fw_fail(err, FW_ERR_BUS, "bus: too many alerts wait to be published") : s;
}

bool monitor_alert_bus_written(monitor_alert_bus *b)
{
    return fw_outbox_flush(b->outbox, fw_mono_now(), NULL) != FW_ERR_TIMEOUT;      /* one that failed counts its messages as dropped */
}
