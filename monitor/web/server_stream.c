#include "monitor/web/server_parts.h"

#include <stdlib.h>

/** A response that goes on: asleep (suspended) while there is nothing to say. asleep is guarded by the news' lock. */
typedef struct stream {
    monitor_server *server;
    struct MHD_Connection *connection;
    monitor_listener *listener;
    bool asleep;
} stream;

/** Who is lost does not read, so the library will not ask for more: its connection is ended. */
static void wake(void *context, bool lost)
{
    stream *t = context;
    if (lost) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(t->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info != NULL) monitor_server_cut(info->connect_fd);
    }
    if (t->asleep) MHD_resume_connection(t->connection);
    t->asleep = false;
}

static void fall_asleep(void *context)
{
    stream *t = context;
    t->asleep = true;
    MHD_suspend_connection(t->connection);
}

static ssize_t read_news(void *context, uint64_t position, char *out, size_t room)
{
    (void)position;
    stream *t = context;
    const ssize_t n = monitor_news_read(t->server->news, t->listener, out, room, fall_asleep);
    return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static void stream_ends(void *context)
{
    stream *t = context;
    monitor_news_leave(t->server->news, &t->listener);
    free(t);
}

struct MHD_Response *monitor_server_stream(monitor_server *s, struct MHD_Connection *connection)
{
    stream *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    *t = (stream){.server = s, .connection = connection};
    if (monitor_news_listen(&t->listener, s->news, wake, t, NULL) != FW_OK) {
        free(t);
        return NULL;
    }
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_news, t, stream_ends);
    if (response == NULL) stream_ends(t);
    return response;
}
