#include "common/bus/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "common/bus/address.h"
#include "common/core/text.h"

#define HEARTBEAT_EVERY_MS   1000
#define HEARTBEAT_TIMEOUT_MS 3000
#define RECONNECT_MS         100
#define RECONNECT_MAX_MS     1000
#define HANDSHAKE_MS         10000     /* who connects and then says nothing has no longer */

fw_status fw_bus_create(fw_bus **out, fw_error *err)
{
    fw_bus *b = calloc(1, sizeof *b);
    if (b == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: context");
    b->context = zmq_ctx_new();
    if (b->context == NULL) {
        free(b);
        return fw_fail(err, FW_ERR_BUS, "bus: cannot start ZeroMQ: %s", zmq_strerror(zmq_errno()));
    }
    zmq_ctx_set(b->context, ZMQ_BLOCKY, 0);      /* sockets linger only as long as they are told to */
    atomic_init(&b->users, 1);
    pthread_mutex_init(&b->lock, NULL);
    *out = b;
    return FW_OK;
}

fw_status fw_bus_create_beside(fw_bus **out, const fw_bus *b, fw_error *err)
{
    FW_TRY(fw_bus_create(out, err));
    (*out)->secure = fw_secure_retain(b->secure);
    return FW_OK;
}

bool fw_bus_can(const char *capability) { return zmq_has(capability) == 1; }

fw_bus *fw_bus_retain(fw_bus *b)
{
    atomic_fetch_add(&b->users, 1);
    return b;
}

void fw_bus_destroy(fw_bus **b)
{
    if (b == NULL || *b == NULL) return;
    if (atomic_fetch_sub(&(*b)->users, 1) == 1) {
        if ((*b)->zap != NULL) zmq_ctx_shutdown((*b)->context);
        fw_zap_destroy(&(*b)->zap);
        while (zmq_ctx_term((*b)->context) != 0 && zmq_errno() == EINTR) {}
        fw_secure_destroy(&(*b)->secure);
        pthread_mutex_destroy(&(*b)->lock);
        free(*b);
    }
    *b = NULL;
}

fw_status fw_socket_set_int(fw_socket *s, int option, int value, const char *name, fw_error *err)
{
    if (zmq_setsockopt(s->zmq, option, &value, sizeof value) == 0) return FW_OK;
    return fw_fail(err, FW_ERR_BUS, "bus: ZeroMQ refuses %s=%d: %s", name, value, zmq_strerror(zmq_errno()));
}

fw_status fw_socket_set_text(fw_socket *s, int option, const char *value, const char *name, fw_error *err)
{
    if (zmq_setsockopt(s->zmq, option, value, strlen(value)) == 0) return FW_OK;
    return fw_fail(err, FW_ERR_BUS, "bus: ZeroMQ refuses %s: %s", name, zmq_strerror(zmq_errno()));
}

static bool is_of(const char *endpoint, const char *scheme) { return strncmp(endpoint, scheme, strlen(scheme)) == 0; }

/** libzmq takes any word for a port when it connects, and then tries for ever. */
static bool has_port(const char *endpoint)
{
    const char *colon = strrchr(endpoint + strlen("tcp://"), ':');
    uint64_t port = 0;
    return colon != NULL && (strcmp(colon, ":*") == 0 || (fw_parse_uint64(&port, colon + 1, strlen(colon + 1)) && port <= UINT16_MAX));
}

static fw_status check_endpoint(const char *endpoint, fw_error *err)
{
    if (endpoint == NULL || *endpoint == '\0') return fw_fail(err, FW_ERR_CONFIG, "bus: no endpoint; write tcp://HOST:PORT or ipc://PATH");
    if (!is_of(endpoint, "tcp://") && !is_of(endpoint, "ipc://") && !is_of(endpoint, "inproc://"))
        return fw_fail(err, FW_ERR_CONFIG, "bus: endpoint '%.200s' is not one; write tcp://HOST:PORT or ipc://PATH", endpoint);
    if (strlen(endpoint) >= FW_ENDPOINT_TEXT)
        return fw_fail(err, FW_ERR_CONFIG, "bus: endpoint '%.60s...' is longer than %d bytes", endpoint, FW_ENDPOINT_TEXT - 1);
    if (is_of(endpoint, "tcp://") && !has_port(endpoint))
        return fw_fail(err, FW_ERR_CONFIG, "bus: '%s' has no port number up to 65535; write tcp://HOST:PORT", endpoint);
    return FW_OK;
}

static fw_status set_common(fw_socket *s, const fw_socket_opts *opts, fw_error *err)
{
    const struct { int option, value; const char *name; } table[] = {
        {ZMQ_LINGER, 0, "LINGER"},
        {ZMQ_SNDHWM, opts->high_water, "SNDHWM"},
        {ZMQ_RCVHWM, opts->high_water, "RCVHWM"},
        {ZMQ_HEARTBEAT_IVL, opts->no_heartbeats ? 0 : HEARTBEAT_EVERY_MS, "HEARTBEAT_IVL"},
        {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS, "HEARTBEAT_TIMEOUT"},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS, "RECONNECT_IVL_MAX"},
        {ZMQ_TCP_KEEPALIVE, 1, "TCP_KEEPALIVE"},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS, "RECONNECT_IVL"},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS, "HANDSHAKE_IVL"},
        {ZMQ_TCP_KEEPALIVE_IDLE, 10, "TCP_KEEPALIVE_IDLE"},
        {ZMQ_TCP_KEEPALIVE_INTVL, 3, "TCP_KEEPALIVE_INTVL"},
        {ZMQ_TCP_KEEPALIVE_CNT, 3, "TCP_KEEPALIVE_CNT"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) FW_TRY(fw_socket_set_int(s, table[i].option, table[i].value, table[i].name, err));
    if (zmq_setsockopt(s->zmq, ZMQ_MAXMSGSIZE, &opts->max_message, sizeof opts->max_message) != 0)
        return fw_fail(err, FW_ERR_BUS, "bus: ZeroMQ refuses MAXMSGSIZE: %s", zmq_strerror(zmq_errno()));
    return FW_OK;
}

fw_status fw_socket_open(fw_socket *s, fw_bus *b, const fw_socket_opts *opts, const char *endpoint, fw_error *err)
{
    FW_TRY(check_endpoint(endpoint, err));
    fw_socket open = {.zmq = zmq_socket(b->context, opts->type)};
    if (open.zmq == NULL) return fw_fail(err, FW_ERR_BUS, "bus: no socket for %s: %s", endpoint, zmq_strerror(zmq_errno()));
    open.bus = fw_bus_retain(b);
    fw_status status = set_common(&open, opts, err);
    if (status == FW_OK) status = fw_socket_secure(&open, opts->side, endpoint, err);
    if (status == FW_OK && opts->side == FW_SIDE_READER) status = fw_socket_watch(&open, err);
    if (status < 0) {
        fw_socket_close(&open, 0);
        return status;
    }
    *s = open;
    return FW_OK;
}

void fw_socket_close(fw_socket *s, int linger_ms)
{
    if (s->zmq == NULL) return;
    fw_socket_unwatch(s);
    zmq_setsockopt(s->zmq, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close(s->zmq);
    s->zmq = NULL;
    fw_bus_destroy(&s->bus);
}

/** libzmq removes the socket file of another program before it binds its own: ask first whether somebody answers there. */
static bool ipc_is_taken(const char *endpoint)
{
    const char *path = endpoint + strlen("ipc://");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (*path == '@' || *path == '*' || strlen(path) >= sizeof address.sun_path) return false;      /* libzmq judges these itself */
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool taken = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return taken;
}

static fw_status bind_failed(const char *endpoint, int code, fw_error *err)
{
    switch (code) {
    case EADDRINUSE:
        return fw_fail(err, FW_ERR_BUS, "bus: %s is already in use, probably by another run on this host; end that one or choose another endpoint (monitor.bus)",
                       endpoint);
    case ENODEV:
    case EADDRNOTAVAIL:
        return fw_fail(err, FW_ERR_BUS, "bus: cannot bind %s: it is no address of this host; use 127.0.0.1, an address of this host, or *", endpoint);
    case EINVAL:
        return fw_fail(err, FW_ERR_CONFIG, "bus: cannot bind '%s': not a valid endpoint; write tcp://HOST:PORT or ipc://PATH", endpoint);
    case EACCES:
        return fw_fail(err, FW_ERR_BUS, "bus: cannot bind %s: not permitted; ports below 1024 are for root, and an ipc folder must be writable", endpoint);
    default:
        return fw_fail(err, FW_ERR_BUS, "bus: cannot bind %s: %s", endpoint, zmq_strerror(code));
    }
}

/* With IPv6 on, an IPv4 address would read [::ffff:127.0.0.1] as bound, and of a name that has both IPv6 alone would be tried. */
static fw_status set_family(fw_socket *s, const char *endpoint, fw_error *err)
{
    return fw_socket_set_int(s, ZMQ_IPV6, fw_endpoint_is_ipv6(endpoint), "IPV6", err);
}

fw_status fw_socket_bind(fw_socket *s, const char *endpoint, fw_error *err)
{
    if (!s->encrypted) FW_TRY(fw_secure_plain(s->bus->secure, endpoint, true, err));
    FW_TRY(set_family(s, endpoint, err));
    if (is_of(endpoint, "ipc://") && ipc_is_taken(endpoint)) return bind_failed(endpoint, EADDRINUSE, err);
    if (zmq_bind(s->zmq, endpoint) != 0) return bind_failed(endpoint, zmq_errno(), err);
    size_t len = sizeof s->endpoint;
    if (zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, s->endpoint, &len) != 0)
        return fw_fail(err, FW_ERR_BUS, "bus: %s: where it is bound is not known: %s", endpoint, zmq_strerror(zmq_errno()));
    return FW_OK;
}

fw_status fw_socket_connect(fw_socket *s, const char *endpoint, fw_error *err)
{
    static const char any[] = "tcp://*:", here[] = "tcp://127.0.0.1:";
    FW_TRY(check_endpoint(endpoint, err));
    if (is_of(endpoint, any)) snprintf(s->endpoint, sizeof s->endpoint, "%s%s", here, endpoint + strlen(any));
    else snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
    if (!s->encrypted) FW_TRY(fw_secure_plain(s->bus->secure, s->endpoint, false, err));
    FW_TRY(set_family(s, s->endpoint, err));
    if (zmq_connect(s->zmq, s->endpoint) != 0)
        return fw_fail(err, FW_ERR_CONFIG, "bus: cannot connect to '%s': %s; write tcp://HOST:PORT or ipc://PATH", endpoint, zmq_strerror(zmq_errno()));
    return FW_OK;
}

void fw_socket_reconnect(fw_socket *s, const char *endpoint)
{
    if (zmq_disconnect(s->zmq, endpoint) == 0) zmq_connect(s->zmq, endpoint);
}

fw_status fw_socket_wait(fw_socket *s, short events, fw_mono deadline, fw_error *err)
{
    for (;;) {
        zmq_pollitem_t item = {.socket = s->zmq, .events = events};
        int n = zmq_poll(&item, 1, fw_mono_left_ms(deadline));
        if (n > 0) return FW_OK;
        if (n < 0 && zmq_errno() != EINTR) return fw_fail(err, FW_ERR_BUS, "bus: %s: waiting failed: %s", s->endpoint, zmq_strerror(zmq_errno()));
        if (fw_mono_passed(deadline)) return fw_fail(err, FW_ERR_TIMEOUT, "bus: %s: nothing happened before the deadline", s->endpoint);
    }
}
