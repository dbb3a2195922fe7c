#include "common/bus/record.h"

#include <string.h>

#include "common/bus/bus.h"
#include "common/core/hash.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "spools and frames are little-endian, as this host has to be");

#define RECORD_MAGIC 0x52535746u       /* "FWSR" */
static const char segment_magic[8] = {'F', 'W', 'S', 'P', 'O', 'O', 'L', '1'};

typedef struct head { uint32_t magic, topic_len, len, head_check; uint64_t sequence, body_check; } head;
_Static_assert(sizeof(head) == FW_RECORD_HEAD, "a record's head has no holes");

static uint32_t check_of_head(head h)
{
    h.head_check = 0;
    return (uint32_t)fw_hash64(&h, sizeof h, 1);
}

/* Topic and payload stand one behind the other in a record, not in the caller's memory. */
static uint64_t check_of_body(uint64_t sequence, const void *topic, size_t topic_len, const void *payload, size_t len)
{
    return fw_hash64(payload, len, fw_hash64(topic, topic_len, sequence));
}

static size_t padded(size_t n) { return (n + 7) & ~(size_t)7; }

size_t fw_record_size(size_t topic_len, size_t len) { return FW_RECORD_HEAD + padded(topic_len + len); }

static bool is_head(head *h, const char *bytes)
{
    memcpy(h, bytes, sizeof *h);
    return h->magic == RECORD_MAGIC && h->topic_len <= FW_BUS_MAX_TOPIC && h->len <= FW_BUS_MAX_MESSAGE && h->sequence > 0 &&
           h->sequence <= FW_BUS_MAX_SEQUENCE && h->head_check == check_of_head(*h);
}

fw_record_state fw_record_parse(fw_record *out, const char *bytes, size_t len)
{
    head h;
    if (len < FW_RECORD_HEAD) return FW_RECORD_SHORT;
    if (!is_head(&h, bytes)) return FW_RECORD_BAD;
    *out = (fw_record){.sequence = h.sequence, .topic = bytes + FW_RECORD_HEAD, .topic_len = h.topic_len, .payload = bytes + FW_RECORD_HEAD + h.topic_len,
                       .len = h.len, .bytes = fw_record_size(h.topic_len, h.len)};
    if (out->bytes > len) return FW_RECORD_SHORT;
    if (check_of_body(h.sequence, out->topic, out->topic_len, out->payload, out->len) != h.body_check) return FW_RECORD_BODY;
    for (size_t i = FW_RECORD_HEAD + h.topic_len + h.len; i < out->bytes; i++)
        if (bytes[i] != 0) return FW_RECORD_BODY;
    return FW_RECORD_GOOD;
}

size_t fw_record_find(const char *bytes, size_t len, size_t from)
{
    head h;
    for (size_t at = padded(from); at <= len && len - at >= FW_RECORD_HEAD; at += 8)
        if (is_head(&h, bytes + at)) return at;
    return len;
}

void fw_record_append(fw_text *out, uint64_t sequence, const char *topic, size_t topic_len, const void *payload, size_t len)
{
    static const char zeros[8] = {0};
    head h = {.magic = RECORD_MAGIC, .topic_len = (uint32_t)topic_len, .len = (uint32_t)len, .sequence = sequence,
              .body_check = check_of_body(sequence, topic, topic_len, payload, len)};
    h.head_check = check_of_head(h);
    fw_text_add_bytes(out, (const char *)&h, sizeof h);
    fw_text_add_bytes(out, topic, topic_len);
    fw_text_add_bytes(out, payload, len);
    fw_text_add_bytes(out, zeros, padded(topic_len + len) - topic_len - len);
}

void fw_segment_head(char out[static FW_SEGMENT_HEAD], const fw_stream *stream, uint64_t first)
{
    memcpy(out, segment_magic, 8);
    memcpy(out + 8, stream->bytes, FW_STREAM_BYTES);
    memcpy(out + 24, &first, 8);
    const uint64_t check = fw_hash64(out, 32, 0);
    memcpy(out + 32, &check, 8);
}

bool fw_segment_parse(fw_stream *stream, uint64_t *first, const char *bytes, size_t len)
{
    uint64_t number, check;
    if (len < FW_SEGMENT_HEAD || memcmp(bytes, segment_magic, 8) != 0) return false;
    memcpy(&number, bytes + 24, 8);
    memcpy(&check, bytes + 32, 8);
    if (check != fw_hash64(bytes, 32, 0) || number == 0 || number > FW_BUS_MAX_SEQUENCE) return false;
    memcpy(stream->bytes, bytes + 8, FW_STREAM_BYTES);
    *first = number;
    return true;
}
