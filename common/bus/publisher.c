#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/bus/socket.h"
#include "common/core/size.h"

#define HIGH_WATER       100000
#define MAX_PREFIXES     1000     /* distinct topic prefixes told apart; the readers beyond are taken to want everything */
#define CLOCK_SLACK_S    0.01     /* the library's timers end up to some ms early */
#define EVENTS_PER_LOOK  1000     /* subscriptions handled before a send goes on, so that a flood of them cannot hold it up */

typedef struct prefix { char *text; size_t len; int readers; } prefix;

struct fw_publisher {
    fw_bus *own;                  /* a context of its own, so that close can wait for its queue alone; NULL with inproc */
    fw_socket socket;
    prefix *prefixes; size_t n_prefixes, capacity;
    int other_readers;
    fw_publisher_counts counts;
};

static prefix *find_prefix(fw_publisher *p, const char *text, size_t len)
{
    for (size_t i = 0; i < p->n_prefixes; i++)
        if (p->prefixes[i].len == len && memcmp(p->prefixes[i].text, text, len) == 0) return &p->prefixes[i];
    return NULL;
}

/** False: no room; the reader then counts among the others. */
static bool add_prefix(fw_publisher *p, const char *text, size_t len)
{
    if (p->n_prefixes >= MAX_PREFIXES) return false;
    if (fw_grow((void **)&p->prefixes, &p->capacity, p->n_prefixes + 1, sizeof *p->prefixes, "topic prefixes", NULL) < 0) return false;
    char *copy = malloc(len + 1);
    if (copy == NULL) return false;
    memcpy(copy, text, len);
    p->prefixes[p->n_prefixes++] = (prefix){.text = copy, .len = len, .readers = 1};
    return true;
}

static void subscribed(fw_publisher *p, const char *text, size_t len)
{
    prefix *known = find_prefix(p, text, len);
    if (known != NULL) known->readers++;
    else if (!add_prefix(p, text, len)) p->other_readers++;
    p->counts.readers++;
}

static void unsubscribed(fw_publisher *p, const char *text, size_t len)
{
    prefix *known = find_prefix(p, text, len);
    if (known == NULL && p->other_readers == 0) return;            /* never subscribed: a peer may send anything */
    p->counts.readers--;
    if (known == NULL) {
        p->other_readers--;
    } else if (--known->readers == 0) {
        free(known->text);
        *known = p->prefixes[--p->n_prefixes];
    }
}

/** Takes in who came and who went. Never waits. */
static fw_status look_at_readers(fw_publisher *p, fw_error *err)
{
    for (int i = 0; i < EVENTS_PER_LOOK; i++) {
        zmq_msg_t event;
        zmq_msg_init(&event);
        int n = zmq_msg_recv(&event, p->socket.zmq, ZMQ_DONTWAIT);
        int code = zmq_errno();
        if (n > 0) {
            const char *bytes = zmq_msg_data(&event);
            if (bytes[0] == 1) subscribed(p, bytes + 1, (size_t)n - 1);
            else if (bytes[0] == 0) unsubscribed(p, bytes + 1, (size_t)n - 1);
        }
        zmq_msg_close(&event);
        if (n < 0 && code == EAGAIN) return FW_OK;
        if (n < 0 && code != EINTR) return fw_fail(err, FW_ERR_BUS, "bus: %s: reading subscriptions failed: %s", p->socket.endpoint, zmq_strerror(code));
    }
    return FW_OK;
}

static bool somebody_wants(const fw_publisher *p, const char *topic, size_t topic_len)
{
    if (p->other_readers > 0) return true;
    for (size_t i = 0; i < p->n_prefixes; i++)
        if (p->prefixes[i].len <= topic_len && memcmp(p->prefixes[i].text, topic, p->prefixes[i].len) == 0) return true;
    return false;
}

static fw_status open_publisher(fw_publisher *p, fw_bus *b, const char *endpoint, const fw_publisher_opts *opts, fw_error *err)
{
    bool in_process = endpoint != NULL && strncmp(endpoint, "inproc://", strlen("inproc://")) == 0;
    if (!in_process) FW_TRY(fw_bus_create_beside(&p->own, b, err));
    fw_socket_opts socket_opts = {
        .type = ZMQ_XPUB,
        .high_water = opts != NULL && opts->high_water > 0 ? opts->high_water : HIGH_WATER,
        .max_message = FW_BUS_MAX_TOPIC + 1,              /* readers send nothing but subscriptions */
        .side = FW_SIDE_PUBLISHER,
    };
    FW_TRY(fw_socket_open(&p->socket, in_process ? b : p->own, &socket_opts, endpoint, err));
    FW_TRY(fw_socket_set_int(&p->socket, ZMQ_XPUB_NODROP, 1, "XPUB_NODROP", err));        /* a full reader is an error we can count */
    FW_TRY(fw_socket_set_int(&p->socket, ZMQ_XPUB_VERBOSER, 1, "XPUB_VERBOSER", err));    /* every reader's coming and going */
    return fw_socket_bind(&p->socket, endpoint, err);
}

fw_status fw_publisher_create(fw_publisher **out, fw_bus *b, const char *endpoint, const fw_publisher_opts *opts, fw_error *err)
{
    FW_AUTO(fw_publisher) *p = calloc(1, sizeof *p);
    if (p == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: publisher");
    FW_TRY(open_publisher(p, b, endpoint, opts, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

static void end_publisher(fw_publisher **p, int linger_ms)
{
    fw_socket_close(&(*p)->socket, linger_ms);
    fw_bus_destroy(&(*p)->own);                            /* waits for the queue, up to linger_ms */
    for (size_t i = 0; i < (*p)->n_prefixes; i++) free((*p)->prefixes[i].text);
    free((*p)->prefixes);
    free(*p);
    *p = NULL;
}

void fw_publisher_destroy(fw_publisher **p)
{
    if (p != NULL && *p != NULL) end_publisher(p, 0);
}

fw_status fw_publisher_close(fw_publisher **p, int linger_ms, fw_error *err)
{
    if (p == NULL || *p == NULL) return FW_OK;
    fw_socket closing = (*p)->socket;                      /* its endpoint is still wanted for the text */
    fw_mono deadline = fw_mono_after(fw_mono_now(), linger_ms / 1000.0 - CLOCK_SLACK_S);
    end_publisher(p, FW_MAX(linger_ms, 0));
    if (linger_ms > 0 && fw_mono_passed(deadline))
        return fw_fail(err, FW_ERR_TIMEOUT, "bus: %s: a reader had not taken everything %d ms after the last message; the rest is lost to it",
                       closing.endpoint, linger_ms);
    return FW_OK;
}

const char *fw_publisher_endpoint(const fw_publisher *p) { return p->socket.endpoint; }

fw_status fw_publisher_wait(fw_publisher *p, int readers, fw_mono deadline, fw_error *err)
{
    for (;;) {
        FW_TRY(look_at_readers(p, err));
        if (p->counts.readers >= readers) return FW_OK;
        fw_status status = fw_socket_wait(&p->socket, ZMQ_POLLIN, deadline, err);
        if (status == FW_ERR_TIMEOUT)
            return fw_fail(err, FW_ERR_TIMEOUT, "bus: %s: %d of %d readers came before the deadline", p->socket.endpoint, p->counts.readers, readers);
        if (status < 0) return status;
    }
}

/** One frame. FW_END: a reader's queue is full. */
static fw_status send_frame(fw_publisher *p, const void *bytes, size_t len, int flags, fw_error *err)
{
    bool looked_again = false;
    for (;;) {
        if (zmq_send(p->socket.zmq, bytes, len, flags | ZMQ_DONTWAIT) >= 0) return FW_OK;
        int code = zmq_errno();
        if (code == EINTR) continue;
        if (code != EAGAIN) return fw_fail(err, FW_ERR_BUS, "bus: %s: sending failed: %s", p->socket.endpoint, zmq_strerror(code));
        if (looked_again) return FW_END;
        int events;                                        /* asking makes the library take in what readers have acknowledged */
        size_t size = sizeof events;
        zmq_getsockopt(p->socket.zmq, ZMQ_EVENTS, &events, &size);
        looked_again = true;
    }
}

fw_status fw_publisher_send(fw_publisher *p, const char *topic, const void *payload, size_t len, fw_error *err)
{
    size_t topic_len = strlen(topic);
    if (topic_len > FW_BUS_MAX_TOPIC || len > FW_BUS_MAX_MESSAGE)
        return fw_fail(err, FW_ERR_ARG, "bus: a message of %zu bytes with a topic of %zu is larger than readers accept (%u, %u); publish smaller batches",
                       len, topic_len, FW_BUS_MAX_MESSAGE, FW_BUS_MAX_TOPIC);
    FW_TRY(look_at_readers(p, err));
    p->counts.produced++;
    if (!somebody_wants(p, topic, topic_len)) {
        p->counts.unheard++;
        return FW_OK;
    }
    fw_status status = send_frame(p, topic, topic_len, ZMQ_SNDMORE, err);
    if (status == FW_OK) {
        status = send_frame(p, payload, len, 0, err);      /* the first frame reserved the room for the whole message */
        if (status == FW_END) status = fw_fail(err, FW_ERR_BUS, "bus: %s: a message was cut after its topic", p->socket.endpoint);
    }
    if (status == FW_OK) p->counts.delivered++;
    else p->counts.dropped++;
    return status == FW_END ? FW_OK : status;
}

fw_publisher_counts fw_publisher_count(fw_publisher *p)
{
    look_at_readers(p, NULL);
    return p->counts;
}
