/** What goes between an outbox and its inboxes, as bytes. Little-endian, sizes fixed. Bytes of any origin may be given to the decoders.
 *
 *  Outbox to inbox (XPUB to all, ROUTER to one), three frames:
 *      topic | header (32): magic "FWB1" (4), bits (4), stream (16), sequence (8) | payload
 *      bits    0..7 the kind, 8 on: flags
 *      DATA    a message of the caller, with its number: 1, 2, 3, ... of the stream, over all topics
 *      STATUS  topic "bus/status": an fw_frame_status, each second, and as the last answer to a request (flag ANSWER); sequence: the next number that
 *              the answer did not reach
 *      GONE    topic "bus/gone": the numbers from sequence to the 8 bytes of the payload can't be had any more; in answers alone
 *  Inbox to outbox (DEALER to ROUTER), one frame: an fw_frame_request. */
#ifndef FW_BUS_FRAMES_H
#define FW_BUS_FRAMES_H

#include "common/bus/spool.h"

#define FW_HEADER_BYTES  32u
#define FW_STATUS_BYTES  152u
#define FW_REQUEST_BYTES 136u
#define FW_TOPIC_STATUS  "bus/status"
#define FW_TOPIC_GONE    "bus/gone"

typedef enum fw_frame_kind { FW_FRAME_DATA, FW_FRAME_STATUS, FW_FRAME_GONE, FW_N_FRAMES } fw_frame_kind;
#define FW_FRAME_ANSWER 0x100u         /* at the ROUTER: of a request */
#define FW_FRAME_AHEAD  0x200u         /* in a STATUS that is an answer: who asked has numbers that were never given out here */

typedef struct fw_header { fw_frame_kind kind; uint32_t flags; fw_stream stream; uint64_t sequence; } fw_header;

void fw_header_encode(char out[static FW_HEADER_BYTES], const fw_header *h);
/** False: not the header of a kind that is known, or a number that none can have (DATA and GONE: 1..2^53). */
bool fw_header_decode(fw_header *out, const void *bytes, size_t len);

typedef enum fw_outbox_state { FW_OUTBOX_OPEN, FW_OUTBOX_CLOSING, FW_OUTBOX_CLOSED } fw_outbox_state;

typedef struct fw_frame_status {
    uint64_t first, highest;                   /* numbers that can be asked for; first == highest + 1: none */
    uint64_t produced, delivered, spooled, dropped[FW_N_DROPS];
    uint32_t port;                             /* of the ROUTER on the host of the XPUB; 0: it is no TCP port */
    fw_outbox_state state;
    char name[FW_READER_NAME];                 /* of the publisher, for people */
} fw_frame_status;

void fw_status_encode(char out[static FW_STATUS_BYTES], const fw_frame_status *s);
/** False: over a limit, or the name is none. Whether the counts add up is not asked. */
bool fw_status_decode(fw_frame_status *out, const void *bytes, size_t len);

/** Says where a reader stands, and asks for numbers. */
typedef struct fw_frame_request {
    fw_stream stream;
    uint64_t received, acknowledged;           /* all up to these */
    uint64_t before;                           /* numbers up to here it never had: it came later */
    uint64_t from, until;                      /* numbers that are asked for; from 0: none */
    uint32_t messages, bytes;                  /* as many, about, as may be sent */
    char name[FW_READER_NAME];                 /* "": a reader that is not known and holds nothing back */
} fw_frame_request;

void fw_request_encode(char out[static FW_REQUEST_BYTES], const fw_frame_request *r);
bool fw_request_decode(fw_frame_request *out, const void *bytes, size_t len);

#endif
