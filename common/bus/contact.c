/** What became of a reader's connections. libzmq gives a publisher up for good when it refused the key, speaks another security than this side, or sent
 *  what can't be, such as a message that is too large: here it is told, and tried again, since a list of allowed keys changes, and another publisher may come. Source: zmq_socket_monitor(3), events of handshakes. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/bus/socket.h"
#include "common/core/hash.h"

#define LOOK_EVERY_S 1.0       /* also how often who refused is asked again */
#define BROKEN_TOLD  3         /* handshakes that broke one behind the other: once may be a publisher that ended */
#define HANDSHAKES   (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
#define GOES_ON      (ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECTED)
#define EVENTS       (HANDSHAKES | GOES_ON | ZMQ_EVENT_DISCONNECTED)
#define PER_LOOK     100

fw_status fw_socket_watch(fw_socket *s, fw_error *err)
{
    static atomic_uint number;
    const int none = 0;
    char place[64];
    snprintf(place, sizeof place, "inproc://flywheel.contact.%u", atomic_fetch_add(&number, 1));
    if (zmq_socket_monitor(s->zmq, place, EVENTS) != 0) return fw_fail(err, FW_ERR_BUS, "bus: connections can't be watched: %s", zmq_strerror(zmq_errno()));
    s->contact.events = zmq_socket(s->bus->context, ZMQ_PAIR);
    /* no limit to what waits: libzmq's own thread would wait for room */
    if (s->contact.events == NULL || zmq_setsockopt(s->contact.events, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(s->contact.events, ZMQ_LINGER, &none, sizeof none) != 0 || zmq_connect(s->contact.events, place) != 0)
        return fw_fail(err, FW_ERR_BUS, "bus: connections can't be watched: %s", zmq_strerror(zmq_errno()));
    return FW_OK;
}

void fw_socket_unwatch(fw_socket *s)
{
    if (s->contact.events == NULL) return;
    zmq_socket_monitor(s->zmq, NULL, 0);
    zmq_close(s->contact.events);
    s->contact.events = NULL;
}

typedef struct event { uint16_t what; uint32_t value; char endpoint[FW_ENDPOINT_TEXT]; } event;

/* Two frames: event (16 bits) and value (32 bits), both as this machine has them; the endpoint. False: there is none. */
static bool next_event(event *e, void *events)
{
    unsigned char head[6];
    *e = (event){0};
    if (zmq_recv(events, head, sizeof head, ZMQ_DONTWAIT) != (int)sizeof head) return false;
    memcpy(&e->what, head, sizeof e->what);
    memcpy(&e->value, head + sizeof e->what, sizeof e->value);
    const int n = zmq_recv(events, e->endpoint, sizeof e->endpoint - 1, ZMQ_DONTWAIT);
    return n >= 0;
}

/* The place of an endpoint among those that are in trouble; FW_CONTACTS: there is none. */
static size_t find(const fw_contact *c, uint64_t endpoint)
{
    size_t i = 0;
    while (i < FW_CONTACTS && c->trouble[i].endpoint != endpoint) i++;
    return i;
}

static bool is_vague(uint16_t what) { return what == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL; }

/* Whether it is to be told: not when the same was told of this endpoint, or more than a vague word now, or nothing more can be remembered. */
static bool is_news(fw_contact *c, const event *e)
{
    const uint64_t endpoint = fw_hash64(e->endpoint, strlen(e->endpoint), 0) | 1;       /* 0 is a free place */
    size_t i = find(c, endpoint);
    if (e->what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        if (i < FW_CONTACTS) c->trouble[i] = (fw_trouble){0};
        return false;
    }
    if (i == FW_CONTACTS) i = find(c, 0);
    if (i == FW_CONTACTS) return false;
    fw_trouble *t = &c->trouble[i];
    if (t->endpoint == endpoint && is_vague(e->what) && !is_vague(t->what)) return false;
    if (t->endpoint != endpoint || t->what != e->what) *t = (fw_trouble){.endpoint = endpoint, .what = e->what};
    return ++t->times == (is_vague(e->what) ? BROKEN_TOLD : 1);
}

static void say(char out[static FW_CONTACT_TEXT], const fw_socket *s, const event *e)
{
    /* the side that sees first that the other means another security hangs up; then the other knows no more than that */
    const char *why = s->encrypted ? "breaks every connection off before a word: its key is not the one known here (publisher.public), it uses no keys, or it is no publisher"
                                   : "breaks every connection off before a word: it uses keys (give --keys FOLDER), or it is no publisher";
    if (e->what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        why = "does not let this key in; there: flywheel keys allow reader.public --role read";
    else if (e->what == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL && e->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        why = s->encrypted ? "uses no keys, and this side does; give no keys here, or some there" : "uses keys (give --keys FOLDER)";
    else if (e->what == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
        why = "says what no publisher says; is it the right port?";
    snprintf(out, FW_CONTACT_TEXT, "%.250s %s", e->endpoint, why);
}

/* A connection that ended is tried again by libzmq, which says so at once, or never. One look later it is clear which. One endpoint at a time. */
static void note_cut(fw_contact *c, const event *e)
{
    if (e->what == ZMQ_EVENT_DISCONNECTED && c->cut[0] == '\0') {
        snprintf(c->cut, sizeof c->cut, "%s", e->endpoint);
        c->cut_at = fw_mono_now();
    } else if ((e->what & GOES_ON) != 0 && strcmp(c->cut, e->endpoint) == 0) {
        c->cut[0] = '\0';
    }
}

static void mend_cut(fw_socket *s)
{
    fw_contact *c = &s->contact;
    if (c->cut[0] == '\0' || fw_mono_seconds(c->cut_at, fw_mono_now()) < LOOK_EVERY_S / 2) return;
    fw_socket_reconnect(s, c->cut);
    c->cut[0] = '\0';
}

bool fw_socket_tend(fw_socket *s, char trouble[static FW_CONTACT_TEXT])
{
    event e;
    bool news = false;
    if (s->contact.events == NULL || !fw_mono_passed(s->contact.next_look)) return false;
    for (int i = 0; i < PER_LOOK && !news && next_event(&e, s->contact.events); i++) {
        note_cut(&s->contact, &e);
        news = (e.what & HANDSHAKES) != 0 && is_news(&s->contact, &e);
        if (news) say(trouble, s, &e);
        if (e.what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH || e.what == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) fw_socket_reconnect(s, e.endpoint);
    }
    if (!news) mend_cut(s);
    if (!news) s->contact.next_look = fw_mono_after(fw_mono_now(), LOOK_EVERY_S);
    return news;
}
