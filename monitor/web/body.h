/** The body of a request to write: JSON from anywhere, taken apart. Pure: bytes in, checked rows or a reason out. */
#ifndef MONITOR_WEB_BODY_H
#define MONITOR_WEB_BODY_H

#include <jansson.h>
#include <stddef.h>

#include "common/core/status.h"
#include "proto/telemetry_outcomes.h"

#define MONITOR_BODY_WAIT_MS 500         /* a request waits no longer for others' locks on the store: all other pages wait with it */

/** Zero-initialise. Rows and texts belong to it. */
typedef struct monitor_body {
    json_t *json;
    fw_outcome *outcomes;
    fw_kpi_event *events;
} monitor_body;

/** An object with no members but these (NULL ends them); nothing at all is an empty one. FW_ERR_ARG: it is none, and why. */
fw_status monitor_body_parse(monitor_body *out, const char *bytes, size_t len, const char *const *members, fw_error *err);
void      monitor_body_destroy(monitor_body *b);      /* leaves it empty */

/** A text of the body's; NULL: it is absent. FW_ERR_ARG: it is empty, or no text. */
fw_status monitor_body_text(const char **out, const monitor_body *b, const char *name, fw_error *err);

/** {"model": NAME, "outcomes": [{"id", "outcome", "time"}]}; id: a text or a whole number; outcome: a class, or a number; time: "2026-03-01T10:00Z", or absent: 0.
 *  FW_ERR_ARG: it is not so; the row is named by its place, from 1 on. */
fw_status monitor_body_outcomes(fw_telemetry_outcomes *out, monitor_body *b, const char *bytes, size_t len, fw_error *err);
/** {"project": NAME, "name": NAME, "events": [{"id", "value", "time"}]}. */
fw_status monitor_body_kpi(fw_telemetry_kpi *out, monitor_body *b, const char *bytes, size_t len, fw_error *err);

#endif
