/** What the kinds of socket share: the context, the options every socket gets, endpoints, and waiting with a deadline.
 *  Private to common/bus. */
#ifndef FW_BUS_SOCKET_H
#define FW_BUS_SOCKET_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/bus/secure.h"

#define FW_ENDPOINT_TEXT 512

/** A context and who uses it: the fw_bus itself and each of its sockets. The last one to leave ends it. */
struct fw_bus {
    void *context;
    atomic_int users;
    fw_secure *secure;                    /* NULL until fw_bus_secure */
    fw_zap *zap;                          /* from the first server socket on; under lock */
    pthread_mutex_t lock;
};

fw_bus *fw_bus_retain(fw_bus *b);
/** A context of its own that is as secure as b, and counts whom it refuses with it. */
fw_status fw_bus_create_beside(fw_bus **out, const fw_bus *b, fw_error *err);

/** Which side of a connection a socket is. It decides the keys (when the bus has some), and whether plain text may leave the host (never, unless
 *  the bus is insecure). */
typedef enum fw_side {
    FW_SIDE_PLAIN,                        /* has no keys: stays on this host */
    FW_SIDE_READER,                       /* connects to a publisher: SUB, DEALER */
    FW_SIDE_PUBLISHER,                    /* bound; lets in whoever may read: XPUB */
    FW_SIDE_REPLAY,                       /* bound; lets in whoever may fetch and acknowledge: ROUTER. zmq_msg_gets(m, "User-Id") is the name in the list */
    FW_SIDE_OWN_KEYS                      /* brings keys of its own: a desk and the lines to it */
} fw_side;

/** A reader's troubles with its publishers, by endpoint; of contact.c. */
#define FW_CONTACTS     64                /* endpoints in trouble that are known at a time */
#define FW_CONTACT_TEXT 512
typedef struct fw_trouble { uint64_t endpoint, times; uint16_t what; } fw_trouble;
/* cut: an endpoint whose connection ended, and of which libzmq has not said that it tries again; "": none */
typedef struct fw_contact { void *events; fw_mono next_look, cut_at; fw_trouble trouble[FW_CONTACTS]; char cut[FW_ENDPOINT_TEXT]; } fw_contact;

typedef struct fw_socket {
    void *zmq;                            /* NULL: not open */
    fw_bus *bus;
    bool encrypted;
    fw_contact contact;                   /* of a reader */
    char endpoint[FW_ENDPOINT_TEXT];
} fw_socket;

typedef struct fw_socket_opts {
    int type;                             /* ZMQ_XPUB, ZMQ_SUB, ZMQ_PAIR, ZMQ_DEALER, ZMQ_ROUTER */
    int high_water;                       /* messages, both ways */
    int64_t max_message;                  /* bytes accepted from the peer; below 300 the handshake of CURVE does not come through */
    fw_side side;
    bool no_heartbeats;                   /* of the library: for sockets whose queue may stay full for seconds. Input stops then, its heartbeats run out,
                                             and libzmq 4.3 ends the process ("_input_stopped", zeromq/libzmq#3937). Their users say who is there themselves */
} fw_socket_opts;

/** Opens an unconnected socket with the common options. On error nothing is left open. */
fw_status fw_socket_open(fw_socket *s, fw_bus *b, const fw_socket_opts *opts, const char *endpoint, fw_error *err);
/** Closes; up to linger_ms for what is queued, in the background. Safe on a socket that is not open. */
void      fw_socket_close(fw_socket *s, int linger_ms);
/** Of secure.c. Keys as the side and the bus want them; part of fw_socket_open. */
fw_status fw_socket_secure(fw_socket *s, fw_side side, const char *endpoint, fw_error *err);
fw_status fw_socket_be_client(fw_socket *s, const char *server, const fw_bus_keys *own, fw_error *err);
/** Of contact.c. A reader's handshakes are watched from before it connects until it is closed. */
fw_status fw_socket_watch(fw_socket *s, fw_error *err);
void      fw_socket_unwatch(fw_socket *s);
/** Looks, once a second at most, whether publishers refused this reader, and asks them again. True: one did that was not told yet; trouble says which
 *  and why. To be called whenever the reader looks for messages; never waits. */
bool      fw_socket_tend(fw_socket *s, char trouble[static FW_CONTACT_TEXT]);
fw_status fw_socket_set_int(fw_socket *s, int option, int value, const char *name, fw_error *err);
fw_status fw_socket_set_text(fw_socket *s, int option, const char *value, const char *name, fw_error *err);
fw_status fw_socket_bind(fw_socket *s, const char *endpoint, fw_error *err);
fw_status fw_socket_connect(fw_socket *s, const char *endpoint, fw_error *err);
/** Anew, to one it was connected to. */
void      fw_socket_reconnect(fw_socket *s, const char *endpoint);
/** Until one of the events (ZMQ_POLLIN, ZMQ_POLLOUT). FW_ERR_TIMEOUT; an interrupted wait goes on to the same deadline. */
fw_status fw_socket_wait(fw_socket *s, short events, fw_mono deadline, fw_error *err);

/** The ZeroMQ socket of a line, to wait on it beside others. */
void *fw_line_zmq(fw_line *l);

#endif
