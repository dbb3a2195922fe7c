#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "common/bus/socket.h"

#define HIGH_WATER 1000
#define LINGER_MS  2000

/* What one thread did before it sent, the other sees after it received. libzmq holds to that; ThreadSanitizer cannot look inside and is told. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
static char line_order;
#define TELL_SENT()     __tsan_release(&line_order)
#define TELL_RECEIVED() __tsan_acquire(&line_order)
#else
#define TELL_SENT()     ((void)0)
#define TELL_RECEIVED() ((void)0)
#endif

struct fw_line {
    fw_socket socket;
    zmq_msg_t message;
};

static fw_status make_line(fw_line **out, fw_bus *b, int type, fw_side side, const char *endpoint, fw_error *err)
{
    FW_AUTO(fw_line) *l = calloc(1, sizeof *l);
    if (l == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: line");
    zmq_msg_init(&l->message);
    fw_socket_opts opts = {.type = type, .high_water = HIGH_WATER, .max_message = FW_BUS_MAX_MESSAGE, .side = side};
    FW_TRY(fw_socket_open(&l->socket, b, &opts, endpoint, err));
    *out = l;
    l = NULL;
    return FW_OK;
}

static fw_status open_line(fw_line **out, fw_bus *b, const char *endpoint, fw_status (*attach)(fw_socket *, const char *, fw_error *), fw_error *err)
{
    FW_AUTO(fw_line) *l = NULL;
    FW_TRY(make_line(&l, b, ZMQ_PAIR, FW_SIDE_PLAIN, endpoint, err));
    FW_TRY(attach(&l->socket, endpoint, err));
    *out = l;
    l = NULL;
    return FW_OK;
}

fw_status fw_line_bind(fw_line **out, fw_bus *b, const char *endpoint, fw_error *err)
{
    return open_line(out, b, endpoint, fw_socket_bind, err);
}

fw_status fw_line_connect(fw_line **out, fw_bus *b, const char *endpoint, fw_error *err)
{
    return open_line(out, b, endpoint, fw_socket_connect, err);
}

fw_status fw_line_to_desk(fw_line **out, fw_bus *b, const char *endpoint, const char *public_key, const char *name, fw_error *err)
{
    fw_bus_keys own;
    FW_AUTO(fw_line) *l = NULL;
    FW_TRY(fw_bus_make_keys(&own, err));
    FW_TRY(make_line(&l, b, ZMQ_DEALER, FW_SIDE_OWN_KEYS, endpoint, err));
    FW_TRY(fw_socket_be_client(&l->socket, public_key, &own, err));
    if (name != NULL) FW_TRY(fw_socket_set_text(&l->socket, ZMQ_ROUTING_ID, name, "ROUTING_ID", err));
    FW_TRY(fw_socket_connect(&l->socket, endpoint, err));
    *out = l;
    l = NULL;
    return FW_OK;
}

void fw_line_destroy(fw_line **l)
{
    if (l == NULL || *l == NULL) return;
    zmq_msg_close(&(*l)->message);
    fw_socket_close(&(*l)->socket, LINGER_MS);
    free(*l);
    *l = NULL;
}

void *fw_line_zmq(fw_line *l) { return l->socket.zmq; }

const char *fw_line_endpoint(const fw_line *l) { return l->socket.endpoint; }

fw_status fw_line_send(fw_line *l, const void *bytes, size_t len, fw_mono deadline, fw_error *err)
{
    TELL_SENT();
    for (;;) {
        if (zmq_send(l->socket.zmq, bytes, len, ZMQ_DONTWAIT) >= 0) return FW_OK;
        if (zmq_errno() == EINTR) continue;
        if (zmq_errno() != EAGAIN) return fw_fail(err, FW_ERR_BUS, "bus: %s: sending failed: %s", l->socket.endpoint, zmq_strerror(zmq_errno()));
        FW_TRY(fw_socket_wait(&l->socket, ZMQ_POLLOUT, deadline, err));
    }
}

fw_status fw_line_receive(fw_line *l, const void **bytes, size_t *len, fw_mono deadline, fw_error *err)
{
    for (;;) {
        zmq_msg_close(&l->message);
        zmq_msg_init(&l->message);
        if (zmq_msg_recv(&l->message, l->socket.zmq, ZMQ_DONTWAIT) >= 0) break;
        if (zmq_errno() == EINTR) continue;
        if (zmq_errno() != EAGAIN) return fw_fail(err, FW_ERR_BUS, "bus: %s: receiving failed: %s", l->socket.endpoint, zmq_strerror(zmq_errno()));
        FW_TRY(fw_socket_wait(&l->socket, ZMQ_POLLIN, deadline, err));
    }
    TELL_RECEIVED();
    *bytes = zmq_msg_data(&l->message);
    *len = zmq_msg_size(&l->message);
    return FW_OK;
}
