#include "monitor/deliver.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/alerts.h"
#include "monitor/channel.h"
#include "monitor/command.h"
#include "monitor/webhook.h"

#define WEBHOOK_TRIES 6
#define N_CHANNELS    2
#define WAIT_MS       5

/** An event on its way: by how many channels it is not out yet, and whether it is with the bus and not in its spool. */
typedef struct pending { uint64_t ticket; unsigned left; bool on_bus; monitor_told told; } pending;

struct monitor_deliver {
    monitor_deliver_opts opts;
    monitor_command command;
    monitor_webhook *webhook;
    monitor_channel *channel[N_CHANNELS];      /* NULL: not asked for */
    pending *events; size_t n, capacity;
    uint64_t next_ticket;
};

static fw_status open_webhook(monitor_deliver *d, fw_error *err)
{
    const monitor_deliver_opts *o = &d->opts;
    FW_TRY(monitor_webhook_create(&d->webhook, o->webhook, o->webhook_s, err));
    const monitor_channel_opts c = {.name = "webhook", .send = monitor_webhook_post, .context = d->webhook, .max_waiting = o->max_waiting,
                                    .tries = o->webhook_tries > 0 ? o->webhook_tries : WEBHOOK_TRIES, .first_pause_s = o->pause_s};
    return monitor_channel_open(&d->channel[1], &c, err);
}

static fw_status open_command(monitor_deliver *d, fw_error *err)
{
    d->command = (monitor_command){.argv = d->opts.command, .deadline_s = d->opts.command_s};
    const monitor_channel_opts c = {.name = "command", .send = monitor_command_run, .context = &d->command, .max_waiting = d->opts.max_waiting};
    return monitor_channel_open(&d->channel[0], &c, err);
}

fw_status monitor_deliver_open(monitor_deliver **out, const monitor_deliver_opts *opts, fw_error *err)
{
    monitor_deliver *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "alerts: delivery");
    d->opts = *opts;
    fw_status s = opts->command != NULL ? open_command(d, err) : FW_OK;
    if (s >= 0 && opts->webhook != NULL) s = open_webhook(d, err);
    if (s < 0) {
        monitor_deliver_close(&d);
        return s;
    }
    *out = d;
    return FW_OK;
}

void monitor_deliver_close(monitor_deliver **deliver)
{
    if (deliver == NULL || *deliver == NULL) return;
    monitor_deliver *d = *deliver;
    for (size_t i = 0; i < N_CHANNELS; i++) monitor_channel_close(&d->channel[i], 0);
    monitor_webhook_destroy(&d->webhook);
    free(d->events);
    free(d);
    *deliver = NULL;
}

/* ---- at once ---- */

static void write_log(const monitor_alert_row *row, const char *event)
{
    const char *text = row->text != NULL ? row->text : row->kind;
    if (strcmp(event, "raised") == 0) fw_log_warn("alert %lld %s: %s. %s", (long long)row->alert, event, text, row->advice != NULL ? row->advice : "");
    else fw_log_info("alert %lld %s: %s", (long long)row->alert, event, text);
}

static double finite_or_zero(double v) { return isfinite(v) ? v : 0; }

/** Shows and publishes it. *published: the bus has it. What the bus does not take is an error. */
static fw_status announce(bool *published, const monitor_deliver *d, const monitor_alert_row *row, const char *event, int64_t at_us, bool again, fw_error *err)
{
    const char *names[FW_TELEMETRY_MAX_VALUES];
    char id[MONITOR_ALERT_ID];
    json_t *features = row->features != NULL ? json_loads(row->features, 0, NULL) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(features) && n < FW_TELEMETRY_MAX_VALUES; i++)
        if (json_is_string(json_array_get(features, i))) names[n++] = json_string_value(json_array_get(features, i));
    monitor_alert_id(id, row, event, at_us);
    const fw_alert a = {.number = (uint64_t)row->alert, .id = id, .event_us = at_us, .event = event, .kind = row->kind, .model = row->name, .digest = row->digest, .subject = row->subject,
                        .text = row->text, .advice = row->advice, .since_us = row->since_us, .raised_us = row->raised_us, .level = finite_or_zero(row->level),
                        .threshold = finite_or_zero(row->threshold), .certainty = finite_or_zero(row->certainty), .features = names, .n_features = n};
    if (d->opts.show != NULL && !again) d->opts.show(d->opts.context, &a);
    const fw_status s = d->opts.bus != NULL ? monitor_alert_bus_put(d->opts.bus, &a, err) : FW_OK;
    *published = d->opts.bus != NULL && s == FW_OK;
    json_decref(features);
    return s;
}

/* ---- by the channels ---- */

static void note_failure(pending *p, const char *why)
{
    p->told.arrived = false;
    snprintf(p->told.why, sizeof p->told.why, "%.255s", why);
}

fw_status monitor_deliver_event(monitor_deliver *d, const monitor_alert_row *row, const char *event, int64_t at_us, bool again, fw_error *err)
{
    FW_FREE char *json = NULL;
    FW_TRY(monitor_alert_json(&json, row, event, at_us, err));
    FW_TRY(fw_grow((void **)&d->events, &d->capacity, d->n + 1, sizeof *d->events, "alerts on their way", err));
    if (d->opts.log && !again) write_log(row, event);
    pending *p = &d->events[d->n++];
    *p = (pending){.ticket = ++d->next_ticket, .told = {.alert = row->alert, .at_us = at_us, .arrived = true}};
    snprintf(p->told.event, sizeof p->told.event, "%s", event);
    fw_error why = {0};
    if (announce(&p->on_bus, d, row, event, at_us, again, &why) < 0) note_failure(p, why.text);
    for (size_t i = 0; i < N_CHANNELS; i++) {
        if (d->channel[i] == NULL) continue;
        const fw_status s = monitor_channel_put(d->channel[i], p->ticket, json, err);
        if (s == FW_OK) p->left++;
        else note_failure(p, s == FW_END ? "too many alerts wait to be told" : "no memory");
    }
    return FW_OK;
}

static pending *find_event(monitor_deliver *d, uint64_t ticket)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->events[i].ticket == ticket) return &d->events[i];
    return NULL;
}

static void fetch(monitor_deliver *d)
{
    monitor_sent sent;
    const bool written = d->opts.bus != NULL && monitor_alert_bus_written(d->opts.bus);
    for (size_t i = 0; written && i < d->n; i++) d->events[i].on_bus = false;
    for (size_t i = 0; i < N_CHANNELS; i++) {
        while (d->channel[i] != NULL && monitor_channel_next(d->channel[i], &sent)) {
            pending *p = find_event(d, sent.ticket);
            p->left--;
            if (!sent.arrived) note_failure(p, sent.why);
        }
    }
}

static bool is_out(const pending *p) { return p->left == 0 && !p->on_bus; }

void monitor_deliver_wait(monitor_deliver *d, double seconds)
{
    const fw_mono end = fw_mono_after(fw_mono_now(), seconds);
    for (bool all_out = false; !all_out && !fw_mono_passed(end);) {
        all_out = true;
        fetch(d);
        for (size_t i = 0; i < d->n; i++) all_out = all_out && is_out(&d->events[i]);
        if (!all_out) fw_sleep_ms(WAIT_MS);
    }
}

bool monitor_deliver_next(monitor_deliver *d, monitor_told *out)
{
    fetch(d);
    for (size_t i = 0; i < d->n; i++) {
        if (!is_out(&d->events[i])) continue;
        *out = d->events[i].told;
        memmove(&d->events[i], &d->events[i + 1], (d->n - i - 1) * sizeof *d->events);
        d->n--;
        return true;
    }
    return false;
}
