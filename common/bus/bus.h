/** Bytes on ZeroMQ: a publisher that never waits for its readers and counts every loss, a subscriber, and a pair for orders.
 *  Knows no message. The only place that includes zmq.h. */
#ifndef FW_BUS_BUS_H
#define FW_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/clock.h"
#include "common/core/status.h"

#define FW_BUS_MAX_MESSAGE (16u << 20)    /* bytes: larger ones from a peer are refused by the library */

typedef struct fw_bus fw_bus;             /* one ZeroMQ context */
fw_status fw_bus_create(fw_bus **out, fw_error *err);
void      fw_bus_destroy(fw_bus **b);     /* after its sockets */

/** Publisher (XPUB, bound). produced = delivered + dropped: delivered = handed to the socket for at least one reader, or there was none
 *  to hand it to (unheard). Frames: topic, payload. */
typedef struct fw_publisher fw_publisher;
typedef struct fw_publisher_opts { int high_water; /* messages a reader; 0: 100,000 */ } fw_publisher_opts;
typedef struct fw_publisher_counts { uint64_t produced, delivered, unheard, dropped; int readers; } fw_publisher_counts;
fw_status fw_publisher_create(fw_publisher **out, fw_bus *b, const char *endpoint, const fw_publisher_opts *opts, fw_error *err);
void      fw_publisher_destroy(fw_publisher **p);
const char *fw_publisher_endpoint(const fw_publisher *p);      /* as bound: tcp://127.0.0.1:* becomes a real port */
fw_status fw_publisher_wait(fw_publisher *p, int readers, fw_mono deadline, fw_error *err);   /* FW_ERR_TIMEOUT */
/** Never blocks. FW_OK also when it was dropped: see the counts. */
fw_status fw_publisher_send(fw_publisher *p, const char *topic, const void *payload, size_t len, fw_error *err);
fw_publisher_counts fw_publisher_count(fw_publisher *p);
/** Waits until everything queued has left for its readers, or the deadline; then closes. */
fw_status fw_publisher_close(fw_publisher **p, int linger_ms, fw_error *err);

/** Subscriber (SUB, connected, reconnects by itself, heartbeats). */
typedef struct fw_subscriber fw_subscriber;
fw_status fw_subscriber_create(fw_subscriber **out, fw_bus *b, const char *endpoint, const char *topic_prefix, fw_error *err);
void      fw_subscriber_destroy(fw_subscriber **s);
/** The next message; valid until the next call. FW_ERR_TIMEOUT when none came in time. Messages that have not two frames are skipped and counted. */
fw_status fw_subscriber_receive(fw_subscriber *s, const char **topic, const void **payload, size_t *len, fw_mono deadline, fw_error *err);

/** Orders: one end binds, the other connects (PAIR; inproc:// in one process, later tcp:// between processes). Whole messages, in order. */
typedef struct fw_line fw_line;
fw_status fw_line_bind(fw_line **out, fw_bus *b, const char *endpoint, fw_error *err);
fw_status fw_line_connect(fw_line **out, fw_bus *b, const char *endpoint, fw_error *err);
void      fw_line_destroy(fw_line **l);
fw_status fw_line_send(fw_line *l, const void *bytes, size_t len, fw_mono deadline, fw_error *err);
/** Valid until the next call. FW_ERR_TIMEOUT. */
fw_status fw_line_receive(fw_line *l, const void **bytes, size_t *len, fw_mono deadline, fw_error *err);

#endif
