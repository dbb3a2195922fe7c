#include "monitor/web/server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/core/hash.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/web/address.h"
#include "monitor/web/server_parts.h"

#define REQUEST_MEMORY ((size_t)48 << 10)      /* of the library, for each connection: a head that the door let in, and the answer's */

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                             "frame-ancestors 'none'";
static const char no_store[] = "no-store", ask_again[] = "no-cache";

/* ---- one request ---- */

/** What is known of a request before the library calls for its answer: the address as it was written. */
typedef struct request { monitor_target target; fw_status status; fw_error err; } request;

static void *take_target(void *context, const char *uri, struct MHD_Connection *connection)
{
    (void)context, (void)connection;
    request *r = calloc(1, sizeof *r);
    if (r != NULL) r->status = monitor_target_parse(&r->target, uri, strlen(uri), &r->err);
    return r;
}

static void request_ends(void *context, struct MHD_Connection *connection, void **kept, enum MHD_RequestTerminationCode how)
{
    (void)context, (void)connection, (void)how;
    free(*kept);
    *kept = NULL;
}

static void answer_destroy(monitor_answer *a) { fw_text_destroy(&a->text); }

/** {"error": text}; texts of ours, in which a quote may stand. */
static void say_error(monitor_answer *a, int code, const char *text)
{
    a->code = code;
    a->type = "application/json";
    a->file = NULL;
    a->stream = false;
    fw_text_clear(&a->text);
    fw_text_add(&a->text, "{\"error\":\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') fw_text_add(&a->text, "\\");
        fw_text_add_bytes(&a->text, (unsigned char)*text < 0x20 ? " " : text, 1);
    }
    fw_text_add(&a->text, "\"}\n");
}

/** Every byte is looked at, whatever the first difference is. */
static bool same_secret(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    volatile unsigned char differs = n != m;
    for (size_t i = 0; i < m; i++) differs |= (unsigned char)(a[i % (n + 1)] ^ b[i]);
    return differs == 0;
}

/** "Bearer TOKEN", or for browsers "Basic" with the token as password. */
static bool knows_token(const monitor_server *s, struct MHD_Connection *connection)
{
    const char *given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    char *password = NULL;
    bool knows = false;
    if (given == NULL) return false;
    if (strncmp(given, "Bearer ", 7) == 0) return same_secret(given + 7, s->token);
    char *user = MHD_basic_auth_get_username_password(connection, &password);
    if (user != NULL && password != NULL) knows = same_secret(password, s->token);
    MHD_free(user);
    MHD_free(password);
    return knows;
}

static const monitor_route *find_route(const char *path)
{
    for (size_t i = 0; i < monitor_n_routes; i++)
        if (strcmp(monitor_routes[i].path, path) == 0) return &monitor_routes[i];
    return NULL;
}

static monitor_web_figures figures_of(monitor_server *s)
{
    const monitor_door_counts door = monitor_door_count(s->door);
    monitor_web_figures f = {.started_us = s->started_us, .admitted = door.admitted, .refused = door.refused, .timed_out = door.timed_out,
                             .crowded_out = door.crowded_out, .waiting = door.waiting, .cut = atomic_load(&s->cut)};
    for (size_t i = 0; i < 6; i++) f.answers[i] = atomic_load(&s->answers[i]);
    monitor_news_count(s->news, &f.listeners, &f.lost_listeners);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < MONITOR_SERVER_CONNECTIONS; i++) f.connections += s->guests[i].here;
    pthread_mutex_unlock(&s->lock);
    return f;
}

static int code_of(fw_status s) { return s == FW_ERR_ARG ? 400 : s == FW_ERR_NOTFOUND ? 404 : 500; }

static void ask_route(monitor_server *s, monitor_answer *a, const monitor_route *route, const request *r)
{
    const char *why = "";
    fw_error err = {0};
    fw_status status = monitor_target_only(&r->target, route->params, &err);
    if (status < 0) {
        say_error(a, 400, err.text);
        return;
    }
    const monitor_web_figures figures = figures_of(s);
    const monitor_ask ask = {.target = &r->target, .reader = monitor_source_begin(s->source, &why), .no_reader = why, .figures = &figures};
    if (route->store && ask.reader == NULL) {
        say_error(a, 503, why);
        return;
    }
    status = route->answer(a, &ask, &err);
    monitor_source_end(s->source, status < 0 && code_of(status) == 500);
    if (status == FW_OK) status = fw_text_check(&a->text, &err);
    if (status >= 0) return;
    if (code_of(status) == 500) fw_log_warn("dashboard %s: %s", route->path, err.text);
    say_error(a, code_of(status), err.text);
}

static void make_answer(monitor_server *s, monitor_answer *a, struct MHD_Connection *connection, const char *method, const request *r)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    const monitor_route *route = r->status == FW_OK ? find_route(r->target.path) : NULL;
    if (r->status != FW_OK) say_error(a, 400, r->err.text);
    else if (s->own_hosts_only && host != NULL && !monitor_head_host_is_own(host, strlen(host)))
        say_error(a, 421, "this page is asked for by its address in numbers or as localhost; with a token file (monitor.token) any name is taken");
    else if (s->token != NULL && (route == NULL || !route->open) && !knows_token(s, connection)) say_error(a, 401, "a token is needed: Authorization: Bearer TOKEN");
    else if (route == NULL) say_error(a, 404, "there is no such page; the first one is /");
    else if (strcmp(method, route->method) != 0 && strcmp(method, "HEAD") != 0) say_error(a, 405, "this can only be read: GET or HEAD");
    else ask_route(s, a, route, r);
}

/* ---- its answer ---- */

static void write_tag(char out[static FW_DIGEST_TEXT + 2], const void *bytes, size_t len)
{
    out[0] = '"';
    fw_digest_text(out + 1, fw_hash128(bytes, len, 0));
    memcpy(out + FW_DIGEST_TEXT, "\"", 2);
}

/** The body becomes the response's; an answer that the asker has already becomes 304. NULL: no memory. */
static struct MHD_Response *respond(monitor_server *s, monitor_answer *a, struct MHD_Connection *connection, bool head)
{
    char tag[FW_DIGEST_TEXT + 2] = "";
    if (a->stream && !head) {
        struct MHD_Response *response = monitor_server_stream(s, connection);
        if (response != NULL) return response;
        say_error(a, 503, "too many pages listen already");
    }
    const void *bytes = a->file != NULL ? a->file : a->text.data;
    const size_t len = a->file != NULL ? a->file_bytes : a->text.len;
    const char *has = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    if (a->code == 200 && !a->stream) write_tag(tag, bytes, len);
    const bool same = *tag != '\0' && has != NULL && strstr(has, tag) != NULL;
    if (same) a->code = 304;
    struct MHD_Response *response = same || len == 0   ? MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT)
                                    : a->file != NULL ? MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT)
                                                      : MHD_create_response_from_buffer(len, a->text.data, MHD_RESPMEM_MUST_FREE);
    if (response != NULL && !same && len > 0 && a->file == NULL) a->text = (fw_text){0};
    if (response != NULL && *tag != '\0') MHD_add_response_header(response, "ETag", tag);
    return response;
}

static void add_headers(struct MHD_Response *response, const monitor_answer *a)
{
    const struct { const char *name, *value; } headers[] = {
        {"Content-Type", a->type}, {"Cache-Control", a->code == 200 || a->code == 304 ? ask_again : no_store}, {"Connection", "close"},
        {"Content-Security-Policy", policy}, {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"}, {"X-Frame-Options", "DENY"},
        {"Cross-Origin-Resource-Policy", "same-origin"}, {"Cross-Origin-Opener-Policy", "same-origin"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) MHD_add_response_header(response, headers[i].name, headers[i].value);
    if (a->code == 405) MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (a->code == 401) MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"flywheel\", charset=\"UTF-8\"");
    if (a->code == 503) MHD_add_response_header(response, "Retry-After", "1");
}

static void mark_stream(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    monitor_guest *g = info != NULL ? info->socket_context : NULL;
    if (g != NULL) g->streams = true;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **kept)
{
    (void)url, (void)version, (void)upload, (void)upload_bytes;
    monitor_server *s = context;
    const request *r = *kept;
    __attribute__((cleanup(answer_destroy))) monitor_answer a = {.code = 200, .type = "application/json"};
    if (r == NULL) return MHD_NO;
    make_answer(s, &a, connection, method, r);
    struct MHD_Response *response = respond(s, &a, connection, strcmp(method, "HEAD") == 0);
    if (response == NULL) return MHD_NO;
    add_headers(response, &a);
    if (a.stream) {
        pthread_mutex_lock(&s->lock);
        mark_stream(connection);
        pthread_mutex_unlock(&s->lock);
    }
    const enum MHD_Result result = MHD_queue_response(connection, (unsigned)a.code, response);
    MHD_destroy_response(response);
    atomic_fetch_add(&s->answers[a.code / 100 % 6], 1);
    return result;
}

/* ---- connections ---- */

static void on_connection(void *context, struct MHD_Connection *connection, void **kept, enum MHD_ConnectionNotificationCode what)
{
    monitor_server *s = context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    pthread_mutex_lock(&s->lock);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        monitor_guest *g = *kept;
        if (g != NULL) *g = (monitor_guest){0};
    } else {
        for (size_t i = 0; i < MONITOR_SERVER_CONNECTIONS && *kept == NULL && info != NULL; i++) {
            if (s->guests[i].here) continue;
            s->guests[i] = (monitor_guest){.fd = info->connect_fd, .deadline = fw_mono_after(fw_mono_now(), MONITOR_SERVER_ANSWER_S), .here = true};
            *kept = &s->guests[i];
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static void admit(void *context, int fd)
{
    monitor_server *s = context;
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0) peer.ss_family = AF_INET, len = sizeof(struct sockaddr_in);      /* it has gone; the read will say so */
    MHD_add_connection(s->daemon, fd, (const struct sockaddr *)&peer, len);
}

static bool has_room(void *context)
{
    monitor_server *s = context;
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < MONITOR_SERVER_CONNECTIONS; i++) n += s->guests[i].here;
    pthread_mutex_unlock(&s->lock);
    return n < MONITOR_SERVER_CONNECTIONS - 1;
}

void monitor_server_cut(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(fd, SHUT_RDWR);
}

/** Ends connections whose deadline has passed: who reads too slowly. */
static void reap(void *context)
{
    monitor_server *s = context;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < MONITOR_SERVER_CONNECTIONS; i++) {
        monitor_guest *g = &s->guests[i];
        if (!g->here || g->streams || !fw_mono_passed(g->deadline)) continue;
        monitor_server_cut(g->fd);
        g->deadline = fw_mono_after(fw_mono_now(), MONITOR_SERVER_ANSWER_S);
        atomic_fetch_add(&s->cut, 1);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- life ---- */

static void keep_quiet(void *context, const char *format, va_list arguments) { (void)context, (void)format, (void)arguments; }

static fw_status start_daemon(monitor_server *s, fw_error *err)
{
    s->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, s,
                                 MHD_OPTION_EXTERNAL_LOGGER, keep_quiet, NULL,      /* what strangers send is no news */
                                 MHD_OPTION_URI_LOG_CALLBACK, take_target, s, MHD_OPTION_NOTIFY_COMPLETED, request_ends, NULL, MHD_OPTION_NOTIFY_CONNECTION,
                                 on_connection, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MONITOR_SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 REQUEST_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    return s->daemon != NULL ? FW_OK : fw_fail(err, FW_ERR_IO, "dashboard: libmicrohttpd did not start");
}

fw_status monitor_server_start(monitor_server **out, const monitor_server_opts *opts, fw_error *err)
{
    FW_AUTO(monitor_server) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "dashboard: a server");
    pthread_mutex_init(&s->lock, NULL);
    s->started_us = fw_utc_now_us();
    s->own_hosts_only = opts->own_hosts_only;
    if (opts->token != NULL) FW_TRY(fw_copy_text(&s->token, opts->token, err));
    FW_TRY(monitor_source_create(&s->source, opts->store, err));
    FW_TRY(monitor_news_start(&s->news, opts->store, MONITOR_SERVER_STREAMS, err));
    FW_TRY(start_daemon(s, err));
    const monitor_door_opts door = {.address = opts->address, .context = s, .admit = admit, .room = has_room, .tick = reap};
    FW_TRY(monitor_door_open(&s->door, &door, err));
    FW_TRY(monitor_door_run(s->door, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

void monitor_server_destroy(monitor_server **server)
{
    monitor_server *s = server != NULL ? *server : NULL;
    if (s == NULL) return;
    monitor_door_stop(s->door);
    monitor_news_close(s->news);                     /* wakes all streams: the library can't be stopped while one sleeps */
    if (s->daemon != NULL) MHD_stop_daemon(s->daemon);
    monitor_door_destroy(&s->door);                  /* its counts were asked for until now */
    monitor_news_destroy(&s->news);
    monitor_source_destroy(&s->source);
    pthread_mutex_destroy(&s->lock);
    free(s->token);
    free(s);
    *server = NULL;
}

const char *monitor_server_address(const monitor_server *s) { return monitor_door_address(s->door); }
