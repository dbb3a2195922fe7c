/** Bytes on ZeroMQ: a publisher that never waits for its readers and counts every loss, a subscriber, a pair for orders, and a desk
 *  to which many lines come.
 *  Knows no message. This folder is the only place that includes zmq.h.
 *  Endpoints: tcp://HOST:PORT (PORT may be *), ipc://PATH, inproc://NAME. HOST is an address (IPv6 in brackets) or a name.
 *  HOST may be * too: a publisher then binds every address of the host, a reader connects to this host, so one text in a project file serves both.
 *  Not thread-safe: a socket belongs to one thread at a time; different sockets of one fw_bus may belong to different threads. */
#ifndef FW_BUS_BUS_H
#define FW_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/clock.h"
#include "common/core/status.h"

#define FW_BUS_MAX_MESSAGE (16u << 20)    /* bytes: larger ones from a peer are refused by the library */
#define FW_BUS_MAX_TOPIC   4096u          /* bytes */
#define FW_BUS_MAX_SEQUENCE (UINT64_C(1) << 53)      /* numbers of messages: exact in JSON too */

typedef struct fw_bus fw_bus;             /* one ZeroMQ context */
fw_status fw_bus_create(fw_bus **out, fw_error *err);
/** Ends at once: the context itself lives until the last of its sockets is destroyed, so the order of destruction does not matter. */
void      fw_bus_destroy(fw_bus **b);

/** Who this process is on the bus, and whom it lets in. keys: a folder (keys.h, allowed.h); NULL: none, and then only addresses of this host are
 *  bound and connected to, but for insecure: in plain text, whoever comes. The texts are used during the call only. */
typedef struct fw_bus_identity { const char *keys; bool insecure; } fw_bus_identity;
/** Makes the bus secure as a whole, before its first socket: publishers take CURVE (FOLDER/publisher.secret) and let in who is in FOLDER/allowed;
 *  subscribers are CURVE clients (FOLDER/reader.secret) and talk to the holder of FOLDER/publisher.public alone. Which of them is missing is told
 *  when a socket that needs it is opened. FW_ERR_ARG: a socket is open, keys and insecure at once; and the errors of keys.h and allowed.h. */
fw_status fw_bus_secure(fw_bus *b, const fw_bus_identity *identity, fw_error *err);
/** The same look at keys and endpoint, without opening anything: to tell before work starts. */
fw_status fw_bus_check(const char *endpoint, const fw_bus_identity *identity, bool publishes, fw_error *err);

/** Those who came with a key and were refused, by reason and address. Who knows no public key of ours does not come so far and is not in it. */
typedef enum fw_refused {
    FW_REFUSED_NOT,                       /* let in */
    FW_REFUSED_UNKNOWN,                   /* the key is not in the list */
    FW_REFUSED_ROLE,                      /* it is, with a role that does not allow this */
    FW_REFUSED_LIST,                      /* the list can't be read: nobody is let in */
    FW_REFUSED_FORM                       /* no question of ZAP, or without a key */
} fw_refused;
#define FW_REFUSED_ADDRESSES 64           /* told apart; the others count as "other" */
typedef struct fw_refusal { fw_refused why; char address[64]; uint64_t count; } fw_refusal;      /* address: "10.0.0.7", "ipc", "other" */
const char *fw_refused_name(fw_refused why);      /* "unknown_key", "role", "list", "form" */
/** Up to `room` of them, of this bus and its publishers since it was made secure; returns how many there are. Any thread may ask. */
size_t    fw_bus_refusals(fw_bus *b, fw_refusal *out, size_t room);

/** Whether the library was built with it: "curve" (encryption), "ipc", ... */
bool      fw_bus_can(const char *capability);

/** Publisher (XPUB, bound). produced = delivered + unheard + dropped: delivered = handed to the socket for at least one reader,
 *  unheard = nobody was subscribed to the topic, dropped = a reader's queue was full. Frames: topic, payload.
 *  A reader that stands still fills its queue, and what comes then is dropped for all until the heartbeats (3 s) end its connection. */
typedef struct fw_publisher fw_publisher;
typedef struct fw_publisher_opts { int high_water; /* messages a reader; 0: 100,000 */ } fw_publisher_opts;
typedef struct fw_publisher_counts { uint64_t produced, delivered, unheard, dropped; int readers; /* subscriptions */ } fw_publisher_counts;
fw_status fw_publisher_create(fw_publisher **out, fw_bus *b, const char *endpoint, const fw_publisher_opts *opts, fw_error *err);
void      fw_publisher_destroy(fw_publisher **p);             /* at once: what is queued is lost; fw_publisher_close comes before */
const char *fw_publisher_endpoint(const fw_publisher *p);      /* as bound: tcp://127.0.0.1:* becomes a real port */
fw_status fw_publisher_wait(fw_publisher *p, int readers, fw_mono deadline, fw_error *err);   /* FW_ERR_TIMEOUT */
/** Never blocks. FW_OK also when it was dropped: see the counts. */
fw_status fw_publisher_send(fw_publisher *p, const char *topic, const void *payload, size_t len, fw_error *err);
fw_publisher_counts fw_publisher_count(fw_publisher *p);
/** Waits until everything queued has left for its readers, or the deadline; then closes. FW_ERR_TIMEOUT: some may not have left.
 *  *p is NULL afterwards whatever is returned. */
fw_status fw_publisher_close(fw_publisher **p, int linger_ms, fw_error *err);

/** Subscriber (SUB, connected, reconnects by itself, heartbeats). topic_prefix NULL or "": everything. */
typedef struct fw_subscriber fw_subscriber;
fw_status fw_subscriber_create(fw_subscriber **out, fw_bus *b, const char *endpoint, const char *topic_prefix, fw_error *err);
fw_status fw_subscriber_connect(fw_subscriber *s, const char *endpoint, fw_error *err);      /* one more publisher */
void      fw_subscriber_destroy(fw_subscriber **s);
/** The next message; valid until the next call. FW_ERR_TIMEOUT when none came in time. Messages that have not two frames, or whose topic
 *  holds a NUL byte or is longer than FW_BUS_MAX_TOPIC, are skipped and counted. */
fw_status fw_subscriber_receive(fw_subscriber *s, const char **topic, const void **payload, size_t *len, fw_mono deadline, fw_error *err);
uint64_t  fw_subscriber_skipped(const fw_subscriber *s);
/** A publisher that does not take this reader, or is not whom it should be: who and why, once each until it goes well; NULL: none. It is asked again
 *  each second while messages are received. Valid until the next call. */
const char *fw_subscriber_trouble(fw_subscriber *s);

/** Orders: one end binds, the other connects (PAIR; inproc:// in one process, tcp:// or ipc:// between processes of one host, never encrypted). Whole messages, in order.
 *  A send with no peer, or with a peer that does not read, waits for the deadline. What was sent has up to 2 s to leave after destroy. */
typedef struct fw_line fw_line;
fw_status fw_line_bind(fw_line **out, fw_bus *b, const char *endpoint, fw_error *err);
fw_status fw_line_connect(fw_line **out, fw_bus *b, const char *endpoint, fw_error *err);
void      fw_line_destroy(fw_line **l);
const char *fw_line_endpoint(const fw_line *l);                /* as bound or connected */
fw_status fw_line_send(fw_line *l, const void *bytes, size_t len, fw_mono deadline, fw_error *err);
/** Valid until the next call. FW_ERR_TIMEOUT. */
fw_status fw_line_receive(fw_line *l, const void **bytes, size_t *len, fw_mono deadline, fw_error *err);

/** Keys of a desk, as ZeroMQ writes them. The public one goes to those who are to come to it. FW_ERR_BUS: this ZeroMQ has no CURVE. */
#define FW_BUS_KEY_TEXT 41
typedef struct fw_bus_keys { char public_key[FW_BUS_KEY_TEXT], secret_key[FW_BUS_KEY_TEXT]; } fw_bus_keys;
fw_status fw_bus_make_keys(fw_bus_keys *out, fw_error *err);

/** The line to a desk (DEALER, CURVE): encrypted, and to none but the holder of the secret key. name: what the desk knows this line by, also after
 *  the connection broke and came back; NULL: the desk names it. Sending and receiving as on any line. */
fw_status fw_line_to_desk(fw_line **out, fw_bus *b, const char *endpoint, const char *public_key, const char *name, fw_error *err);

/** Desk (ROUTER, bound, CURVE): many lines come to one place. Who comes is not known by its key: the first message has to prove it.
 *  Belongs to one thread. */
#define FW_DESK_NAME 64                   /* bytes; who has a longer name is not heard */
typedef struct fw_caller { unsigned char name[FW_DESK_NAME]; size_t len; } fw_caller;
typedef struct fw_desk fw_desk;
fw_status fw_desk_bind(fw_desk **out, fw_bus *b, const char *endpoint, const fw_bus_keys *keys, fw_error *err);
void      fw_desk_destroy(fw_desk **d);                          /* what was sent has up to 2 s to leave after it */
const char *fw_desk_endpoint(const fw_desk *d);                /* as bound */
/** Until somebody at the desk or on the line (may be NULL) has said something. FW_ERR_TIMEOUT. */
fw_status fw_desk_wait(fw_desk *d, fw_line *line, fw_mono deadline, fw_error *err);
/** The next message, of one frame, without waiting; valid until the next call. FW_END: none is there. */
fw_status fw_desk_receive(fw_desk *d, fw_caller *from, const void **bytes, size_t *len, fw_error *err);
/** Never waits. FW_END: nobody of that name is there, or its queue is full. */
fw_status fw_desk_send(fw_desk *d, const fw_caller *to, const void *bytes, size_t len, fw_error *err);

#endif
