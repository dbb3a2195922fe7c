#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/bus/socket.h"

/* As many as the publisher keeps for each reader: a full queue here would stop the heartbeats too, and end the connection. */
#define HIGH_WATER 100000

struct fw_subscriber {
    fw_socket socket;
    zmq_msg_t payload;
    char topic[FW_BUS_MAX_TOPIC + 1];
    uint64_t skipped;
    char trouble[FW_CONTACT_TEXT];
    bool has_trouble;             /* that was not asked for yet */
};

fw_status fw_subscriber_create(fw_subscriber **out, fw_bus *b, const char *endpoint, const char *topic_prefix, fw_error *err)
{
    const char *prefix = topic_prefix != NULL ? topic_prefix : "";
    if (strlen(prefix) > FW_BUS_MAX_TOPIC) return fw_fail(err, FW_ERR_ARG, "bus: a topic of %zu bytes is longer than %u", strlen(prefix), FW_BUS_MAX_TOPIC);
    FW_AUTO(fw_subscriber) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: subscriber");
    zmq_msg_init(&s->payload);
    fw_socket_opts opts = {.type = ZMQ_SUB, .high_water = HIGH_WATER, .max_message = FW_BUS_MAX_MESSAGE, .side = FW_SIDE_READER};
    FW_TRY(fw_socket_open(&s->socket, b, &opts, endpoint, err));
    if (zmq_setsockopt(s->socket.zmq, ZMQ_SUBSCRIBE, prefix, strlen(prefix)) != 0)
        return fw_fail(err, FW_ERR_BUS, "bus: %s: cannot subscribe to '%s': %s", endpoint, prefix, zmq_strerror(zmq_errno()));
    FW_TRY(fw_socket_connect(&s->socket, endpoint, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

fw_status fw_subscriber_connect(fw_subscriber *s, const char *endpoint, fw_error *err)
{
    return fw_socket_connect(&s->socket, endpoint, err);
}

void fw_subscriber_destroy(fw_subscriber **s)
{
    if (s == NULL || *s == NULL) return;
    zmq_msg_close(&(*s)->payload);
    fw_socket_close(&(*s)->socket, 0);
    free(*s);
    *s = NULL;
}

static bool take_topic(fw_subscriber *s, zmq_msg_t *frame)
{
    size_t len = zmq_msg_size(frame);
    if (len > FW_BUS_MAX_TOPIC || memchr(zmq_msg_data(frame), '\0', len) != NULL) return false;
    memcpy(s->topic, zmq_msg_data(frame), len);
    s->topic[len] = '\0';
    return true;
}

/** One whole message of any number of frames. FW_END: none is there. *good: it has a topic and one payload. */
static fw_status take_message(fw_subscriber *s, bool *good, fw_error *err)
{
    *good = true;
    for (int frame = 0, more = 1; more; frame++) {
        zmq_msg_close(&s->payload);
        zmq_msg_init(&s->payload);
        int n;
        do n = zmq_msg_recv(&s->payload, s->socket.zmq, ZMQ_DONTWAIT);
        while (n < 0 && zmq_errno() == EINTR);
        if (n < 0 && zmq_errno() == EAGAIN && frame == 0) return FW_END;
        if (n < 0) return fw_fail(err, FW_ERR_BUS, "bus: %s: receiving failed: %s", s->socket.endpoint, zmq_strerror(zmq_errno()));
        more = zmq_msg_more(&s->payload);
        if (frame == 0) *good = more && take_topic(s, &s->payload);
        if (frame > 1) *good = false;
    }
    return FW_OK;
}

fw_status fw_subscriber_receive(fw_subscriber *s, const char **topic, const void **payload, size_t *len, fw_mono deadline, fw_error *err)
{
    if (!s->has_trouble) s->has_trouble = fw_socket_tend(&s->socket, s->trouble);
    for (;;) {
        bool good = false;
        fw_status status = take_message(s, &good, err);
        if (status < 0) return status;
        if (status == FW_OK && good) break;
        if (status == FW_END) {
            FW_TRY(fw_socket_wait(&s->socket, ZMQ_POLLIN, deadline, err));
            continue;
        }
        s->skipped++;
        if (fw_mono_passed(deadline)) return fw_fail(err, FW_ERR_TIMEOUT, "bus: %s: no good message before the deadline", s->socket.endpoint);
    }
    *topic = s->topic;
    *payload = zmq_msg_data(&s->payload);
    *len = zmq_msg_size(&s->payload);
    return FW_OK;
}

const char *fw_subscriber_trouble(fw_subscriber *s)
{
    if (!s->has_trouble) return NULL;
    s->has_trouble = false;
    return s->trouble;
}

uint64_t fw_subscriber_skipped(const fw_subscriber *s) { return s->skipped; }
