#include "monitor/webhook.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/core/size.h"

#define CONNECT_SHARE 0.5      /* of the deadline */

struct monitor_webhook {
    CURL *easy;
    struct curl_slist *headers;
    char place[300];               /* scheme and host, for errors */
    char said[CURL_ERROR_SIZE];
    size_t reply_bytes;
    const atomic_bool *stop;
};

static CURLcode started;

static void start_curl(void) { started = curl_global_init(CURL_GLOBAL_DEFAULT); }

/** Takes no notice of the answer but for its size. */
static size_t on_reply(char *bytes, size_t size, size_t n, void *context)
{
    monitor_webhook *w = context;
    (void)bytes;
    w->reply_bytes += size * n;
    return w->reply_bytes <= MONITOR_WEBHOOK_MAX_REPLY ? size * n : 0;
}

static int on_progress(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    const monitor_webhook *w = context;
    (void)down_all, (void)down, (void)up_all, (void)up;
    return w->stop != NULL && atomic_load(w->stop) ? 1 : 0;
}

/** "https://host:port"; FW_ERR_CONFIG when it is no such URL. */
static fw_status name_place(monitor_webhook *w, const char *url, fw_error *err)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *parts = curl_url();
    if (parts == NULL) return fw_fail(err, FW_ERR_NOMEM, "webhook");
    const bool good = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);
    if (good) {
        const bool has_port = curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        snprintf(w->place, sizeof w->place, "%s://%.200s%s%s", scheme, host, has_port ? ":" : "", has_port ? port : "");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return good ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "monitor.alerts.webhook: it is no URL such as https://host/path");
}

static CURLcode set_limits(CURL *easy, double deadline_s)
{
    const long ms = (long)(deadline_s * 1e3);
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, FW_MAX((long)((double)ms * CONNECT_SHARE), 1L));
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);      /* does not wait for a name server at its end */
#endif
    return rc;
}

static CURLcode set_request(monitor_webhook *w, const char *url)
{
    CURL *easy = w->easy;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, url);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, w->headers);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_USERAGENT, "flywheel-monitor/" FW_VERSION);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, w->said);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_WRITEDATA, w);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_XFERINFODATA, w);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    return rc;
}

static fw_status add_header(monitor_webhook *w, const char *line, fw_error *err)
{
    struct curl_slist *longer = curl_slist_append(w->headers, line);
    if (longer == NULL) return fw_fail(err, FW_ERR_NOMEM, "webhook: its headers");
    w->headers = longer;
    return FW_OK;
}

fw_status monitor_webhook_create(monitor_webhook **out, const char *url, double deadline_s, fw_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    if (started != CURLE_OK) return fw_fail(err, FW_ERR_INTERNAL, "webhook: libcurl can't be started: %s", curl_easy_strerror(started));
    FW_AUTO(monitor_webhook) *w = calloc(1, sizeof *w);
    if (w == NULL || (w->easy = curl_easy_init()) == NULL) return fw_fail(err, FW_ERR_NOMEM, "webhook");
    FW_TRY(name_place(w, url, err));
    FW_TRY(add_header(w, "Content-Type: application/json", err));
    FW_TRY(add_header(w, "Expect:", err));      /* a server that does not know it would cost a second */
    CURLcode rc = set_limits(w->easy, deadline_s > 0 ? deadline_s : MONITOR_WEBHOOK_S);
    if (rc == CURLE_OK) rc = set_request(w, url);
    if (rc != CURLE_OK) return fw_fail(err, FW_ERR_INTERNAL, "webhook %s: %s", w->place, curl_easy_strerror(rc));
    *out = w;
    w = NULL;
    return FW_OK;
}

void monitor_webhook_destroy(monitor_webhook **w)
{
    if (w == NULL || *w == NULL) return;
    curl_easy_cleanup((*w)->easy);
    curl_slist_free_all((*w)->headers);
    free(*w);
    *w = NULL;
}

static fw_status judge_answer(const monitor_webhook *w, fw_error *err)
{
    long code = 0;
    curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code >= 200 && code < 300) return FW_OK;
    if (code >= 300 && code < 400)
        return fw_fail(err, FW_ERR_CHECK, "webhook %s: it answers %ld, go elsewhere; name the final address in monitor.alerts.webhook", w->place, code);
    if (code >= 500 || code == 408 || code == 425 || code == 429) return fw_fail(err, FW_ERR_IO, "webhook %s: it answers %ld", w->place, code);
    return fw_fail(err, FW_ERR_CHECK, "webhook %s: it refuses with %ld", w->place, code);
}

fw_status monitor_webhook_post(void *context, const char *json, const atomic_bool *stop, fw_error *err)
{
    monitor_webhook *w = context;
    w->stop = stop;
    w->reply_bytes = 0;
    *w->said = '\0';
    CURLcode rc = curl_easy_setopt(w->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(json));
    if (rc == CURLE_OK) rc = curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, json);
    if (rc == CURLE_OK) rc = curl_easy_perform(w->easy);
    curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, NULL);
    if (rc == CURLE_OK) return judge_answer(w, err);
    const char *why = *w->said != '\0' ? w->said : curl_easy_strerror(rc);
    if (rc == CURLE_ABORTED_BY_CALLBACK) return fw_fail(err, FW_ERR_STOPPED, "webhook %s: broken off, the monitor ends", w->place);
    if (rc == CURLE_WRITE_ERROR) return fw_fail(err, FW_ERR_CHECK, "webhook %s: its answer is longer than %d bytes", w->place, MONITOR_WEBHOOK_MAX_REPLY);
    if (rc == CURLE_OPERATION_TIMEDOUT) return fw_fail(err, FW_ERR_TIMEOUT, "webhook %s: no answer in time", w->place);
    if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_URL_MALFORMAT)
        return fw_fail(err, FW_ERR_CHECK, "webhook %s: %.150s", w->place, why);
    return fw_fail(err, FW_ERR_IO, "webhook %s: %.150s", w->place, why);
}
