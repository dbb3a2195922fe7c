/** What the kinds of socket share: the context, the options every socket gets, endpoints, and waiting with a deadline.
 *  Private to common/bus. */
#ifndef FW_BUS_SOCKET_H
#define FW_BUS_SOCKET_H

#include <stdatomic.h>

#include "common/bus/bus.h"

#define FW_ENDPOINT_TEXT 512

/** A context and who uses it: the fw_bus itself and each of its sockets. The last one to leave ends it. */
struct fw_bus { void *context; atomic_int users; };

fw_bus *fw_bus_retain(fw_bus *b);

typedef struct fw_socket {
    void *zmq;                            /* NULL: not open */
    fw_bus *bus;
    char endpoint[FW_ENDPOINT_TEXT];
} fw_socket;

typedef struct fw_socket_opts {
    int type;                             /* ZMQ_XPUB, ZMQ_SUB, ZMQ_PAIR, ZMQ_DEALER, ZMQ_ROUTER */
    int high_water;                       /* messages, both ways */
    int64_t max_message;                  /* bytes accepted from the peer */
} fw_socket_opts;

/** Opens an unconnected socket with the common options. On error nothing is left open. */
fw_status fw_socket_open(fw_socket *s, fw_bus *b, const fw_socket_opts *opts, const char *endpoint, fw_error *err);
/** Closes; up to linger_ms for what is queued, in the background. Safe on a socket that is not open. */
void      fw_socket_close(fw_socket *s, int linger_ms);
fw_status fw_socket_set_int(fw_socket *s, int option, int value, const char *name, fw_error *err);
fw_status fw_socket_set_text(fw_socket *s, int option, const char *value, const char *name, fw_error *err);
fw_status fw_socket_bind(fw_socket *s, const char *endpoint, fw_error *err);
fw_status fw_socket_connect(fw_socket *s, const char *endpoint, fw_error *err);
/** Until one of the events (ZMQ_POLLIN, ZMQ_POLLOUT). FW_ERR_TIMEOUT; an interrupted wait goes on to the same deadline. */
fw_status fw_socket_wait(fw_socket *s, short events, fw_mono deadline, fw_error *err);

/** The ZeroMQ socket of a line, to wait on it beside others. */
void *fw_line_zmq(fw_line *l);

#endif
