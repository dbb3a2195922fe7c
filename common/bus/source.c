#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/inbox_parts.h"
#include "common/core/size.h"

#define SILENT_S        4.0
#define ANSWER_S        1.0        /* after that it is asked again */
#define GIVE_UP         3          /* questions without an answer, of a reader for which nothing is kept anyway */
#define AGAIN_S         0.2        /* when an answer brought nothing */
#define REPORT_S        1.0        /* at the latest; also what keeps us among those who are there */
#define REPORT_SOON_S   0.1        /* when there is news */
#define REPORT_EAGER_S  0.01
#define ASKED_MESSAGES  1024u
#define ASKED_BYTES     (4u << 20)
#define QUEUED_MESSAGES 2000       /* in the socket: what is more is asked for */
#define FRAMES_AT_ONCE  64
#define LAST_WORD_MS    200        /* what is acknowledged at the end may take its time to leave */

enum { REFUSED_TWIN = 1, REFUSED_STREAM = 2, REFUSED_BEHIND = 4, REFUSED_COUNTS = 8 };

/* ---- create ----------------------------------------------------------------------------------------------------------------------------------- */

fw_status fw_source_create(fw_source **out, fw_inbox *in, const char *endpoint, fw_error *err)
{
    FW_AUTO(fw_source) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: publisher");
    s->inbox = in;
    s->waiting = calloc(FW_WAITING_MESSAGES, sizeof *s->waiting);
    if (s->waiting == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: publisher");
    const fw_socket_opts opts = {.type = ZMQ_SUB, .high_water = QUEUED_MESSAGES, .max_message = FW_BUS_MAX_MESSAGE, .side = FW_SIDE_READER, .no_heartbeats = true};
    FW_TRY(fw_socket_open(&s->live, in->bus, &opts, endpoint, err));
    if (zmq_setsockopt(s->live.zmq, ZMQ_SUBSCRIBE, "", 0) != 0)      /* numbers count over all topics */
        return fw_fail(err, FW_ERR_BUS, "bus: %s: cannot subscribe: %s", endpoint, zmq_strerror(zmq_errno()));
    FW_TRY(fw_socket_connect(&s->live, endpoint, err));
    snprintf(s->info.endpoint, sizeof s->info.endpoint, "%s", s->live.endpoint);
    s->info.adds_up = true;
    *out = s;
    s = NULL;
    return FW_OK;
}

static fw_waiting *waiting_at(fw_source *s, size_t i) { return &s->waiting[(s->first_waiting + i) % FW_WAITING_MESSAGES]; }

static void drop_first_waiting(fw_source *s)
{
    fw_waiting *w = waiting_at(s, 0);
    s->waiting_bytes -= zmq_msg_size(&w->payload);
    zmq_msg_close(&w->topic);
    zmq_msg_close(&w->payload);
    s->first_waiting = (s->first_waiting + 1) % FW_WAITING_MESSAGES;
    s->n_waiting--;
}

static void drop_waiting(fw_source *s)
{
    while (s->n_waiting > 0) drop_first_waiting(s);
}

static void send_request(fw_source *s, fw_mono now);

void fw_source_destroy(fw_source **source)
{
    if (source == NULL || *source == NULL) return;
    fw_source *s = *source;
    if (s->position != NULL && s->position->known && s->ask.zmq != NULL) send_request(s, fw_mono_now());
    if (s->position != NULL) s->position->owner = NULL;
    drop_waiting(s);
    free(s->waiting);
    fw_socket_close(&s->ask, LAST_WORD_MS);
    fw_socket_close(&s->live, 0);
    free(s);
    *source = NULL;
}

void fw_source_notice(fw_source *s, fw_inbox_kind kind, uint64_t first, uint64_t last, const char *why)
{
    if (s->n_notices == FW_INBOX_EVENTS) memmove(s->notices, s->notices + 1, --s->n_notices * sizeof *s->notices);
    s->notices[s->n_notices++] = (fw_notice){kind, first, last, why};
}

static void refuse(fw_source *s, unsigned reason, const char *why)
{
    if ((s->refusals & reason) == 0) fw_source_notice(s, FW_INBOX_REFUSED, 0, 0, why);
    s->refusals |= reason;
}

/* ---- streams ---------------------------------------------------------------------------------------------------------------------------------- */

/** From here on the source speaks for this stream. False: it may not. */
static bool adopt(fw_source *s, const fw_stream *stream)
{
    if (s->position != NULL && memcmp(&s->position->stream, stream, sizeof *stream) == 0) return true;
    fw_position *p = fw_inbox_position(s->inbox, stream);
    if (p == NULL) {
        refuse(s, REFUSED_STREAM, "it brings one stream more than are taken");
        return false;
    }
    if (p->owner != NULL && p->owner != s && p->owner->heard.ns != 0) {
        refuse(s, REFUSED_TWIN, "its stream is that of another publisher which is there; a spool was copied, give one of them a new folder");
        return false;
    }
    if (p->owner != NULL) p->owner->position = NULL;
    if (s->position != NULL) s->position->owner = NULL;
    p->owner = s;
    s->position = p;
    s->has_status = s->ended = s->asked = s->eager = false;
    s->target = s->reported_given = s->reported_committed = 0;
    s->info.highest = s->info.lost = s->info.before = s->info.duplicates = 0;
    drop_waiting(s);
    return true;
}

/* ---- data ------------------------------------------------------------------------------------------------------------------------------------- */

/** Before its turn. What there is no room for is asked for later. */
static void keep_waiting(fw_source *s, uint64_t sequence, zmq_msg_t *topic, zmq_msg_t *payload)
{
    const size_t len = zmq_msg_size(payload);
    if (s->n_waiting > 0 && sequence != waiting_at(s, s->n_waiting - 1)->sequence + 1) {
        if (sequence <= waiting_at(s, s->n_waiting - 1)->sequence) return;
        drop_waiting(s);
    }
    while (s->n_waiting == FW_WAITING_MESSAGES || (s->n_waiting > 0 && s->waiting_bytes + len > FW_WAITING_BYTES)) drop_first_waiting(s);
    fw_waiting *w = waiting_at(s, s->n_waiting++);
    w->sequence = sequence;
    s->waiting_bytes += len;
    zmq_msg_init(&w->topic);
    zmq_msg_init(&w->payload);
    zmq_msg_move(&w->topic, topic);
    zmq_msg_move(&w->payload, payload);
}

/** The next number of the stream. False: its topic is not wanted. */
static bool give(fw_source *s, uint64_t sequence, zmq_msg_t *topic, zmq_msg_t *payload)
{
    fw_inbox *in = s->inbox;
    const size_t len = zmq_msg_size(topic);
    s->position->given = sequence;
    if (len < in->prefix_len || memcmp(zmq_msg_data(topic), in->prefix, in->prefix_len) != 0) return false;
    memcpy(in->topic, zmq_msg_data(topic), len);
    in->topic[len] = '\0';
    zmq_msg_move(&in->payload, payload);
    return true;
}

static bool take_data(fw_source *s, const fw_header *h, zmq_msg_t *topic, zmq_msg_t *payload, bool live)
{
    fw_position *p = s->position;
    const size_t len = zmq_msg_size(topic);
    if (len == 0 || len > FW_BUS_MAX_TOPIC || memchr(zmq_msg_data(topic), '\0', len) != NULL) {
        s->info.garbage++;
        return false;
    }
    s->info.highest = FW_MAX(s->info.highest, h->sequence);
    if (live) s->target = FW_MAX(s->target, h->sequence);
    if (p->known && h->sequence <= p->given) s->info.duplicates++;
    else if (p->known && h->sequence == p->given + 1) return give(s, h->sequence, topic, payload);
    else if (live) keep_waiting(s, h->sequence, topic, payload);
    else s->info.garbage++;                                    /* an answer has no holes that it doesn't name */
    return false;
}

static bool take_waiting(fw_source *s, uint64_t *sequence)
{
    while (s->n_waiting > 0 && s->position != NULL && s->position->known && waiting_at(s, 0)->sequence <= s->position->given + 1) {
        fw_waiting *w = waiting_at(s, 0);
        bool got = false;
        *sequence = w->sequence;
        s->waiting_bytes -= zmq_msg_size(&w->payload);
        if (w->sequence == s->position->given + 1) got = give(s, w->sequence, &w->topic, &w->payload);
        else s->info.duplicates++;
        s->waiting_bytes += zmq_msg_size(&w->payload);
        drop_first_waiting(s);
        if (got) return true;
    }
    return false;
}

static void take_gone(fw_source *s, const fw_header *h, zmq_msg_t *payload)
{
    fw_position *p = s->position;
    uint64_t last = 0;
    if (zmq_msg_size(payload) == sizeof last) memcpy(&last, zmq_msg_data(payload), sizeof last);
    if (!p->known || !s->asked || last < h->sequence || last > s->target || h->sequence > p->given + 1) {
        s->info.garbage++;
        return;
    }
    if (last <= p->given) return;
    s->info.lost += last - p->given;
    fw_source_notice(s, FW_INBOX_LOST, p->given + 1, last, NULL);
    p->given = last;
}

/* ---- status ----------------------------------------------------------------------------------------------------------------------------------- */

/** Where it answers: at another port of the host that we know it by, or beside its socket. */
static bool open_ask(fw_source *s, uint32_t port)
{
    const char *live = s->live.endpoint, *colon = strrchr(live, ':');
    const bool tcp = strncmp(live, "tcp://", 6) == 0;
    char endpoint[FW_ENDPOINT_TEXT + 16];
    if (s->ask.zmq != NULL && s->port == port) return true;
    if (tcp != (port != 0)) return false;
    if (tcp) snprintf(endpoint, sizeof endpoint, "%.*s:%u", (int)(colon - live), live, port);
    else snprintf(endpoint, sizeof endpoint, "%s.replay", live);
    fw_socket_close(&s->ask, 0);
    s->asked = false;
    const fw_socket_opts opts = {.type = ZMQ_DEALER, .high_water = QUEUED_MESSAGES, .max_message = FW_BUS_MAX_MESSAGE, .side = FW_SIDE_READER, .no_heartbeats = true};
    if (fw_socket_open(&s->ask, s->inbox->bus, &opts, endpoint, NULL) < 0) return false;
    if (fw_socket_connect(&s->ask, endpoint, NULL) < 0) {
        fw_socket_close(&s->ask, 0);
        return false;
    }
    s->port = port;
    s->report_at = (fw_mono){0};
    return true;
}

static void take_state(fw_source *s, fw_outbox_state state)
{
    if (!s->has_status || (s->ended && state == FW_OUTBOX_OPEN)) fw_source_notice(s, FW_INBOX_FOUND, 0, 0, NULL);
    if (state == FW_OUTBOX_CLOSED && !s->ended) fw_source_notice(s, FW_INBOX_ENDED, 0, 0, NULL);
    s->has_status = true;
    s->eager = state == FW_OUTBOX_CLOSING;
    s->ended = state == FW_OUTBOX_CLOSED;
}

static void take_counts(fw_source *s, const fw_frame_status *f)
{
    uint64_t dropped = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) dropped += f->dropped[i];
    s->info.produced = f->produced;
    s->info.delivered = f->delivered;
    s->info.spooled = f->spooled;
    memcpy(s->info.dropped, f->dropped, sizeof f->dropped);
    memcpy(s->info.name, f->name, sizeof s->info.name);
    s->info.highest = FW_MAX(s->info.highest, f->highest);      /* it may have waited while we asked for later ones */
    s->info.adds_up = f->produced == f->delivered + f->spooled + dropped && f->highest + f->dropped[FW_DROP_QUEUE] == f->produced;
    s->info.untrue += !s->info.adds_up;
    if (!s->info.adds_up) refuse(s, REFUSED_COUNTS, "what it says it produced is not what it delivered, has in its spool and dropped");
}

static void take_status(fw_source *s, const fw_header *h, zmq_msg_t *payload, bool live)
{
    fw_position *p = s->position;
    fw_frame_status f;
    if (!fw_status_decode(&f, zmq_msg_data(payload), zmq_msg_size(payload)) || !open_ask(s, f.port)) {
        s->info.garbage++;
        return;
    }
    take_counts(s, &f);
    if (!p->known) {
        p->given = p->committed = s->info.before = f.first - 1;
        p->known = true;
    }
    if ((h->flags & FW_FRAME_AHEAD) != 0) refuse(s, REFUSED_BEHIND, "its numbers are behind what has been seen of its stream; an old copy of a spool, give it a new folder");
    if (live) {
        s->target = FW_MAX(s->target, f.highest);              /* what it has published until now came past us before this */
        take_state(s, f.state);
    } else if (f.state == FW_OUTBOX_CLOSING) {
        s->eager = true;
    }
    if ((h->flags & FW_FRAME_ANSWER) == 0 || h->sequence == 0) return;
    if (s->asked && p->given + 1 == s->asked_from) s->ask_after = fw_mono_after(fw_mono_now(), AGAIN_S);
    s->asked = false;
    s->inbox->due = true;                                      /* the next question at once */
}

/* ---- frames ----------------------------------------------------------------------------------------------------------------------------------- */

/** Topic, header, payload. FW_END: nothing is there; FW_ERR_FORMAT: it is something else. */
static fw_status receive(fw_socket *from, zmq_msg_t frame[static 3], fw_error *err)
{
    int n = 0;
    for (bool more = true; more; n++) {
        zmq_msg_t rest, *to = n < 3 ? &frame[n] : &rest;
        if (n >= 3) zmq_msg_init(&rest);
        int got;
        do got = zmq_msg_recv(to, from->zmq, ZMQ_DONTWAIT);
        while (got < 0 && zmq_errno() == EINTR);
        const int code = zmq_errno();
        more = got >= 0 && zmq_msg_more(to);
        if (n >= 3) zmq_msg_close(&rest);
        if (got < 0 && code == EAGAIN && n == 0) return FW_END;
        if (got < 0) return fw_fail(err, FW_ERR_BUS, "bus: %s: receiving failed: %s", from->endpoint, zmq_strerror(code));
    }
    return n == 3 ? FW_OK : FW_ERR_FORMAT;
}

/** One message of the socket. FW_END: none was there. */
static fw_status take_one(fw_source *s, bool live, bool *got, uint64_t *sequence, fw_error *err)
{
    zmq_msg_t frame[3];
    fw_header h;
    for (int i = 0; i < 3; i++) zmq_msg_init(&frame[i]);
    fw_status status = receive(live ? &s->live : &s->ask, frame, err);
    const bool good = status == FW_OK && fw_header_decode(&h, zmq_msg_data(&frame[1]), zmq_msg_size(&frame[1])) && (live || s->position != NULL) &&
                      (live == ((h.flags & FW_FRAME_ANSWER) == 0) || h.kind == FW_FRAME_STATUS);
    if (status == FW_ERR_FORMAT) status = FW_OK;
    if (good && live && !adopt(s, &h.stream)) {
        s->info.refused++;
    } else if (good && memcmp(&s->position->stream, &h.stream, sizeof h.stream) == 0) {      /* an answer may be one of the publisher before */
        s->heard = fw_mono_now();
        if (!live) s->unanswered = 0, s->may_not_ask = false;
        s->position->heard = s->heard;
        if (h.kind == FW_FRAME_DATA) *got = take_data(s, &h, &frame[0], &frame[2], live);
        else if (h.kind == FW_FRAME_STATUS) take_status(s, &h, &frame[2], live);
        else take_gone(s, &h, &frame[2]);
        *sequence = h.sequence;
    } else if (!good && status == FW_OK) {
        s->info.garbage++;
    }
    for (int i = 0; i < 3; i++) zmq_msg_close(&frame[i]);
    return status;
}

fw_status fw_source_next(fw_source *s, bool *got, uint64_t *sequence, fw_error *err)
{
    *got = take_waiting(s, sequence);
    for (int i = 0; i < FRAMES_AT_ONCE && !*got && s->n_notices == 0; i++) {
        fw_status answers = FW_END, live = FW_END;
        if (s->ask.zmq != NULL) FW_TRY(answers = take_one(s, false, got, sequence, err));
        if (!*got && s->n_notices == 0 && answers == FW_END) FW_TRY(live = take_one(s, true, got, sequence, err));
        if (!*got) *got = take_waiting(s, sequence);
        if (answers == FW_END && live == FW_END) break;
    }
    return FW_OK;
}

/* ---- what is due ------------------------------------------------------------------------------------------------------------------------------ */

/** Numbers that came past us and are not waiting here: [from, until]. */
static bool missing(const fw_source *s, uint64_t *from, uint64_t *until)
{
    const uint64_t head = s->n_waiting > 0 ? s->waiting[s->first_waiting].sequence : s->target + 1;
    *from = s->position->given + 1;
    *until = FW_MIN(s->target, head - 1);
    return *from <= *until;
}

static void send_request(fw_source *s, fw_mono now)
{
    const fw_position *p = s->position;
    fw_frame_request r = {.stream = p->stream, .received = p->given, .acknowledged = p->committed, .before = s->info.before, .messages = ASKED_MESSAGES, .bytes = ASKED_BYTES};
    char bytes[FW_REQUEST_BYTES];
    uint64_t from, until;
    memcpy(r.name, s->inbox->name, sizeof r.name);
    const bool asks = !s->asked && fw_mono_seconds(s->ask_after, now) >= 0 && missing(s, &from, &until);
    if (asks) r.from = from, r.until = until;
    fw_request_encode(bytes, &r);
    if (zmq_send(s->ask.zmq, bytes, sizeof bytes, ZMQ_DONTWAIT) < 0) return;      /* at the next look again */
    s->reported_given = p->given;
    s->reported_committed = p->committed;
    s->report_at = now;
    if (!asks) return;
    s->asked = true;
    s->asked_from = from;
    s->answer_by = fw_mono_after(now, ANSWER_S);
}

/** What is missing will not come: what waits behind it is given. */
static void give_up(fw_source *s, const char *why)
{
    uint64_t from, until;
    s->asked = false;
    if (s->position == NULL || !s->position->known || !missing(s, &from, &until)) return;
    s->info.lost += until - from + 1;
    fw_source_notice(s, FW_INBOX_LOST, from, until, why);
    s->position->given = until;
}

/** It may not be let in to ask, or the address may not be reached from here: without a name there is nothing to wait for. */
static void note_unanswered(fw_source *s)
{
    s->asked = false;
    if (++s->unanswered >= GIVE_UP && s->inbox->name[0] == '\0') give_up(s, "the publisher does not answer");
}

/** A publisher that does not let us in, or is not whom it should be, is asked again each second, and told of once. */
static void look_for_trouble(fw_source *s)
{
    if (fw_socket_tend(&s->live, s->trouble[0])) fw_source_notice(s, FW_INBOX_REFUSED, 0, 0, s->trouble[0]);
    if (s->ask.zmq != NULL && fw_socket_tend(&s->ask, s->trouble[1])) {
        fw_source_notice(s, FW_INBOX_REFUSED, 0, 0, s->trouble[1]);
        s->may_not_ask = true;
    }
    if (s->may_not_ask) give_up(s, "this reader may not ask for it again");
}

static void notice_silence(fw_source *s, fw_mono now)
{
    if (s->heard.ns == 0 || fw_mono_seconds(s->heard, now) < SILENT_S) return;
    if (!s->ended && s->has_status) fw_source_notice(s, FW_INBOX_SILENT, 0, 0, NULL);
    if (s->inbox->name[0] == '\0') give_up(s, "the publisher is gone");
    s->heard = (fw_mono){0};
    s->has_status = s->asked = false;
}

void fw_source_tick(fw_source *s, fw_mono now)
{
    const fw_position *p = s->position;
    uint64_t from, until;
    notice_silence(s, now);
    look_for_trouble(s);
    if (s->asked && fw_mono_seconds(s->answer_by, now) > 0) note_unanswered(s);
    if (p == NULL || !p->known || s->ask.zmq == NULL || s->heard.ns == 0) return;
    const double since = s->report_at.ns == 0 ? 1e9 : fw_mono_seconds(s->report_at, now);
    const bool news = p->given != s->reported_given || p->committed != s->reported_committed;
    const bool asks = !s->asked && fw_mono_seconds(s->ask_after, now) >= 0 && missing(s, &from, &until);
    if (asks || since > REPORT_S || (news && since > (s->eager ? REPORT_EAGER_S : REPORT_SOON_S))) send_request(s, now);
}
