/** Answers in JSON (jansson). */
#ifndef MONITOR_WEB_JSON_H
#define MONITOR_WEB_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "monitor/web/route.h"

/** The answer is this object, which is the callee's; NULL: there was no memory for it. */
fw_status monitor_json_answer(monitor_answer *out, json_t *body, fw_error *err);

json_t *monitor_json_real(double v);             /* null when it is not finite */
json_t *monitor_json_time(int64_t us);           /* "2026-03-01T12:34:56.789Z"; 0: null */
json_t *monitor_json_text(const char *s);        /* NULL: null */
json_t *monitor_json_parsed(const char *s);      /* a text of the store that is JSON; NULL or damaged: null */

#endif
