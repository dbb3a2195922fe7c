#include "common/bus/frames.h"

#include <string.h>

#define HEADER_MAGIC  0x31425746u      /* "FWB1" */
#define REQUEST_MAGIC 0x31515746u      /* "FWQ1" */

typedef struct header_bytes { uint32_t magic, bits; fw_stream stream; uint64_t sequence; } header_bytes;
typedef struct status_bytes { uint64_t number[5 + FW_N_DROPS]; uint32_t port, state, reserved[2]; char name[FW_READER_NAME]; } status_bytes;
typedef struct request_bytes {
    uint32_t magic, reserved; fw_stream stream; uint64_t received, acknowledged, before, from, until; uint32_t messages, bytes; char name[FW_READER_NAME];
} request_bytes;
_Static_assert(sizeof(header_bytes) == FW_HEADER_BYTES && sizeof(status_bytes) == FW_STATUS_BYTES && sizeof(request_bytes) == FW_REQUEST_BYTES,
               "frames have no holes");

void fw_header_encode(char out[static FW_HEADER_BYTES], const fw_header *h)
{
    const header_bytes b = {.magic = HEADER_MAGIC, .bits = (uint32_t)h->kind | h->flags, .stream = h->stream, .sequence = h->sequence};
    memcpy(out, &b, sizeof b);
}

bool fw_header_decode(fw_header *out, const void *bytes, size_t len)
{
    header_bytes b;
    if (len != sizeof b) return false;
    memcpy(&b, bytes, sizeof b);
    const uint32_t kind = b.bits & 0xff;
    if (b.magic != HEADER_MAGIC || kind >= FW_N_FRAMES || b.sequence > FW_BUS_MAX_SEQUENCE + 1) return false;
    if (kind != FW_FRAME_STATUS && (b.sequence == 0 || b.sequence > FW_BUS_MAX_SEQUENCE)) return false;
    *out = (fw_header){.kind = (fw_frame_kind)kind, .flags = b.bits & ~0xffu, .stream = b.stream, .sequence = b.sequence};
    return true;
}

/** The bytes hold a name of a reader or publisher, or "" where that may be. */
static bool take_name(char out[static FW_READER_NAME], const char *bytes, bool may_be_empty)
{
    if (memchr(bytes, '\0', FW_READER_NAME) == NULL) return false;
    memcpy(out, bytes, FW_READER_NAME);
    return (may_be_empty && out[0] == '\0') || fw_reader_name_valid(out);
}

void fw_status_encode(char out[static FW_STATUS_BYTES], const fw_frame_status *s)
{
    status_bytes b = {.number = {s->first, s->highest, s->produced, s->delivered, s->spooled}, .port = s->port, .state = s->state};
    memcpy(b.number + 5, s->dropped, sizeof s->dropped);
    memcpy(b.name, s->name, sizeof b.name);
    memcpy(out, &b, sizeof b);
}

bool fw_status_decode(fw_frame_status *out, const void *bytes, size_t len)
{
    status_bytes b;
    fw_frame_status s = {0};
    if (len != sizeof b) return false;
    memcpy(&b, bytes, sizeof b);
    if (b.port > UINT16_MAX || b.state > FW_OUTBOX_CLOSED || !take_name(s.name, b.name, false)) return false;
    for (size_t i = 0; i < 5 + FW_N_DROPS; i++)
        if (b.number[i] > FW_BUS_MAX_SEQUENCE + 1) return false;
    s.first = b.number[0], s.highest = b.number[1], s.produced = b.number[2], s.delivered = b.number[3], s.spooled = b.number[4];
    if (s.first == 0 || s.first > s.highest + 1 || s.highest > FW_BUS_MAX_SEQUENCE) return false;
    memcpy(s.dropped, b.number + 5, sizeof s.dropped);
    s.port = b.port;
    s.state = (fw_outbox_state)b.state;
    *out = s;
    return true;
}

void fw_request_encode(char out[static FW_REQUEST_BYTES], const fw_frame_request *r)
{
    request_bytes b = {.magic = REQUEST_MAGIC, .stream = r->stream, .received = r->received, .acknowledged = r->acknowledged, .before = r->before, .from = r->from,
                       .until = r->until, .messages = r->messages, .bytes = r->bytes};
    memcpy(b.name, r->name, sizeof b.name);
    memcpy(out, &b, sizeof b);
}

bool fw_request_decode(fw_frame_request *out, const void *bytes, size_t len)
{
    request_bytes b;
    fw_frame_request r = {0};
    if (len != sizeof b) return false;
    memcpy(&b, bytes, sizeof b);
    if (b.magic != REQUEST_MAGIC || !take_name(r.name, b.name, true)) return false;
    if (b.received > FW_BUS_MAX_SEQUENCE || b.acknowledged > b.received || b.before > b.received || b.from > FW_BUS_MAX_SEQUENCE || b.until > FW_BUS_MAX_SEQUENCE) return false;
    r.stream = b.stream;
    r.received = b.received, r.acknowledged = b.acknowledged, r.before = b.before, r.from = b.from, r.until = b.until;
    r.messages = b.messages, r.bytes = b.bytes;
    *out = r;
    return true;
}
