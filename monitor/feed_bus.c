#include <stdlib.h>

#include "monitor/feed.h"

typedef struct feed { fw_bus *bus; fw_inbox *inbox; } feed;

static fw_status next(void *context, fw_inbox_event *out, fw_mono deadline, fw_error *err) { return fw_inbox_receive(((feed *)context)->inbox, out, deadline, err); }

static fw_status set_position(void *context, const fw_stream *stream, uint64_t sequence, fw_error *err)
{
    return fw_inbox_set_position(((feed *)context)->inbox, stream, sequence, err);
}

static void acknowledge(void *context) { fw_inbox_acknowledge(((feed *)context)->inbox, NULL, 0); }
static size_t n_publishers(const void *context) { return fw_inbox_n_publishers(((const feed *)context)->inbox); }
static const fw_inbox_publisher *publisher_at(const void *context, size_t i) { return fw_inbox_publisher_at(((const feed *)context)->inbox, i); }

static void close_feed(void *context)
{
    feed *f = context;
    fw_inbox_destroy(&f->inbox);
    fw_bus_destroy(&f->bus);
    free(f);
}

static fw_status connect_all(feed *f, const monitor_bus_opts *opts, fw_error *err)
{
    FW_TRY(fw_bus_create(&f->bus, err));
    FW_TRY(fw_bus_secure(f->bus, &opts->identity, err));
    FW_TRY(fw_inbox_create(&f->inbox, f->bus, &(fw_inbox_opts){.name = opts->name}, err));
    for (size_t i = 0; i < opts->n_endpoints; i++) FW_TRY(fw_inbox_connect(f->inbox, opts->endpoints[i], err));
    return FW_OK;
}

fw_status monitor_feed_bus(monitor_feed *out, const monitor_bus_opts *opts, fw_error *err)
{
    if (opts->n_endpoints == 0) return fw_fail(err, FW_ERR_ARG, "monitor: no endpoint to connect to");
    feed *f = calloc(1, sizeof *f);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: the bus");
    const fw_status status = connect_all(f, opts, err);
    if (status < 0) {
        close_feed(f);
        return status;
    }
    *out = (monitor_feed){.context = f, .next = next, .set_position = set_position, .acknowledge = acknowledge, .n = n_publishers, .at = publisher_at, .close = close_feed};
    return FW_OK;
}

void monitor_feed_destroy(monitor_feed *f)
{
    if (f->close != NULL) f->close(f->context);
    *f = (monitor_feed){0};
}
