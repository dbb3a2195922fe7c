#include "common/bus/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/inbox_parts.h"
#include "common/core/size.h"

#define HOUR_S     3600.0
#define TICK_MS    20
#define AT_A_TIME  64          /* messages between two looks at the clock */

fw_status fw_inbox_create(fw_inbox **out, fw_bus *b, const fw_inbox_opts *opts, fw_error *err)
{
    const fw_inbox_opts none = {0}, *o = opts != NULL ? opts : &none;
    if (o->name != NULL && !fw_reader_name_valid(o->name))
        return fw_fail(err, FW_ERR_CONFIG, "bus: '%.80s' is no name of a reader: letters, digits and .:_@-, at most %d", o->name, FW_READER_NAME - 1);
    if (o->topic_prefix != NULL && strlen(o->topic_prefix) > FW_BUS_MAX_TOPIC)
        return fw_fail(err, FW_ERR_ARG, "bus: a topic of %zu bytes is longer than %u", strlen(o->topic_prefix), FW_BUS_MAX_TOPIC);
    FW_AUTO(fw_inbox) *in = calloc(1, sizeof *in);
    if (in == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: reader");
    zmq_msg_init(&in->payload);
    if (o->name != NULL) memcpy(in->name, o->name, strlen(o->name) + 1);
    FW_TRY(fw_copy_text(&in->prefix, o->topic_prefix != NULL ? o->topic_prefix : "", err));
    in->prefix_len = strlen(in->prefix);
    in->bus = fw_bus_retain(b);
    *out = in;
    in = NULL;
    return FW_OK;
}

void fw_inbox_destroy(fw_inbox **inbox)
{
    if (inbox == NULL || *inbox == NULL) return;
    fw_inbox *in = *inbox;
    for (size_t i = 0; i < in->n_sources; i++) fw_source_destroy(&in->sources[i]);
    for (size_t i = 0; i < in->n_positions; i++) free(in->positions[i]);
    zmq_msg_close(&in->payload);
    free(in->prefix);
    fw_bus_destroy(&in->bus);
    free(in);
    *inbox = NULL;
}

fw_status fw_inbox_connect(fw_inbox *in, const char *endpoint, fw_error *err)
{
    if (in->n_sources == FW_INBOX_MAX_PUBLISHERS) return fw_fail(err, FW_ERR_ARG, "bus: at most %d publishers for one reader", FW_INBOX_MAX_PUBLISHERS);
    FW_TRY(fw_source_create(&in->sources[in->n_sources], in, endpoint, err));
    in->n_sources++;
    return FW_OK;
}

/* ---- positions -------------------------------------------------------------------------------------------------------------------------------- */

static fw_position *find_position(const fw_inbox *in, const fw_stream *stream)
{
    for (size_t i = 0; i < in->n_positions; i++)
        if (memcmp(&in->positions[i]->stream, stream, sizeof *stream) == 0) return in->positions[i];
    return NULL;
}

fw_position *fw_inbox_position(fw_inbox *in, const fw_stream *stream)
{
    const fw_mono now = fw_mono_now();
    fw_position *p = find_position(in, stream);
    if (p != NULL) return p;
    if (in->n_positions < FW_INBOX_MAX_STREAMS) {
        p = calloc(1, sizeof *p);
        if (p != NULL) in->positions[in->n_positions++] = p;
    } else {
        for (size_t i = 0; i < in->n_positions; i++) {
            fw_position *one = in->positions[i];
            const bool may_go = one->owner == NULL && fw_mono_seconds(one->heard, now) > HOUR_S;
            if (may_go && (p == NULL || one->heard.ns < p->heard.ns)) p = one;
        }
    }
    if (p != NULL) *p = (fw_position){.stream = *stream, .heard = now};
    return p;
}

fw_status fw_inbox_set_position(fw_inbox *in, const fw_stream *stream, uint64_t sequence, fw_error *err)
{
    if (sequence > FW_BUS_MAX_SEQUENCE) return fw_fail(err, FW_ERR_ARG, "bus: %llu is no position in a stream", (unsigned long long)sequence);
    fw_position *p = fw_inbox_position(in, stream);
    if (p == NULL) return fw_fail(err, FW_ERR_ARG, "bus: positions of more than %d streams", FW_INBOX_MAX_STREAMS);
    p->given = p->committed = sequence;
    p->known = true;
    return FW_OK;
}

void fw_inbox_acknowledge(fw_inbox *in, const fw_stream *stream, uint64_t sequence)
{
    for (size_t i = 0; i < in->n_positions; i++) {
        fw_position *p = in->positions[i];
        if (stream == NULL) p->committed = p->given;
        else if (memcmp(&p->stream, stream, sizeof *stream) == 0) p->committed = FW_MAX(p->committed, FW_MIN(sequence, p->given));
    }
}

/* ---- receiving -------------------------------------------------------------------------------------------------------------------------------- */

static void fill_info(fw_source *s)
{
    const fw_position *p = s->position;
    s->info.there = s->has_status && !s->ended && s->heard.ns != 0;
    if (p == NULL) return;
    s->info.stream = p->stream;
    s->info.position = p->given;
    s->info.acknowledged = p->committed;
}

static bool take_notice(fw_inbox *in, fw_inbox_event *out)
{
    for (size_t i = 0; i < in->n_sources; i++) {
        fw_source *s = in->sources[i];
        if (s->n_notices == 0) continue;
        const fw_notice n = s->notices[0];
        memmove(s->notices, s->notices + 1, --s->n_notices * sizeof *s->notices);
        fill_info(s);
        in->told = s->info;
        *out = (fw_inbox_event){.kind = n.kind, .publisher = &in->told, .first = n.first, .last = n.last, .why = n.why};
        return true;
    }
    return false;
}

/** One message of whoever has one, the publishers in turn. */
static fw_status take_message(fw_inbox *in, fw_inbox_event *out, bool *got, fw_error *err)
{
    *got = false;
    for (size_t tried = 0; tried < in->n_sources; tried++) {
        fw_source *s = in->sources[in->turn];
        uint64_t sequence = 0;
        FW_TRY(fw_source_next(s, got, &sequence, err));
        if (*got) {
            fill_info(s);
            *out = (fw_inbox_event){.kind = FW_INBOX_MESSAGE, .publisher = &s->info, .topic = in->topic, .payload = zmq_msg_data(&in->payload),
                                    .len = zmq_msg_size(&in->payload), .first = sequence, .last = sequence};
            return FW_OK;
        }
        in->turn = (in->turn + 1) % in->n_sources;
        if (s->n_notices > 0) return FW_OK;                    /* before what comes behind it */
    }
    return FW_OK;
}

static fw_status wait_for_any(fw_inbox *in, fw_mono deadline, fw_error *err)
{
    zmq_pollitem_t items[2 * FW_INBOX_MAX_PUBLISHERS];
    int n = 0;
    for (size_t i = 0; i < in->n_sources; i++) {
        fw_socket *sockets[] = {&in->sources[i]->live, &in->sources[i]->ask};
        for (int k = 0; k < 2; k++)
            if (sockets[k]->zmq != NULL) items[n++] = (zmq_pollitem_t){.socket = sockets[k]->zmq, .events = ZMQ_POLLIN};
    }
    if (zmq_poll(items, n, FW_MIN(TICK_MS, fw_mono_left_ms(deadline))) >= 0 || zmq_errno() == EINTR) return FW_OK;
    return fw_fail(err, FW_ERR_BUS, "bus: waiting for publishers failed: %s", zmq_strerror(zmq_errno()));
}

fw_status fw_inbox_receive(fw_inbox *in, fw_inbox_event *out, fw_mono deadline, fw_error *err)
{
    for (;;) {
        bool got = false;
        if (++in->calls % AT_A_TIME == 0 || in->quiet || in->due) {
            const fw_mono now = fw_mono_now();
            for (size_t i = 0; i < in->n_sources; i++) fw_source_tick(in->sources[i], now);
        }
        in->quiet = in->due = false;
        if (take_notice(in, out)) return FW_OK;
        FW_TRY(take_message(in, out, &got, err));
        if (got) return FW_OK;
        if (take_notice(in, out)) return FW_OK;
        if (in->due) continue;
        in->quiet = true;
        if (fw_mono_passed(deadline)) return fw_fail(err, FW_ERR_TIMEOUT, "bus: nothing came before the deadline");
        FW_TRY(wait_for_any(in, deadline, err));
    }
}

size_t fw_inbox_n_publishers(const fw_inbox *in) { return in->n_sources; }

const fw_inbox_publisher *fw_inbox_publisher_at(const fw_inbox *in, size_t i)
{
    fill_info(in->sources[i]);
    return &in->sources[i]->info;
}
