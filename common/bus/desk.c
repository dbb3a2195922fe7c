#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/bus/socket.h"

#define LINGER_MS 2000       /* the last word to a caller may take its time to leave */

#define HIGH_WATER 10000

struct fw_desk {
    fw_socket socket;
    zmq_msg_t message;
};

fw_status fw_bus_make_keys(fw_bus_keys *out, fw_error *err)
{
    if (zmq_curve_keypair(out->public_key, out->secret_key) == 0) return FW_OK;
    return fw_fail(err, FW_ERR_BUS, "bus: no keys: %s; this libzmq was built without CURVE", zmq_strerror(zmq_errno()));
}

fw_status fw_desk_bind(fw_desk **out, fw_bus *b, const char *endpoint, const fw_bus_keys *keys, fw_error *err)
{
    FW_AUTO(fw_desk) *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: desk");
    zmq_msg_init(&d->message);
    fw_socket_opts opts = {.type = ZMQ_ROUTER, .high_water = HIGH_WATER, .max_message = FW_BUS_MAX_MESSAGE, .side = FW_SIDE_OWN_KEYS};
    FW_TRY(fw_socket_open(&d->socket, b, &opts, endpoint, err));
    FW_TRY(fw_socket_set_int(&d->socket, ZMQ_CURVE_SERVER, 1, "CURVE_SERVER", err));
    FW_TRY(fw_socket_set_text(&d->socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, "CURVE_SECRETKEY", err));
    FW_TRY(fw_socket_set_text(&d->socket, ZMQ_ZAP_DOMAIN, FW_DOMAIN_DESK, "ZAP_DOMAIN", err));      /* a bus with a gate lets every key come here */
    FW_TRY(fw_socket_set_int(&d->socket, ZMQ_ROUTER_MANDATORY, 1, "ROUTER_MANDATORY", err));
    FW_TRY(fw_socket_set_int(&d->socket, ZMQ_ROUTER_HANDOVER, 1, "ROUTER_HANDOVER", err));      /* a line whose connection broke comes back before that is noticed */
    FW_TRY(fw_socket_bind(&d->socket, endpoint, err));
    *out = d;
    d = NULL;
    return FW_OK;
}

void fw_desk_destroy(fw_desk **d)
{
    if (d == NULL || *d == NULL) return;
    zmq_msg_close(&(*d)->message);
    fw_socket_close(&(*d)->socket, LINGER_MS);
    free(*d);
    *d = NULL;
}

const char *fw_desk_endpoint(const fw_desk *d) { return d->socket.endpoint; }

fw_status fw_desk_wait(fw_desk *d, fw_line *line, fw_mono deadline, fw_error *err)
{
    zmq_pollitem_t items[] = {{.socket = d->socket.zmq, .events = ZMQ_POLLIN}, {.socket = line != NULL ? fw_line_zmq(line) : NULL, .events = ZMQ_POLLIN}};
    for (;;) {
        int n = zmq_poll(items, line != NULL ? 2 : 1, fw_mono_left_ms(deadline));
        if (n > 0) return FW_OK;
        if (n < 0 && zmq_errno() != EINTR) return fw_fail(err, FW_ERR_BUS, "bus: %s: waiting failed: %s", d->socket.endpoint, zmq_strerror(zmq_errno()));
        if (fw_mono_passed(deadline)) return fw_fail(err, FW_ERR_TIMEOUT, "bus: %s: nobody said anything before the deadline", d->socket.endpoint);
    }
}

/* The next frame. FW_END: none is there. */
static fw_status next_frame(fw_desk *d, fw_error *err)
{
    int n;
    zmq_msg_close(&d->message);
    zmq_msg_init(&d->message);
    do n = zmq_msg_recv(&d->message, d->socket.zmq, ZMQ_DONTWAIT);
    while (n < 0 && zmq_errno() == EINTR);
    if (n >= 0) return FW_OK;
    if (zmq_errno() == EAGAIN) return FW_END;
    return fw_fail(err, FW_ERR_BUS, "bus: %s: receiving failed: %s", d->socket.endpoint, zmq_strerror(zmq_errno()));
}

/* Name, then the message; *good: one frame, from a name that fits. */
static fw_status take_message(fw_desk *d, fw_caller *from, bool *good, fw_error *err)
{
    fw_status s = next_frame(d, err);
    if (s != FW_OK) return s;
    from->len = zmq_msg_size(&d->message);
    *good = from->len <= sizeof from->name && zmq_msg_more(&d->message);
    if (*good) memcpy(from->name, zmq_msg_data(&d->message), from->len);
    for (int frame = 1; zmq_msg_more(&d->message); frame++) {
        FW_TRY(next_frame(d, err));
        if (frame > 1) *good = false;
    }
    return FW_OK;
}

fw_status fw_desk_receive(fw_desk *d, fw_caller *from, const void **bytes, size_t *len, fw_error *err)
{
    for (;;) {
        bool good = false;
        fw_status s = take_message(d, from, &good, err);
        if (s != FW_OK) return s;
        if (!good) continue;
        *bytes = zmq_msg_data(&d->message);
        *len = zmq_msg_size(&d->message);
        return FW_OK;
    }
}

static int send_frame(fw_desk *d, const void *bytes, size_t len, int flags)
{
    int n;
    do n = zmq_send(d->socket.zmq, bytes, len, flags | ZMQ_DONTWAIT);
    while (n < 0 && zmq_errno() == EINTR);
    return n;
}

fw_status fw_desk_send(fw_desk *d, const fw_caller *to, const void *bytes, size_t len, fw_error *err)
{
    if (send_frame(d, to->name, to->len, ZMQ_SNDMORE) >= 0 && send_frame(d, bytes, len, 0) >= 0) return FW_OK;
    const int why = zmq_errno();
    if (why == EAGAIN || why == EHOSTUNREACH) return FW_END;
    return fw_fail(err, FW_ERR_BUS, "bus: %s: sending failed: %s", d->socket.endpoint, zmq_strerror(why));
}
