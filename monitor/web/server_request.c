/** One request: judged when its head is there, its body taken, answered by its route. In the daemon's thread. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/core/hash.h"
#include "common/core/log.h"
#include "monitor/web/head.h"
#include "monitor/web/server_parts.h"

#define BODIES_MAX  ((size_t)64 << 20)      /* of all requests that are under way */
#define BODY_QUICK  ((size_t)1 << 20)       /* a longer one has more time */
#define BODY_LONG_S 60.0

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                             "frame-ancestors 'none'";
static const char no_store[] = "no-store", ask_again[] = "no-cache";

typedef struct request {
    monitor_target target; fw_status status; fw_error err;      /* the address as it was written */
    bool judged, writes;
    const monitor_route *route; int64_t number;
    int code; const char *why;                                  /* 0: its route is to be asked; else what it is refused with */
    const char *allow;                                          /* methods of the path */
    size_t length, held;                                        /* of its body; as far as it is counted in the server's bodies */
    fw_text body;
} request;

void *monitor_server_take_target(void *context, const char *uri, struct MHD_Connection *connection)
{
    (void)context, (void)connection;
    request *r = calloc(1, sizeof *r);
    if (r != NULL) r->status = monitor_target_parse(&r->target, uri, strlen(uri), &r->err);
    return r;
}

void monitor_server_request_ends(void *context, struct MHD_Connection *connection, void **kept, enum MHD_RequestTerminationCode how)
{
    (void)connection, (void)how;
    monitor_server *s = context;
    request *r = *kept;
    if (r == NULL) return;
    s->bodies -= r->held;
    fw_text_destroy(&r->body);
    free(r);
    *kept = NULL;
}

static const char *field_of(struct MHD_Connection *connection, const char *name) { return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name); }

static monitor_guest *guest_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* ---- who may ask, and what ---- */

/** Every byte is looked at, whatever the first difference is. */
static bool same_secret(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    volatile unsigned char differs = n != m;
    for (size_t i = 0; i < m; i++) differs |= (unsigned char)(a[i % (n + 1)] ^ b[i]);
    return differs == 0;
}

/** "Bearer TOKEN", or for browsers that read "Basic" with the token as password: that one they send of their own accord, whoever led them here. */
static bool knows_token(const monitor_server *s, struct MHD_Connection *connection, bool writes)
{
    const char *given = field_of(connection, "Authorization");
    char *password = NULL;
    bool knows = false;
    if (given == NULL) return false;
    if (strncmp(given, "Bearer ", 7) == 0) return same_secret(given + 7, s->token);
    if (writes) return false;
    char *user = MHD_basic_auth_get_username_password(connection, &password);
    if (user != NULL && password != NULL) knows = same_secret(password, s->token);
    MHD_free(user);
    MHD_free(password);
    return knows;
}

/** Browsers say of which page a request to write is; programs say nothing. */
static bool is_own_origin(const char *origin, const char *host)
{
    if (origin == NULL) return true;
    const size_t scheme = strncmp(origin, "http://", 7) == 0 ? 7 : strncmp(origin, "https://", 8) == 0 ? 8 : 0;
    return scheme > 0 && host != NULL && strcasecmp(origin + scheme, host) == 0;
}

/** "application/json", also with parameters behind it. */
static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    if (type == NULL || strncasecmp(type, json, sizeof json - 1) != 0) return false;
    const char next = type[sizeof json - 1];
    return next == '\0' || next == ';' || next == ' ';
}

/** The route of the method. allow: methods that the path has; NULL: there is no such path. */
static void find_route(request *r, const char *method, bool *open)
{
    bool read = false, written = false;
    for (size_t i = 0; i < monitor_n_routes; i++) {
        const monitor_route *route = &monitor_routes[i];
        if (!monitor_target_matches(&r->number, &r->target, route->path)) continue;
        const bool reads = strcmp(route->method, "GET") == 0;
        read = read || reads;
        written = written || !reads;
        *open = *open || route->open;
        if (strcmp(method, route->method) == 0 || (reads && strcmp(method, "HEAD") == 0)) r->route = route;
    }
    r->allow = read && written ? "GET, HEAD, POST" : read ? "GET, HEAD" : written ? "POST" : NULL;
}

static void refuse(request *r, int code, const char *why)
{
    r->code = code;
    r->why = why;
}

static void judge_write(monitor_server *s, request *r, struct MHD_Connection *connection)
{
    const char *length = field_of(connection, "Content-Length");
    r->length = length != NULL ? strtoul(length, NULL, 10) : 0;      /* digits: the door has looked */
    if (r->code != 0) return;
    if (s->token == NULL) refuse(r, 403, "this monitor can only be read; started with --token FILE it can be written to by who has the token");
    else if (!is_own_origin(field_of(connection, "Origin"), field_of(connection, "Host"))) refuse(r, 403, "another page asks for this");
    else if (!is_json(field_of(connection, "Content-Type"))) refuse(r, 415, "the body is to be JSON: Content-Type: application/json");
    else if (r->length > r->route->body) refuse(r, 413, "the body is too long for this; send it in parts");
    else if (s->bodies + r->length > BODIES_MAX) refuse(r, 503, "too much is being sent at the moment; try again in a second");
    else s->bodies += r->held = r->length;
}

static void judge(monitor_server *s, request *r, struct MHD_Connection *connection, const char *method)
{
    const char *host = field_of(connection, "Host");
    bool open = false;
    r->judged = true;
    r->writes = strcmp(method, "POST") == 0;
    if (r->status == FW_OK) find_route(r, method, &open);
    if (r->status != FW_OK) refuse(r, 400, r->err.text);
    else if (s->own_hosts_only && host != NULL && !monitor_head_host_is_own(host, strlen(host)))
        refuse(r, 421, "this page is asked for by its address in numbers or as localhost; with a token file (monitor.token) any name is taken");
    else if (s->token != NULL && !open && !knows_token(s, connection, r->writes)) refuse(r, 401, "a token is needed: Authorization: Bearer TOKEN");
    else if (r->allow == NULL) refuse(r, 404, "there is no such page; the first one is /");
    else if (r->route == NULL) refuse(r, 405, strcmp(r->allow, "POST") == 0 ? "this can only be written to: POST" : "this can only be read: GET or HEAD");
    if (r->writes) judge_write(s, r, connection);
}

/* ---- its answer ---- */

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

/** Of who reads, whatever else fails is ours. What is written can be wrong, can contradict what is there, and can find the store full or locked. */
static int code_of(const request *r, fw_status s)
{
    if (s == FW_ERR_ARG) return 400;
    if (s == FW_ERR_NOTFOUND) return 404;
    if (!r->writes) return 500;
    if (s == FW_ERR_DATA || s == FW_ERR_NUMERIC) return 400;
    if (s == FW_ERR_CHECK) return 409;
    return s == FW_ERR_TIMEOUT || s == FW_ERR_IO ? 503 : 500;
}

static void ask_route(monitor_server *s, monitor_answer *a, const request *r)
{
    const char *why = "";
    fw_error err = {0};
    fw_status status = monitor_target_only(&r->target, r->route->params, &err);
    if (status == FW_OK) status = fw_text_check(&r->body, &err);
    if (status < 0) {
        say_error(a, code_of(r, status), err.text);
        return;
    }
    const monitor_web_figures figures = monitor_server_figures(s);
    const monitor_ask ask = {.target = &r->target, .reader = monitor_source_begin(s->source, &why), .no_reader = why, .figures = &figures, .store = monitor_source_path(s->source),
                             .number = r->number, .body = r->body.data, .body_bytes = r->body.len};
    if (r->route->store && ask.reader == NULL) {
        say_error(a, 503, why);
        return;
    }
    status = r->route->answer(a, &ask, &err);
    monitor_source_end(s->source, status < 0 && code_of(r, status) == 500);
    if (status == FW_OK) status = fw_text_check(&a->text, &err);
    if (status >= 0) return;
    if (code_of(r, status) == 500) fw_log_warn("dashboard %s: %s", r->route->path, err.text);
    say_error(a, code_of(r, status), err.text);
}

static void write_tag(char out[static FW_DIGEST_TEXT + 2], const void *bytes, size_t len)
{
    out[0] = '"';
    fw_digest_text(out + 1, fw_hash128(bytes, len, 0));
    memcpy(out + FW_DIGEST_TEXT, "\"", 2);
}

/** The body becomes the response's; an answer that the asker has already becomes 304. NULL: no memory. */
static struct MHD_Response *respond(monitor_server *s, monitor_answer *a, struct MHD_Connection *connection, bool head, bool writes)
{
    char tag[FW_DIGEST_TEXT + 2] = "";
    if (a->stream && !head) {
        struct MHD_Response *response = monitor_server_stream(s, connection);
        if (response != NULL) return response;
        say_error(a, 503, "too many pages listen already");
    }
    const void *bytes = a->file != NULL ? a->file : a->text.data;
    const size_t len = a->file != NULL ? a->file_bytes : a->text.len;
    const char *has = field_of(connection, "If-None-Match");
    if (a->code == 200 && !a->stream && !writes) write_tag(tag, bytes, len);
    const bool same = *tag != '\0' && has != NULL && strstr(has, tag) != NULL;
    if (same) a->code = 304;
    struct MHD_Response *response = same || len == 0   ? MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT)
                                    : a->file != NULL ? MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT)
                                                      : MHD_create_response_from_buffer(len, a->text.data, MHD_RESPMEM_MUST_FREE);
    if (response != NULL && !same && len > 0 && a->file == NULL) a->text = (fw_text){0};
    if (response != NULL && *tag != '\0') MHD_add_response_header(response, "ETag", tag);
    return response;
}

static void add_headers(struct MHD_Response *response, const monitor_answer *a, const request *r)
{
    const bool kept = !r->writes && (a->code == 200 || a->code == 304);
    const struct { const char *name, *value; } headers[] = {
        {"Content-Type", a->type}, {"Cache-Control", kept ? ask_again : no_store}, {"Connection", "close"},
        {"Content-Security-Policy", policy}, {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"}, {"X-Frame-Options", "DENY"},
        {"Cross-Origin-Resource-Policy", "same-origin"}, {"Cross-Origin-Opener-Policy", "same-origin"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) MHD_add_response_header(response, headers[i].name, headers[i].value);
    if (a->code == 405) MHD_add_response_header(response, "Allow", r->allow);
    if (a->code == 401) MHD_add_response_header(response, "WWW-Authenticate", r->writes ? "Bearer realm=\"flywheel\"" : "Basic realm=\"flywheel\", charset=\"UTF-8\"");
    if (a->code == 503) MHD_add_response_header(response, "Retry-After", "1");
}

static void count_answer(monitor_server *s, const monitor_answer *a, const request *r)
{
    size_t i = 0;
    atomic_fetch_add(&s->answers[a->code / 100 % 6], 1);
    if (!r->writes) return;
    if (a->code / 100 == 2) s->posted[r->route->kind] += a->accepted;
    else {
        while (i + 1 < MONITOR_N_REFUSALS && monitor_refusals[i].code != a->code) i++;
        s->posts_refused[i]++;
    }
}

/** For the reaper, in another thread. */
static void mark_guest(monitor_server *s, struct MHD_Connection *connection, bool streams, bool sends, bool longer)
{
    pthread_mutex_lock(&s->lock);
    monitor_guest *g = guest_of(connection);
    if (g != NULL) {
        g->streams = streams;
        g->sends = sends;
        if (longer) g->deadline = fw_mono_after(fw_mono_now(), BODY_LONG_S);
    }
    pthread_mutex_unlock(&s->lock);
}

static enum MHD_Result answer(monitor_server *s, request *r, struct MHD_Connection *connection, const char *method)
{
    __attribute__((cleanup(answer_destroy))) monitor_answer a = {.code = 200, .type = "application/json"};
    if (r->code != 0) say_error(&a, r->code, r->why);
    else ask_route(s, &a, r);
    struct MHD_Response *response = respond(s, &a, connection, strcmp(method, "HEAD") == 0, r->writes);
    if (response == NULL) return MHD_NO;
    add_headers(response, &a, r);
    if (a.stream || r->length > 0) mark_guest(s, connection, a.stream, false, false);
    const enum MHD_Result result = MHD_queue_response(connection, (unsigned)a.code, response);
    MHD_destroy_response(response);
    count_answer(s, &a, r);
    return result;
}

/** The library calls when the head is there, with each piece of the body, and behind it. What is refused is answered behind the body all the same, which is thrown away:
 *  an answer before it would be lost with the connection's reset. Who waits for a sign to send it has the answer at once. */
enum MHD_Result monitor_server_on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version, const char *upload,
                                          size_t *upload_bytes, void **kept)
{
    (void)url, (void)version;
    monitor_server *s = context;
    request *r = *kept;
    if (r == NULL) return MHD_NO;
    if (*upload_bytes > 0) {
        if (r->code == 0) fw_text_add_bytes(&r->body, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (r->judged) return answer(s, r, connection, method);
    judge(s, r, connection, method);
    if (r->length == 0 || (r->code != 0 && field_of(connection, "Expect") != NULL)) return answer(s, r, connection, method);
    mark_guest(s, connection, false, true, r->code == 0 && r->length > BODY_QUICK);
    return MHD_YES;
}
