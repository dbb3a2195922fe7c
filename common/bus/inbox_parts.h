/** The inside of an inbox, for the files that share it: inbox.c (the caller's side, positions, waiting), source.c (one publisher). */
#ifndef FW_BUS_INBOX_PARTS_H
#define FW_BUS_INBOX_PARTS_H

#include <zmq.h>

#include "common/bus/frames.h"
#include "common/bus/inbox.h"
#include "common/bus/socket.h"

#define FW_WAITING_MESSAGES 1000           /* that came before their turn, of one publisher */
#define FW_WAITING_BYTES    (32u << 20)
#define FW_INBOX_EVENTS     8              /* of one publisher, not yet told */

/** A stream and where the caller stands in it. */
typedef struct fw_position {
    fw_stream stream;
    uint64_t given, committed;             /* numbers up to these */
    bool known;                            /* set by the caller, or by a status of the publisher: given means something */
    fw_mono heard;
    struct fw_source *owner;               /* the publisher that speaks for it now */
} fw_position;

typedef struct fw_waiting { uint64_t sequence; zmq_msg_t topic, payload; } fw_waiting;

typedef struct fw_notice { fw_inbox_kind kind; uint64_t first, last; const char *why; } fw_notice;

typedef struct fw_source {
    struct fw_inbox *inbox;
    fw_inbox_publisher info;
    fw_socket live, ask;                   /* SUB; DEALER, open once the address is known */
    uint32_t port;
    bool has_status, ended;
    fw_position *position;                 /* NULL: no stream yet, or refused */
    fw_mono heard;
    fw_waiting *waiting; size_t first_waiting, n_waiting, waiting_bytes;      /* a ring of FW_WAITING_MESSAGES; numbers one behind the other */
    uint64_t target;                       /* the highest number that is known to have come past us */
    bool asked, eager;                     /* an answer is on its way; the publisher is ending: say at once where we stand */
    uint64_t asked_from;
    fw_mono answer_by, ask_after, report_at;
    uint64_t reported_given, reported_committed;
    fw_notice notices[FW_INBOX_EVENTS]; size_t n_notices;
    unsigned unanswered;                   /* questions in a row */
    bool may_not_ask;                      /* refused there, and not let in since */
    char trouble[2][FW_CONTACT_TEXT];      /* of its two sockets: who refuses us, and why */
    unsigned refusals;                     /* reasons that were told: bits */
} fw_source;

struct fw_inbox {
    fw_bus *bus;
    char name[FW_READER_NAME];
    char *prefix; size_t prefix_len;
    fw_source *sources[FW_INBOX_MAX_PUBLISHERS]; size_t n_sources, turn;
    fw_position *positions[FW_INBOX_MAX_STREAMS]; size_t n_positions;
    zmq_msg_t payload;                     /* of the message that was given last */
    char topic[FW_BUS_MAX_TOPIC + 1];
    fw_inbox_publisher told;               /* as it was at the event */
    unsigned calls; bool quiet, due;       /* when to look at the clock: now and then, when nothing came, when there is a question to ask */
};

/** The position of a stream: the one there is, or a new one. NULL: no room (or no memory). */
fw_position *fw_inbox_position(fw_inbox *in, const fw_stream *stream);

fw_status fw_source_create(fw_source **out, fw_inbox *in, const char *endpoint, fw_error *err);
void      fw_source_destroy(fw_source **s);
/** What is there already: *got, and the message is in in->topic and in->payload, its number in *sequence. */
fw_status fw_source_next(fw_source *s, bool *got, uint64_t *sequence, fw_error *err);
/** What is due: questions, reports, silence. */
void      fw_source_tick(fw_source *s, fw_mono now);
void      fw_source_notice(fw_source *s, fw_inbox_kind kind, uint64_t first, uint64_t last, const char *why);

#endif
