/** A reader of many publishers (outbox.h): gives each message once and in the order of its stream, asks for what is missing, leaves out what comes twice.
 *  Where it stands in each stream is the caller's to keep: it commits the number of a message together with what it made of it, gives the numbers back
 *  when it starts again (fw_inbox_set_position), and says what is committed (fw_inbox_acknowledge), so that the publisher can let go of it.
 *  What a publisher says is bounded and judged: numbers and counts that can't be, streams and gaps without end, two publishers of one stream, garbage.
 *  A publisher that is not heard for 4 s is named. Knows no message. Not thread-safe: one owner. */
#ifndef FW_BUS_INBOX_H
#define FW_BUS_INBOX_H

#include "common/bus/spool.h"

#define FW_INBOX_MAX_PUBLISHERS 64         /* endpoints */
#define FW_INBOX_MAX_STREAMS    1000       /* with a position; beyond, one of those that were silent for an hour makes room, else the new one is refused */

typedef struct fw_inbox_opts {
    const char *name;                      /* by which publishers know what this reader has acknowledged; NULL: they need not */
    const char *topic_prefix;              /* other messages are passed over; NULL: all are given */
} fw_inbox_opts;

/** What is known of a publisher. */
typedef struct fw_inbox_publisher {
    char endpoint[512];
    char name[FW_READER_NAME];             /* as it calls itself; "" until it was heard */
    bool there;                            /* heard within 4 s, and it did not end */
    fw_stream stream;
    uint64_t position, acknowledged;       /* the last number given to the caller, or passed over; of those acknowledged */
    uint64_t highest;                      /* number it has given out */
    uint64_t lost, before, duplicates;     /* numbers that could not be had; that had left the spool before this reader first came; that came twice */
    uint64_t garbage, refused;             /* messages that break the contract of frames.h; of a stream that is another publisher's, or one too many */
    uint64_t produced, delivered, spooled, dropped[FW_N_DROPS];      /* what it says of itself */
    uint64_t untrue;                       /* how often that did not add up: produced = delivered + spooled + dropped */
    bool adds_up;                          /* at the last time */
} fw_inbox_publisher;

typedef enum fw_inbox_kind {
    FW_INBOX_MESSAGE,
    FW_INBOX_FOUND,                        /* a publisher is there: for the first time, again, or with another stream */
    FW_INBOX_SILENT,                       /* it was not heard for 4 s */
    FW_INBOX_ENDED,                        /* it has ended in order */
    FW_INBOX_LOST,                         /* messages first to last can't be had any more (why: or not by this reader) */
    FW_INBOX_REFUSED,                      /* why: what it says can't be; told once for each publisher and reason */
} fw_inbox_kind;

/** Valid until the next call. */
typedef struct fw_inbox_event {
    fw_inbox_kind kind;
    const fw_inbox_publisher *publisher;
    const char *topic; const void *payload; size_t len;      /* MESSAGE: number `first` of publisher->stream */
    uint64_t first, last;
    const char *why;
} fw_inbox_event;

typedef struct fw_inbox fw_inbox;

fw_status fw_inbox_create(fw_inbox **out, fw_bus *b, const fw_inbox_opts *opts, fw_error *err);
void      fw_inbox_destroy(fw_inbox **in);
/** One more publisher, which need not be there yet. FW_ERR_CONFIG: no endpoint; FW_ERR_ARG: more than FW_INBOX_MAX_PUBLISHERS. */
fw_status fw_inbox_connect(fw_inbox *in, const char *endpoint, fw_error *err);

/** What the caller had committed: it goes on behind this number. Before the first receive. FW_ERR_ARG: more than FW_INBOX_MAX_STREAMS, or no number. */
fw_status fw_inbox_set_position(fw_inbox *in, const fw_stream *stream, uint64_t sequence, fw_error *err);
/** The next message or event. FW_ERR_TIMEOUT when none came in time. */
fw_status fw_inbox_receive(fw_inbox *in, fw_inbox_event *out, fw_mono deadline, fw_error *err);
/** The caller has committed all of the stream up to this number (at most: what it was given). stream NULL: all that it was given, of every stream.
 *  A number that was not given is taken for the last one that was. */
void      fw_inbox_acknowledge(fw_inbox *in, const fw_stream *stream, uint64_t sequence);

size_t    fw_inbox_n_publishers(const fw_inbox *in);
const fw_inbox_publisher *fw_inbox_publisher_at(const fw_inbox *in, size_t i);

#endif
