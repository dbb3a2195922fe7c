#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bus/outbox_parts.h"
#include "common/core/size.h"

#define REQUESTS_PER_LOOK 100
#define MOST_MESSAGES     1024u            /* in one answer */
#define MOST_BYTES        (4u << 20)

void fw_outbox_fill_status(const fw_outbox *o, char out[static FW_STATUS_BYTES])
{
    const fw_spool_counts c = fw_spool_count(o->spool);
    fw_frame_status s = {.first = c.first, .highest = c.highest, .produced = c.produced, .delivered = c.delivered, .spooled = c.spooled,
                         .port = o->replay_port, .state = o->state};
    memcpy(s.dropped, c.dropped, sizeof s.dropped);
    memcpy(s.name, o->name, sizeof s.name);
    fw_status_encode(out, &s);
}

/* ---- who is there ----------------------------------------------------------------------------------------------------------------------------- */

static bool is_there(const fw_session *s) { return fw_mono_seconds(s->heard, fw_mono_now()) < FW_SILENT_S; }

size_t fw_outbox_readers(const fw_outbox *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->n_sessions; i++) n += is_there(&o->sessions[i]);
    return n;
}

bool fw_outbox_all_have_all(const fw_outbox *o)
{
    const uint64_t highest = fw_spool_count(o->spool).highest;
    for (size_t i = 0; i < o->n_sessions; i++) {
        const fw_session *s = &o->sessions[i];
        if (is_there(s) && (s->name[0] != '\0' ? s->acknowledged : s->received) < highest) return false;
    }
    return true;
}

/** The one of this identity, or a place for it: a new one, or that of one that is gone. NULL: there is none. */
static fw_session *session_of(fw_outbox *o, const unsigned char *identity, size_t len)
{
    fw_session *s = NULL;
    for (size_t i = 0; i < o->n_sessions; i++)
        if (o->sessions[i].identity_len == len && memcmp(o->sessions[i].identity, identity, len) == 0) return &o->sessions[i];
    if (o->n_sessions < FW_OUTBOX_SESSIONS) s = &o->sessions[o->n_sessions++];
    for (size_t i = 0; i < o->n_sessions && s == NULL; i++)
        if (!is_there(&o->sessions[i])) s = &o->sessions[i];
    if (s == NULL) return NULL;
    *s = (fw_session){.identity_len = len};
    memcpy(s->identity, identity, len);
    return s;
}

static void tell_of_twins(fw_outbox *o, const fw_session *s)
{
    char text[256];
    for (size_t i = 0; i < o->n_sessions; i++) {
        const fw_session *other = &o->sessions[i];
        if (other == s || strcmp(other->name, s->name) != 0 || fw_mono_seconds(other->heard, fw_mono_now()) > 2.0) continue;
        snprintf(text, sizeof text, "bus: two readers call themselves %s; what one of them acknowledges is not kept for the other", s->name);
        fw_outbox_say(o, text);
    }
}

/** Where it stands. False: what it says can't be. */
static bool take_report(fw_outbox *o, fw_session *s, const fw_frame_request *r)
{
    fw_error why = {0};
    const bool is_new = s->heard.ns == 0;
    memcpy(s->name, r->name, sizeof s->name);
    if (s->name[0] != '\0') {
        if (fw_spool_gone(o->spool, 1, r->before, &why) < 0) return false;
        const fw_status status = fw_spool_acknowledge(o->spool, s->name, r->acknowledged, &why);
        if (status < 0) return false;
        if (status == FW_END) {
            if (is_new) fw_outbox_say(o, "bus: one reader more than can be known: nothing is kept for it");
            s->name[0] = '\0';
        } else if (is_new) {
            tell_of_twins(o, s);
        }
    }
    s->received = r->received;
    s->acknowledged = r->acknowledged;
    s->heard = fw_mono_now();
    return true;
}

/* ---- answers ---------------------------------------------------------------------------------------------------------------------------------- */

static bool send_gone(fw_outbox *o, const fw_session *to, uint64_t first, uint64_t last)
{
    const fw_header h = {.kind = FW_FRAME_GONE, .flags = FW_FRAME_ANSWER, .stream = fw_spool_stream(o->spool), .sequence = first};
    fw_error why = {0};
    if (to->name[0] != '\0' && fw_spool_gone(o->spool, first, last, &why) < 0) fw_outbox_say(o, why.text);
    return fw_outbox_send(&o->replay, to, FW_TOPIC_GONE, strlen(FW_TOPIC_GONE), &h, &last, sizeof last);
}

static bool send_record(fw_outbox *o, const fw_session *to, const fw_record *r)
{
    const fw_header h = {.kind = FW_FRAME_DATA, .flags = FW_FRAME_ANSWER, .stream = fw_spool_stream(o->spool), .sequence = r->sequence};
    return fw_outbox_send(&o->replay, to, r->topic, r->topic_len, &h, r->payload, r->len);
}

/** What was asked for, within bounds. The number that comes next; 0: the reader's queue is full, or it is gone. */
static uint64_t send_range(fw_outbox *o, const fw_session *to, const fw_frame_request *r)
{
    const uint64_t until = FW_MIN(r->until, fw_spool_count(o->spool).highest);
    const uint32_t messages = FW_MIN(r->messages, MOST_MESSAGES), most_bytes = FW_MIN(r->bytes, MOST_BYTES);
    uint64_t next = r->from;
    size_t bytes = 0;
    for (uint32_t n = 0; next <= until && n < messages && bytes < most_bytes; n++) {
        fw_record record;
        fw_error why = {0};
        const fw_status status = fw_spool_next(o->spool, &record, next, &why);
        if (status < 0) {
            fw_outbox_say(o, why.text);
            break;
        }
        const uint64_t found = status == FW_OK ? FW_MIN(record.sequence, until + 1) : until + 1;
        if (found > next && !send_gone(o, to, next, found - 1)) return 0;
        next = found;
        if (next > until) break;
        if (!send_record(o, to, &record)) return 0;
        bytes += record.bytes;
        next++;
    }
    return next;
}

static void answer(fw_outbox *o, const fw_session *to, const fw_frame_request *r, bool may_ask, uint32_t flags)
{
    char bytes[FW_STATUS_BYTES];
    fw_header h = {.kind = FW_FRAME_STATUS, .flags = FW_FRAME_ANSWER | flags, .stream = fw_spool_stream(o->spool)};
    if (may_ask && r->from > 0) {
        h.sequence = send_range(o, to, r);
        if (h.sequence == 0) return;
    }
    fw_outbox_fill_status(o, bytes);
    fw_outbox_send(&o->replay, to, FW_TOPIC_STATUS, strlen(FW_TOPIC_STATUS), &h, bytes, sizeof bytes);
}

void fw_outbox_tell_readers(fw_outbox *o)
{
    char bytes[FW_STATUS_BYTES];
    const fw_header h = {.kind = FW_FRAME_STATUS, .stream = fw_spool_stream(o->spool), .sequence = fw_spool_count(o->spool).highest};
    size_t kept = 0;
    fw_outbox_fill_status(o, bytes);
    for (size_t i = 0; i < o->n_sessions; i++) {
        const bool sent = fw_outbox_send(&o->replay, &o->sessions[i], FW_TOPIC_STATUS, strlen(FW_TOPIC_STATUS), &h, bytes, sizeof bytes);
        if (sent || zmq_errno() != EHOSTUNREACH) o->sessions[kept++] = o->sessions[i];
    }
    o->n_sessions = kept;
}

/* ---- requests --------------------------------------------------------------------------------------------------------------------------------- */

/** A reader that came with a key goes by the name that its key has in the list, if it gives one at all. */
static void take_proven_name(fw_frame_request *r, zmq_msg_t *m)
{
    const char *proven = zmq_msg_gets(m, "User-Id");
    if (proven != NULL && r->name[0] != '\0' && fw_reader_name_valid(proven)) memcpy(r->name, proven, strlen(proven) + 1);
}

/** Who, and one frame. FW_END: nothing is there; FW_ERR_FORMAT: it is no request. */
static fw_status receive(fw_outbox *o, fw_session *from, fw_frame_request *r)
{
    bool good = true;
    for (int frame = 0, more = 1; more; frame++) {
        zmq_msg_t m;
        zmq_msg_init(&m);
        const int n = zmq_msg_recv(&m, o->replay.zmq, ZMQ_DONTWAIT);
        if (n < 0) {
            zmq_msg_close(&m);
            return FW_END;
        }
        more = zmq_msg_more(&m);
        const size_t len = zmq_msg_size(&m);
        if (frame == 0) {
            good = more && len <= sizeof from->identity;
            from->identity_len = good ? len : 0;
            if (good) memcpy(from->identity, zmq_msg_data(&m), len);
        } else {
            good = good && frame == 1 && fw_request_decode(r, zmq_msg_data(&m), len);
            if (good) take_proven_name(r, &m);
        }
        zmq_msg_close(&m);
    }
    return good ? FW_OK : FW_ERR_FORMAT;
}

void fw_outbox_answer(fw_outbox *o)
{
    const fw_stream own = fw_spool_stream(o->spool);
    for (int i = 0; i < REQUESTS_PER_LOOK; i++) {
        fw_session from = {0};
        fw_frame_request r = {0};
        const fw_status status = receive(o, &from, &r);
        if (status == FW_END) return;
        fw_session *s = status == FW_OK ? session_of(o, from.identity, from.identity_len) : NULL;
        const bool same_stream = memcmp(&own, &r.stream, sizeof own) == 0, ahead = same_stream && r.received > fw_spool_count(o->spool).highest;
        const bool good = s != NULL && !ahead && (!same_stream || take_report(o, s, &r));
        if (!good) o->bad_requests++;
        if (good || (s != NULL && ahead)) answer(o, s, &r, good && same_stream, ahead ? FW_FRAME_AHEAD : 0);
    }
}
