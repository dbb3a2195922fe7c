#include "coordinator/commands/announcer.h"

#include <stdlib.h>

#include "common/bus/outbox.h"
#include "common/core/log.h"

#define LINGER_MS 2000

struct coord_announcer {
    const char *project;
    fw_bus *bus;
    fw_outbox *outbox;                 /* in memory: progress that nobody takes is of no use later */
    fw_telemetry *telemetry;
};

coord_announcer *coord_announcer_open(const char *endpoint, const fw_bus_identity *identity, const char *project)
{
    fw_error err = {0};
    coord_announcer *a = endpoint != NULL ? calloc(1, sizeof *a) : NULL;
    if (a == NULL) return NULL;
    a->project = project;
    fw_status s = fw_bus_create(&a->bus, &err);
    if (s == FW_OK) s = fw_bus_secure(a->bus, identity, &err);
    if (s == FW_OK) s = fw_outbox_open(&a->outbox, a->bus, endpoint, NULL, &err);
    if (s == FW_OK) s = fw_telemetry_create(&a->telemetry, &err);
    if (s == FW_OK) return a;
    fw_log_warn("progress is not published: %s", err.text);
    fw_outbox_destroy(&a->outbox);
    coord_announcer_close(&a);
    return NULL;
}

void coord_announcer_close(coord_announcer **announcer)
{
    coord_announcer *a = *announcer;
    if (a == NULL) return;
    fw_outbox_close(&a->outbox, LINGER_MS, NULL, NULL);
    fw_telemetry_destroy(&a->telemetry);
    fw_bus_destroy(&a->bus);
    free(a);
    *announcer = NULL;
}

void coord_announce(coord_announcer *a, fw_progress p, bool last)
{
    if (a == NULL) return;
    FW_AUTO(fw_text) topic = {0};
    FW_AUTO(fw_text) out = {0};
    fw_error err = {0};
    p.project = a->project;
    fw_text_format(&topic, FW_TOPIC_PROGRESS "%s", a->project);
    fw_status s = fw_text_check(&topic, &err);
    if (s == FW_OK) s = fw_telemetry_progress(a->telemetry, &out, topic.data, &p, &err);
    if (s == FW_OK) s = fw_outbox_put(a->outbox, topic.data, out.data, out.len, &err);
    if (s == FW_OK && last) {
        s = fw_telemetry_end(a->telemetry, &out, topic.data, &err);
        if (s == FW_OK) s = fw_outbox_put(a->outbox, topic.data, out.data, out.len, &err);
    }
    if (s != FW_OK) fw_log_warn("a progress event was not published: %s", err.text);
}
