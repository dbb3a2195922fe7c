/** The server's parts, for monitor/web/server*.c alone. */
#ifndef MONITOR_WEB_SERVER_PARTS_H
#define MONITOR_WEB_SERVER_PARTS_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/core/clock.h"
#include "monitor/web/door.h"
#include "monitor/web/news.h"
#include "monitor/web/server.h"
#include "monitor/web/source.h"

#define MONITOR_SERVER_CONNECTIONS 127       /* of a thread: libmicrohttpd stands still at 128 events */
#define MONITOR_SERVER_STREAMS     64
#define MONITOR_SERVER_ANSWER_S    10.0      /* from being let in to the last byte taken; streams have none */

/** A connection that libmicrohttpd has. sends: its body is still to come. */
typedef struct monitor_guest { int fd; fw_mono deadline; bool streams, sends, here; } monitor_guest;

struct monitor_server {
    char *token;
    bool own_hosts_only;
    struct MHD_Daemon *daemon;
    monitor_door *door;
    monitor_news *news;
    monitor_source *source;                  /* of the daemon's thread */
    int64_t started_us;
    atomic_uint_fast64_t answers[6], cut, cut_bodies;
    uint64_t posted[MONITOR_N_POST_KINDS], posts_refused[MONITOR_N_REFUSALS];      /* with bodies: of the daemon's thread */
    size_t bodies;                           /* bytes of requests that are under way */
    pthread_mutex_t lock;                    /* guards guests: a descriptor in it is open */
    monitor_guest guests[MONITOR_SERVER_CONNECTIONS];
};

/** Ends a connection that does not read: what the kernel still holds for it is thrown away. Its descriptor must be open. */
void monitor_server_cut(int fd);

/** A response that streams the news. NULL: there are too many listeners, or no memory. */
struct MHD_Response *monitor_server_stream(monitor_server *s, struct MHD_Connection *connection);

/** What the daemon calls: server_request.c. */
void           *monitor_server_take_target(void *context, const char *uri, struct MHD_Connection *connection);
enum MHD_Result monitor_server_on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version, const char *upload,
                                          size_t *upload_bytes, void **kept);
void            monitor_server_request_ends(void *context, struct MHD_Connection *connection, void **kept, enum MHD_RequestTerminationCode how);

monitor_web_figures monitor_server_figures(monitor_server *s);

#endif
