#include "monitor/web/server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/core/size.h"
#include "monitor/web/server_parts.h"

#define REQUEST_MEMORY ((size_t)48 << 10)      /* of the library, for each connection: a head that the door let in, and the answer's */

monitor_web_figures monitor_server_figures(monitor_server *s)
{
    const monitor_door_counts door = monitor_door_count(s->door);
    monitor_web_figures f = {.started_us = s->started_us, .admitted = door.admitted, .refused = door.refused, .timed_out = door.timed_out,
                             .crowded_out = door.crowded_out, .waiting = door.waiting, .cut = atomic_load(&s->cut),
                             .cut_bodies = atomic_load(&s->cut_bodies), .writable = s->token != NULL};
    for (size_t i = 0; i < 6; i++) f.answers[i] = atomic_load(&s->answers[i]);
    for (size_t i = 0; i < MONITOR_N_POST_KINDS; i++) f.posted[i] = s->posted[i];
    for (size_t i = 0; i < MONITOR_N_REFUSALS; i++) f.posts_refused[i] = s->posts_refused[i];
    monitor_news_count(s->news, &f.listeners, &f.lost_listeners);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < MONITOR_SERVER_CONNECTIONS; i++) f.connections += s->guests[i].here;
    pthread_mutex_unlock(&s->lock);
    return f;
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

/** Ends connections whose deadline has passed: who reads too slowly, or sends a body so. */
static void reap(void *context)
{
    monitor_server *s = context;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < MONITOR_SERVER_CONNECTIONS; i++) {
        monitor_guest *g = &s->guests[i];
        if (!g->here || g->streams || !fw_mono_passed(g->deadline)) continue;
        monitor_server_cut(g->fd);
        g->deadline = fw_mono_after(fw_mono_now(), MONITOR_SERVER_ANSWER_S);
        atomic_fetch_add(g->sends ? &s->cut_bodies : &s->cut, 1);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- life ---- */

static void keep_quiet(void *context, const char *format, va_list arguments) { (void)context, (void)format, (void)arguments; }

static fw_status start_daemon(monitor_server *s, fw_error *err)
{
    s->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, monitor_server_on_request, s,
                                 MHD_OPTION_EXTERNAL_LOGGER, keep_quiet, NULL,      /* what strangers send is no news */
                                 MHD_OPTION_URI_LOG_CALLBACK, monitor_server_take_target, s, MHD_OPTION_NOTIFY_COMPLETED, monitor_server_request_ends, s, MHD_OPTION_NOTIFY_CONNECTION,
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
