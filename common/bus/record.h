/** What a segment of a spool is made of: a head, then records. Little-endian, each record at a multiple of 8 bytes:
 *
 *      segment head   magic "FWSPOOL1" (8) | stream (16) | number of its first record (8) | check (8): XXH3-64 of the 32 bytes before
 *      record         magic (4) | bytes of the topic (4) | bytes of the payload (4) | head check (4) | sequence (8) | body check (8)
 *                     | topic | payload | zeros up to a multiple of 8
 *
 *  The head check is of the other 28 bytes of the head, so that a wrong length is known for what it is; the body check is of topic and
 *  payload, seeded with the sequence. Bytes of any origin may be given to these functions. */
#ifndef FW_BUS_RECORD_H
#define FW_BUS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/text.h"

#define FW_RECORD_HEAD  32u
#define FW_SEGMENT_HEAD 40u
#define FW_STREAM_BYTES 16

/** A publisher's identity: random, the same as long as its spool is. */
typedef struct fw_stream { unsigned char bytes[FW_STREAM_BYTES]; } fw_stream;

typedef struct fw_record {
    uint64_t sequence;
    const char *topic; size_t topic_len;           /* not NUL-terminated */
    const void *payload; size_t len;
    size_t bytes;                                  /* of the record, head and padding included */
} fw_record;

typedef enum fw_record_state {
    FW_RECORD_GOOD,
    FW_RECORD_SHORT,           /* it begins well and goes on behind the bytes that are there */
    FW_RECORD_BODY,            /* the head is right (sequence and bytes are set), topic or payload is not */
    FW_RECORD_BAD,             /* the head is no head */
} fw_record_state;

/** What stands at bytes, of which len are there (len > 0). The pointers of *out go into bytes. */
fw_record_state fw_record_parse(fw_record *out, const char *bytes, size_t len);
/** The next place from `from` on, a multiple of 8, at which the head of a record is right; len when there is none. */
size_t          fw_record_find(const char *bytes, size_t len, size_t from);
/** Bytes that a record of this message takes. */
size_t          fw_record_size(size_t topic_len, size_t len);
void            fw_record_append(fw_text *out, uint64_t sequence, const char *topic, size_t topic_len, const void *payload, size_t len);

void            fw_segment_head(char out[static FW_SEGMENT_HEAD], const fw_stream *stream, uint64_t first);
/** False: not the head of a segment, or a damaged one. */
bool            fw_segment_parse(fw_stream *stream, uint64_t *first, const char *bytes, size_t len);

#endif
