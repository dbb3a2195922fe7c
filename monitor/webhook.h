/** Posts a JSON text to a URL over HTTP or HTTPS (libcurl, which enters here alone). Certificates are verified, redirects are not followed, answers are
 *  read up to a limit and let go. */
#ifndef MONITOR_WEBHOOK_H
#define MONITOR_WEBHOOK_H

#include <stdatomic.h>

#include "common/core/status.h"

#define MONITOR_WEBHOOK_S         10.0
#define MONITOR_WEBHOOK_MAX_REPLY 65536

typedef struct monitor_webhook monitor_webhook;

/** deadline_s: of one post, from the look-up of the name to the end of the answer; 0: MONITOR_WEBHOOK_S. FW_ERR_CONFIG: not an http(s) URL. */
fw_status monitor_webhook_create(monitor_webhook **out, const char *url, double deadline_s, fw_error *err);
void      monitor_webhook_destroy(monitor_webhook **w);

/** A monitor_send_fn; context: a monitor_webhook, which one thread uses. FW_OK: an answer 200 to 299. FW_ERR_TIMEOUT, FW_ERR_IO (no connection, an answer
 *  408, 425, 429 or 500 to 599): it may be tried again. FW_ERR_CHECK: refused for good. FW_ERR_STOPPED: *stop was set. Errors name the host
 *  alone: the rest of a URL can be a secret. */
fw_status monitor_webhook_post(void *context, const char *json, const atomic_bool *stop, fw_error *err);

#endif
